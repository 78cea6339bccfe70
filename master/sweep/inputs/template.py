"""Templates: files with expressions, filled for each set like the text of an input."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ConfigError
from ..pattern import Pattern
from ..segments import NotClosed

Marks = tuple[str, str]
_MARKS = ("<< >>", "<% %>", "@< >@")


def read_template(folder: Path, path: str, marks: Marks | None) -> tuple[Pattern, int]:
    """Return the pattern in a template file, and the file's permissions.

    Raises ConfigError, with the line in the template for an expression that is not closed.
    """
    try:
        with (folder / path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777 | 0o400
            text = file.read().decode(errors="surrogateescape")
    except OSError as error:
        todo = "Make it, or mend its path."
        raise ConfigError(
            f"the template {path} can't be read: {error.strerror}", todo=todo
        ) from error
    try:
        pattern = Pattern.parse(text, marks)
    except NotClosed as error:
        where = f"{path}:{text.count(chr(10), 0, error.at) + 1}"
        raise ConfigError(error.what, where=where, todo=error.todo) from error
    return pattern, mode


def line_of(pattern: Pattern, name: str) -> int:
    """Return the line of a template in which a name stands first."""
    line = 1
    for segment in pattern.segments:
        if segment.code and name in Pattern([segment]).names:
            break
        line += segment.text.count("\n")
    return line


def free_marks(pattern: Pattern) -> str:
    """Return two marks that do not stand in a text yet, as `marks:` takes them."""
    text = str(pattern)
    return next((one for one in _MARKS if not any(sign in text for sign in one.split())), _MARKS[0])
