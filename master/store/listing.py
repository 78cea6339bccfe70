"""Tables for the page, read from the store: filtered, sorted and one page at a time, so that a million sets stay quick.

First the numbers of one page's tasks are found, then what is shown of those few. A question that would take too long
is given up, and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from typing import Any

from sqlalchemy.exc import OperationalError

from ..errors import UsageError
from ..model import TaskState
from ..record import record
from ..results.numerals import comparable
from . import schema
from .conditions import Condition
from .reader import Reader

PATIENCE = 3.0  # seconds that one question may take
STEPS = 50_000  # of SQLite's machine between two looks at the clock
OWN = ("number", "attempts", "seconds", "host")  # columns of every task
_TICKET = ("seconds", "host")
_LIKE_NUMBERS = "[-+.0-9 ]*"
READ_NUMBER = "spe_number"  # SQL's name for numerals.comparable
_LAST = "coalesce(t.ticket, (SELECT max(id) FROM tickets WHERE task = t.number))"
# To the store, a task that is out waits: its ticket tells that it runs.
_STATES = {
    TaskState.RUNNING: "t.state = 'waiting' AND t.number IN (SELECT task FROM tickets WHERE state = 'issued')",
    TaskState.WAITING: "t.state = 'waiting' AND t.number NOT IN (SELECT task FROM tickets WHERE state = 'issued')",
}
_STATE = (
    "CASE WHEN t.state = 'waiting' AND EXISTS (SELECT 1 FROM tickets WHERE task = t.number AND state = 'issued') "
    "THEN 'running' ELSE t.state END"
)


@record
class Wanted:
    """Which rows, in which order."""

    state: TaskState | None = None
    conditions: Sequence[Condition] = ()
    sort: str = "number"
    downwards: bool = False
    offset: int = 0
    limit: int = 50
    among: Sequence[int] | None = None  # only these tasks
    with_row: bool = False  # only those that have a row in the table: done, or to be replaced by a new result
    begun: Sequence[int] | None = None  # those that have a slot; others that are out wait. None: all that are out run


@record
class Row:
    """One task in a table; host and seconds of the attempt that counts, else of the newest."""

    number: int
    values: dict[str, str]
    state: str
    attempts: int
    reason: str
    host: str = ""
    seconds: float | None = None
    results: dict[str, str] = field(default_factory=dict)


@record
class Found:
    """One page of rows, and whether there are more."""

    rows: list[Row]
    more: bool


@record
class Attempt:
    """One bar of the timeline."""

    id: int
    task: int
    host: str
    state: str
    issued: float
    seconds: float | None


def _read(text: str) -> str:
    """SQL: the number that a text is, NULL where it is none."""
    return f"CASE WHEN {text} GLOB '{_LIKE_NUMBERS}' THEN {READ_NUMBER}({text}) END"


def _waits(row: Row) -> Row:
    """It was fetched ahead: to people it waits."""
    return replace(row, state=TaskState.WAITING.value)


class Listing:
    """Tables of one sweep for people who look at its page; used as long as `reader` is open."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.parameters, self.results = reader.parameters, reader.results

    def names(self) -> list[str]:
        """What may be filtered and sorted by."""
        return list(dict.fromkeys([*OWN, *self.parameters, *self.results]))

    def find(self, wanted: Wanted) -> Found:
        """One page. Raises UsageError when finding it takes too long."""
        numbers = self._numbers(wanted)
        rows = self._rows(numbers[: wanted.limit])
        if wanted.begun is not None:
            begun = set(wanted.begun)
            rows = [_waits(row) if row.state == "running" and row.number not in begun else row for row in rows]
        return Found(rows, len(numbers) > wanted.limit)

    def _numbers(self, wanted: Wanted) -> list[int]:
        used = {condition.name for condition in wanted.conditions} | {wanted.sort}
        by_ticket = bool(used & set(_TICKET) - set(self.parameters))
        where, values = self._where(wanted, by_ticket)
        # The order of a CROSS JOIN stays as it is written: what is small or sorted already comes first.
        tables = "tickets k CROSS JOIN tasks t ON t.number = k.task" if by_ticket else "tasks t"
        number = "k.task" if by_ticket else "t.number"
        way = "DESC" if wanted.downwards else "ASC"
        order = f"{number} {way}" if wanted.sort == "number" else f"{self._order(wanted.sort, way)}, {number}"
        question = f"SELECT {number} FROM {tables} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [row[0] for row in self._ask(question, [*values, wanted.limit + 1, wanted.offset])]

    def _where(self, wanted: Wanted, by_ticket: bool) -> tuple[str, list[Any]]:
        parts, values = ["t.plan = ?"], [self.reader.plan]
        made: list[tuple[str, list[Any]]] = [self._compared(one) for one in wanted.conditions]
        if wanted.state is TaskState.WAITING and wanted.begun is not None:
            parts.append("t.state = 'waiting'")
            made.append(("t.number NOT IN (SELECT value FROM json_each(?))", [json.dumps(list(wanted.begun))]))
        elif wanted.state:
            parts.append(_STATES.get(wanted.state, f"t.state = '{wanted.state.value}'"))  # as the indexes say it
        if wanted.with_row:
            parts.append(schema.HAS_ROW)
        if by_ticket:
            parts.append("k.id = t.ticket" if wanted.with_row or wanted.state is TaskState.DONE else f"k.id = {_LAST}")
        if wanted.among is not None:
            made.append(("t.number IN (SELECT value FROM json_each(?))", [json.dumps(list(wanted.among))]))
        return " AND ".join([*parts, *(part for part, _ in made)]), [*values, *(v for _, some in made for v in some)]

    def _column(self, name: str) -> str:
        """A column as SQL; a parameter of the same name goes before ours."""
        if name in self.parameters:
            return schema.cell(name)
        if name in self.results:
            return schema.output(name, False)
        return f"k.{name}" if name in _TICKET else f"t.{name}"

    def _is_text(self, name: str) -> bool:
        return name in self.parameters or name in self.results or name == "host"

    def _number(self, name: str) -> str:
        """A parameter or result as a number, NULL where it is none.

        Where the store has no numbers of it (a parameter with other cells too, a result that is a text, a database of
        before), Python reads the texts that begin like a number: a microsecond each.
        """
        if name in self.parameters:
            text = schema.cell(name)
            return schema.number_cell(name) if name in self.reader.numeric else _read(text)
        if not schema.is_number(self.reader.kinds.get(name)):
            return _read(self._column(name))
        beyond = f"iif(typeof(number) = 'text', {READ_NUMBER}(number), number)"  # an int beyond 64 bits
        return schema.output(name, True).replace("SELECT number", f"SELECT {beyond}", 1)

    def _order(self, name: str, way: str) -> str:
        """Numbers by their value; beside them texts by their letters, on the side of what is missing."""
        if name not in self.parameters and name not in self.results:
            return f"{self._column(name)} {way}"
        if name in self.parameters:
            stored = name in self.reader.numeric
        else:
            stored = schema.is_number(self.reader.kinds.get(name))
        return f"{self._number(name)} {way}" + ("" if stored else f", {self._column(name)} {way}")

    def _compared(self, one: Condition) -> tuple[str, list[Any]]:
        column, number = self._column(one.name), one.number
        if one.operator == "~":
            return f"instr({column}, ?) > 0", [one.value]
        if not self._is_text(one.name):
            return f"{column} {one.operator} ?", [number if number is not None else one.value]
        if one.operator[0] in "<>":
            return f"{self._number(one.name)} {one.operator} ?", [number]
        equal, values = f"{column} = ?", [one.value]
        if number is not None:
            equal = f"({column} = ? OR {self._number(one.name)} IS ?)"  # IS: what is no number is not equal to it
            return (equal if one.operator == "=" else f"NOT {equal}"), [*values, number]
        return (equal if one.operator == "=" else f"{column} <> ?"), values

    def _rows(self, numbers: list[int]) -> list[Row]:
        question = (
            f"SELECT t.number, t.parameters, {_STATE}, t.attempts, t.reason, k.host, k.seconds FROM tasks t "
            f"LEFT JOIN tickets k ON k.id = {_LAST} WHERE t.number IN (SELECT value FROM json_each(?))"
        )
        outputs = self.reader.outputs(numbers)
        found = {
            row[0]: Row(
                row[0], json.loads(row[1]), row[2], row[3], row[4] or "", row[5] or "", row[6],
                {name: output.value for name, output in outputs.get(row[0], {}).items()},
            )
            for row in self._ask(question, [json.dumps(numbers)])
        }  # fmt: skip
        return [found[number] for number in numbers if number in found]

    # -- drawings

    def points(self, x: str, y: str, wanted: Wanted, most: int) -> list[tuple[int, str, str]]:
        """Number, x and y of finished tasks; of very many an even selection, of those that were chosen the first."""
        done = self.reader.counts()[TaskState.DONE]
        where, values = self._where(wanted, by_ticket=True)
        question = (
            f"SELECT t.number, {self._column(x)}, {self._column(y)} FROM tasks t JOIN tickets k ON k.id = t.ticket "
            f"WHERE {where} AND t.number % ? = 0 LIMIT ?"
        )
        return [
            tuple(row) for row in self._ask(question, [*values, 1 if wanted.conditions else max(1, done // most), most])
        ]

    def attempts(self, most: int, host: str = "") -> list[Attempt]:
        """The newest attempts of the last run, the oldest of them first."""
        where, values = ("id > ? AND host = ?", [host]) if host else ("id > ?", [])
        question = f"SELECT id, task, host, state, issued, seconds FROM tickets WHERE {where} ORDER BY id DESC LIMIT ?"
        return [Attempt(*row) for row in self._ask(question, [self.reader.tickets_before, *values, most])][::-1]

    def _ask(self, question: str, values: Sequence[Any]) -> Iterator[Any]:
        """The answer, within patience."""
        raw: Any = self.reader.connection.connection.driver_connection
        end = time.monotonic() + PATIENCE
        raw.create_function(READ_NUMBER, 1, comparable, deterministic=True)
        raw.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        try:
            return iter(self.reader.connection.exec_driver_sql(question, tuple(values)).all())
        except OperationalError as error:
            if "interrupted" not in str(error.orig):
                raise
            raise UsageError(
                f"this was not found within {PATIENCE:g} s", todo="Ask for less: add a condition, or sort by number."
            ) from None
        finally:
            raw.set_progress_handler(None, 0)


__all__ = ["OWN", "Attempt", "Found", "Listing", "Row", "Wanted"]
