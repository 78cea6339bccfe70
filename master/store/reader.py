"""The store read for people: counts, rows of the tables, one set in full, who did what.

Never writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ..dispatch import shortfall
from ..dispatch.shortfall import Reason
from ..errors import StoreError, UsageError
from ..model import Output, ResultSpec, TaskState
from ..record import record
from ..results.extraction import StoredSet
from ..results.table_files import FailedRow, ResultRow
from ..session.run_folder import Folder, database_of, real
from ..session.runners import was_killed
from . import schema, stored
from .database import OpenForReading
from .sessions import ASIDE, RunEnd, read_end
from .statistics import FailureGroup, Statistics, failure_groups, summarize
from .task_details import TaskDetail, read_task

PAGE = 1000
FIRST = 16  # rows that show how large the cells are
# Characters of cells that are in memory at once: a cell of JSON may have a million.
TOGETHER = 16_000_000
GATHERS = "gathers"  # in `meta`: whether the last run had collect functions


@record
class StandingSet:
    """A stored set: its number, its state, and the program of its result; None where none is known."""

    number: int
    state: str
    program: int | None


class Reader:
    """Reads runs/<name>/sweep.db while a master may be writing it; lives until `close`.

    `connection` is for the other files of this room, which read what is asked for less often.
    """

    def __init__(self, folder: Folder, database: Path | None = None) -> None:
        """Open the database.

        `folder` is runs/<name>/; `database`: where its sweep.db is, if not there.

        Raises UsageError when nothing ran there yet, StoreError for a newer schema.
        """
        self.folder = real(folder)
        path = database or database_of(folder)
        try:
            if not path.exists():
                raise UsageError(
                    "nothing has run here yet", where=str(folder), todo="Start it with `spe run`."
                )
            self._file = OpenForReading(path)
            self.connection = self._file.connection
            found = self._prepare()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"the database cannot be read: {error}", where=str(path)) from error
        except OSError as error:
            todo = "Ask its owner for read permission."
            raise StoreError(
                f"the database cannot be read: {error.strerror}", where=str(path), todo=todo
            ) from error
        if found > schema.VERSION:
            self.close()
            raise StoreError(
                f"this database has schema {found}, written by a newer spe; "
                f"this one knows schema {schema.VERSION}",
                where=str(path),
                todo="Update spe.",
            )
        self.plan = int(self.meta("plan", "0"))
        # The last ticket of the runs before the last run.
        self.tickets_before = int(self.meta("tickets_before", "0"))
        self.parameters: list[str] = json.loads(self.meta("parameters", "[]"))
        self.results: list[str] = json.loads(self.meta("results", "[]"))
        # Kinds of the results, unknown before schema 6; parameters that are numbers in all sets.
        self.kinds: dict[str, str] = json.loads(self.meta("kinds", "{}"))
        self.numeric: list[str] = json.loads(self.meta("numeric", "[]"))

        self._width = FIRST  # sets whose outputs are read at once, see _outputs_in_turn
        self._largest = 1  # characters of the outputs of one set so far

    def _prepare(self) -> int:
        """Give the connection what an older database lacks, and return its schema."""
        try:
            found = int(self.meta("schema", "0"))
            for statement in schema.stand_ins(found or schema.VERSION):
                self.connection.execute(statement)
            self.connection.execute("PRAGMA query_only=1")
        except sqlite3.DatabaseError:
            self.close()
            raise
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close the file.

        Raises StoreError when somebody began to write what was read without locks.
        """
        changed = kind is None and self._file.changed
        self.close()
        if changed:
            todo = "Do it once more."
            what = "a run began while this was read, so it may mix two moments"
            raise StoreError(what, where=str(self.folder), todo=todo)

    @property
    def knows_columns(self) -> bool:
        """Tell whether the columns of the table are known.

        A run makes the database first, and knows them once its parameters are read.
        """
        return self.plan > 0

    def meta(self, key: str, default: str = "") -> str:
        """Return a stored setting."""
        return schema.get_meta(self.connection, key, default)

    def _number(self, query: str, *given: Any) -> int:
        """Return the one number that a query finds."""
        return int(self.connection.execute(query, given).fetchone()[0])

    # -- counts

    def all_counts(self) -> dict[TaskState, int]:
        """Return how many sets of all times are in which state, those of today among them."""
        found = dict.fromkeys(TaskState, 0)
        query = "SELECT state, count(*) FROM tasks GROUP BY state"
        found.update((TaskState(state), sets) for state, sets in self.connection.execute(query))
        return found

    def counts(self) -> dict[TaskState, int]:
        """Return how many of today's sets are in which state; every state is there."""
        found = dict.fromkeys(TaskState, 0)
        query = "SELECT state, sets FROM counts WHERE plan = ?"
        for state, sets in self.connection.execute(query, (self.plan,)):
            found[TaskState(state)] = sets
        # To the store, what is out waits.
        out = min(int(self.meta("out", "0")), found[TaskState.WAITING])
        if out and was_killed(self.folder):
            out = 0
        found[TaskState.WAITING] -= out
        found[TaskState.RUNNING] += out
        return found

    def waiting_because(self) -> tuple[Reason, ...]:
        """Return why the last run ended with sets that wait, as long as these do."""
        found = shortfall.read(self.meta(shortfall.META))
        counts = self.counts()
        waiting = counts[TaskState.WAITING] + counts[TaskState.RUNNING]
        return found if sum(one.sets for one in found) == waiting else ()

    def aside(self) -> dict[str, str]:
        """Return why hosts were set aside at the end of the last run, by their names."""
        found: dict[str, str] = json.loads(self.meta(ASIDE) or "{}")
        return found

    def end(self) -> RunEnd | None:
        """Return how the last run ended; None when it goes on, or when that is not stored."""
        return read_end(self.connection)

    def last_ticket(self) -> int:
        """Return the newest ticket's number, 0 before the first."""
        return self._number("SELECT coalesce(max(id), 0) FROM tickets")

    def waiting_before(self, number: int) -> tuple[int, bool]:
        """Return how many sets wait before this one, and whether that is because it was tried.

        Sets that were handed out in this run, and came back, wait behind all others.
        """
        waits = "t.state = 'waiting' AND t.plan = ?"
        # To the store, what is out waits. Tickets of sessions that have ended count no more.
        query = f"""
        SELECT t.number, t.position, max(k.id), max(k.state = 'issued')
        FROM tasks t JOIN tickets k ON k.task = t.number WHERE {waits} AND k.id > ? GROUP BY t.number
        """
        given = (self.plan, int(self.meta("closed", "0")))
        tried = {row[0]: row[1:] for row in self.connection.execute(query, given)}
        if number in tried:
            last = tried[number][1]
            waiting = self._number(f"SELECT count(*) FROM tasks t WHERE {waits}", self.plan)
            before = [one for one, (_, k, out) in tried.items() if k < last and not out]
            return waiting - len(tried) + len(before), True
        (position,) = self.connection.execute(
            "SELECT position FROM tasks WHERE number = ?", (number,)
        ).fetchone()
        first = f"SELECT count(*) FROM tasks t WHERE {waits} AND t.position < ?"
        passed = sum(place < position for place, _, _ in tried.values())
        return self._number(first, self.plan, position) - passed, False

    def uncollected(self) -> int:
        """Return how many done sets of today no collect function has got.

        None was called for these sets, or one of them failed.
        """
        if not self.meta(GATHERS, ""):
            return 0
        query = """
        SELECT count(*) FROM tasks
        WHERE state = 'done' AND plan = ? AND coalesce(collected, 0) <> 1
        """
        return self._number(query, self.plan)

    def missing(self, limit: int) -> tuple[int, list[int]]:
        """Return how many rows have an empty cell because it is not stored.

        Beside it the numbers of the first `limit` sets.
        """
        return stored.missing(self.connection, self.plan, limit)

    def statistics(self) -> Statistics:
        """Return the sweep in numbers: today's sets, and who did what in the last run."""
        return summarize(self.connection, self.counts(), self.missing(0)[0], self.uncollected())

    # -- rows

    def rows(self, among: Sequence[int] | None = None) -> Iterator[ResultRow]:
        """Yield finished sets in the order of the parameters. `among`: only these ones."""
        which = ""
        given: list[Any] = [self.plan]
        if among is not None:
            which = "AND t.number IN (SELECT value FROM json_each(?))"
            given.append(json.dumps(list(among)))
        query = f"""
        SELECT t.number, t.parameters, {schema.ATTEMPTS}, k.host, k.seconds
        FROM tasks t JOIN tickets k ON k.id = t.ticket
        WHERE t.plan = ? AND {schema.HAS_ROW} {which} ORDER BY t.position
        """
        found = self.connection.execute(query, given)
        while page := found.fetchmany(PAGE):
            # All JSON in one call, which takes half as long as one call a row.
            parameters = json.loads(f"[{','.join(row[1] for row in page)}]")
            outputs = self._outputs_in_turn([row[0] for row in page])
            for values, row, cells in zip(parameters, page, outputs, strict=True):
                number, _, attempts, host, seconds = row
                yield ResultRow(number, values, cells, host, seconds or 0.0, attempts)

    def _outputs_in_turn(self, numbers: list[int]) -> Iterator[dict[str, Output]]:
        """Yield the outputs of each of these sets.

        As many sets are read at once as the largest cells so far allow.
        """
        while numbers:
            some, numbers = numbers[: self._width], numbers[self._width :]
            found = self.outputs(some)
            sizes = [sum(len(one.value) for one in outputs.values()) for outputs in found.values()]
            self._largest = max([self._largest, *sizes])
            self._width = max(1, min(PAGE, TOGETHER // self._largest))
            yield from (found.get(number, {}) for number in some)

    def outputs(self, numbers: list[int]) -> dict[int, dict[str, Output]]:
        """Return the outputs of these sets: number -> name -> output."""
        return stored.read_outputs(self.connection, json.dumps(numbers))

    def failed(self) -> Iterator[FailedRow]:
        """Yield failed and cancelled sets in the order of the parameters."""
        which = "state = 'failed'"  # as the index says it
        # No index helps to find cancelled sets, and there rarely are any.
        if self.counts()[TaskState.CANCELLED]:
            which = "state IN ('failed', 'cancelled')"
        query = f"""
        SELECT number, parameters, reason, state FROM tasks
        WHERE plan = ? AND {which} ORDER BY position
        """
        for number, parameters, reason, state in self.connection.execute(query, (self.plan,)):
            cancelled = state == TaskState.CANCELLED
            yield FailedRow(number, json.loads(parameters), reason or "", cancelled)

    def failure_groups(self) -> list[FailureGroup]:
        """Return failed and cancelled sets by their reasons, the most frequent reason first."""
        return failure_groups(self.connection, self.plan, self.counts()[TaskState.CANCELLED] > 0)

    def numbers_of_failed(self) -> set[int]:
        """Return failed and cancelled sets, also of earlier parameters."""
        query = "SELECT number FROM tasks WHERE state IN ('failed', 'cancelled')"
        return {row[0] for row in self.connection.execute(query)}

    def programs(self) -> dict[int, str]:
        """Return the text of each program that attempts ran, by its number."""
        return dict(self.connection.execute("SELECT id, parts FROM programs"))

    def standing(self, keys: Sequence[bytes]) -> dict[bytes, StandingSet]:
        """Return how the sets with these identities stand; those that are not stored are left out."""
        marks = ",".join("?" * len(keys))
        query = f"""
        SELECT t.key, t.number, t.state, k.program FROM tasks t
        LEFT JOIN tickets k ON k.id = t.ticket WHERE t.key IN ({marks})
        """
        rows = self.connection.execute(query, list(keys))
        return {bytes(key): StandingSet(*rest) for key, *rest in rows}

    def todays_parameters(self) -> list[dict[str, str]]:
        """Return the values of all of today's sets, in their order."""
        query = "SELECT parameters FROM tasks WHERE plan = ? ORDER BY position"
        return [json.loads(row[0]) for row in self.connection.execute(query, (self.plan,))]

    def keys_of(self, numbers: Sequence[int]) -> dict[bytes, int]:
        """Return the number of each of these sets by its identity."""
        query = "SELECT key, number FROM tasks WHERE number IN (SELECT value FROM json_each(?))"
        rows = self.connection.execute(query, (json.dumps(list(numbers)),))
        return {bytes(key): number for key, number in rows}

    def not_in_last_run(self, numbers: Sequence[int]) -> list[int]:
        """Return those of these sets that were none of the last run's."""
        which = "number IN (SELECT value FROM json_each(?)) AND plan IS NOT ?"
        given = (json.dumps(list(numbers)), self.plan)
        rows = self.connection.execute(f"SELECT number FROM tasks WHERE {which}", given)
        return [row[0] for row in rows]

    def suspended(self) -> Iterator[int]:
        """Yield failed sets whose result is kept, as a hook could not judge it.

        Sets whose result `results` refuses are none of them.
        """
        query = """
        SELECT t.number FROM tasks t JOIN tickets k ON k.id = t.ticket
        WHERE t.state = 'failed' AND k.state <> 'accepted'
        AND EXISTS (SELECT 1 FROM outputs WHERE task = t.number)
        ORDER BY t.number
        """
        return (row[0] for row in self.connection.execute(query).fetchall())

    def task(self, number: int) -> TaskDetail:
        """Return everything about one set. Raises UsageError when there is no such number."""
        outputs = list(self.outputs([number]).get(number, {}).values())
        # In the order of the table; behind its columns stands what it does not have.
        places = {name: place for place, name in enumerate(self.results)}
        outputs.sort(key=lambda one: places.get(one.name, len(places)))
        found = read_task(self.connection, number, self.plan, outputs, self.specs())
        if found.state is TaskState.RUNNING and was_killed(self.folder):
            return replace(found, state=TaskState.WAITING)
        return found

    def refused(self) -> int:
        """Return how many of today's sets have failed only because `results` refuses what is stored."""
        query = """
        SELECT count(*) FROM tasks t JOIN tickets k ON k.id = t.ticket
        WHERE t.plan = ? AND t.state = 'failed' AND k.state = 'accepted'
        """
        return self._number(query, self.plan)

    # -- extraction again

    def specs(self) -> dict[int, tuple[ResultSpec, ...]]:
        """Return all `results` that outputs were ever made by here, by their rows."""
        return stored.read_specs(self.connection)

    def made_by_others(
        self, spec: int, after: int, limit: int, others: Sequence[int] = ()
    ) -> list[StoredSet]:
        """Return sets that have a result made by other `results` than those in row `spec`.

        Up to `limit` sets beyond number `after`, of those in the last run and of `others`.
        """
        return stored.read_differing(self.connection, self.plan, spec, after, limit, others)

    # -- notes

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what was noted in all runs, the oldest first.

        A database that is older than notes are has none.
        """
        known = "SELECT 1 FROM sqlite_master WHERE name = 'events'"
        if not self.connection.execute(known).fetchone():
            return
        names = ("time", "kind", "text", "host", "task")
        for row in self.connection.execute(f"SELECT {', '.join(names)} FROM events ORDER BY id"):
            yield {name: value for name, value in zip(names, row, strict=True) if value is not None}
