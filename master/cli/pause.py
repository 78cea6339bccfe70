"""spe pause."""

from __future__ import annotations

from pathlib import Path

import click

from .common import as_json, sweep_file, sweep_name, volume
from .steer import numbers, steer


@click.command()
@click.argument("tasks", nargs=-1, metavar="[TASK...]")
@sweep_file
@sweep_name
@as_json
@volume
def command(tasks: tuple[str, ...], file: Path, name: str | None, json_: bool, quiet: bool, verbose: int) -> None:
    """Hand out nothing new until `spe resume`; what runs goes on. With numbers: stop the programs of these sets.

    \b
    Example: spe pause
    """
    if tasks:
        steer(file, name, json_, quiet, "pause_task", tasks=numbers(tasks))
    else:
        steer(file, name, json_, quiet, "pause")
