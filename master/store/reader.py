"""The store read for people: counts, rows of the tables, one set in full, who did what. Never writes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, and_, func, literal_column, select, text
from sqlalchemy.exc import DatabaseError

from ..dispatch import shortfall
from ..dispatch.shortfall import Reason
from ..errors import StoreError, UsageError
from ..model import Output, ResultSpec, TaskState, TicketState
from ..record import record
from ..results.extraction import StoredSet
from ..results.leftovers import Leftovers, parse
from ..results.table_files import FailedRow, ResultRow
from ..session.run_folder import Folder, database_of, real
from ..sweep.program import from_text
from . import schema, stored
from .database import OpenForReading

PAGE = 1000
FIRST = 16  # rows that show how large the cells are
TOGETHER = 16_000_000  # characters of cells that are in memory at once: a cell of JSON may have a million
GATHERS = "gathers"  # in `meta`: whether the last run had collect functions
# Clients of the last run; all, where the database is of before.
_OF_RUN = (
    "CAST(id AS INTEGER) > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'clients_before'), 0)"
)
_HAS_ROW = text(schema.HAS_ROW.replace("t.", "tasks."))
_ATTEMPTS: Any = literal_column(schema.ATTEMPTS.replace("t.", "tasks."))


@record
class HostWork:
    """What one host did: attempts that were accepted, seconds of work, attempts that went wrong or were lost."""

    host: str
    tasks: int
    seconds: float
    cpu: float
    failures: int
    lost: int
    heard: float | None  # its last word, seconds since 1970


@record
class Statistics:
    """The sweep in numbers. `efficiency` is worker time by slot time, None where no slot was there."""

    total: int
    done: int
    failed: int
    running: int
    waiting: int
    cancelled: int
    retries: int
    cpu: float
    efficiency: float | None
    hosts: tuple[HostWork, ...]
    missing: int = 0  # rows of the table with an empty cell, because a new result was not stored
    uncollected: int = 0  # done sets whose collect functions were not called, or failed

    @property
    def exit_code(self) -> int:
        """0 where every set is done, has a whole row and is collected, else 1."""
        return 0 if self.done == self.total and not self.missing and not self.uncollected else 1


@record
class TicketRow:
    """One attempt, with what is kept of its output."""

    id: int
    host: str
    state: str
    issued: float
    seconds: float | None
    cpu: float | None
    memory: int | None
    read: int | None
    written: int | None
    exit_code: int | None
    reason: str | None
    stdout: bytes
    stderr: bytes
    files: Leftovers | None  # that were in its directory, when it failed


@record
class TaskDetail:
    """Everything about one set."""

    number: int
    values: dict[str, str]
    state: TaskState
    attempts: int
    lost: int
    reason: str | None
    tickets: tuple[TicketRow, ...]
    outputs: tuple[Output, ...]
    in_plan: bool
    accepted_ticket: int | None  # the one whose result is kept
    program: dict[str, str] | None  # what that one ran: file -> SHA-256; None: not recorded


class Reader:
    """Reads runs/<name>/sweep.db while a master may be writing it."""

    def __init__(self, folder: Folder, database: Path | None = None) -> None:
        """`folder` is runs/<name>/; `database`: where its sweep.db is, if not there.

        Raises UsageError when nothing ran there yet, StoreError for a newer schema.
        """
        self.folder = real(folder)
        path = database or database_of(folder)
        try:
            if not path.exists():
                raise UsageError("nothing has run here yet", where=str(folder), todo="Start it with `spe run`.")
            self._file = OpenForReading(path)
            self.connection: Connection = self._file.connection
            found = int(self.meta("schema", "0"))
            for statement in schema.stand_ins(found or schema.VERSION):
                self.connection.exec_driver_sql(statement)
            self.connection.exec_driver_sql("PRAGMA query_only=1")
        except DatabaseError as error:
            raise StoreError(f"the database cannot be read: {error.orig}", where=str(path)) from error
        except OSError as error:
            todo = "Ask its owner for read permission."
            raise StoreError(f"the database cannot be read: {error.strerror}", where=str(path), todo=todo) from error
        if found > schema.VERSION:
            self.close()
            raise StoreError(
                f"this database has schema {found}, written by a newer spe; this one knows schema {schema.VERSION}",
                where=str(path),
                todo="Update spe.",
            )
        self.plan = int(self.meta("plan", "0"))
        self.tickets_before = int(self.meta("tickets_before", "0"))  # the last one of the runs before the last run
        self.parameters: list[str] = json.loads(self.meta("parameters", "[]"))
        self.results: list[str] = json.loads(self.meta("results", "[]"))
        self.kinds: dict[str, str] = json.loads(self.meta("kinds", "{}"))  # of the results; before schema 6 unknown
        self.numeric: list[str] = json.loads(self.meta("numeric", "[]"))  # parameters that are numbers in all sets

        self._width, self._largest = FIRST, 1  # see _outputs_in_turn

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Raises StoreError when somebody began to write what was read without locks."""
        changed = kind is None and self._file.changed
        self.close()
        if changed:
            todo = "Do it once more."
            what = "a run began while this was read, so it may mix two moments"
            raise StoreError(what, where=str(self.folder), todo=todo)

    def meta(self, key: str, default: str = "") -> str:
        """A stored setting."""
        row = self.connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).first()
        return str(row[0]) if row else default

    # -- tables

    def counts(self) -> dict[TaskState, int]:
        """How many of today's sets are in which state; every state is there."""
        table = schema.counts
        query = select(table.c.state, table.c.sets).where(table.c.plan == self.plan)
        found = dict.fromkeys(TaskState, 0) | {TaskState(state): n for state, n in self.connection.execute(query)}
        out = min(int(self.meta("out", "0")), found[TaskState.WAITING])  # to the store, what is out waits
        found[TaskState.WAITING] -= out
        found[TaskState.RUNNING] += out
        return found

    def waiting_because(self) -> tuple[Reason, ...]:
        """Why the last run ended with sets that wait, as long as these do."""
        found, counts = shortfall.read(self.meta(shortfall.META)), self.counts()
        waiting = counts[TaskState.WAITING] + counts[TaskState.RUNNING]
        return found if sum(one.sets for one in found) == waiting else ()

    def last_ticket(self) -> int:
        """The newest ticket's number, 0 before the first."""
        return int(self.connection.execute(select(func.coalesce(func.max(schema.tickets.c.id), 0))).scalar_one())

    def rows(self) -> Iterator[ResultRow]:
        """Finished sets in the order of the parameters."""
        t, k = schema.tasks, schema.tickets
        query = (
            select(t.c.number, t.c.parameters, _ATTEMPTS, k.c.host, k.c.seconds)
            .join(k, k.c.id == t.c.ticket)
            .where(t.c.plan == self.plan, _HAS_ROW)
            .order_by(t.c.position)
        )
        for page in self.connection.execute(query.execution_options(yield_per=PAGE)).partitions(PAGE):
            parameters = json.loads(f"[{','.join(row[1] for row in page)}]")  # at once takes half as long
            outputs = self._outputs_in_turn([row[0] for row in page])
            for values, (number, _, attempts, host, seconds), found in zip(parameters, page, outputs, strict=True):
                yield ResultRow(number, values, found, host, seconds or 0.0, attempts)

    def _outputs_in_turn(self, numbers: list[int]) -> Iterator[dict[str, Output]]:
        """The outputs of each of these sets: as many sets at once as their largest cells so far allow."""
        while numbers:
            some, numbers = numbers[: self._width], numbers[self._width :]
            found = self.outputs(some)
            size = max((sum(len(one.value) for one in outputs.values()) for outputs in found.values()), default=0)
            self._largest = max(self._largest, size)
            self._width = max(1, min(PAGE, TOGETHER // self._largest))
            yield from (found.get(number, {}) for number in some)

    def outputs(self, numbers: list[int]) -> dict[int, dict[str, Output]]:
        """Return the outputs of these tasks: number -> name -> output."""
        # One text with one value: a thousand bound numbers take SQLAlchemy longer than SQLite needs for the rows.
        query = text(
            "SELECT task, name, value, raw, file, size, number FROM outputs "
            "WHERE task IN (SELECT value FROM json_each(:numbers))"
        )
        found: dict[int, dict[str, Output]] = {}
        for task, *output in self.connection.execute(query, {"numbers": json.dumps(numbers)}):
            found.setdefault(task, {})[output[0]] = Output(*output)
        return found

    def failed(self) -> Iterator[FailedRow]:
        """Failed and cancelled sets in the order of the parameters."""
        t = schema.tasks
        cancelled = self.counts()[TaskState.CANCELLED]  # no index helps to find these, and there rarely are any
        which = text("state IN ('failed', 'cancelled')" if cancelled else "state = 'failed'")  # as the index says it
        query = (
            select(t.c.number, t.c.parameters, t.c.reason, t.c.state)
            .where(t.c.plan == self.plan, which)
            .order_by(t.c.position)
        )
        for row in self.connection.execute(query):
            cancelled = row.state == TaskState.CANCELLED.value
            yield FailedRow(row.number, json.loads(row.parameters), row.reason or "", cancelled)

    def numbers_of_failed(self) -> set[int]:
        """Failed and cancelled sets, also of earlier parameters."""
        t = schema.tasks
        query = select(t.c.number).where(text("state IN ('failed', 'cancelled')"))
        return {row[0] for row in self.connection.execute(query)}

    def suspended(self) -> Iterator[int]:
        """Failed sets whose result is kept, because a hook could not judge it; not those that `results` refuses."""
        query = text(
            "SELECT t.number FROM tasks t JOIN tickets k ON k.id = t.ticket WHERE t.state = 'failed' "
            "AND k.state <> 'accepted' AND EXISTS (SELECT 1 FROM outputs WHERE task = t.number) ORDER BY t.number"
        )
        return (row.number for row in self.connection.execute(query).all())

    # -- extraction again

    def specs(self) -> dict[int, tuple[ResultSpec, ...]]:
        """All `results` that outputs were ever made by here, by their rows."""
        return stored.read_specs(self.connection)

    def made_by_others(self, spec: int, after: int, limit: int) -> list[StoredSet]:
        """Up to `limit` of today's sets beyond number `after` that have a result made by other results than `spec`."""
        return stored.read_differing(self.connection, self.plan, spec, after, limit)

    def missing(self, limit: int) -> tuple[int, list[int]]:
        """How many rows of the table have an empty cell because it is not stored, and the numbers of the first."""
        return stored.missing(self.connection, self.plan, limit)

    def events(self) -> Iterator[dict[str, Any]]:
        """What was noted in all runs, the oldest first; of a database of before nothing."""
        if self.connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'events'")).first():
            for row in self.connection.execute(select(schema.events).order_by(schema.events.c.id)).mappings():
                yield {name: value for name, value in row.items() if name != "id" and value is not None}

    # -- one set

    def task(self, number: int) -> TaskDetail:
        """Everything about one set. Raises UsageError when there is no such number."""
        t = schema.tasks
        row = self.connection.execute(select(t).where(t.c.number == number)).first()
        if row is None:
            last = self.connection.execute(select(func.max(t.c.number))).scalar()
            raise UsageError(f"there is no task {number}", todo=f"The numbers go from 1 to {last or 0}.")
        tickets = tuple(self._tickets(number))
        # Without a ticket they are what is left of a result that is no result any more.
        outputs = tuple(self.outputs([number]).get(number, {}).values()) if row.ticket else ()
        out = row.state == TaskState.WAITING and any(one.state == TicketState.ISSUED for one in tickets)
        return TaskDetail(
            number, json.loads(row.parameters), TaskState.RUNNING if out else TaskState(row.state), row.attempts,
            row.lost, row.reason, tickets, outputs, row.plan == self.plan, row.ticket, self._program(row.ticket),
        )  # fmt: skip

    def _program(self, ticket: int | None) -> dict[str, str] | None:
        k, programs = schema.tickets, schema.programs
        query = select(programs.c.parts).join(k, k.c.program == programs.c.id).where(k.c.id == ticket)
        row = self.connection.execute(query).first() if ticket else None
        return from_text(row.parts) if row else None

    def _tickets(self, number: int) -> Iterator[TicketRow]:
        k, logs = schema.tickets, schema.logs
        query = (
            select(k, logs.c.stdout, logs.c.stderr, logs.c.files)
            .outerjoin(logs, logs.c.ticket == k.c.id)
            .where(k.c.task == number)
            .order_by(k.c.id)
        )
        for row in self.connection.execute(query):
            cpu = None if row.user is None else row.user + row.system
            yield TicketRow(
                row.id, row.host, row.state, row.issued, row.seconds, cpu, row.memory, row.read, row.written,
                row.exit_code, row.reason, row.stdout or b"", row.stderr or b"", parse(row.files or ""),
            )  # fmt: skip

    def waiting_before(self, number: int) -> int:
        """How many sets wait that come before this one in the parameters."""
        t = schema.tasks
        place = select(t.c.position).where(t.c.number == number).scalar_subquery()
        before = and_(t.c.state == TaskState.WAITING.value, t.c.plan == self.plan, t.c.position < place)
        query = select(func.count()).where(text("state = 'waiting'"), before)  # as the index says it
        k, closed = schema.tickets, int(self.meta("closed", "0"))
        out = select(func.count(t.c.number.distinct())).join(k, k.c.task == t.c.number).where(before)
        out = out.where(k.c.id > closed, k.c.state == TicketState.ISSUED.value)
        return int(self.connection.execute(query).scalar_one() - self.connection.execute(out).scalar_one())

    # -- who did what

    def statistics(self) -> Statistics:
        """The sweep in numbers: today's sets, and who did what in the last run."""
        counts = self.counts()
        hosts = tuple(self._hosts())
        retries = int(self.connection.execute(text("SELECT coalesce(sum(again), 0) FROM hosts")).scalar_one())
        worked, there = self._worked_in_slots(), self._slot_seconds()
        return Statistics(
            sum(counts.values()), counts[TaskState.DONE], counts[TaskState.FAILED], counts[TaskState.RUNNING],
            counts[TaskState.WAITING], counts[TaskState.CANCELLED], retries, sum(h.cpu for h in hosts),
            min(1.0, worked / there) if there > 0 else None, hosts, self.missing(0)[0],
            self.uncollected(),
        )  # fmt: skip

    def uncollected(self) -> int:
        """How many done sets of today no collect function has got: not called, or one of them failed."""
        if not self.meta(GATHERS, ""):
            return 0
        t = schema.tasks.c
        done = and_(t.state == TaskState.DONE.value, t.plan == self.plan)
        query = select(func.count()).where(done, func.coalesce(t.collected, 0) != 1)
        return int(self.connection.execute(query).scalar_one())

    def _hosts(self) -> Iterator[HostWork]:
        query = text(
            "SELECT h.*, c.heard FROM hosts h "
            f"LEFT JOIN (SELECT host, max(heard) AS heard FROM clients WHERE {_OF_RUN} GROUP BY host) c "
            "ON c.host = h.host ORDER BY accepted DESC, h.host"
        )
        for row in self.connection.execute(query):
            yield HostWork(row.host, row.accepted, row.seconds, row.cpu, row.failures, row.lost, row.heard)

    def _worked_in_slots(self) -> float:
        """Seconds of programs on hosts whose slots are known: a client that did not register told of none."""
        query = text(f"SELECT sum(seconds) FROM hosts WHERE host IN (SELECT host FROM clients WHERE {_OF_RUN})")
        found: Any = self.connection.execute(query).scalar()
        return float(found or 0.0)

    def _slot_seconds(self) -> float:
        """Seconds that slots were there; a client that is still here counts until now."""
        query = text(
            "SELECT sum(max(1, slots / :cores) * "
            "CASE WHEN seconds IS NULL THEN max(0, :now - since) ELSE seconds END) FROM clients "
            f"WHERE {_OF_RUN}"
        )
        given = {"now": time.time(), "cores": int(self.meta("cores", "1"))}
        found: Any = self.connection.execute(query, given).scalar()
        return float(found or 0.0)
