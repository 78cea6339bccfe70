"""The store: runs/<name>/sweep.db, the truth about a sweep: which sets there are, and what is known of a run.

What the farm decides is written by writes.py, how it comes to the disk is committing.py's business. Reading for people
(status, show, tables) is in reader.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from . import schema, writes
from .changes import Change
from .committing import FULL_DISK_PAUSE, Committing
from .errors import StoreError
from .model import Task, TaskState, Ticket, TicketState
from .record import record

__all__ = ["FULL_DISK_PAUSE", "NewSet", "Store"]
T = TypeVar("T")


@record
class NewSet:
    """One parameter set on its way into the store."""

    key: bytes
    position: int
    parameters: Mapping[str, str]


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


class Store:
    """What a run asks of its database and tells it. All of it happens on the writer thread, in its transactions."""

    def __init__(self, path: Path) -> None:
        """Open or make the database. Raises StoreError when it can't be written or is of a newer spe."""
        self.path = path
        self.plan = 0
        self.writer = Committing(path, self._prepare)

    def _prepare(self, connection: Connection) -> None:
        known = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'").first()
        found = int(_meta(connection, "schema", "0")) if known else 0
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
        _set_meta(connection, "schema", str(schema.VERSION))
        self.plan = int(_meta(connection, "plan", "0"))

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
        return await self.call(lambda connection: _meta(connection, key, default))

    async def set_meta(self, key: str, value: str) -> None:
        """Store a setting of this sweep."""
        await self.call(lambda connection: _set_meta(connection, key, value))

    async def keep_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """What was noted, for people."""
        await self.call(lambda connection: writes.keep_events(connection, events))

    # -- the plan: which sets there are

    async def begin_plan(self, parameters: Sequence[str], results: Sequence[str], digest: str = "") -> bool:
        """A new reading of the parameters begins; sets that it does not name are left out of the table.

        False when nothing needs to be read: `digest` is that of the last reading, which came to its end.
        """

        def work(connection: Connection) -> bool:
            known = bool(digest) and _meta(connection, "read") == digest
            if not known:
                self.plan += 1
                _set_meta(connection, "plan", str(self.plan))
                _set_meta(connection, "read", "")
            _set_meta(connection, "parameters", json.dumps(list(parameters)))
            _set_meta(connection, "results", json.dumps(list(results)))
            connection.execute(delete(schema.counts).where(schema.counts.c.sets == 0))
            for statement in schema.results_view(parameters, results):
                connection.exec_driver_sql(statement)
            return not known

        return await self.call(work)

    async def show_results(self, results: Sequence[str]) -> None:
        """The table has these columns from now on."""

        def work(connection: Connection) -> None:
            _set_meta(connection, "results", json.dumps(list(results)))
            for statement in schema.results_view(json.loads(_meta(connection, "parameters", "[]")), results):
                connection.exec_driver_sql(statement)

        await self.call(work)

    async def end_plan(self, digest: str) -> None:
        """The reading has come to its end, and was of this."""
        await self.set_meta("read", digest)

    async def add_sets(self, sets: Sequence[NewSet]) -> None:
        """Sets of the current reading, in order; known ones keep their number, state and results."""
        if sets:
            rows = [(s.key, self.plan, s.position, _encoded(s.parameters)) for s in sets]
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
            rows = connection.execute(query).all()
            parameters = json.loads(f"[{','.join(row[2] for row in rows)}]")  # at once takes half as long
            return [
                (place, Task(number, values, TaskState.WAITING, attempts, lost, _faults(faults)))
                for values, (place, number, _, attempts, lost, faults) in zip(parameters, rows, strict=True)
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
        state, undone = schema.tickets.c.state, schema.tasks.c.state == TaskState.WAITING.value
        lost = and_(state == TicketState.LOST.value, schema.tickets.c.client.in_(here), undone)
        ours = schema.tickets.c.id > bindparam("closed")
        query = _tickets_with_tasks().where(ours, or_(state == TicketState.ISSUED.value, lost))
        rows = await self.call(lambda connection: connection.execute(query, {"closed": _closed(connection)}).all())
        return [_pair(row) for row in rows]

    async def known_clients(self) -> list[Any]:
        """Clients that have not left: rows (id, host, platform, slots)."""
        query = select(schema.clients).where(schema.clients.c.seconds.is_(None))
        return list(await self.call(lambda connection: connection.execute(query).all()))

    async def close_session(self) -> None:
        """The session has ended: tickets still out are lost, and so their tasks wait; clients have left."""

        def work(connection: Connection) -> None:
            ticket = schema.tickets.c
            out = update(schema.tickets).where(
                ticket.id > _closed(connection), ticket.state == TicketState.ISSUED.value
            )
            connection.execute(out.values(state=TicketState.LOST.value))
            connection.execute(update(schema.clients).where(schema.clients.c.seconds.is_(None)).values(seconds=0.0))
            last = connection.execute(select(func.coalesce(func.max(ticket.id), 0))).scalar_one()
            _set_meta(connection, "closed", str(last))
            _set_meta(connection, "out", "0")

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


def _meta(connection: Connection, key: str, default: str = "") -> str:
    row = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).first()
    return row[0] if row else default


def _set_meta(connection: Connection, key: str, value: str) -> None:
    statement = upsert(schema.meta).values(key=key, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def _closed(connection: Connection) -> int:
    """The last ticket of the sessions that have ended: none up to it is out, and nobody needs to look for one."""
    return int(_meta(connection, "closed", "0"))


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
    task = _task(row, TaskState(row.state))  # the farm moves it to running when it takes a live ticket back
    return Ticket(row.id, row.number, row.client, row.host, 0.0, TicketState(row.ticket_state)), task
