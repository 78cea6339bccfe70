"""Writes rows in a transaction that fails when another farm leads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, tuple_

from ..rows import HistoryRow, JobRow, LedgerRow, Row
from .leader import confirm_lead
from .tables import TABLES, Key, key_of, values_of

T = TypeVar("T")
#: Key -> values of the row; None where it is removed. A later change of a key replaces an earlier one.
Changes = dict[Key, dict[str, Any] | None]
CHUNK = 200  # keys in one statement: SQLite takes 999 values in its oldest versions


class LastIds:
    """The highest numbers ever given. They are stored, so a removed row's number is not used again."""

    def __init__(self, job: int, ledger: int, history: int) -> None:
        self.job, self.ledger, self.history = job, ledger, history

    def including(self, changes: Mapping[Key, dict[str, Any] | None]) -> dict[str, int]:
        """Return the values for `meta` once these rows are stored."""
        last = {JobRow: self.job, LedgerRow: self.ledger, HistoryRow: self.history}
        for (record, key), _ in changes.items():
            if record in last:
                last[record] = max(last[record], key[0])
        return {
            "last_job": last[JobRow],
            "last_ledger": last[LedgerRow],
            "last_history": last[HistoryRow],
        }

    def keep(self, values: Mapping[str, int]) -> None:
        """Remember what was stored."""
        self.job = values["last_job"]
        self.ledger = values["last_ledger"]
        self.history = values["last_history"]


def changes_of(save: Iterable[Row], remove: Iterable[Row]) -> Changes:
    """Return the changes of one commit. Raises UnfitRow for a row that cannot be stored."""
    changes: Changes = {key_of(row): values_of(row) for row in save}
    for row in remove:
        changes[key_of(row)] = None
    return changes


def apply(connection: Connection, changes: Changes, epoch: int, last: LastIds) -> dict[str, int]:
    """Write these changes; return the highest numbers. Raises LostLead.

    Rows are removed and inserted: every database knows that, it needs no word of one dialect, and
    done twice it gives the same rows as done once.
    """
    numbers = last.including(changes)
    confirm_lead(connection, epoch, **numbers)
    for record, table in TABLES.items():
        keys = [key for one, key in changes if one is record]
        for chunk in _chunks(keys):
            connection.execute(delete(table).where(_is_one_of(table, chunk)))
        found = [values for (one, _), values in changes.items() if one is record and values]
        if found:
            connection.execute(insert(table), found)
    return numbers


def _is_one_of(table: Table, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    columns = list(table.primary_key.columns)
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), CHUNK):
        yield items[first : first + CHUNK]
