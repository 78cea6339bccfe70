"""`spe ps`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..text import volume as bytes_text
from .common import as_json, folder_of, print_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere


@click.command()
@click.argument("host", required=False, metavar="[HOST]")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    host: str | None, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Show the processes of all running sets, each with its tree, processor time and memory.

    \b
    Example: spe ps
    Example: spe ps lab03
    """
    from ..session.calling import fetch

    found = fetch(folder_of(file, name), "/processes", host=host or "")
    if json_:
        print_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    """Print the trees, each below the set to which it belongs."""
    # Named, so that a host without a line is not taken for one without processes.
    for one in found["silent"]:
        click.echo(f"{one}: its client has not answered", err=True)
    place = ("", 0)  # host and ticket that the last heading named
    for row in found["processes"]:
        if (row["host"], row["ticket"]) != place:
            place = row["host"], row["ticket"]
            click.echo(f"{row['host']}: task {row['task']}, ticket {row['ticket']}")
        click.echo(_line(row))


def _line(row: dict[str, Any]) -> str:
    """Return one process as a line, indented below its parent."""
    memory = bytes_text(row["memory"])
    indent = "  " * row["depth"]
    facts = f"{row['pid']:>8} {row['state']} {row['cpu']:>8.1f} s {memory:>9}"
    return f"  {facts}  {indent}{row['command']}"
