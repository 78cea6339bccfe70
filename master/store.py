"""The store: runs/<name>/sweep.db, the truth about a sweep. The only place that knows SQL.

One thread owns the writing connection. It commits all that came in since its last commit in one transaction (group
commit, synchronous=FULL); whoever waits in `commit` goes on only when that transaction is on disk. The journal is a
write-ahead log, or on NFS and its like, where that is not safe, a rollback journal.
Reading for people (status, show, tables) is in reader.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError, OperationalError

from . import filesystem, schema, writes
from .changes import Change
from .errors import StoreError
from .model import Task, TaskState, Ticket, TicketState
from .nagging import Nagging

log = logging.getLogger("spe.store")
T = TypeVar("T")
FULL_DISK_PAUSE = 1.0  # seconds between tries while the disk is full; nothing is answered meanwhile


@dataclass(frozen=True, slots=True)
class NewSet:
    """One parameter set on its way into the store."""

    key: bytes
    position: int
    parameters: Mapping[str, str]


_ENCODED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# As text: a million sets come this way, and what SQLAlchemy does for each row takes longer than what SQLite does.
_ADD_SET = """
INSERT INTO tasks (key, plan, position, parameters, state, attempts, lost) VALUES (?, ?, ?, ?, 'waiting', 0, 0)
ON CONFLICT (key) DO UPDATE SET plan = excluded.plan, parameters = excluded.parameters,
position = CASE WHEN tasks.plan = excluded.plan THEN tasks.position ELSE excluded.position END
"""
_PASSING = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM,
}  # fmt: skip


def _may_pass(error: OperationalError) -> bool:
    """Whether waiting helps: a full or sick disk, a lock; never a fault in a statement."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF in _PASSING  # the rest of the code is detail


LOCAL = ("journal_mode=WAL", "synchronous=FULL")
# The log needs shared memory, which does not work between machines. Who is alone needs none: so one that is there
# is read before it is given up.
REMOTE = ("locking_mode=EXCLUSIVE", "journal_mode=DELETE", "locking_mode=NORMAL", "synchronous=EXTRA")


