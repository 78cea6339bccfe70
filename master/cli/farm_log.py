"""`spe farm log`."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from ..errors import UsageError
from ..logs import OLDER, numbered
from ..text import printable
from .common import volume

LEVELS = ("info", "warning", "error")
PAUSE = 0.5  # seconds between two looks at a log that is followed
_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) ")


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option(
    "--level", type=click.Choice(LEVELS), default="info", show_default=True,
    help="Only lines that are as serious, or more.",
)  # fmt: skip
@volume
def command(follow: bool, level: str, quiet: bool, verbose: int) -> None:
    """Print the log of the farm: who joined, what it refused, what failed.

    \b
    Example: spe farm log -f
    Example: spe farm log --level warning
    """
    from ..pool.service.living import LOG, home

    path = home() / LOG
    if not path.exists():
        todo = "A farm that is started in the background writes it."
        raise UsageError("there is no log of a farm of this account", where=str(path), todo=todo)
    is_shown = True
    for line in _all_lines(path, follow):
        found = _LINE.match(line)
        # The lines of a traceback belong to the line above them.
        if found:
            word = found[1].lower().replace("critical", "error")
            is_shown = word in LEVELS and LEVELS.index(word) >= LEVELS.index(level)
        if is_shown:
            click.echo(printable(line))
            sys.stdout.flush()


def _all_lines(path: Path, follow: bool) -> Iterator[str]:
    """Yield the lines of a log, behind those of the older ones beside it."""
    newest = _open(path)  # first: it may become an older one meanwhile
    for number in range(OLDER, 0, -1):
        older = numbered(path, number)
        if older.exists() and not _is(newest, older):
            yield from _lines(older, _open(older), follow=False)
    yield from _lines(path, newest, follow)


def _lines(path: Path, file: TextIO, follow: bool) -> Iterator[str]:
    """Yield the lines of a log, also of one that is replaced while it is followed."""
    kept = ""
    is_replaced = False
    try:
        while True:
            text = file.readline()
            kept += text
            if kept.endswith("\n"):
                yield kept[:-1]
                kept = ""
            elif text:
                continue  # the end of this line is not written yet
            elif is_replaced:
                # Only now: the old one may have had more lines when it was replaced.
                file.close()
                file = _open(path)
                is_replaced = False
            elif follow:
                time.sleep(PAUSE)
                is_replaced = path.exists() and not _is(file, path)
            else:
                break
        if kept:
            yield kept
    finally:
        file.close()


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors="replace")


def _is(file: TextIO, path: Path) -> bool:
    return os.path.samestat(os.fstat(file.fileno()), path.stat())
