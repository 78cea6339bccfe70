"""Shared by the commands that steer a running sweep: the numbers they are given, the sentence they
print.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .common import folder_of, print_json

MOST = 100_000  # sets in one command: their numbers go to the master in one request


def steer(file: Path, name: str | None, json_: bool, quiet: bool, verb: str, **about: Any) -> None:
    """Tell the master that runs this sweep what to do, and print its sentence."""
    from ..session.calling import act

    said = act(folder_of(file, name), verb, **about)
    if json_:
        print_json({"said": said})
    elif not quiet:
        click.echo(said, err=True)


def numbers(words: Sequence[str]) -> list[int]:
    """Return the numbers in words such as `17`, and `20-29` for ten of them. Raises UsageError."""
    found: dict[int, None] = {}  # each once, in the order given
    for word in words:
        span = _span(word)
        # Before they are made: 1-99999999999 would fill the memory.
        if len(span) + len(found) > MOST:
            raise UsageError(f"{word}: that is more than {MOST} sets")
        found.update(dict.fromkeys(span))
    return list(found)


def _span(word: str) -> range:
    """Return the numbers of one word. Raises UsageError."""
    first, dash, last = word.partition("-")
    if not is_number(first) or (dash and not is_number(last)):
        todo = "Write 17, or 20-29 for ten of them."
        raise UsageError(f"{word!r} is not the number of a set", todo=todo)
    span = range(int(first), int(last or first) + 1)
    # 29-20 may be a slip for 29-40 as well, so it is not turned round.
    if not span:
        todo = "Write the smaller one first, as in 20-29."
        raise UsageError(f"{word}: the first number is greater than the last", todo=todo)
    return span


def is_number(text: str) -> bool:
    """Tell whether a text can be the number of a set."""
    # int() alone would take digits of other scripts; the limit is that of SQLite's integers.
    return text.isascii() and text.isdigit() and 0 < int(text) < 2**62
