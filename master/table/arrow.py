"""The table as one of pyarrow, with typed columns.

A million rows are read from results.csv, many times faster than from the database, where the file
is what the database would make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .columns import Column, Type, columns_of
from .current_file import current_csv
from .extras import library

if TYPE_CHECKING:
    from ..store.reader import Reader
    from .selection import Selection

CHUNK = 10_000  # rows that are in memory as Python objects


def arrow_table(reader: Reader, selection: Selection) -> Any:
    """Return the selected rows and columns as a pyarrow.Table.

    An empty cell is null in a column of numbers and an empty text in a column of texts. Raises
    UsageError without pyarrow, and for a condition that cannot be told.
    """
    pyarrow = library("pyarrow", "a table of Arrow")
    columns = columns_of(reader, selection.head)
    if path := current_csv(reader):
        try:
            table = _from_csv(path, _types(columns))
        except pyarrow.ArrowInvalid:  # a spelling that only Python's parser knows, such as +5
            pass
        else:
            return (
                table
                if selection.is_whole
                else table.take(pyarrow.array(_places(path, selection), pyarrow.int64()))
            )
    return pyarrow.Table.from_batches(_batches(selection, columns), _schema(columns))


def _types(columns: Sequence[Column]) -> dict[str, Any]:
    pyarrow = library("pyarrow", "a table of Arrow")
    known = {Type.WHOLE: pyarrow.int64(), Type.NUMBER: pyarrow.float64()}
    return {one.name: known.get(one.type, pyarrow.string()) for one in columns}


def _schema(columns: Sequence[Column]) -> Any:
    return library("pyarrow", "a table of Arrow").schema(list(_types(columns).items()))


def _from_csv(path: Path, types: Mapping[str, Any]) -> Any:
    csv = library("pyarrow.csv", "a table of Arrow")
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[""],
            strings_can_be_null=False,
        ),
    )


def _places(path: Path, selection: Selection) -> Sequence[int]:
    """Return the places of the wanted rows in the file. Raises UsageError."""
    pyarrow = library("pyarrow", "a table of Arrow")
    names = selection.deciding
    # As texts: a condition sees what is written, as it does elsewhere.
    table = _from_csv(path, {"number": pyarrow.int64()} | dict.fromkeys(names, pyarrow.string()))

    def told() -> Iterator[tuple[int, dict[str, str]]]:
        for batch in table.to_batches(CHUNK):
            cells = zip(*(batch[name].to_pylist() for name in names), strict=True)
            for number, row in zip(batch["number"].to_pylist(), cells, strict=True):
                yield number, dict(zip(names, row, strict=True))

    return selection.places(told())


def _batches(selection: Selection, columns: Sequence[Column]) -> Iterator[Any]:
    pyarrow = library("pyarrow", "a table of Arrow")
    types = list(_types(columns).values())
    # A cell that does not fit in 64 bits stays the text that it is.
    read = [str if one.type is Type.LARGE else one.value for one in columns]
    rows = iter(selection.all_cells())
    while some := list(islice(rows, CHUNK)):
        cells = zip(*some, strict=True)
        arrays = [
            pyarrow.array(list(map(one, column)), kind)
            for one, column, kind in zip(read, cells, types, strict=True)
        ]
        yield pyarrow.RecordBatch.from_arrays(arrays, names=[one.name for one in columns])
