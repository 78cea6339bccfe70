"""Writing to sweep.db: one thread owns the connection and commits.

Whoever waits for a commit goes on when it is on disk. The thread commits all that came in since its
last commit in one transaction (group commit, synchronous=FULL). The journal is a write-ahead log,
or on NFS and its like, where that is not safe, a rollback journal. What is written is the business
of store.py and writes.py.
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
from typing import Any, TypeVar

from .. import disk_errors
from ..disk_errors import reason
from ..dispatch.changes import Change
from ..errors import StoreError
from ..full_disk import PAUSE, FullDisk, cause
from ..session.anchors import identity
from . import filesystem, writes
from .database import code_of, connect, transaction

log = logging.getLogger("spe.store")
T = TypeVar("T")

#: Errors that waiting helps against: a full or sick disk, a lock; never a fault in a statement.
_PASSING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
}

LOCAL = ("journal_mode=WAL", "synchronous=FULL")
# The log needs shared memory, which does not work between machines. Who is alone needs none: so one
# that is there is read before it is given up.
REMOTE = (
    "locking_mode=EXCLUSIVE",
    "journal_mode=DELETE",
    "locking_mode=NORMAL",
    "synchronous=EXTRA",
)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection to `path` that keeps what it committed through a power cut."""
    journal = REMOTE if filesystem.remote(path.parent) else LOCAL
    connection = connect(path)
    try:
        for pragma in ("busy_timeout=10000", *journal, "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


class Writer:
    """The thread that writes, and what is handed to it; lives as long as the store.

    After the first transaction the connection is the thread's alone.
    """

    def __init__(
        self, path: Path, prepare: Callable[[sqlite3.Connection], None], disk: FullDisk
    ) -> None:
        """Open the file and begin. `prepare` is the first transaction.

        Raises StoreError when the file can't be written.
        """
        self.path, self.disk = path, disk
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._moves: queue.SimpleQueue[_Move] = queue.SimpleQueue()
        try:
            self.connection = open_for_writing(path)
        except sqlite3.DatabaseError as error:
            raise _unusable(error, path) from error
        # An error from here on leaves no open connection behind, which would keep its locks.
        try:
            with transaction(self.connection):
                prepare(self.connection)
                self._mark = _mark_of(self.connection)
                self._marks = _has_rollback_journal(self.connection)
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise _unusable(error, path) from error
        except BaseException:
            self.connection.close()
            raise
        self._results_of_last_try: list[Any] = []
        self._identity = identity(path)
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    # -- for the event loop

    async def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the writer thread, inside the next transaction.

        Returns its value when that is on disk.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._requests.put(_Request(future, work))
        return await future

    async def commit(self, changes: Sequence[Change]) -> None:
        """Remember these changes; return when they are on disk."""
        if changes:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._requests.put(_Request(future, None, changes))
            await future

    async def go_to(self, path: Path, bring: Callable[[sqlite3.Connection, Path], None]) -> None:
        """Go on with the database at `path`, from the next transaction on.

        A transaction that waits because the database was moved is made there, too. `bring` is
        called on the writer thread with the connection of until now; it sees to it that all that
        was committed is at `path`. What it raises is raised here, and nothing has changed then.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._moves.put(_Move(_Request(future, None), path, bring))
        self._requests.put(
            _Request(loop.create_future(), lambda connection: None)
        )  # wakes the thread
        await future

    def close(self) -> None:
        """Finish what was handed in, then close the file."""
        self._requests.put(None)
        self._thread.join()
        self.connection.close()

    # -- the thread

    def _work(self) -> None:
        while True:
            requests = [self._requests.get()]
            # All that has come in meanwhile: one fsync for all of them is the price of a commit.
            while not self._requests.empty():
                requests.append(self._requests.get())
            todo = [request for request in requests if request is not None]
            if todo:
                self._commit_requests(todo)
            if len(todo) < len(requests):
                return

    def _commit_requests(self, requests: list[_Request]) -> None:
        """Commit all requests at once, and try again while the disk is full.

        Whoever waits for them is not answered meanwhile. When the disk's wait is over, these requests
        and all later ones are refused with NotStored: so the database stays as it was after the
        last commit, and nothing in it rests on what is missing.
        """
        failed = False
        while True:
            self._follow_moves()
            if self.disk.gave_up or (failed and self.disk.is_over):
                self.disk.refuse_store()
                _settle([(request, None, self.disk.not_stored(self.path)) for request in requests])
                return
            # Half of a commit may be undone at the database's new place, so `go_to` comes before
            # another try.
            if not failed or self._is_in_place():
                try:
                    results = self._try_requests(requests, again=failed)
                except sqlite3.OperationalError as error:
                    if code_of(error) not in _PASSING:
                        self._fail_requests(requests, error)
                        return
                    self.disk.say("the store", cause(error, self.path), self.path)
                    failed = True
                except Exception as error:
                    self._fail_requests(requests, error)
                    return
                else:
                    pairs = zip(requests, results, strict=True)
                    _settle([(request, result, None) for request, result in pairs])
                    return
            time.sleep(PAUSE)

    def _try_requests(self, requests: list[_Request], again: bool) -> list[Any]:
        """Run all requests in one transaction and return what each returned.

        `again`: an earlier try has failed.
        """
        mark = (self._mark + 1) % 2**31
        with transaction(self.connection):
            if again and self._marks and _mark_of(self.connection) == mark:
                # The commit that failed at its very end was made.
                results = self._results_of_last_try
            else:
                results = self._results_of_last_try = self._results(requests)
                if self._marks:
                    self.connection.execute(f"PRAGMA user_version = {mark}")
        self._mark = mark
        return results

    def _fail_requests(self, requests: list[_Request], error: Exception) -> None:
        """Tell a request its error; of several requests, try each alone.

        One bad request must not take the others with it.
        """
        if len(requests) == 1:
            _settle([(requests[0], None, error)])
            return
        for request in requests:
            self._commit_requests([request])

    def _results(self, requests: list[_Request]) -> list[Any]:
        """Run the requests and return what each returns.

        Neighbours that only have changes are written as one.
        """
        results: list[Any] = []
        for work, together in groupby(requests, key=lambda request: request.work):
            neighbours = list(together)
            if work is None:
                changes = [change for request in neighbours for change in request.changes]
                writes.apply(self.connection, changes, time.time())
                results += [None] * len(neighbours)
            else:
                results += [work(self.connection) for _ in neighbours]
        return results

    # -- a database that was moved

    def _is_in_place(self) -> bool:
        """Tell whether the database's name still leads to it, or nobody can tell."""
        try:
            return identity(self.path) == self._identity
        except OSError:
            return True

    def _follow_moves(self) -> None:
        """Go to another place, if that is wanted."""
        while not self._moves.empty():
            wanted = self._moves.get()
            try:
                self._follow(wanted)
                _settle([(wanted.request, None, None)])
            except Exception as error:
                _settle([(wanted.request, None, error)])

    def _follow(self, wanted: _Move) -> None:
        wanted.bring(self.connection, wanted.path)
        connection = open_for_writing(wanted.path)
        try:
            with transaction(connection):
                marks = _has_rollback_journal(connection)
        except BaseException:
            connection.close()
            raise
        # Only now: as long as one connection is open, SQLite keeps its log and what it holds in
        # shared memory.
        self.connection.close()
        self.connection, self.path = connection, wanted.path
        self._identity, self._marks = identity(wanted.path), marks


def _unusable(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    found = cause(error, path)
    if found.errno:
        todo = disk_errors.todo(found)
    else:
        look = "Look at the folder's owner and permissions and at the disk"
        todo = f"{look}; or choose another sweep name."
    return StoreError(f"the database cannot be used: {reason(found)}", where=str(path), todo=todo)


def _has_rollback_journal(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal")


def _mark_of(connection: sqlite3.Connection) -> int:
    """Return the number of the last commit, which is kept where a rollback journal is used.

    There a commit fails when it cannot remove the journal, and what was written stays or not,
    depending on who finds the journal. By its number a commit is not made twice. It costs nothing:
    page 1 is written in any case.
    """
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@dataclass(slots=True)
class _Request:
    """A piece of work for the writer thread, or only changes; and who waits for it."""

    future: asyncio.Future[Any]
    work: Callable[[sqlite3.Connection], Any] | None
    changes: Sequence[Change] = ()


@dataclass(slots=True)
class _Move:
    """The order to go on at another place; `request` is who waits for it."""

    request: _Request
    path: Path
    bring: Callable[[sqlite3.Connection, Path], None]


_Settled = tuple[_Request, Any, Exception | None]


def _settle(requests: list[_Settled]) -> None:
    """Let those who wait go on, all of one loop at once.

    Waking a loop from another thread has its price.
    """
    for loop, together in groupby(requests, key=lambda one: one[0].future.get_loop()):
        try:
            loop.call_soon_threadsafe(_resolve, list(together))
        except RuntimeError:
            log.debug("the loop was closed before an answer from the store")


def _resolve(requests: list[_Settled]) -> None:
    for request, result, error in requests:
        if request.future.cancelled():  # the caller has gone; the change is written all the same
            continue
        if error:
            request.future.set_exception(error)
        else:
            request.future.set_result(result)
