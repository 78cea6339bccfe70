"""The parameter file: a header line with the names, then one line a set; read as a stream, never all at once.

Cells are separated by `|`; in a .csv file by commas (by `|` if its header has one and no comma), in a .tsv
file by tabs. Quoting is that of RFC 4180, newlines in quotes included. Cells are kept exactly as written. A
byte order mark is skipped. A line whose cells are all empty is no set (`,,` as spreadsheets write it, `"",""` too): at
the end it is ignored, anywhere else it is an error. Only where there is a single name, the line `""` is a set.
What sets mean, and that equal ones are one, is parameters.py.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..config.parameter_names import name_fault
from ..errors import ConfigError

Cells = tuple[str, ...]

#: Above this a quoted cell is taken for one whose quote was forgotten.
LONGEST_CELL = 1 << 26
_CHUNK = 1 << 20


class ParameterFile:
    """One file: its names at once, its rows as often as asked for."""

    def __init__(self, path: Path, shown: str) -> None:
        self.path, self.shown = path, shown
        csv.field_size_limit(LONGEST_CELL)  # of the csv module as a whole: its default of 128 KiB is too short here
        with self._open() as file:
            self.separator = _separator(path, file.readline(LONGEST_CELL))
        self.names: Cells = tuple(next(self._lines(), ([], 1))[0])
        self._check_names()

    def rows(self) -> Iterator[tuple[Cells, int]]:
        """Each line's cells and its line number; raises ConfigError at the first line that is wrong."""
        width, empty = len(self.names), 0
        lines = self._lines()
        next(lines, None)
        for row, line in lines:
            # row[0] first: almost every line begins with a cell that has something in it.
            if len(row) == width and not empty and (row[0] or width == 1 or any(row)):
                yield tuple(row), line
            elif any(row) or len(row) == width == 1:
                raise self._miscounted(row, line, empty)
            else:
                empty = empty or line

    def has_nul(self) -> bool:
        """Whether a NUL byte is anywhere in the file: then each set has to be looked at."""
        with self.path.open("rb") as file:
            return any(b"\0" in chunk for chunk in iter(lambda: file.read(_CHUNK), b""))

    def content(self) -> Iterator[bytes]:
        """The whole file as it is now."""
        yield repr((self.names, self.separator)).encode()
        with self.path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")

    def where(self, line: int) -> str:
        """`params.csv:12`."""
        return f"{self.shown}:{line}"

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        """The file as text, its faults as ConfigErrors."""
        try:
            with self.path.open(encoding="utf-8", newline="\n") as file:
                yield file
        except UnicodeDecodeError as error:
            raise self._undecodable() from error
        except OSError as error:
            todo = "Name a file that is there, relative to spe.yaml."
            raise ConfigError(f"can't be read: {error.strerror}", where=self.shown, todo=todo) from error

    def _lines(self) -> Iterator[tuple[list[str], int]]:
        """Every line of the file, the header too, with its number: the first one's if it goes over several."""
        with self._open() as file:
            reader = csv.reader(_without_mark(file), delimiter=self.separator, strict=True)
            line = 1
            try:
                for row in reader:
                    yield row, line
                    line = reader.line_num + 1
            except csv.Error as error:
                raise self._unquoted(error, line) from error

    def columns(self) -> None:
        """Only reading all rows tells what its columns have."""

    def _miscounted(self, row: Cells | list[str], line: int, empty: int) -> ConfigError:
        width = len(self.names)
        if empty:
            todo = 'Remove it; a set with one empty cell is written "".' if width == 1 else "Remove it, or fill it in."
            return ConfigError("this line is empty", where=self.where(empty), todo=todo)
        what = f"this line has {_cells(len(row))}, the header has {_cells(width)} ({self.separator.join(self.names)!r})"
        sign = {"\t": "tab", ",": "comma"}.get(self.separator, self.separator)
        todo = f"Separate cells by {sign}; a cell with that sign or a quote in it goes in double quotes."
        return ConfigError(what, where=self.where(line), todo=todo)

    def _check_names(self) -> None:
        where = self.where(1)
        if not self.names:
            todo = "Write a header line with the names, then one line a set."
            raise ConfigError("the file is empty" if not self.path.stat().st_size else "the header line is empty",
                              where=where, todo=todo)  # fmt: skip
        for position, name in enumerate(self.names):
            if fault := name_fault(name):
                raise ConfigError(
                    f"column {position + 1} of the header: {fault}", where=where, todo="Mend the header line."
                )
            if name in self.names[:position]:
                first = self.names.index(name) + 1
                what = f"the name {name} is there twice, as column {first} and {position + 1}"
                raise ConfigError(what, where=where, todo="Rename one of them.")

    def _unquoted(self, error: csv.Error, line: int) -> ConfigError:
        problem = str(error)
        if "new-line" in problem:
            todo = "End lines with a newline; put a cell that holds one in double quotes."
            return ConfigError("a carriage return stands in the line", where=self.where(line), todo=todo)
        if "end of data" in problem or "limit" in problem:
            todo = 'Close it; a cell that begins with a quote is written """…".'
            return ConfigError("a quoted cell that begins here has no end", where=self.where(line), todo=todo)
        todo = 'In a quoted cell, a quote is written twice: "say ""hello""".'
        return ConfigError(f"wrong quoting: {problem}", where=self.where(line), todo=todo)

    def _undecodable(self) -> ConfigError:
        """Finds the line; slow, but only done once."""
        with self.path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                try:
                    text.decode()
                except UnicodeDecodeError:
                    return ConfigError("this line is not UTF-8", where=self.where(line), todo="Save the file as UTF-8.")
        return ConfigError("the file is not UTF-8", where=self.shown, todo="Save the file as UTF-8.")


def _separator(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return "," if path.suffix.lower() == ".csv" and ("," in header or "|" not in header) else "|"


def _without_mark(file: TextIO) -> Iterator[str]:
    for first in file:
        yield first.removeprefix("\ufeff")
        yield from file


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
