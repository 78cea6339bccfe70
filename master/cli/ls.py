"""`spe ls`."""

from __future__ import annotations

import click

from .common import as_json, print_json, table, volume
from .sweeps import HEAD, Glance, glance


@click.command()
@as_json
@volume
def command(json_: bool, quiet: bool, verbose: int) -> None:
    """List all runs of this account on this machine, the one used last first: where, state, sets.

    \b
    Example: spe ls
    Example: spe ls --json
    """
    found = _all()
    if json_:
        print_json([one.facts() for one in found])
    elif found:
        rows = ((_short(one), *one.cells()) for one in found)
        click.echo(table(("folder", *HEAD), rows), nl=False)
    elif not quiet:
        click.echo("no run is listed here yet", err=True)


def _all() -> list[Glance]:
    """Return the runs of the list; a folder that several machines have used is there once."""
    from ..session.run_list import listed

    found: dict[object, Glance] = {}
    for one in listed():
        found.setdefault(one.folder, glance(one.folder, one.used))
    return list(found.values())


def _short(one: Glance) -> str:
    """Return the folder of a sweep as people write it; the table cuts long cells at their end."""
    from pathlib import Path

    from .common import CLIP

    text = str(one.project)
    home = str(Path.home())
    if text == home or text.startswith(home + "/"):
        text = "~" + text[len(home) :]
    if len(text) > CLIP:
        text = "…" + text[1 - CLIP :]
    return text
