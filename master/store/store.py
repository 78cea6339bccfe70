"""The store: runs/<name>/sweep.db, the truth about a sweep: which sets there are, and what is known of a run.

What the dispatch decides is written by writes.py, how it comes to the disk is writer.py's business. Reading for people
(status, show, tables) is in reader.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, text, update

from ..dispatch import shortfall
from ..dispatch.changes import Change, Decision, Settled
from ..errors import StoreError
from ..full_disk import FullDisk
from ..model import Kind, Task, TaskState, Ticket, TicketState
from ..record import record
from . import schema, writes
from .writer import Committing

T = TypeVar("T")


@record
class NewSet:
    """One parameter set on its way into the store."""

    key: bytes
    position: int
    parameters: Mapping[str, str]
    older_key: bytes | None = None  # under which a database of before schema 6 may know it


def _encoded(values: Mapping[str, str]) -> str:
    """As json.dumps writes a mapping of texts, which makes an encoder for each."""
    return (
        "{" + ",".join([f"{encode_basestring(name)}:{encode_basestring(text)}" for name, text in values.items()]) + "}"
    )


# As text: a million sets come this way, and what SQLAlchemy does for each row takes longer than what SQLite does.
_ADD_SET = """
INSERT INTO tasks (key, plan, position, parameters, state, attempts, lost) VALUES (?, ?, ?, ?, 'waiting', 0, 0)
ON CONFLICT (key) DO UPDATE SET plan = excluded.plan, parameters = excluded.parameters,
position = CASE WHEN tasks.plan = excluded.plan THEN tasks.position ELSE excluded.position END
"""

# Whether something of an earlier result of a task is stored: a row in the table, or what is left of one.
_REDONE = text(
    "(tasks.ticket IS NOT NULL OR EXISTS (SELECT 1 FROM outputs WHERE task = tasks.number) "
    "OR EXISTS (SELECT 1 FROM kept WHERE task = tasks.number)) AS redone"
)


_LAST_CLIENT = "(SELECT coalesce(max(CAST(id AS INTEGER)), 0) FROM clients)"


class Store:
    """What a run asks of its database and tells it. All of it happens on the writer thread, in its transactions."""

    def __init__(self, path: Path, disk: FullDisk | None = None) -> None:
        """Open or make the database. Raises StoreError when it can't be written or is of a newer spe.

        `disk`: the wait of this run for a disk that is full.
        """
        self.path, self.disk = path, disk or FullDisk()
        # Held while the files of a set that has a result get other places: a new result and the extraction of the old
        # one would each take away what the other is about to name.
        self.placing = asyncio.Lock()
        self.plan = 0
        self.begun = False  # whether this run has begun its reading: before, nobody knows which sets are today's
        self.writer = Committing(path, self._prepare, self.disk)

    def _prepare(self, connection: Connection) -> None:
        known = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'").first()
        found = int(writes.get_meta(connection, "schema", "0")) if known else 0
        if found > schema.VERSION:
            raise StoreError(
                f"this database has schema {found}, written by a newer spe; this one knows schema {schema.VERSION}",
                where=str(self.path),
                todo="Update spe, or choose another sweep name.",
            )
        for version in range(found or schema.VERSION, schema.VERSION):
            for statement in schema.MIGRATIONS[version]:
                connection.exec_driver_sql(statement)
        schema.metadata.create_all(connection)
        for statement in schema.TRIGGERS:
            connection.exec_driver_sql(statement)
        writes.set_meta(connection, "schema", str(schema.VERSION))
        self.plan = int(writes.get_meta(connection, "plan", "0"))

    async def call(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the writer thread, inside the next transaction; returns when that is on disk."""
        return await self.writer.call(work)

    async def commit(self, changes: Sequence[Change]) -> None:
        """Remember these changes; returns when they are on disk."""
        await self.writer.commit(changes)

    def close(self) -> None:
        """Finish what was handed in, then close the file."""
        self.writer.close()

    # -- meta

    async def meta(self, key: str, default: str = "") -> str:
        """A stored setting of this sweep."""
        return await self.call(lambda connection: writes.get_meta(connection, key, default))

    async def set_meta(self, key: str, value: str) -> None:
        """Store a setting of this sweep."""
        await self.call(lambda connection: writes.set_meta(connection, key, value))

    async def keep_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """What was noted, for people."""
        await self.call(lambda connection: writes.keep_events(connection, events))

    # -- the plan: which sets there are

    async def begin_plan(
        self,
        parameters: Sequence[str],
        results: Sequence[str] | Mapping[str, Kind],
        digest: str = "",
        numeric: Sequence[str] = (),
    ) -> bool:
        """A new reading of the parameters begins; sets that it does not name are left out of the table.

        `results`: their names and kinds; without kinds all count as texts. `numeric`: the parameters that are numbers
        in all sets. False when nothing needs to be read: `digest` is that of the last reading, which came to its end.
        """
        kinds = dict(results) if isinstance(results, Mapping) else {}

        def work(connection: Connection) -> bool:
            known = bool(digest) and writes.get_meta(connection, "read") == digest
            if not known:
                writes.set_meta(connection, "plan", str(self.plan + 1))
                writes.set_meta(connection, "read", "")
            writes.set_meta(connection, "parameters", json.dumps(list(parameters)))
            writes.set_meta(connection, "results", json.dumps(list(results)))
            writes.set_meta(connection, "kinds", json.dumps(kinds))
            writes.set_meta(connection, "numeric", json.dumps(list(numeric)))
            connection.execute(delete(schema.counts).where(schema.counts.c.sets == 0))
            for statement in schema.results_view(parameters, results, kinds, numeric):
                connection.exec_driver_sql(statement)
            return not known

        unknown = await self.call(work)
        self.plan += unknown
        self.begun = True
        await self.fill_numbers(kinds)
        return unknown

    async def fill_numbers(self, kinds: Mapping[str, Kind]) -> None:
        """Give the outputs of before schema 6 the numbers that newer ones are stored with; each result once.

        In batches, so that what is to be committed meanwhile does not wait for all of them.
        """
        if await self.meta("legacy") == "1":
            filled = set(json.loads(await self.meta("filled", "[]")))
            for name, kind in kinds.items():
                if schema.is_number(kind) and name not in filled:
                    await self._fill(name, kind)
                    filled.add(name)
                    await self.set_meta("filled", json.dumps(sorted(filled)))

    async def _fill(self, name: str, kind: Kind) -> None:
        after: int | None = 0
        while after is not None:
            last = after
            after = await self.call(lambda connection: writes.fill_numbers(connection, name, kind, last))  # noqa: B023

    async def show_results(self, kinds: Mapping[str, Kind]) -> None:
        """The table has columns of these results, by name, from now on."""

        def work(connection: Connection) -> None:
            writes.set_meta(connection, "results", json.dumps(list(kinds)))
            writes.set_meta(connection, "kinds", json.dumps(kinds))
            parameters = json.loads(writes.get_meta(connection, "parameters", "[]"))
            numeric = json.loads(writes.get_meta(connection, "numeric", "[]"))
            for statement in schema.results_view(parameters, list(kinds), kinds, numeric):
                connection.exec_driver_sql(statement)

        await self.call(work)

    async def end_plan(self, digest: str) -> None:
        """The reading has come to its end, and was of this."""
        await self.set_meta("read", digest)

    async def add_sets(self, sets: Sequence[NewSet]) -> None:
        """Sets of the current reading, in order; known ones keep their number, state and results."""
        rows = [(s.key, self.plan, s.position, _encoded(s.parameters)) for s in sets]
        older = [(s.key, s.older_key) for s in sets if s.older_key]

        def work(connection: Connection) -> None:
            if older and writes.get_meta(connection, "legacy"):
                connection.exec_driver_sql("UPDATE OR IGNORE tasks SET key = ? WHERE key = ?", older)
            connection.exec_driver_sql(_ADD_SET, rows)

        if rows:
            await self.call(work)

    async def waiting(self, after: int, limit: int) -> list[tuple[int, Task]]:
        """(position, task) of up to `limit` waiting tasks of this reading beyond position `after`, in order.

        Raises RuntimeError before a reading has begun: the plan of an earlier run is nobody's work list.
        """
        if not self.begun:
            raise RuntimeError("asked for waiting tasks before today's sets are being read")
        table = schema.tasks
        query = (
            select(
                table.c.position,
                table.c.number,
                table.c.parameters,
                table.c.attempts,
                table.c.lost,
                table.c.faults,
                table.c.key,
                _REDONE,
            )
            .where(text("state = 'waiting'"), table.c.plan == self.plan, table.c.position > after)
            .order_by(table.c.position)
            .limit(limit)
        )

        def work(connection: Connection) -> list[tuple[int, Task]]:
            rows = connection.execute(query).all()
            parameters = json.loads(f"[{','.join(row[2] for row in rows)}]")  # at once takes half as long
            return [
                (row[0], Task(row[1], values, TaskState.WAITING, *row[3:5], _faults(row[5]), key=row[6], redone=row[7]))
                for values, row in zip(parameters, rows, strict=True)
            ]

        return await self.call(work)

    async def count(self) -> dict[TaskState, int]:
        """How many sets of today's parameters are in which state."""
        table = schema.counts
        query = select(table.c.state, table.c.sets).where(table.c.plan == self.plan, table.c.sets > 0)
        rows = await self.call(lambda connection: connection.execute(query).all())
        return {TaskState(state): n for state, n in rows}

    async def among_todays(self, numbers: Sequence[int]) -> dict[int, bool]:
        """Which of these tasks are among today's sets; the value tells whether something of them is stored."""
        table = schema.tasks
        among = text("number IN (SELECT value FROM json_each(:numbers))")  # as one text: there may be very many
        query = select(table.c.number, _REDONE).where(table.c.plan == self.plan, among)
        given = {"numbers": json.dumps(list(numbers))}
        rows = await self.call(lambda connection: connection.execute(query, given).all())
        return {number: bool(redone) for number, redone in rows}

    async def remember_program(self, parts: str) -> int:
        """The number of a program, by the text of its parts."""
        return await self.call(lambda connection: writes.remember_program(connection, parts))

    async def programs(self) -> dict[int, str]:
        """Every program that tickets have run, as the text of its parts."""
        query = select(schema.programs.c.id, schema.programs.c.parts)
        rows = await self.call(lambda connection: connection.execute(query).all())
        return {row.id: row.parts for row in rows}

    async def settle(self, decision: Decision) -> Settled:
        """Today's sets are all known: remember today's program, and put back what is to run again."""
        return await self.call(lambda connection: writes.settle(connection, self.plan, decision))

    async def cancel(self, numbers: Sequence[int], reason: str) -> list[int]:
        """Those of these sets that wait are cancelled."""
        return await self.call(lambda connection: writes.cancel(connection, self.plan, numbers, reason))

    async def put_back(self, numbers: Sequence[int] | None, but: Sequence[int]) -> dict[int, TaskState]:
        """Failed and cancelled sets wait again (None: all), without those in `but`; what each was before."""
        return await self.call(lambda connection: writes.put_back(connection, self.plan, numbers, but))

    async def anything_done(self) -> bool:
        """Whether any set was ever finished here; also one whose stored result today's `results` refuses."""
        done = schema.counts.c.state == TaskState.DONE.value
        query = select(schema.counts.c.plan).where(done, schema.counts.c.sets > 0).limit(1)
        refused = text("SELECT 1 FROM tasks WHERE state = 'failed' AND ticket IS NOT NULL LIMIT 1")
        return await self.call(
            lambda connection: any(connection.execute(one).first() is not None for one in (query, refused))
        )

    async def agreed(self, programs: Iterable[int]) -> int:
        """The ticket before which results of any program stay as they are, under these programs: somebody said so."""
        marks: dict[str, int] = json.loads(await self.meta("agreed", "{}"))
        return max((marks.get(str(program), 0) for program in programs), default=0)

    async def finished_among(self, sets: Iterator[Sequence[bytes]], programs: Sequence[int], since: int) -> set[int]:
        """Which of these programs have made results of these sets, of tickets from `since` on.

        `sets`: the keys of sets, chunk by chunk.
        """
        if not programs or not await self.call(lambda c: writes.finished_by(c, programs, since)):
            return set()
        found: set[int] = set()
        while keys := await asyncio.to_thread(next, sets, None):
            found |= await self.call(partial(writes.finished_among, keys=keys, programs=programs, since=since))
        return found

    # -- tickets of before a restart

    async def next_ids(self) -> tuple[int, int]:
        """The next ticket and the next client, never used before in this sweep."""
        ticket = select(func.coalesce(func.max(schema.tickets.c.id), 0) + 1)
        client = text(f"SELECT {_LAST_CLIENT} + 1")
        return await self.call(lambda c: (int(c.execute(ticket).scalar_one()), int(c.execute(client).scalar_one())))

    async def find(self, ticket_id: int) -> tuple[Ticket, Task] | None:
        """A ticket that the dispatch does not hold, with its task as it is now."""
        query = _tickets_with_tasks().where(schema.tickets.c.id == ticket_id)
        row = await self.call(lambda connection: connection.execute(query).first())
        return self._pair(row) if row else None

    async def live(self) -> list[tuple[Ticket, Task]]:
        """Tickets that were out when the master went away, with their tasks; and lost ones of clients that may come
        back, as long as their tasks are undone."""
        here = select(schema.clients.c.id).where(schema.clients.c.seconds.is_(None))
        state, undone = schema.tickets.c.state, schema.tasks.c.state == TaskState.WAITING.value
        lost = and_(state == TicketState.LOST.value, schema.tickets.c.client.in_(here), undone)
        ours = schema.tickets.c.id > bindparam("closed")
        query = _tickets_with_tasks().where(ours, or_(state == TicketState.ISSUED.value, lost))
        rows = await self.call(lambda connection: connection.execute(query, {"closed": _closed(connection)}).all())
        return [self._pair(row) for row in rows]

    def _pair(self, row: Any) -> tuple[Ticket, Task]:
        # The dispatch moves the task to running when it takes a live ticket back. Whether it is one of today's sets is
        # known only of those that the present reading has come to.
        values, faults = json.loads(row.parameters), _faults(row.faults)
        task = Task(
            row.number, values, TaskState(row.state), row.attempts, row.lost, faults, key=row.key,
            planned=self.begun and row.plan == self.plan, redone=bool(row.redone),
        )  # fmt: skip
        state = TicketState(row.ticket_state)
        return Ticket(row.id, row.number, row.client, row.host, 0.0, state, program=row.program), task

    async def known_clients(self) -> list[Any]:
        """Clients that have not left: rows (id, host, platform, slots)."""
        query = select(schema.clients).where(schema.clients.c.seconds.is_(None))
        return list(await self.call(lambda connection: connection.execute(query).all()))

    async def begin_run(self, cores: int = 1, resumed: bool = False) -> None:
        """A run begins: what is counted of a run is counted from here, unless it goes on with one that was killed.

        `cores`: of a task, by which slots are counted.
        """

        def work(connection: Connection) -> None:
            writes.set_meta(connection, "cores", str(cores))
            writes.set_meta(connection, shortfall.META, "")
            if resumed:
                return
            _close_session(connection)
            connection.execute(delete(schema.hosts))
            writes.set_meta(connection, "tickets_before", str(_closed(connection)))
            last = connection.execute(text(f"SELECT {_LAST_CLIENT}")).scalar_one()
            writes.set_meta(connection, "clients_before", str(last))

        await self.call(work)

    async def close_session(self) -> None:
        """The session has ended: tickets still out are lost, and so their tasks wait; clients have left."""
        await self.call(_close_session)

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


