"""Reads the parameter file as a stream: a header line with the names, then one line a set.

Cells are separated by `|`, in a .csv file by commas (by `|` or `;` if its header has one and no
comma), in a .tsv file by tabs; `separator:` names any other sign. Quoting is that of RFC 4180,
newlines in quotes included. Cells are kept exactly as written. A byte order mark is skipped.

A line whose cells are all empty is no set (`,,` as spreadsheets write it, `"",""` too): at the end
it is ignored, anywhere else it is an error. Only where there is a single name, the line `""` is a
set. What sets mean, and that equal ones are one, is decided in parameters.py.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ...config.parameter_names import name_fault
from ...errors import ConfigError
from ...text import counted

Cells = tuple[str, ...]

# Bytes; a longer quoted cell is taken for one whose closing quote is missing.
LONGEST_CELL = 1 << 26
_CHUNK = 1 << 20  # bytes read at once
_OTHER_SIGNS = (";", ",", "\t", ":", " ", "|")  # of other programs' tables


class ParameterFile:
    """A parameter file: its names, read at once, and its rows, streamed as often as asked for."""

    def __init__(self, path: Path, shown: str, separator: str | None = None) -> None:
        self.path = path
        self.shown = shown
        # A setting of the whole csv module. Its default of 128 KiB is too short for cells.
        csv.field_size_limit(LONGEST_CELL)
        with self._open() as file:
            self.separator = separator or _separator(path, file.readline(LONGEST_CELL))
        self.names: Cells = tuple(next(self._lines(), ([], 1))[0])
        self._check_names()

    def rows(self) -> Iterator[tuple[Cells, int]]:
        """Yield each line's cells and its line number.

        Raises ConfigError at the first line that is wrong.
        """
        width = len(self.names)
        empty = 0  # number of the first empty line, after which no set may come
        lines = self._lines()
        next(lines, None)
        for row, line in lines:
            # row[0] is asked before any(row): almost every line begins with a cell that is not
            # empty, and this runs a million times.
            if len(row) == width and not empty and (row[0] or width == 1 or any(row)):
                yield tuple(row), line
            elif any(row) or len(row) == width == 1:
                raise self._miscounted(row, line, empty)
            else:
                empty = empty or line

    def has_nul(self) -> bool:
        """Tell whether a NUL byte is anywhere in the file: then each set has to be looked at."""
        with self.path.open("rb") as file:
            return any(b"\0" in chunk for chunk in iter(lambda: file.read(_CHUNK), b""))

    def content(self) -> Iterator[bytes]:
        """Yield what the sets are made of: names, separator and the whole file as it is now."""
        yield repr((self.names, self.separator)).encode()
        with self.path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")

    def where(self, line: int) -> str:
        """Return the place of a line, such as `params.csv:12`."""
        return f"{self.shown}:{line}"

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        """Open the file as text; its faults become ConfigErrors."""
        try:
            # newline="\n": a carriage return stays and is told, it would otherwise end a line.
            with self.path.open(encoding="utf-8", newline="\n") as file:
                yield file
        except UnicodeDecodeError as error:
            raise self._undecodable() from error
        except OSError as error:
            todo = "Name a file that is there, relative to spe.yaml."
            raise ConfigError(
                f"can't be read: {error.strerror}", where=self.shown, todo=todo
            ) from error

    def _lines(self) -> Iterator[tuple[list[str], int]]:
        """Yield every line with its number, the header too.

        A line in several has the number of the first.
        """
        with self._open() as file:
            # strict: text behind a closing quote is an error, not a part of the cell.
            reader = csv.reader(_without_mark(file), delimiter=self.separator, strict=True)
            line = 1
            try:
                for row in reader:
                    yield row, line
                    line = reader.line_num + 1
            except csv.Error as error:
                raise self._unquoted(error, line) from error

    def columns(self) -> None:
        """Return None: only reading all rows tells what the columns have."""

    def _miscounted(self, row: Cells | list[str], line: int, empty: int) -> ConfigError:
        """Return the error for a line with too many or too few cells, or after an empty line."""
        width = len(self.names)
        if empty:
            # The empty line is told and not this one: it is the one to be mended.
            todo = "Remove it, or fill it in."
            if width == 1:
                todo = 'Remove it; a set with one empty cell is written "".'
            return ConfigError("this line is empty", where=self.where(empty), todo=todo)
        header = self.separator.join(self.names)
        what = f"this line has {_cells(len(row))}, the header has {_cells(width)} ({header!r})"
        sign = {"\t": "tab", ",": "comma"}.get(self.separator, self.separator)
        todo = f"Separate cells by {sign}; a cell with that sign or a quote in it goes in double quotes."
        return ConfigError(what, where=self.where(line), todo=todo)

    def _check_names(self) -> None:
        """Raise ConfigError for a header without names, with a name that none may have, or with one
        twice.
        """
        if not self.names:
            todo = "Write a header line with the names, then one line a set."
            what = "the header line is empty" if self.path.stat().st_size else "the file is empty"
            raise ConfigError(what, where=self.where(1), todo=todo)
        for position, name in enumerate(self.names):
            self._check_name(name, position)

    def _check_name(self, name: str, position: int) -> None:
        """Raise ConfigError for a name that none may have, or that an earlier column has."""
        where = self.where(1)
        # By its number too: a name of spaces, or none at all, is not found by looking for it.
        if fault := name_fault(name):
            what = f"column {position + 1} of the header: {fault}"
            raise ConfigError(what, where=where, todo=self._mend_header(name))
        if name in self.names[:position]:
            first = self.names.index(name) + 1
            what = f"the name {name} is there twice, as column {first} and {position + 1}"
            raise ConfigError(what, where=where, todo="Rename one of them.")

    def _mend_header(self, name: str) -> str:
        """Return what to do about a name that none may have: maybe it is several names."""
        sign = self._other_sign(name.strip())
        if sign is not None:
            shown = "\\t" if sign == "\t" else sign
            return f'Mend the header line; if cells are separated by it: `separator: "{shown}"`.'
        usable = re.sub(r"\W+", "_", name.strip()).strip("_")
        if usable[:1].isdigit():
            usable = f"_{usable}"
        if not usable or usable == name.strip() or usable in self.names:
            return "Mend the header line."
        return f"Call it {usable}."

    def _other_sign(self, name: str) -> str | None:
        """Return a sign in this name that may separate cells; None where it hardly does."""
        # The sign that counts separates names already, so the header has no other one.
        is_alone = len(self.names) == 1
        for sign in _OTHER_SIGNS:
            parts = name.split(sign)
            # `x y` may be two columns; in `Last [kN]` the second part is a unit.
            is_unit = sign == " " and not all(part.isidentifier() for part in parts if part)
            if sign != self.separator and len(parts) > 1 and not is_unit and (is_alone or sign != " "):
                return sign
        return None

    def _unquoted(self, error: csv.Error, line: int) -> ConfigError:
        """Return the error for wrong quoting, in place of the words of the csv module."""
        problem = str(error)
        if "new-line" in problem:
            todo = "End lines with a newline; put a cell that holds one in double quotes."
            return ConfigError(
                "a carriage return stands in the line", where=self.where(line), todo=todo
            )
        if "end of data" in problem or "limit" in problem:
            todo = 'Close it; a cell that begins with a quote is written """…".'
            return ConfigError(
                "a quoted cell that begins here has no end", where=self.where(line), todo=todo
            )
        todo = 'In a quoted cell, a quote is written twice: "say ""hello""".'
        return ConfigError(f"wrong quoting: {problem}", where=self.where(line), todo=todo)

    def _undecodable(self) -> ConfigError:
        """Return the error that names the line which is not UTF-8. Slow, but done only once."""
        with self.path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                try:
                    text.decode()
                except UnicodeDecodeError:
                    return ConfigError(
                        "this line is not UTF-8",
                        where=self.where(line),
                        todo="Save the file as UTF-8.",
                    )
        return ConfigError(
            "the file is not UTF-8", where=self.shown, todo="Save the file as UTF-8."
        )


def _separator(path: Path, header: str) -> str:
    """Return the sign between the cells of this file."""
    suffix = path.suffix.lower()
    if suffix == ".tsv":
        return "\t"
    if suffix != ".csv":
        return "|"
    # One column has no sign at all, and cells of a .csv file may hold `|` then. Spreadsheets write
    # `;` where the comma is the decimal sign.
    return next((sign for sign in ",|;" if sign in header), ",")


def _without_mark(file: TextIO) -> Iterator[str]:
    """Yield the lines, the first one without its byte order mark."""
    for first in file:
        yield first.removeprefix("\ufeff")
        yield from file


def _cells(count: int) -> str:
    return counted(count, "cell")
