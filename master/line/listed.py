"""Lists of values for -p from a file (`x=@FILE`) or from standard input (`x=@-`): one a line, or
one between two NULs.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from pathlib import Path

from ..errors import UsageError

STANDARD_INPUT = "-"


def read_values(name: str, folder: Path, nul: bool, where: str) -> list[str]:
    """Return the values in a file, or in standard input for `-`. Raises UsageError.

    Each line is one value, empty ones too; `nul`: a NUL ends a value in place of a newline. Where
    every line ends as on Windows, the carriage returns are no part of the values. `where` is the
    option as it was typed.
    """
    shown = "standard input" if name == STANDARD_INPUT else name
    content = _content(name, folder, where).removeprefix(codecs.BOM_UTF8)
    end = b"\0" if nul else b"\n"
    pieces = content.removesuffix(end).split(end)
    if not content:
        what = f"there is no value in {shown}"
        raise UsageError(what, where=where, todo="Each line is one value.")
    if not nul and _ends_as_on_windows(pieces, is_whole=content.endswith(end)):
        pieces = [piece.removesuffix(b"\r") for piece in pieces]
    return [_text(piece, shown, at, where) for at, piece in enumerate(pieces, 1)]


def _ends_as_on_windows(lines: list[bytes], is_whole: bool) -> bool:
    """Tell whether each line ends with a carriage return; the last one need not, without a newline."""
    ended = lines if is_whole else lines[:-1]
    return bool(ended) and all(line.endswith(b"\r") for line in ended)


class _Taken:
    """The content of standard input, once it was read. There is one of it."""

    content = b""


def taken() -> bytes:
    """Return what was read of standard input: a process that goes on in our place reads it again."""
    return _Taken.content


def _content(name: str, folder: Path, where: str) -> bytes:
    if name == STANDARD_INPUT:
        return _standard_input()
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        what = f"{name} can't be read: {error.strerror}"
        todo = f'Mend the path; the text itself is written in quotes: "@{name}".'
        raise UsageError(what, where=where, todo=todo) from error


def _standard_input() -> bytes:
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        hint = "values are read from this terminal, one a line; Ctrl-D ends them"
        print(f"spe: {hint}", file=sys.stderr)
    _Taken.content = sys.stdin.buffer.read()
    if not is_terminal:
        _ask_at_the_terminal()
    return _Taken.content


def _ask_at_the_terminal() -> None:
    """Let questions go to the terminal from now on, where there is one: standard input is at its end."""
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        if os.tcgetpgrp(terminal) == os.getpgrp():
            sys.stdin = os.fdopen(terminal, encoding="utf-8", errors="replace")
        else:
            os.close(terminal)  # a job in the background: to read there would stop it


def _text(piece: bytes, shown: str, at: int, where: str) -> str:
    try:
        text = piece.decode()
    except UnicodeDecodeError as error:
        what = f"value {at} of {shown} is not UTF-8"
        raise UsageError(what, where=where, todo="Write the values as UTF-8.") from error
    if "\0" in text:
        what = f"value {at} of {shown} has a NUL byte"
        raise UsageError(what, where=where, todo="-0 reads values that end with a NUL.")
    return text