def _close_session(connection: Connection) -> None:
    ticket, client = schema.tickets.c, schema.clients.c
    out = update(schema.tickets).where(ticket.id > _closed(connection), ticket.state == TicketState.ISSUED.value)
    connection.execute(out.values(state=TicketState.LOST.value))
    there = func.max(0.0, func.coalesce(client.heard, client.since) - client.since)  # as far as anybody knows
    connection.execute(update(schema.clients).where(client.seconds.is_(None)).values(seconds=there))
    last = connection.execute(select(func.coalesce(func.max(ticket.id), 0))).scalar_one()
    writes.set_meta(connection, "closed", str(last))
    writes.set_meta(connection, "out", "0")


def _closed(connection: Connection) -> int:
    """The last ticket of the sessions that have ended: none up to it is out, and nobody needs to look for one."""
    return int(writes.get_meta(connection, "closed", "0"))


def _faults(text: str | None) -> dict[str, int]:
    return json.loads(text) if text else {}


def _tickets_with_tasks() -> Any:
    k, t = schema.tickets, schema.tasks
    return select(
        k.c.id, k.c.client, k.c.host, k.c.state.label("ticket_state"), k.c.program,
        t.c.number, t.c.parameters, t.c.state, t.c.attempts, t.c.lost, t.c.faults, t.c.key, t.c.plan, _REDONE,
    ).join(t, t.c.number == k.c.task)  # fmt: skip
