"""The options of `spe run` that say what it prints of each set: `--lines` and `--rows`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from . import output

if TYPE_CHECKING:
    from ..runner.options import PrintOptions

_OPTIONS = (
    click.option(
        "-l", "--lines", is_flag=True, help="Print what the programs print, as sets finish."
    ),
    click.option(
        "-k", "--keep-order", is_flag=True, help="With -l or --rows: in the order of the sets."
    ),
    click.option("--tag", is_flag=True, help="With -l: the values of the set before each line."),
    click.option(
        "--rows", type=click.Choice(["json", "csv"]), help="Print the table, row by row as sets finish."
    ),
)


def print_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command hands them to `take_printing`."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


def take_printing(options: dict[str, Any], json_: bool, detach: bool) -> PrintOptions | None:
    """Take these options out of those of a command; None where nothing of the kind is wanted.

    Raises UsageError for options that exclude each other.
    """
    lines, rows = options.pop("lines"), options.pop("rows")
    in_order, tag = options.pop("keep_order"), options.pop("tag")
    _check(lines, rows, in_order, tag)
    if not lines and not rows:
        return None
    which = "--lines" if lines else f"--rows {rows}"
    if detach:
        todo = "Leave --detach out; or run with it, and print later with `spe results`."
        raise UsageError(f"{which} prints here, and --detach leaves this terminal", todo=todo)
    if json_ and rows != "json":
        todo = "Leave --json out, or write --rows json --json: then the summary is the last line."
        raise UsageError(f"{which} and --json would both write to standard output", todo=todo)
    from .. import startup

    startup.load_aiohttp()  # before any import of it: see startup.py
    from ..runner.options import PrintOptions

    out, err = output.Raw(sys.stdout), output.Raw(sys.stderr)
    return PrintOptions(form=rows or "lines", out=out, err=err, in_order=in_order, tag=tag)


def _check(lines: bool, rows: str | None, in_order: bool, tag: bool) -> None:
    if lines and rows:
        todo = "Choose one: --lines is what the programs print, --rows the table."
        raise UsageError("--lines and --rows exclude each other", todo=todo)
    if tag and not lines:
        raise UsageError("--tag marks the lines of --lines", todo="Write -l --tag.")
    if in_order and not lines and not rows:
        todo = "Write -lk, or -k --rows csv."
        raise UsageError("--keep-order is about what --lines or --rows prints", todo=todo)
