"""`spe why`."""

from __future__ import annotations

from pathlib import Path

import click

from .common import as_json, open_reader, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere


@click.command()
@click.argument("number", type=click.IntRange(1), metavar="TASK")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    number: int, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Say why a set is not running now: done, failed, waiting for what.

    \b
    Example: spe why 17
    """
    from ..state.why import why, written
    from .show import shown_state

    # From the store and from a file that the master writes, not from the master itself: there is an
    # answer for a colleague's run, for an archive, and where the master does not answer.
    with open_reader(file, name) as reader:
        task = reader.task(number)
        state = shown_state(reader.folder, task)
        reasons = why(reader, task, written(reader.folder), state == "paused")
    if json_:
        print_json({"number": number, "state": state, "reasons": reasons})
    else:
        click.echo(f"task {number}: {state}")
        for reason in reasons:
            click.echo(f"  {reason}")
