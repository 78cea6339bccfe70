"""spe resume."""

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
    """Go on with a paused sweep. With numbers: let the programs of these sets go on.

    \b
    Example: spe resume
    """
    if tasks:
        steer(file, name, json_, quiet, "resume_task", tasks=numbers(tasks))
    else:
        steer(file, name, json_, quiet, "resume")
