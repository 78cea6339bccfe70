"""`spe pause`, and the make of `spe resume`, which is its counterpart in everything."""

from __future__ import annotations

from pathlib import Path

import click

from .common import as_json, sweep_file, sweep_name, volume
from .elsewhere import anywhere
from .steer import numbers, steer


def made(verb: str, help_: str) -> click.Command:
    """Return the command of a verb: about the sweep, or with numbers about the programs of these
    sets.
    """

    @click.command(verb, help=help_)
    @click.argument("tasks", nargs=-1, metavar="[TASK...]")
    @sweep_file
    @sweep_name
    @as_json
    @volume
    @anywhere
    def command(
        tasks: tuple[str, ...], file: Path, name: str | None, json_: bool, quiet: bool, verbose: int
    ) -> None:
        if tasks:
            steer(file, name, json_, quiet, f"{verb}_task", tasks=numbers(tasks))
        else:
            steer(file, name, json_, quiet, verb)

    return command


# Made by a function and not by a decorator: `spe resume` is the same in all but verb and help.
command = made(
    "pause",
    """Hand out nothing new until `spe resume`; what runs goes on. With numbers: stop the programs of
    these sets.

    \b
    Example: spe pause
    Example: spe pause 17 20-29
    """,
)
