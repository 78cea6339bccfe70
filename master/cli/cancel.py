"""`spe cancel`."""

from __future__ import annotations

from pathlib import Path

import click

from .common import as_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .steer import numbers, steer


@click.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    tasks: tuple[str, ...], file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """Take sets out of the running sweep: programs that run are ended, and they never run again
    until `spe retry`.

    \b
    Example: spe cancel 17 20-29
    """
    steer(file, name, json_, quiet, "cancel", tasks=numbers(tasks))
