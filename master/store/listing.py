"""Tables for the page, read from the store: filtered, sorted, one page at a time.

So a million sets stay quick: first the numbers of one page's tasks are found, then what is shown of
those few. A question that would take too long is given up, and says so.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import field, replace
from typing import Any

from ..errors import UsageError
from ..model import Output, TaskState
from ..record import record
from ..results.reading.numerals import comparable
from . import schema
from .conditions import READ_NUMBER, ColumnCondition, Columns, Where
from .database import code_of
from .reader import Reader
from .statistics import OF_RUN

PATIENCE = 3.0  # seconds that one question may take
STEPS = 50_000  # steps of SQLite's machine between two looks at the clock
OWN = ("number", "attempts", "seconds", "host")  # columns of every task
# An even selection of sets by their numbers. Not each tenth set: in a grid these might all have one
# value of a parameter. Multiples of the golden ratio spread evenly, whatever the grid's period is.
GOLDEN, WHOLE = 2_654_435_761, 2**32
Cells = tuple[Any, ...]  # the number of a set, and its cells
_LAST = "coalesce(t.ticket, (SELECT max(id) FROM tickets WHERE task = t.number))"
# To the store, a task that is out waits: its ticket tells that it runs.
_OUT = "(SELECT task FROM tickets WHERE state = 'issued')"
_STATES = {
    TaskState.RUNNING: f"t.state = 'waiting' AND t.number IN {_OUT}",
    TaskState.WAITING: f"t.state = 'waiting' AND t.number NOT IN {_OUT}",
}
_STATE = """
CASE WHEN t.state = 'waiting' AND EXISTS (
  SELECT 1 FROM tickets WHERE task = t.number AND state = 'issued'
)
THEN 'running' ELSE t.state END
"""


@record
class TaskFilter:
    """The rows of a table that somebody wants, and their order."""

    state: TaskState | None = None
    conditions: Sequence[ColumnCondition] = ()
    sort: str = "number"
    downwards: bool = False
    offset: int = 0
    limit: int = 50
    among: Sequence[int] | None = None  # only these tasks
    # Only those that have a row in the table: done, or to be replaced by a new result.
    with_row: bool = False
    # Tasks that have a slot; other tasks that are out wait. None: all that are out run.
    begun: Sequence[int] | None = None


@record
class Row:
    """A task in a table, with host and seconds of the attempt that counts, else of the newest."""

    number: int
    values: dict[str, str]
    state: str
    attempts: int
    reason: str
    host: str = ""
    seconds: float | None = None
    results: dict[str, str] = field(default_factory=dict)
    files: dict[str, Output] = field(default_factory=dict)  # of the results that are files


@record
class Found:
    """A page of rows, and whether there are more."""

    rows: list[Row]
    more: bool


@record
class Sample:
    """Cells of sets: a number and the cells of each; of numbers as numbers, of texts as texts.

    `share`: the part of all sets that it is; None where it has all of them.
    """

    rows: list[Cells]
    share: float | None

    def thinned(self, most: int) -> Sample:
        """Return about `most` of these sets, evenly selected."""
        if len(self.rows) <= most:
            return self
        part = most / len(self.rows)
        # The other end of the numbers than those by which this one was selected.
        rows = [row for row in self.rows if (row[0] * GOLDEN) // 64 % WHOLE < part * WHOLE]
        return Sample(rows, part * (self.share or 1.0))


@record
class Attempt:
    """A bar of the timeline."""

    id: int
    task: int
    host: str
    state: str
    issued: float
    seconds: float | None


class Listing:
    """Tables of one sweep for people who look at its page; used as long as `reader` is open."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.parameters, self.results = reader.parameters, reader.results
        self.columns = Columns(reader.parameters, reader.results, reader.numeric, reader.kinds)

    def names(self) -> list[str]:
        """Return the columns that may be filtered and sorted by."""
        return list(dict.fromkeys([*OWN, *self.parameters, *self.results]))

    # -- pages of rows

    def find(self, wanted: TaskFilter) -> Found:
        """Return one page. Raises UsageError when finding it takes too long."""
        numbers = self._numbers(wanted)
        rows = self._rows(numbers[: wanted.limit])
        if wanted.begun is not None:
            begun = set(wanted.begun)
            rows = [_as_people_see_it(row, begun) for row in rows]
        return Found(rows, len(numbers) > wanted.limit)

    def _numbers(self, wanted: TaskFilter) -> list[int]:
        """Return the tasks of one page in order, and one more if there is one."""
        used = {condition.name for condition in wanted.conditions} | {wanted.sort}
        by_ticket = any(self.columns.is_of_ticket(name) for name in used)
        where = self._where(wanted, by_ticket)
        tables, number = "tasks t", "t.number"
        if by_ticket:
            # The order of a CROSS JOIN stays as it is written: what is small or sorted already
            # comes first.
            tables, number = "tickets k CROSS JOIN tasks t ON t.number = k.task", "k.task"
        way = "DESC" if wanted.downwards else "ASC"
        order = f"{number} {way}"
        if wanted.sort != "number":
            order = f"{self.columns.order(wanted.sort, way)}, {number}"
        question = f"""
        SELECT {number} FROM {tables} WHERE {where.sql} ORDER BY {order} LIMIT ? OFFSET ?
        """
        # One row more than a page, which tells whether there is a next one.
        found = self._ask(question, [*where.values, wanted.limit + 1, wanted.offset])
        return [row[0] for row in found]

    def _where(self, wanted: TaskFilter, by_ticket: bool) -> Where:
        where = Where()
        where.add("t.plan = ?", self.reader.plan)
        _add_state(where, wanted)
        if wanted.with_row:
            where.add(schema.HAS_ROW)
        if by_ticket:
            kept = wanted.with_row or wanted.state is TaskState.DONE
            where.add("k.id = t.ticket" if kept else f"k.id = {_LAST}")
        for condition in wanted.conditions:
            self.columns.add_condition(where, condition)
        if wanted.among is not None:
            among = json.dumps(list(wanted.among))
            where.add("t.number IN (SELECT value FROM json_each(?))", among)
        return where

    def texts(self, names: Sequence[str], with_row: bool) -> list[Cells]:
        """Return the cells of these columns as texts, "" for none, of all of today's tasks in their order.

        `with_row`: of those that have a row in the table. Raises UsageError when it takes too long.
        """
        where = self._where(TaskFilter(with_row=with_row), by_ticket=False)
        cells = "".join(f", coalesce(CAST({self.columns.sql(name)} AS TEXT), '')" for name in names)
        ticket = "t.ticket" if with_row else _LAST
        question = f"""
        SELECT t.number{cells} FROM tasks t LEFT JOIN tickets k ON k.id = {ticket}
        WHERE {where.sql} ORDER BY t.number
        """
        return self._ask(question, where.values)

    def _rows(self, numbers: list[int]) -> list[Row]:
        question = f"""
        SELECT t.number, t.parameters, {_STATE}, t.attempts, t.reason, k.host, k.seconds
        FROM tasks t LEFT JOIN tickets k ON k.id = {_LAST}
        WHERE t.number IN (SELECT value FROM json_each(?))
        """
        outputs = self.reader.outputs(numbers)
        found: dict[int, Row] = {}
        for row in self._ask(question, [json.dumps(numbers)]):
            number, parameters, state, attempts, reason, host, seconds = row
            found[number] = Row(
                number=number,
                values=json.loads(parameters),
                state=state,
                attempts=attempts,
                reason=reason or "",
                host=host or "",
                seconds=seconds,
                results={name: output.value for name, output in outputs.get(number, {}).items()},
                files={name: one for name, one in outputs.get(number, {}).items() if one.file},
            )
        return [found[number] for number in numbers if number in found]

    # -- drawings

    def sample(self, names: Sequence[str], wanted: TaskFilter, most: int) -> Sample:
        """Return the cells of these columns of the sets that have a row: all, or about `most` of them.

        Of more sets it is an even selection. Raises UsageError when finding them takes too long.
        """
        where = self._where(wanted, by_ticket=True)
        done = self.reader.counts()[TaskState.DONE]
        if wanted.conditions or wanted.among is not None or done <= most:
            rows = self._cells(names, where, 1.0, most + 1)
            if len(rows) <= most:
                return Sample(rows, None)
        share = most / max(done, most + 1)
        return Sample(self._cells(names, where, share, 2 * most), share)

    def _cells(self, names: Sequence[str], where: Where, share: float, most: int) -> list[Cells]:
        cells = "".join(f", {self.columns.value(name)}" for name in names)
        # First, because it costs less than any condition about a parameter.
        chosen = f"(t.number * {GOLDEN}) % {WHOLE} < ? AND" if share < 1 else ""
        question = f"""
        SELECT t.number{cells} FROM tasks t JOIN tickets k ON k.id = t.ticket
        WHERE {chosen} {where.sql} LIMIT ?
        """
        given = [int(share * WHOLE)] if share < 1 else []
        return self._ask(question, [*given, *where.values, most])

    def attempts(
        self, most: int, host: str = "", begin: float = 0.0, end: float = math.inf
    ) -> list[Attempt]:
        """Return the newest attempts of the last run, the oldest of them first.

        `host`: of this one only. `begin`, `end`: those that were out between these moments.
        """
        where = Where()
        where.add("id > ?", self.reader.tickets_before)
        if host:
            where.add("host = ?", host)
        if begin > 0 or end < math.inf:
            where.add("issued <= ? AND (seconds IS NULL OR issued + seconds >= ?)", end, begin)
        question = f"""
        SELECT id, task, host, state, issued, seconds FROM tickets
        WHERE {where.sql} ORDER BY id DESC LIMIT ?
        """
        return [Attempt(*row) for row in self._ask(question, [*where.values, most])][::-1]

    def slots(self) -> dict[str, int]:
        """Return how many tasks each host could run at once in the last run."""
        cores = int(self.reader.meta("cores", "1"))
        query = f"SELECT host, slots FROM clients WHERE {OF_RUN} ORDER BY CAST(id AS INTEGER)"
        return {host: max(1, slots // cores) for host, slots in self._ask(query, [])}

    def ends(self, bars: int) -> tuple[float, float, list[int]]:
        """Return when the first and the last attempt of the last run ended, and how many did between.

        The counts are of `bars` equal stretches of time; empty where none has ended.
        """
        ended = "FROM tickets WHERE id > ? AND state IN ('accepted', 'failed', 'rejected') AND seconds IS NOT NULL"
        query = f"SELECT min(issued + seconds), max(issued + seconds) {ended}"
        ((first, last),) = self._ask(query, [self.reader.tickets_before])
        if first is None:
            return 0.0, 0.0, []
        width = max(last - first, 1e-3) / bars
        query = f"SELECT min(CAST((issued + seconds - ?) / ? AS INTEGER), ?), count(*) {ended} GROUP BY 1"
        found = dict(self._ask(query, [first, width, bars - 1, self.reader.tickets_before]))
        return first, last, [found.get(place, 0) for place in range(bars)]

    def _ask(self, question: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the answer. Raises UsageError when it takes longer than PATIENCE."""
        connection = self.reader.connection
        end = time.monotonic() + PATIENCE
        connection.create_function(READ_NUMBER, 1, comparable, deterministic=True)
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        try:
            return connection.execute(question, values).fetchall()
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_INTERRUPT:
                raise
            todo = "Ask for less: add a condition, or sort by number."
            raise UsageError(f"this was not found within {PATIENCE:g} s", todo=todo) from None
        finally:
            connection.set_progress_handler(None, 0)


def _add_state(where: Where, wanted: TaskFilter) -> None:
    if wanted.state is None:
        return
    if wanted.state is TaskState.WAITING and wanted.begun is not None:
        where.add("t.state = 'waiting'")
        begun = json.dumps(list(wanted.begun))
        where.add("t.number NOT IN (SELECT value FROM json_each(?))", begun)
    else:
        # No question mark: SQLite uses an index of some states only where it sees the state.
        where.add(_STATES.get(wanted.state, f"t.state = '{wanted.state.value}'"))


def _as_people_see_it(row: Row, begun: set[int]) -> Row:
    """Return a row that waits for one that was fetched ahead and has no slot yet."""
    if row.state != TaskState.RUNNING or row.number in begun:
        return row
    return replace(row, state=TaskState.WAITING.value)


__all__ = ["OWN", "Attempt", "Found", "Listing", "Row", "Sample", "TaskFilter"]
