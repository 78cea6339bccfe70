"""Questions to sweep.db about the cells of whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from ..schema import HAS_ROW, cell


def whole_parameters(connection: Connection, plan: int, numeric: Sequence[str]) -> set[str]:
    """Return which of these parameters, numbers in all sets, are whole numbers in all rows."""
    found = set()
    for name in numeric:
        query = f"""
        SELECT 1 FROM tasks t WHERE t.plan = ? AND {HAS_ROW} AND {cell(name)} GLOB '*[.eE]*' LIMIT 1
        """
        if connection.execute(query, (plan,)).fetchone() is None:
            found.add(name)
    return found


def results_beyond_64_bits(connection: Connection) -> set[str]:
    """Return the results of which one is a whole number that SQLite keeps as a text."""
    query = "SELECT DISTINCT name FROM outputs WHERE typeof(number) = 'text'"
    return {row[0] for row in connection.execute(query)}
