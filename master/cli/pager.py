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
    size = shutil.get_terminal_size()
    text = _set(markdown, min(size.columns, WIDEST))
    # What fits on the screen needs no pager, and stays there.
    if text.count("\n") < size.lines:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text)


def _set(markdown: str, width: int) -> str:
    """Return Markdown as a terminal shows it, in lines of this width."""
    import io

    from rich.console import Console  # late: only a terminal needs it
    from rich.markdown import Markdown

    page = io.StringIO()
    console = Console(file=page, width=width, force_terminal=True, legacy_windows=False)
    console.print(Markdown(markdown))
    return page.getvalue()
