"""spe retry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .common import as_json, load, sweep_file, sweep_name, volume
from .run import change_options, execute, make_options, run_options


@click.command()
@click.argument("numbers", nargs=-1, type=click.IntRange(1), metavar="[NUMBER...]")
@run_options
@change_options
@sweep_file
@sweep_name
@as_json
@volume
def command(
    numbers: tuple[int, ...], file: Path, name: str | None, json_: bool, quiet: bool, verbose: int, **options: Any
) -> int:  # fmt: skip
    """Put failed sets back with all their attempts (all of them, or those with these NUMBERs) and run the sweep.

    \b
    Example: spe retry 17 42
    """
    sweep = load(file, name=name)
    chosen = make_options(**options, retry=True, retry_numbers=numbers)
    return execute(sweep, chosen, json_, quiet, verbose)
