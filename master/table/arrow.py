"""The table as one of pyarrow, with typed columns.

A million rows are read from results.csv, many times faster than from the database, where the file
is what the database would make.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..session.stamps import stamp
from ..store.made_tables import rows_key
from .columns import Column, Type, columns_of
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
    if selection.is_whole and (path := current_csv(reader)):
        try:
            return _from_csv(path, columns)
        except pyarrow.ArrowInvalid:  # a spelling that only Python's parser knows, such as +5
            pass
    return pyarrow.Table.from_batches(_batches(selection, columns), _schema(columns))


def current_csv(reader: Reader) -> Path | None:
    """Return results.csv if it has today's rows and nothing has changed since; else None."""
    made = json.loads(reader.meta("tables") or "[]")
    if len(made) != 3:
        return None
    rows, columns, files = made
    path = reader.folder / "results.csv"
    is_current = rows == rows_key(reader) and columns[0] == reader.parameters
    if is_current and [path.name, list(stamp(path) or ())] in files:
        return path
    return None


def _types(columns: Sequence[Column]) -> dict[str, Any]:
    pyarrow = library("pyarrow", "a table of Arrow")
    known = {Type.WHOLE: pyarrow.int64(), Type.NUMBER: pyarrow.float64()}
    return {one.name: known.get(one.type, pyarrow.string()) for one in columns}


def _schema(columns: Sequence[Column]) -> Any:
    return library("pyarrow", "a table of Arrow").schema(list(_types(columns).items()))


def _from_csv(path: Path, columns: Sequence[Column]) -> Any:
    csv = library("pyarrow.csv", "a table of Arrow")
    names = [one.name for one in columns]
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=_types(columns),
            include_columns=names,
            null_values=[""],
            strings_can_be_null=False,
        ),
    ).select(names)


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