def _pragmas(connection: Any, journal: Sequence[str]) -> None:
    for pragma in ("busy_timeout=10000", *journal, "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.isolation_level = None  # BEGIN and COMMIT are ours


def open_engine(path: Path) -> Engine:
    """An engine on `path` that keeps what it committed through a power cut."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
    journal = REMOTE if filesystem.remote(path.parent) else LOCAL
    event.listen(engine, "connect", lambda connection, _: _pragmas(connection, journal))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


class Store:
    """The writing side. All methods but `commit` and `call` are for the writer thread or before it runs."""

    def __init__(self, path: Path) -> None:
        """Open or make the database. Raises StoreError when it can't be written or is of a newer spe."""
        self.path = path
        self.plan = 0
        self._engine = open_engine(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stalled: Callable[[str], None] = Nagging(log).say
        try:
            self._connection = self._engine.connect()
            self._prepare()
        except (OperationalError, DatabaseError) as error:
            self._engine.dispose()
            raise StoreError(
                f"the database cannot be used: {error.orig}",
                where=str(path),
                todo="Look at the folder's owner and permissions and at the disk; or choose another sweep name.",
            ) from error
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        with self._connection.begin():
            known = self._connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'").first()
            found = int(self._meta("schema", "0")) if known else 0
            if found > schema.VERSION:
                raise StoreError(
                    f"this database has schema {found}, written by a newer spe; this one knows schema {schema.VERSION}",
                    where=str(self.path),
                    todo="Update spe, or choose another sweep name.",
                )
            for version in range(found or schema.VERSION, schema.VERSION):
                for statement in schema.MIGRATIONS[version]:
                    self._connection.exec_driver_sql(statement)
            schema.metadata.create_all(self._connection)
            for statement in schema.TRIGGERS:
                self._connection.exec_driver_sql(statement)
            self._set_meta("schema", str(schema.VERSION))
            self.plan = int(self._meta("plan", "0"))

    # -- the writer thread

    def _work(self) -> None:
        while True:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            todo = [job for job in jobs if job is not None]
            if todo:
                self._transaction(todo)
            if len(todo) < len(jobs):
                return

    def _transaction(self, jobs: list[_Job]) -> None:
        """All jobs in one commit, tried again while the disk is full: what waits for it is not answered."""
        while True:
            try:
                with self._connection.begin():
                    results = self._results(jobs)
                break
            except Exception as error:
                if isinstance(error, OperationalError) and _may_pass(error):
                    self._stalled(
                        f"the store waits: {error.orig} ({self.path}). Nothing is lost; make room and it goes on."
                    )
                    time.sleep(FULL_DISK_PAUSE)
                    continue
                if len(jobs) > 1:  # one bad job must not take the others with it
                    for job in jobs:
                        self._transaction([job])
                else:
                    _settle([(jobs[0], None, error)])
                return
        _settle([(job, result, None) for job, result in zip(jobs, results, strict=True)])

    def _results(self, jobs: list[_Job]) -> list[Any]:
        """What each job returns; neighbours that only have changes are written as one."""
        results: list[Any] = []
        for work, together in groupby(jobs, key=lambda job: job.work):
            neighbours = list(together)
            if work is None:
                writes.apply(self._connection, [c for job in neighbours for c in job.changes], time.time())
                results += [None] * len(neighbours)
            else:
                results += [job.run(self._connection) for job in neighbours]
        return results

    async def call(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the writer thread, inside the next transaction; returns when that is on disk."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(future, work))
        return await future

    async def commit(self, changes: Sequence[Change]) -> None:
        """Remember these changes; returns when they are on disk."""
        if changes:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._jobs.put(_Job(future, None, changes))
            await future

    def close(self) -> None:
        """Finish what was handed in, then close the file."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()
        self._engine.dispose()

    # -- meta

    def _meta(self, key: str, default: str = "") -> str:
        row = self._connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).first()
        return row[0] if row else default

    def _set_meta(self, key: str, value: str) -> None:
        statement = upsert(schema.meta).values(key=key, value=value)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))

    async def meta(self, key: str, default: str = "") -> str:
        """A stored setting of this sweep."""
        return await self.call(lambda _: self._meta(key, default))

    async def set_meta(self, key: str, value: str) -> None:
        """Store a setting of this sweep."""
        await self.call(lambda _: self._set_meta(key, value))

    # -- the plan: which sets there are

    async def begin_plan(self, parameters: Sequence[str], results: Sequence[str], digest: str = "") -> bool:
        """A new reading of the parameters begins; sets that it does not name are left out of the table.

        False when nothing needs to be read: `digest` is that of the last reading, which came to its end.
        """

        def work(connection: Connection) -> bool:
            known = bool(digest) and self._meta("read") == digest
            if not known:
                self.plan += 1
                self._set_meta("plan", str(self.plan))
                self._set_meta("read", "")
            self._set_meta("parameters", json.dumps(list(parameters)))
            self._set_meta("results", json.dumps(list(results)))
            connection.execute(delete(schema.counts).where(schema.counts.c.sets == 0))
            for statement in schema.results_view(parameters, results):
                connection.exec_driver_sql(statement)
            return not known

        return await self.call(work)

    async def end_plan(self, digest: str) -> None:
        """The reading has come to its end, and was of this."""
        await self.set_meta("read", digest)

    async def add_sets(self, sets: Sequence[NewSet]) -> None:
        """Sets of the current reading, in order; known ones keep their number, state and results."""
        if sets:
            rows = [(s.key, self.plan, s.position, _ENCODED(s.parameters)) for s in sets]
            await self.call(lambda connection: connection.exec_driver_sql(_ADD_SET, rows) and None)

    async def waiting(self, after: int, limit: int) -> list[tuple[int, Task]]:
        """(position, task) of up to `limit` waiting tasks of this reading beyond position `after`, in order."""
        table = schema.tasks
        query = (
            select(table.c.position, table.c.number, table.c.parameters, table.c.attempts, table.c.lost, table.c.faults)
            .where(text("state = 'waiting'"), table.c.plan == self.plan, table.c.position > after)
            .order_by(table.c.position)
            .limit(limit)
        )

        def work(connection: Connection) -> list[tuple[int, Task]]:
            return [
                (place, Task(number, json.loads(values), TaskState.WAITING, attempts, lost, _faults(faults)))
                for place, number, values, attempts, lost, faults in connection.execute(query)
            ]

        return await self.call(work)

    async def count(self) -> dict[TaskState, int]:
        """How many sets of today's parameters are in which state."""
        table = schema.counts
        query = select(table.c.state, table.c.sets).where(table.c.plan == self.plan, table.c.sets > 0)
        rows = await self.call(lambda connection: connection.execute(query).all())
        return {TaskState(state): n for state, n in rows}

    async def reset(
        self, states: Iterable[TaskState], numbers: Sequence[int] | None = None, *, all_plans: bool = False
    ) -> int:
        """Put sets back to waiting with all attempts (`spe retry`, `--fresh`); how many there were.

        `all_plans`: also those that are no longer among the parameters.
        """
        table = schema.tasks
        statement = (
            update(table)
            .where(table.c.state.in_([s.value for s in states]))
            .values(
                state=TaskState.WAITING.value, attempts=0, lost=0, faults=None, reason=None, ticket=None, collected=None
            )
        )
        if not all_plans:
            statement = statement.where(table.c.plan == self.plan)
        if numbers is not None:
            statement = statement.where(table.c.number.in_(numbers))
        return await self.call(lambda connection: connection.execute(statement).rowcount)

    async def cancel(self, numbers: Sequence[int], reason: str) -> list[int]:
        """Those of these sets that wait are cancelled."""
        return await self.call(lambda connection: writes.cancel(connection, self.plan, numbers, reason))

    async def put_back(self, numbers: Sequence[int] | None, but: Sequence[int]) -> dict[int, TaskState]:
        """Failed and cancelled sets wait again (None: all), without those in `but`; what each was before."""
        return await self.call(lambda connection: writes.put_back(connection, self.plan, numbers, but))

    async def anything_done(self) -> bool:
        """Whether any set was ever finished here."""
        done = schema.counts.c.state == TaskState.DONE.value
        query = select(schema.counts.c.plan).where(done, schema.counts.c.sets > 0).limit(1)
        return await self.call(lambda connection: connection.execute(query).first() is not None)

    # -- tickets of before a restart

    async def next_ids(self) -> tuple[int, int]:
        """The next ticket and the next client, never used before in this sweep."""
        ticket = select(func.coalesce(func.max(schema.tickets.c.id), 0) + 1)
        client = text("SELECT coalesce(max(CAST(id AS INTEGER)), 0) + 1 FROM clients")
        return await self.call(lambda c: (int(c.execute(ticket).scalar_one()), int(c.execute(client).scalar_one())))

    async def find(self, ticket_id: int) -> tuple[Ticket, Task] | None:
        """A ticket that the farm does not hold, with its task as it is now."""
        query = _tickets_with_tasks().where(schema.tickets.c.id == ticket_id)
        row = await self.call(lambda connection: connection.execute(query).first())
        return _pair(row) if row else None

    async def live(self) -> list[tuple[Ticket, Task]]:
        """Tickets that were out when the master went away, with their tasks; and lost ones of clients that may come
        back, as long as their tasks are undone."""
        here = select(schema.clients.c.id).where(schema.clients.c.seconds.is_(None))
        state, undone = schema.tickets.c.state, (TaskState.WAITING.value, TaskState.RUNNING.value)
        lost = and_(
            state == TicketState.LOST.value, schema.tickets.c.client.in_(here), schema.tasks.c.state.in_(undone)
        )
        ours = schema.tickets.c.id > bindparam("closed")
        query = _tickets_with_tasks().where(ours, or_(state == TicketState.ISSUED.value, lost))
        rows = await self.call(lambda connection: connection.execute(query, {"closed": self._closed()}).all())
        return [_pair(row) for row in rows]

    def _closed(self) -> int:
        """The last ticket of the sessions that have ended: none up to it is out, and nobody needs to look for one."""
        return int(self._meta("closed", "0"))

    async def known_clients(self) -> list[Any]:
        """Clients that have not left: rows (id, host, platform, slots)."""
        query = select(schema.clients).where(schema.clients.c.seconds.is_(None))
        return list(await self.call(lambda connection: connection.execute(query).all()))

    async def close_session(self) -> None:
        """The session has ended: tickets still out are lost, tasks still out wait, clients have left."""

        def work(connection: Connection) -> None:
            ticket, running = schema.tickets.c, TaskState.RUNNING.value
            out = update(schema.tickets).where(ticket.id > self._closed(), ticket.state == TicketState.ISSUED.value)
            connection.execute(out.values(state=TicketState.LOST.value))
            counted = select(schema.counts.c.plan).where(schema.counts.c.state == running, schema.counts.c.sets > 0)
            if connection.execute(counted).first():  # else nobody needs to look through all sets
                waits = update(schema.tasks).values(state=TaskState.WAITING.value)
                connection.execute(waits.where(schema.tasks.c.state == running))
            connection.execute(update(schema.clients).where(schema.clients.c.seconds.is_(None)).values(seconds=0.0))
            last = connection.execute(select(func.coalesce(func.max(ticket.id), 0))).scalar_one()
            self._set_meta("closed", str(last))

        await self.call(work)

    # -- the gather hooks

    async def uncollected(self, again: bool, limit: int, after: int) -> list[int]:
        """Numbers of done tasks whose gather hooks were not called (`again`: of all), beyond number `after`."""
        table = schema.tasks
        query = select(table.c.number).where(
            table.c.state == TaskState.DONE.value, table.c.plan == self.plan, table.c.number > after
        )
        if not again:
            query = query.where(table.c.collected.is_(None))
        rows = await self.call(lambda c: c.execute(query.order_by(table.c.number).limit(limit)).all())
        return [row[0] for row in rows]

    async def mark_collected(self, number: int, well: bool) -> None:
        """The gather hooks were called for this task."""
        statement = update(schema.tasks).where(schema.tasks.c.number == number).values(collected=1 if well else 2)
        await self.call(lambda connection: connection.execute(statement) and None)


@dataclass(slots=True)
class _Job:
    """One piece of work for the writer thread, or only changes to be written; and who waits for it."""

    future: asyncio.Future[Any]
    work: Callable[[Connection], Any] | None
    changes: Sequence[Change] = ()

    def run(self, connection: Connection) -> Any:
        return self.work(connection) if self.work else None


_Settled = tuple[_Job, Any, Exception | None]


def _settle(jobs: list[_Settled]) -> None:
    """Those who wait go on, all of one loop in one go: waking a loop from another thread has its price."""
    for loop, together in groupby(jobs, key=lambda one: one[0].future.get_loop()):
        try:
            loop.call_soon_threadsafe(_resolve, list(together))
        except RuntimeError:
            log.debug("the loop was closed before an answer from the store")


def _resolve(jobs: list[_Settled]) -> None:
    for job, result, error in jobs:
        if job.future.cancelled():
            continue
        if error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def _task(row: Any, state: TaskState) -> Task:
    return Task(row.number, json.loads(row.parameters), state, row.attempts, row.lost, _faults(row.faults))


def _faults(text: str | None) -> dict[str, int]:
    return json.loads(text) if text else {}


def _tickets_with_tasks() -> Any:
    k, t = schema.tickets, schema.tasks
    return select(
        k.c.id, k.c.client, k.c.host, k.c.state.label("ticket_state"),
        t.c.number, t.c.parameters, t.c.state, t.c.attempts, t.c.lost, t.c.faults,
    ).join(t, t.c.number == k.c.task)  # fmt: skip


def _pair(row: Any) -> tuple[Ticket, Task]:
    state = TaskState(row.state)
    # The farm moves a task to running itself when it takes a live ticket back.
    task = _task(row, TaskState.WAITING if state is TaskState.RUNNING else state)
    return Ticket(row.id, row.number, row.client, row.host, 0.0, TicketState(row.ticket_state)), task
