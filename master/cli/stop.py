"""`spe stop`."""

from __future__ import annotations

from pathlib import Path

import click

from .common import as_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .steer import steer


@click.command()
@click.option(
    "--now", is_flag=True, help="End running tasks, too; their sets wait for the next run."
)
@sweep_file
@sweep_name
@as_json
@volume
@anywhere
def command(
    now: bool, file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
) -> None:
    """End a running sweep as Ctrl-C on its terminal does: nothing new is begun, what runs may
    finish.

    With --now as a second Ctrl-C does. `spe run` goes on afterwards.

    \b
    Example: spe stop
    Example: spe stop --now && spe attach
    """

    about = {"now": True} if now else {}
    steer(file, name, json_, quiet, "stop", **about)
