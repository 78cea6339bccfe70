"""The whole table column by column, for a million rows: reader.py makes an object of each row."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from .. import schema

if TYPE_CHECKING:
    from ..reader import Reader

MOST = 10_000  # rows that are in memory at once
FIRST = 16  # rows that show how large the cells are
TOGETHER = 16_000_000  # characters of cells in memory at once: a cell of JSON may have a million
PLACE = ""  # column of a row's place among all rows; no column of a table has this name
_OWN = {
    PLACE: "t.position",
    "number": "t.number",
    "host": "k.host",
    "seconds": "coalesce(k.seconds, 0.0)",
    "attempts": schema.ATTEMPTS,
}


@contextlib.contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """Let all questions inside see the database of one moment, while a run goes on beside."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def read_columns(
    reader: Reader, names: Sequence[str], among: Sequence[int] | None = None
) -> Iterator[dict[str, Sequence[Any]]]:
    """Yield pages of these columns by name, in the order of the sets' numbers.

    Parameters and results are texts, None where a row has no such cell; number, attempts and PLACE
    are whole numbers, seconds are floats. `among`: only these sets.
    """
    asked: dict[str, str] = {}
    for name in names:
        if name in reader.parameters:
            asked["parameters"] = "t.parameters"  # parsed here: a tenth of the time of json_extract
        elif name in reader.results:
            asked[f"result {name}"] = schema.output(name, as_number=False)
        else:
            asked[name] = _OWN[name]
    which = ""
    given: list[Any] = [reader.plan]
    if among is not None:
        which = "AND t.number IN (SELECT value FROM json_each(?))"
        given.append(json.dumps(list(among)))
    # The order of a CROSS JOIN stays as it is written, so the sets come by their numbers.
    query = f"""
    SELECT {", ".join(asked.values())} FROM tasks t CROSS JOIN tickets k ON k.id = t.ticket
    WHERE t.plan = ? AND {schema.HAS_ROW} {which} ORDER BY t.number
    """
    found = reader.connection.execute(query, given)
    width = FIRST
    while rows := found.fetchmany(width):
        columns = dict(zip(asked, zip(*rows, strict=True), strict=True))
        width = max(1, min(MOST, TOGETHER // _largest(columns)))
        yield {name: _column(columns, name) for name in names} | _parameters(columns, reader, names)


def _largest(columns: Mapping[str, Sequence[Any]]) -> int:
    """Return at most how many characters a row has."""
    texts = [cells for name, cells in columns.items() if name.startswith(("parameters", "result "))]
    return sum(max(map(len, filter(None, cells)), default=0) for cells in texts) or 1


def _column(columns: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any]:
    found = columns.get(f"result {name}")
    return columns.get(name, ()) if found is None else found


def _parameters(
    columns: Mapping[str, Sequence[Any]], reader: Reader, names: Sequence[str]
) -> dict[str, Sequence[Any]]:
    """Return those of the names that are parameters."""
    wanted = [name for name in names if name in reader.parameters]
    if not wanted:
        return {}
    # All JSON in one call, which takes half as long as one call a row.
    sets = json.loads(f"[{','.join(columns['parameters'])}]")
    return {name: [one.get(name) for one in sets] for name in wanted}
