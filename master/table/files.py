"""The table as a file, in the form that the end of its name says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..disk_errors import reason
from ..errors import UsageError
from ..results.table_files import csv_line, row_as_json
from .arrow import arrow_table
from .columns import columns_of
from .extras import library
from .sheet import write_sheet

if TYPE_CHECKING:
    from ..store.reader import Reader
    from .selection import Selection


def write_table(path: Path, reader: Reader, selection: Selection, kind: str = "") -> None:
    """Write the selected table to a file of this kind, which its name tells unless it is given.

    Kinds: .parquet, .xlsx, .json; all others are CSV. Raises UsageError where that is impossible;
    no new file is left half written then.
    """
    kind = kind or path.suffix.lower()
    before = path.exists()
    try:
        if kind == ".parquet":
            library("pyarrow.parquet", path.name).write_table(arrow_table(reader, selection), path)
        elif kind == ".xlsx":
            write_sheet(path, selection, columns_of(reader, selection.head))
        else:
            rows = selection.all_cells()  # before the file is emptied: the condition may be wrong
            with path.open("wb") as stream:
                lines = json_lines if kind == ".json" else csv_lines
                stream.writelines(lines(selection, rows))
    except OSError as error:
        what = f"it cannot be written: {reason(error)}"
        raise UsageError(what, where=str(path), todo="Name another file with -o.") from error
    except UsageError:
        if not before:
            path.unlink(missing_ok=True)
        raise


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
