"""The table as one of pyarrow, with typed columns.

It is made of columns of texts, from results.csv where that is what the database would make, else
from the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store.tables.whole_table import PLACE, one_moment, read_columns
from .arrow_pages import pages, text_table
from .columns import Column, Type, columns_of
from .current_file import current_csv
from .extras import library

if TYPE_CHECKING:
    from ..store.reader import Reader
    from .selection import Selection

PAGE = 10_000  # rows whose deciding cells are values of Python at once
_OWN_NUMBERS = ("number", "attempts", PLACE)
_WHAT = "a table of Arrow"


def arrow_table(reader: Reader, selection: Selection) -> Any:
    """Return the selected rows and columns as a pyarrow.Table.

    An empty cell is null in a column of numbers and an empty text in a column of texts. Raises
    UsageError without pyarrow, and for a condition that cannot be told.
    """
    pyarrow = library("pyarrow", _WHAT)
    with one_moment(reader.connection):
        columns = columns_of(reader, selection.head)
        if path := current_csv(reader):
            try:
                return _from_file(path, selection, columns)
            except pyarrow.ArrowInvalid:  # a spelling that only Python's parser knows, such as +5
                pass
        return _from_store(reader, selection, columns)


# -- from results.csv


def _from_file(path: Path, selection: Selection, columns: Sequence[Column]) -> Any:
    """Return the table. Raises UsageError, and ArrowInvalid for a cell that pyarrow cannot read."""
    pyarrow = library("pyarrow", _WHAT)
    table = _read_csv(path, _types(columns))
    if selection.is_whole:
        return table
    # As texts: a condition sees what is written, as it does elsewhere.
    names = selection.deciding
    texts = _read_csv(path, dict.fromkeys(["number", *names], pyarrow.string()))
    numbers = texts["number"].cast(pyarrow.int64())
    deciding = text_table(numbers, {name: texts[name] for name in names})
    return table.take(_places(selection, deciding))


def _read_csv(path: Path, types: Mapping[str, Any]) -> Any:
    csv = library("pyarrow.csv", _WHAT)
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


# -- from the database


def _from_store(reader: Reader, selection: Selection, columns: Sequence[Column]) -> Any:
    """Return the table. Raises UsageError."""
    if selection.is_whole:
        return _in_order(_typed(reader, columns, None)).drop_columns([PLACE])
    pyarrow = library("pyarrow", _WHAT)
    texts = _in_order(_deciding(reader, selection.deciding))
    places = _places(selection, texts.drop_columns([PLACE]))
    numbers = texts["number"].take(places)
    # Reading one set after the other costs more than reading all of them, unless they are few.
    among = numbers.to_pylist() if 4 * len(numbers) < len(texts) else None
    key = Column("number", Type.WHOLE)
    found = _typed(reader, [key, *(one for one in columns if one.name != "number")], among)
    rows = library("pyarrow.compute", _WHAT).index_in(
        numbers.combine_chunks(), pyarrow.array(found["number"].combine_chunks())
    )
    return found.take(rows).select([one.name for one in columns])


def _typed(reader: Reader, columns: Sequence[Column], among: Sequence[int] | None) -> Any:
    """Return these columns of the database with their types, and PLACE."""
    pyarrow = library("pyarrow", _WHAT)
    types = _types(columns)
    names = [*types, PLACE]
    batches = []
    for page in read_columns(reader, names, among):
        arrays = [_array(one, page[one.name], types[one.name]) for one in columns]
        arrays.append(pyarrow.array(page[PLACE], pyarrow.int64()))
        batches.append(pyarrow.RecordBatch.from_arrays(arrays, names=names))
    return pyarrow.Table.from_batches(
        batches, pyarrow.schema([*types.items(), (PLACE, pyarrow.int64())])
    )


def _array(column: Column, cells: Sequence[Any], kind: Any) -> Any:
    """Return a column of a page with its type."""
    pyarrow = library("pyarrow", _WHAT)
    if column.name in _OWN_NUMBERS and isinstance(cells[0], int):
        return pyarrow.array(cells, kind)
    if column.name == "seconds" and isinstance(cells[0], float):
        return pyarrow.array([round(one, 3) for one in cells], kind)  # as the table has them
    texts = _texts(cells)
    if column.type in (Type.TEXT, Type.LARGE):
        return texts
    compute = library("pyarrow.compute", _WHAT)
    try:
        return compute.if_else(compute.equal(texts, ""), None, texts).cast(kind)
    except pyarrow.ArrowInvalid:  # a spelling that only Python's parser knows, such as +5
        return pyarrow.array([column.value(one or "") for one in cells], kind)


def _deciding(reader: Reader, names: Sequence[str]) -> Any:
    """Return the numbers of all sets and these columns as texts, for `pages`, and PLACE."""
    pyarrow = library("pyarrow", _WHAT)
    tables = []
    for page in read_columns(reader, list(dict.fromkeys(["number", PLACE, *names]))):
        texts = {name: _texts([_as_text(name, one) for one in page[name]]) for name in names}
        table = text_table(pyarrow.array(page["number"], pyarrow.int64()), texts)
        tables.append(table.append_column(PLACE, [pyarrow.array(page[PLACE], pyarrow.int64())]))
    if not tables:
        empty = pyarrow.array([], pyarrow.int64())
        none = {name: pyarrow.array([], pyarrow.string()) for name in names}
        return text_table(empty, none).append_column(PLACE, [empty])
    return pyarrow.concat_tables(tables)


def _as_text(name: str, cell: Any) -> str | None:
    """Return a cell as the table has it."""
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return cell if cell is None else str(cell)


def _texts(cells: Sequence[str | None]) -> Any:
    pyarrow = library("pyarrow", _WHAT)
    try:
        found = pyarrow.array(cells, pyarrow.string())
    except UnicodeEncodeError:  # a byte of a file's name that is not UTF-8: as results.csv has it
        known = [one.encode("utf-8", "replace").decode() if one else one for one in cells]
        found = pyarrow.array(known, pyarrow.string())
    return found.fill_null("") if found.null_count else found


# -- both


def _types(columns: Sequence[Column]) -> dict[str, Any]:
    pyarrow = library("pyarrow", _WHAT)
    # A whole number that does not fit in 64 bits stays the text that it is.
    known = {Type.WHOLE: pyarrow.int64(), Type.NUMBER: pyarrow.float64()}
    return {one.name: known.get(one.type, pyarrow.string()) for one in columns}


def _in_order(table: Any) -> Any:
    """Return a table in the order of the parameters, in which most are already."""
    compute = library("pyarrow.compute", _WHAT)
    places = table[PLACE].combine_chunks()
    if len(places) < 2 or compute.all(compute.less(places[:-1], places[1:])).as_py():
        return table
    return table.take(compute.sort_indices(places))


def _places(selection: Selection, texts: Any) -> Any:
    pyarrow = library("pyarrow", _WHAT)
    return pyarrow.array(selection.places(pages(texts, PAGE)), pyarrow.int64())
