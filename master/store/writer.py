"""Writing to sweep.db: one thread owns the connection and commits; whoever waits goes on when it is on disk.

It commits all that came in since its last commit in one transaction (group commit, synchronous=FULL). The journal is
a write-ahead log, or on NFS and its like, where that is not safe, a rollback journal. What is written is the
business of store.py and writes.py.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from .. import disk_errors
from ..disk_errors import reason
from ..dispatch.changes import Change
from ..errors import StoreError
from ..full_disk import PAUSE, FullDisk, cause
from ..session.anchors import identity
from . import filesystem, writes
from .database import engine_for

log = logging.getLogger("spe.store")
T = TypeVar("T")

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
    engine = engine_for(path)
    journal = REMOTE if filesystem.remote(path.parent) else LOCAL
    event.listen(engine, "connect", lambda connection, _: _pragmas(connection, journal))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


class Committing:
    """The thread, and what is handed to it. After the first transaction the connection is the thread's alone."""

    def __init__(self, path: Path, prepare: Callable[[Connection], None], disk: FullDisk) -> None:
        """`prepare` is the first transaction. Raises StoreError when the file can't be written."""
        self.path, self.disk = path, disk
        self.engine = open_engine(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._removals: queue.SimpleQueue[_Removal] = queue.SimpleQueue()
        try:
            self.connection = self.engine.connect()
            with self.connection.begin():
                prepare(self.connection)
                self._mark = int(self.connection.exec_driver_sql("PRAGMA user_version").scalar_one())
                self._marks = _has_rollback_journal(self.connection)
        except (OperationalError, DatabaseError) as error:
            self.engine.dispose()
            raise _unusable(error, path) from error
        self._identity = identity(path)
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    # -- for the event loop

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

    async def go_to(self, path: Path, bring: Callable[[sqlite3.Connection, Path], None]) -> None:
        """Go on with the database at `path`, from the next transaction on, also when one waits for that.

        `bring` is called on the writer thread with the connection of until now; it sees to it that all that was
        committed is at `path`. What it raises is raised here, and nothing has changed then.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._removals.put(_Removal(_Job(future, None), path, bring))
        self._jobs.put(_Job(asyncio.get_running_loop().create_future(), lambda connection: None))  # wakes the thread
        await future

    def close(self) -> None:
        """Finish what was handed in, then close the file."""
        self._jobs.put(None)
        self._thread.join()
        self.connection.close()
        self.engine.dispose()

    # -- the thread

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
        """All jobs in one commit, tried again while the disk is full: what waits for it is not answered.

        When the disk's wait is over, these jobs and all later ones are refused with NotStored: so the database stays
        as it was after the last commit, and nothing in it rests on what is missing.
        """
        failed, mark = False, (self._mark + 1) % 2**31
        results: list[Any] = []
        while True:
            self._remove()
            if self.disk.gave_up or (failed and self.disk.is_over):
                self.disk.refuse_store()
                _settle([(job, None, self.disk.not_stored(self.path)) for job in jobs])
                return
            if failed and not self._is_in_place():  # half of it may be undone at its new place, so `go_to` comes first
                time.sleep(PAUSE)
                continue
            try:
                with self.connection.begin():
                    if not (failed and self._is_marked(mark)):  # a commit that failed at its very end was made
                        results = self._results(jobs)
                        self._set_mark(mark)
                self._mark = mark
                break
            except Exception as error:
                if isinstance(error, OperationalError) and _may_pass(error):
                    self.disk.say("the store", cause(error.orig, self.path), self.path)
                    failed = True
                    time.sleep(PAUSE)
                    continue
                if len(jobs) > 1:  # one bad job must not take the others with it
                    for job in jobs:
                        self._transaction([job])
                else:
                    _settle([(jobs[0], None, error)])
                return
        _settle([(job, result, None) for job, result in zip(jobs, results, strict=True)])

    # With a rollback journal, a commit fails when it cannot remove that, and what was written stays or not, depending
    # on who finds the journal. Each commit has a number, so that it is not made twice; page 1 is written in any case.

    def _is_marked(self, mark: int) -> bool:
        return self._marks and int(self.connection.exec_driver_sql("PRAGMA user_version").scalar_one()) == mark

    def _set_mark(self, mark: int) -> None:
        if self._marks:
            self.connection.exec_driver_sql(f"PRAGMA user_version = {mark}")

    def _is_in_place(self) -> bool:
        """Whether its name still leads to the database, or nobody can tell."""
        try:
            return identity(self.path) == self._identity
        except OSError:
            return True

    def _remove(self) -> None:
        """To another place, if that is wanted."""
        while not self._removals.empty():
            wanted = self._removals.get()
            try:
                self._go_to(wanted)
                _settle([(wanted.job, None, None)])
            except Exception as error:
                _settle([(wanted.job, None, error)])

    def _go_to(self, wanted: _Removal) -> None:
        wanted.bring(cast(sqlite3.Connection, self.connection.connection.driver_connection), wanted.path)
        engine = open_engine(wanted.path)
        try:
            connection = engine.connect()
            with connection.begin():
                marks = _has_rollback_journal(connection)
        except BaseException:
            engine.dispose()
            raise
        # Only now: as long as one connection is open, SQLite keeps its log and what it holds in shared memory.
        self.connection.close()
        self.engine.dispose()
        self.engine, self.connection, self.path = engine, connection, wanted.path
        self._identity, self._marks = identity(wanted.path), marks

    def _results(self, jobs: list[_Job]) -> list[Any]:
        """What each job returns; neighbours that only have changes are written as one."""
        results: list[Any] = []
        for work, together in groupby(jobs, key=lambda job: job.work):
            neighbours = list(together)
            if work is None:
                writes.apply(self.connection, [c for job in neighbours for c in job.changes], time.time())
                results += [None] * len(neighbours)
            else:
                results += [job.run(self.connection) for job in neighbours]
        return results


def _unusable(error: DatabaseError, path: Path) -> StoreError:
    found = cause(error.orig, path)
    todo = "Look at the folder's owner and permissions and at the disk; or choose another sweep name."
    if found.errno:
        todo = disk_errors.todo(found)
    return StoreError(f"the database cannot be used: {reason(found)}", where=str(path), todo=todo)


def _has_rollback_journal(connection: Connection) -> bool:
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()) != "wal"


@dataclass(slots=True)
class _Job:
    """One piece of work for the writer thread, or only changes to be written; and who waits for it."""

    future: asyncio.Future[Any]
    work: Callable[[Connection], Any] | None
    changes: Sequence[Change] = ()

    def run(self, connection: Connection) -> Any:
        return self.work(connection) if self.work else None


@dataclass(slots=True)
class _Removal:
    """The order to go on at another place; `job` is who waits for it."""

    job: _Job
    path: Path
    bring: Callable[[sqlite3.Connection, Path], None]


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
