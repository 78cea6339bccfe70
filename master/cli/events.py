"""`spe events`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from .common import as_json, folder_of, open_reader, sweep_file, sweep_name, volume
from .elsewhere import anywhere


@click.command()
@click.option("--notes", is_flag=True, help="Print notes only: no states, no changes.")
@click.option("--past", is_flag=True, help="Print the stored notes of all runs until now, and end.")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    notes: bool, past: bool, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Print what happens in a running sweep as JSON, one event a line, until the run has ended.

    First its whole state, then each change of it as a JSON merge patch, and a note for each thing
    that happens.

    \b
    Example: spe events --notes | jq -r .data.text
    Example: spe events --past
    """
    if past:
        with open_reader(file, name) as reader:
            for note in reader.events():
                _print("note", note)
    else:
        _follow(folder_of(file, name), notes)


def _follow(folder: Path, notes: bool) -> None:
    """Print the events of the run here as they come. Raises UsageError where nothing runs."""
    from ..session.calling import events  # late: --past needs no HTTP
    from ..session.detached import nothing_runs
    from ..session.living import living

    if living(folder) is None:
        raise nothing_runs(folder, "`spe events --past` prints what happened until now.")
    for event, data in events(folder):
        if event == "note" or not notes:
            _print(event, data)
            sys.stdout.flush()  # a program reads this line by line


def _print(event: str, data: dict[str, Any]) -> None:
    """Print one event as a line of JSON."""
    sys.stdout.write(json.dumps({"event": event, "data": data}, ensure_ascii=False) + "\n")
