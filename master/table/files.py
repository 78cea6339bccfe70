"""The table as a file, in the form that the end of its name says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import UsageError
from ..results.table_files import csv_line, row_as_json
from ..text import named, nearest
from .arrow import arrow_table
from .columns import columns_of
from .extras import library
from .output_file import ANOTHER, is_stream, written
from .sheet import write_sheet

if TYPE_CHECKING:
    from ..store.reader import Reader
    from .selection import Selection


KINDS = (".csv", ".json", ".parquet", ".xlsx")
#: Ends of names of other programs -> the kind that is meant.
_MEANT = {
    ".arrow": ".parquet",
    ".feather": ".parquet",
    ".jsonl": ".json",
    ".ndjson": ".json",
    ".pq": ".parquet",
    ".tsv": ".csv",
    ".txt": ".csv",
    ".xls": ".xlsx",
}


def kind_of(path: Path, as_json: bool) -> str:
    """Return the kind of table that the end of a name says. Raises UsageError for another end.

    `as_json`: it is JSON where the name says nothing. A device or a pipe gets lines as they are
    printed.
    """
    end = path.suffix.lower()
    if end in KINDS:
        return end
    if as_json:
        return ".json"
    if is_stream(path):
        return ".csv"
    todo = f"There are: {named(KINDS)}. Without -o, the table is printed."
    near = _MEANT.get(end) or nearest(end, KINDS)
    todo = f"Did you mean {near}? {todo}" if near else todo
    what = f"no table is written as {end}" if end else "its name does not say what to write"
    raise UsageError(what, where=str(path), todo=todo)


def write_table(
    path: Path, reader: Reader, selection: Selection, kind: str, todo: str = ANOTHER
) -> int:
    """Write the selected table as a file of this kind, one of KINDS; return its number of rows.

    Raises UsageError where that is impossible, with `todo` if the path is why: the file stays as it
    was then.
    """
    with written(path, reader.folder.parent, todo) as part:
        if kind == ".parquet":
            table = arrow_table(reader, selection)
            library("pyarrow.parquet", path.name).write_table(table, part)
            return len(table)
        if kind == ".xlsx":
            return write_sheet(part, path, selection, columns_of(reader, selection.head))
        rows = Counted(selection.all_cells())
        with part.open("wb") as stream:
            lines = json_lines if kind == ".json" else csv_lines
            stream.writelines(lines(selection, rows))
        return rows.count


class Counted:
    """Rows that are counted while they are read."""

    def __init__(self, rows: Iterator[list[str]]) -> None:
        self.count = 0
        self._rows = rows

    def __iter__(self) -> Iterator[list[str]]:
        """Return this."""
        return self

    def __next__(self) -> list[str]:
        """Return the next row."""
        row = next(self._rows)
        self.count += 1
        return row


def csv_lines(selection: Selection, rows: Iterator[list[str]]) -> Iterator[bytes]:
    """Yield the lines of a CSV file."""
    yield csv_line(selection.head)
    yield from map(csv_line, rows)


def json_lines(selection: Selection, rows: Iterator[list[str]]) -> Iterator[bytes]:
    """Yield the lines of a JSON list of objects."""
    before = b"[\n"
    for cells in rows:
        yield before + row_as_json(selection.head, cells)
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"


def write_lines(stream: BinaryIO, selection: Selection, as_json: bool) -> None:
    """Write the table to a stream, row by row: there may be a million of them."""
    lines = json_lines if as_json else csv_lines
    stream.writelines(lines(selection, selection.all_cells()))
