"""`spe help`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .output import plain_option
from .pager import show


def _complete(context: click.Context, param: click.Parameter, begin: str) -> list[str]:
    from .catalogue import SUBCOMMANDS
    from .lookup import known_words

    before = " ".join(context.params.get("words") or ())
    if before in SUBCOMMANDS:
        return [word for word in SUBCOMMANDS[before] if word.startswith(begin)]
    return [word for word in known_words() if word.startswith(begin)]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[WORD]...", shell_complete=_complete)
@click.option(
    "--man",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the pages for man into this folder: spe.1, spe-run.1 and so on.",
)
@plain_option
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], folder: Path | None) -> None:
    """Explain a command, an option, a key of spe.yaml, a word of the glossary or of a message.

    \b
    Example: spe help run
    Example: spe help farm join
    Example: spe help --timeout
    Example: spe help unknown key
    """
    root: Any = context.find_root().command
    if folder is not None:
        from .man import write_pages

        click.echo(f"wrote {write_pages(root, folder)} pages into {folder}", err=True)
        return
    if not words:
        click.echo(root.get_help(context.find_root()))
        return
    _explain(" ".join(words), root)


def _explain(word: str, root: click.Group) -> None:
    from .lookup import explain, near_words

    text = explain(word, root)
    if text:
        show(text)
        return
    near = near_words(word, root)
    hint = f"Did you mean {near}? " if near else ""
    todo = f"{hint}`spe docs` lists the pages."
    raise UsageError(f"the documentation does not know {word!r}", todo=todo)
