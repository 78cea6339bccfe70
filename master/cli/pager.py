"""Text for a reader: through the pager on a terminal, plain in a pipe."""

from __future__ import annotations

import shutil
import sys

import click

from . import output

WIDEST = 110  # columns: longer lines are hard to read


def show(markdown: str) -> None:
    """Show a text in Markdown: set for the terminal, as it is elsewhere and with --plain."""
    if not output.is_live(sys.stdout):
        click.echo(markdown, nl=not markdown.endswith("\n"))
        return
    from ..state.terminal import markdown_as_text  # late: it loads rich, which only a terminal needs

    size = shutil.get_terminal_size()
    text = markdown_as_text(markdown, min(size.columns, WIDEST))
    # What fits on the screen needs no pager, and stays there.
    if text.count("\n") < size.lines:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text)
