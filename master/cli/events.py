"""spe events."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from .common import as_json, folder_of, sweep_file, sweep_name, volume
from .elsewhere import reading


@click.command()
@click.option("--notes", is_flag=True, help="Only what happens, not how the state changes.")
@sweep_file
@sweep_name
@as_json
@volume
@reading
def command(notes: bool, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Print what happens in a running sweep as JSON, one event a line, until the run has ended.

    First its whole state, then each change of it as a JSON merge patch, and a note for each thing that happens.

    \b
    Example: spe events --notes | jq -r .data.text
    """
    from ..calling import events

    for event, data in events(folder_of(file, name)):
        if event == "note" or not notes:
            sys.stdout.write(json.dumps({"event": event, "data": data}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
