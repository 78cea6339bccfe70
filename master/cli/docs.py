"""`spe docs`."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

from . import output
from .output import plain_option
from .pager import show


def _complete(context: click.Context, param: click.Parameter, begin: str) -> list[str]:
    from .pages import page_names

    return [name for name in page_names() if name.startswith(begin)]


@click.command()
@click.argument("page", required=False, metavar="[PAGE]", shell_complete=_complete)
@plain_option
def command(page: str | None) -> None:
    """List the pages of the documentation, or show one, through the pager on a terminal.

    \b
    Example: spe docs
    Example: spe docs failures
    """
    from .pages import read_page

    if page is not None:
        show(read_page(page))
        return
    for line in _lines():
        click.echo(line)


def _lines() -> list[str]:
    """Return a line for each page: its name, and what a reader can do after it."""
    from .pages import page_names, promise

    names = page_names()
    width = max(map(len, names))
    lines = [f"{name.ljust(width)}  {promise(name)}" for name in names]
    if not output.is_live(sys.stdout):
        return lines
    columns = shutil.get_terminal_size().columns
    return [line if len(line) < columns else _cut(line, columns) for line in lines]


def _cut(line: str, columns: int) -> str:
    name, _, text = line.partition("  ")
    rest = line[len(name) :]
    blanks = rest[: len(rest) - len(rest.lstrip())]
    room = columns - len(name) - len(blanks) - 1
    return name + blanks + textwrap.shorten(text.strip(), max(room, 10), placeholder=" …")
