"""`spe attach`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import as_json, folder_of, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere

if TYPE_CHECKING:
    from ..store.statistics import Statistics


@click.command()
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> int:
    """Follow a sweep that runs without this terminal, until its end. Ctrl-C leaves it running.

    \b
    Example: spe run --detach && spe attach
    """
    from ..dispatch.shortfall import records
    from ..session.detached import follow, nothing_runs
    from ..session.forwarding import forwarding
    from ..session.living import living
    from ..store.reader import Reader
    from .report import statistics_record, summary, waiting

    folder = folder_of(file, name)
    run = living(folder)
    if run is None:
        raise nothing_runs(folder)
    if not quiet and not json_:
        click.echo(f"page: {run.page}", err=True)
        if line := forwarding(run.page):
            click.echo(line, err=True)
    shown = ""

    def show() -> None:
        nonlocal shown
        with Reader(folder) as reader:
            counts = reader.counts()
        text = ", ".join(f"{n} {state}" for state, n in counts.items())
        # A line for each change alone, not one for each look.
        if text != shown and not quiet and not json_:
            shown = text
            _show_counts(text)

    follow(folder, show)
    with Reader(folder) as reader:
        statistics = reader.statistics()
        because = reader.waiting_because()
    if json_:
        print_json({**statistics_record(statistics), "waiting_because": records(because)})
    else:
        click.echo(summary(statistics), err=True, nl=False)
        click.echo(waiting(because), err=True, nl=False)
        click.echo(str(folder / "results.csv"))
    return _code(statistics)


def _show_counts(text: str) -> None:
    """Show the counts: in one place on a terminal, else a line for each change."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", err=True, nl=False)
    else:
        click.echo(text, err=True)


def _code(statistics: Statistics) -> int:
    """Return the exit code of the run: 0 all done, 1 some failed, 130 interrupted."""
    if statistics.running + statistics.waiting:
        return 130
    return statistics.exit_code
