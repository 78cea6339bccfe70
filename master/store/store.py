"""The store, runs/<name>/sweep.db: which sets of a sweep there are, and what is known of a run.

writer.py brings changes to the disk; writes.py, decisions.py and sessions.py have the SQL of what a
run changes. Reading for people (status, show, tables) is in reader.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from json.encoder import encode_basestring
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar

from ..dispatch.changes import Change, Decision, Settled, ended_in
from ..errors import StoreError
from ..full_disk import FullDisk
from ..model import Kind, Task, TaskState, Ticket
from ..record import record
from . import decisions, schema, sessions, writes
from .decisions import Added, Adder
from .schema import get_meta, set_meta
from .sessions import KnownClient
from .writer import Writer

T = TypeVar("T")


@record
class NewSet:
    """A parameter set on its way into the store."""

    key: bytes
    position: int
    parameters: Mapping[str, str]
    older_key: bytes | None = None  # under which a database of before schema 6 may know it


class Store:
    """The database of a run: all that the run asks it and tells it.

    All of it happens on the writer thread, in its transactions.
    """

    def __init__(self, path: Path, disk: FullDisk | None = None) -> None:
        """Open or make the database. `disk`: the wait of this run for a disk that is full.

        Raises StoreError when it can't be written or is of a newer spe.
        """
        self.path, self.disk = path, disk or FullDisk()
        # Held while the files of a set that has a result get other places: a new result and the
        # extraction of the old one would each take away what the other is about to name.
        self.placing = asyncio.Lock()
        self.plan = 0
        self.begun = False  # the reading of this run: before, nobody knows which sets are today's
        # Sets that ended since somebody looked, once they are on disk; None: nobody wants to know.
        self.ended: list[int] | None = None
        self.writer = Writer(path, self._prepare, self.disk)

    def _prepare(self, connection: Connection) -> None:
        found = schema.find_version(connection)
        if found > schema.VERSION:
            raise StoreError(
                f"this database has schema {found}, written by a newer spe; "
                f"this one knows schema {schema.VERSION}",
                where=str(self.path),
                todo="Update spe, or choose another sweep name.",
            )
        schema.upgrade(connection, found)
        self.plan = int(get_meta(connection, "plan", "0"))

    async def call(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the writer thread, inside the next transaction.

        Returns its value when that is on disk.
        """
        return await self.writer.call(work)

    async def _rows(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        return await self.call(lambda connection: connection.execute(query, given).fetchall())

    async def commit(self, changes: Sequence[Change]) -> None:
        """Remember these changes; return when they are on disk."""
        await self.writer.commit(changes)
        if self.ended is not None:
            self.ended += ended_in(changes)

    def close(self) -> None:
        """Finish what was handed in, then close the file."""
        self.writer.close()

    # -- settings and notes

    async def meta(self, key: str, default: str = "") -> str:
        """Return a stored setting of this sweep."""
        return await self.call(lambda connection: get_meta(connection, key, default))

    async def set_meta(self, key: str, value: str) -> None:
        """Store a setting of this sweep."""
        await self.call(lambda connection: set_meta(connection, key, value))

    async def keep_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Store notes for people."""
        await self.call(lambda connection: writes.keep_events(connection, events))

    # -- the plan: which sets there are

    async def begin_plan(
        self,
        parameters: Sequence[str],
        results: Sequence[str] | Mapping[str, Kind],
        digest: str = "",
        numeric: Sequence[str] = (),
    ) -> bool:
        """Begin a new reading of the parameters; sets that it does not name leave the table.

        `results`: their names and kinds; without kinds all count as texts. `numeric`: the
        parameters that are numbers in all sets. False when nothing needs to be read: `digest` is
        that of the last reading, which came to its end.
        """
        kinds = dict(results) if isinstance(results, Mapping) else {}

        def work(connection: Connection) -> bool:
            known = bool(digest) and get_meta(connection, "read") == digest
            if not known:
                set_meta(connection, "plan", str(self.plan + 1))
                set_meta(connection, "read", "")
            set_meta(connection, "parameters", json.dumps(list(parameters)))
            set_meta(connection, "numeric", json.dumps(list(numeric)))
            # The counts of earlier readings come to 0, one row a state and reading.
            connection.execute("DELETE FROM counts WHERE sets = 0")
            schema.show_results(connection, list(results), kinds)
            return not known

        unknown = await self.call(work)
        self.plan += unknown
        self.begun = True
        await self.fill_numbers(kinds)
        return unknown

    async def keep_command(self, command: str) -> None:
        """Store the command that the sets of the current reading are made from."""
        work = partial(writes.keep_command, plan=self.plan, command=command)
        await self.call(work)

    async def show_results(self, kinds: Mapping[str, Kind]) -> None:
        """Let the table have columns of these results, by name, from now on."""
        await self.call(partial(schema.show_results, results=list(kinds), kinds=kinds))

    async def fill_numbers(self, kinds: Mapping[str, Kind]) -> None:
        """Give the outputs of before schema 6 the numbers that newer ones are stored with.

        Each result comes once, in batches, so that what is to be committed meanwhile does not wait
        for all of them.
        """
        if await self.meta("legacy") != "1":
            return
        filled = set(json.loads(await self.meta("filled", "[]")))
        for name, kind in kinds.items():
            if schema.is_number(kind) and name not in filled:
                await self._fill(name, kind)
                filled.add(name)
                await self.set_meta("filled", json.dumps(sorted(filled)))

    async def _fill(self, name: str, kind: Kind) -> None:
        after: int | None = 0
        while after is not None:
            after = await self.call(partial(writes.fill_numbers, name=name, kind=kind, after=after))

    async def end_plan(self, digest: str) -> None:
        """Note that the reading has come to its end, and was of this."""
        await self.set_meta("read", digest)

    async def add_sets(self, sets: Sequence[NewSet]) -> None:
        """Store sets of the current reading, in order.

        Known ones keep their number, state and results.
        """
        rows = [(one.key, self.plan, one.position, _encoded(one.parameters)) for one in sets]
        older = [(one.key, one.older_key) for one in sets if one.older_key]
        statement = """
        INSERT INTO tasks (key, plan, position, parameters, state, attempts, lost)
        VALUES (?, ?, ?, ?, 'waiting', 0, 0)
        ON CONFLICT (key) DO UPDATE SET plan = excluded.plan, parameters = excluded.parameters,
        position = iif(tasks.plan = excluded.plan, tasks.position, excluded.position)
        """

        def work(connection: Connection) -> None:
            if older and get_meta(connection, "legacy"):
                connection.executemany("UPDATE OR IGNORE tasks SET key = ? WHERE key = ?", older)
            connection.executemany(statement, rows)

        if rows:
            await self.call(work)

    async def add_to_todays(
        self, sets: Sequence[tuple[bytes, Mapping[str, str]]], decision: Decision
    ) -> Added:
        """Make these sets today's, behind all that are. Each is its key and its parameters."""
        rows = [(key, _encoded(values)) for key, values in sets]
        add = partial(decisions.add, plan=self.plan, sets=rows, decision=decision)
        return await self.call(add)

    async def end_adding(self, adder: Adder, kinds: Mapping[str, Kind]) -> None:
        """Store the command that has added sets as the newest one of this sweep."""
        end = partial(decisions.end_adding, adder=adder, results=list(kinds), kinds=kinds)
        await self.call(partial(end, plan=self.plan))

    async def begin_carrying(self, parameters: str, resumes: bool, adds: bool) -> int | None:
        """Return the first reading whose sets are today's beside the new ones: decisions.py."""
        begin = partial(
            decisions.begin_carrying, parameters=parameters, resumes=resumes, adds=adds
        )
        return await self.call(partial(begin, plan=self.plan))

    async def end_carrying(self, parameters: str) -> None:
        """Note that all sets of before that are to be today's are in this reading."""
        await self.call(partial(decisions.end_carrying, plan=self.plan, parameters=parameters))

    async def earlier_sets(self, first: int, after: int) -> list[tuple[int, bytes, dict[str, str]]]:
        """Return (number, key, parameters) of sets of earlier readings: decisions.py."""
        find = partial(decisions.earlier_sets, first=first, after=after)
        return await self.call(partial(find, plan=self.plan))

    async def waiting(self, after: int, limit: int) -> list[tuple[int, Task]]:
        """Return (position, task) of up to `limit` waiting tasks beyond position `after`, in order.

        Raises RuntimeError before a reading has begun: the plan of an earlier run is nobody's work
        list.
        """
        if not self.begun:
            raise RuntimeError("asked for waiting tasks before today's sets are being read")
        query = f"""
        SELECT position, number, parameters, attempts, lost, faults, key, {sessions.REDONE}
        FROM tasks WHERE state = 'waiting' AND plan = ? AND position > ? ORDER BY position LIMIT ?
        """
        given = (self.plan, after, limit)
        # On the writer thread, as making thousands of tasks would keep the loop from its clients.
        return await self.call(lambda connection: list(_read_waiting(connection, query, given)))

    async def count(self) -> dict[TaskState, int]:
        """Return how many of today's sets are in which state; states without sets are left out."""
        query = "SELECT state, sets FROM counts WHERE plan = ? AND sets > 0"
        rows = await self._rows(query, self.plan)
        return {TaskState(state): sets for state, sets in rows}

    async def among_todays(self, numbers: Sequence[int]) -> dict[int, bool]:
        """Return which of these tasks are among today's sets.

        The value tells whether something of an earlier result is stored.
        """
        query = f"""
        SELECT number, {sessions.REDONE} FROM tasks
        WHERE plan = ? AND number IN (SELECT value FROM json_each(?))
        """
        # The numbers as one text, because there may be more than SQLite has question marks for.
        rows = await self._rows(query, self.plan, json.dumps(list(numbers)))
        return {number: bool(redone) for number, redone in rows}

    # -- decisions of people

    async def cancel(self, numbers: Sequence[int], reason: str) -> list[int]:
        """Cancel those of these sets that wait, and return them."""
        cancel = partial(decisions.cancel, plan=self.plan, numbers=numbers, reason=reason)
        return await self.call(cancel)

    async def put_back(
        self, numbers: Sequence[int] | None, but: Sequence[int]
    ) -> dict[int, TaskState]:
        """Let failed and cancelled sets wait again, and return what each was before.

        `numbers`: these ones, None: all; never those in `but`.
        """
        put_back = partial(decisions.put_back, plan=self.plan, numbers=numbers, but=but)
        return await self.call(put_back)

    async def settle(self, decision: Decision) -> Settled:
        """Remember today's program and put back what is to run again.

        Called when today's sets are all known.
        """
        return await self.call(partial(decisions.settle, plan=self.plan, decision=decision))

    # -- programs, and what earlier ones have made

    async def remember_program(self, parts: str) -> int:
        """Return the number of a program, by the text of its parts."""
        return await self.call(partial(decisions.remember_program, parts=parts))

    async def programs(self) -> dict[int, str]:
        """Return every program that tickets have run, as the text of its parts."""
        return dict(await self._rows("SELECT id, parts FROM programs"))

    async def anything_done(self) -> bool:
        """Tell whether any set was ever finished here."""
        return await self.call(decisions.anything_done)

    async def finished_by_others(self, same: Sequence[int]) -> tuple[int, int]:
        """Return how many finished sets of the last run are by other programs, and how many there are."""
        return await self.call(partial(decisions.finished_by_others, same=same))

    async def agreed(self, programs: Iterable[int]) -> int:
        """Return the ticket before which results of any program stay as they are.

        People have said so (`--keep`) under one of these programs; else 0.
        """
        marks: dict[str, int] = json.loads(await self.meta("agreed", "{}"))
        return max((marks.get(str(program), 0) for program in programs), default=0)

    async def finished_among(
        self, sets: Iterator[Sequence[bytes]], programs: Sequence[int], since: int
    ) -> set[int]:
        """Return which of these programs have made results of these sets.

        `sets`: the keys of sets, chunk by chunk. `since`: the first ticket that counts.
        """
        if not programs:
            return set()
        if not await self.call(partial(decisions.finished_by, programs=programs, since=since)):
            return set()
        found: set[int] = set()
        look = partial(decisions.finished_among, programs=programs, since=since)
        # Keys are hashes of sets that are made one by one: of a million that takes seconds.
        while keys := await asyncio.to_thread(next, sets, None):
            found |= await self.call(partial(look, keys=keys))
        return found

    # -- sessions

    async def next_ids(self) -> tuple[int, int]:
        """Return the next ticket and the next client, never used before in this sweep."""
        return await self.call(sessions.next_ids)

    async def anything_failed(self) -> bool:
        """Tell whether any set, also of earlier parameters, has failed."""
        found = await self._rows("SELECT 1 FROM counts WHERE state = 'failed' AND sets > 0 LIMIT 1")
        return bool(found)

    async def has_accepted(self) -> bool:
        """Tell whether an attempt of this run, or of the killed one that it goes on with, has succeeded."""
        return bool(await self._rows("SELECT 1 FROM hosts WHERE accepted > 0 LIMIT 1"))

    async def since_last_start(self) -> float:
        """Return the seconds since the newest ticket was handed out; infinity before the first one."""
        return await self.call(sessions.since_last_start)

    async def since_failures(self, numbers: Sequence[int]) -> dict[int, float]:
        """Return the seconds since the last failed attempt of each of these sets that had one."""
        return await self.call(partial(sessions.since_failures, numbers=numbers))

    async def find(self, ticket_id: int) -> tuple[Ticket, Task] | None:
        """Return a ticket that the dispatch does not hold, with its task as it is now."""
        return await self.call(partial(sessions.find, ticket=ticket_id, plan=self._todays_plan))

    async def live(self) -> list[tuple[Ticket, Task]]:
        """Return tickets that a master that went away has left, with their tasks: sessions.py."""
        return await self.call(partial(sessions.live, plan=self._todays_plan))

    @property
    def _todays_plan(self) -> int | None:
        return self.plan if self.begun else None

    async def known_clients(self) -> list[KnownClient]:
        """Return the clients that have not left."""
        return await self.call(sessions.known_clients)

    async def begin_run(
        self, cores: int = 1, resumed: bool = False, retry_after: float = 0.0
    ) -> None:
        """Begin to count what is counted of a run.

        `cores`: of a task, by which slots are counted. `resumed`: this run goes on with one that
        was killed, and with its counts. `retry_after`: seconds, by which `spe why` computes when a
        set is tried again.
        """
        await self.call(
            partial(
                sessions.begin_run, cores=cores, resumed=resumed, retry_after=retry_after
            )
        )

    async def close_session(self) -> None:
        """End the session: tickets still out are lost and their tasks wait; clients have left."""
        await self.call(sessions.close_session)

    # -- the gather hooks

    async def uncollected(self, again: bool, limit: int, after: int) -> list[int]:
        """Return done tasks whose gather hooks were not called; `again`: all done ones.

        Up to `limit` of them, beyond number `after`.
        """
        query = f"""
        SELECT number FROM tasks WHERE state = 'done' AND plan = ? AND number > ?
        {"" if again else "AND collected IS NULL"} ORDER BY number LIMIT ?
        """
        return [row[0] for row in await self._rows(query, self.plan, after, limit)]

    async def mark_collected(self, number: int, well: bool) -> None:
        """Note that the gather hooks were called for this task."""
        statement = "UPDATE tasks SET collected = ? WHERE number = ?"
        await self._rows(statement, 1 if well else 2, number)


def _encoded(values: Mapping[str, str]) -> str:
    """Return a mapping of texts as json.dumps writes it, which makes an encoder for each."""
    encode = encode_basestring
    return "{" + ",".join([f"{encode(name)}:{encode(cell)}" for name, cell in values.items()]) + "}"


def _read_waiting(
    connection: Connection, query: str, given: tuple[int, ...]
) -> Iterator[tuple[int, Task]]:
    rows = connection.execute(query, given).fetchall()
    # All JSON in one call, which takes half as long as one call a row.
    parameters = json.loads(f"[{','.join(row[2] for row in rows)}]")
    for values, row in zip(parameters, rows, strict=True):
        position, number, _, attempts, lost, faults, key, redone = row
        task = Task(number, values, attempts=attempts, lost=lost, key=key, redone=bool(redone))
        task.faults = sessions.faults_of(faults)
        yield position, task
