"""Wait while the disk is full: what users are told, and when the wait ends nevertheless.

All writers of a run share one `FullDisk`: the store, the accepted results, the uploads. Each waits
until there is room again. Only the second Ctrl-C ends the wait: uploads are cut off at once, which
makes room for the store, and data that cannot be stored LAST_TRIES seconds later is given up. Its
sets run again, as after `kill -9`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from .disk_errors import FULL, reason, sentence, todo, way_on
from .errors import NotStored
from .logs import RateLimitedLog
from .text import named

log = logging.getLogger("spe.disk")
T = TypeVar("T")
PAUSE = 1.0  # seconds between two tries
LAST_TRIES = 3.0  # seconds from the second Ctrl-C until unstored data is given up
# Bytes written to see whether there is room: one byte may fit the last block of a full disk.
PROBE = 64 * 1024
# Bytes: SQLite writes in pieces no larger than this, and so stops that far below a limit.
SLACK = 64 * 1024


def probe(folder: Path) -> None:
    """Raise OSError when a file written in `folder` does not reach the disk."""
    path = folder / f".{secrets.token_hex(8)}.probe"
    try:
        with path.open("xb", buffering=0) as file:
            file.write(bytes(PROBE))
            os.fsync(file.fileno())  # NFS reports a full disk only here
    finally:
        path.unlink(missing_ok=True)


def cause(fault: BaseException | None, path: Path) -> OSError:
    """Return the system's error behind an error of SQLite about the database at `path`.

    SQLite says `disk I/O error` for all errors but ENOSPC, and does not tell the number: so a file
    is written beside the database to find it. An OSError with number 0 when nothing was found.
    """
    code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        if _is_at_limit(path):
            return OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        try:
            probe(path.parent)
        except OSError as error:
            if error.errno in FULL:
                return error
    return OSError(0, str(fault), str(path))


def _is_at_limit(path: Path) -> bool:
    """Return whether a file of the database is about as large as this process may make one."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return False
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-journal")]
    sizes = [file.stat().st_size for file in files if file.exists()]
    return max(sizes, default=0) + SLACK >= limit


class FullDisk:
    """State of a run's wait for room on its disk, shared by all writers; lives as long as the run.

    Any thread may call its methods.
    """

    def __init__(self) -> None:
        self.complain: Callable[[str], None] = RateLimitedLog(log).say
        self._over: float | None = None  # monotonic time at which every wait ends
        self._last: OSError | None = None  # the latest reason for a wait
        self._sets: set[int] = set()  # sets whose result arrived and was not stored
        self._uploads = 0  # results that were cut off while they arrived
        self._tables = ""  # reason why the tables were not made
        self.gave_up = False  # True when the store writes nothing more

    def end(self) -> None:
        """Begin to end all waits: called on the second Ctrl-C."""
        if self._over is None:
            self._over = time.monotonic() + LAST_TRIES

    @property
    def is_ending(self) -> bool:
        """True when uploads wait no longer, and tables that cannot be made are left out."""
        return self._over is not None

    @property
    def is_over(self) -> bool:
        """True when nothing may wait any longer."""
        return self._over is not None and time.monotonic() >= self._over

    def say(self, who: str, error: OSError, where: object) -> None:
        """Tell the user what waits and why, at most once a minute."""
        self._last = error
        self.complain(f"{who} waits: {reason(error)} ({where}). Nothing is lost; {way_on(error)}.")

    async def pause(self, who: str, error: OSError, where: object) -> None:
        """Tell the user and wait for PAUSE seconds. Raises NotStored when waiting is over."""
        self.say(who, error, where)
        if self.is_over:
            raise self.not_stored(where)
        # Polling: neither a quota nor a remote file system tells anybody that there is room again.
        await asyncio.sleep(PAUSE)

    async def until_done(self, work: Callable[[], T], who: str, where: object) -> T:
        """Do `work` in a thread, again while the disk refuses it, and return what it returns.

        Raises NotStored when the wait is over.
        """
        while True:
            try:
                return await asyncio.to_thread(work)
            except OSError as error:
                await self.pause(who, error, where)

    def refuse_store(self) -> None:
        """Have the store write nothing from now on: later changes build on those that were given up."""
        self.gave_up = True

    def lose(self, sets: Iterable[int]) -> None:
        """Note that results of these sets arrived and are not stored."""
        self._sets.update(sets)

    def lose_upload(self) -> None:
        """Note that a result was cut off while it arrived."""
        self._uploads += 1

    def lose_tables(self, what: str) -> None:
        """Note that the tables at the end of the run could not be made; `what` is the reason."""
        self._tables = self._tables or what

    @property
    def has_lost(self) -> bool:
        """True when a result that had arrived, or was arriving, was not stored."""
        return bool(self._sets) or self._uploads > 0

    def lost(self) -> str:
        """Return what is not stored, as a sentence."""
        why = sentence(self._last) if self._last else "the disk is full"
        text = f"{why}; not on disk: {', '.join(self._lost_results())}. These sets run again"
        # After the store gave up, missing tables are no news: the database is incomplete as well.
        if not self._tables or self.gave_up:
            return text
        tables = f"{self._tables}; what was accepted is in the database, and `spe collect` makes it"
        if not self.has_lost:
            return f"not on disk: {tables}"
        return f"{tables}. {text}"

    def _lost_results(self) -> Iterator[str]:
        numbers = sorted(self._sets)
        if len(numbers) == 1:
            yield f"the result of set {named(numbers)}"
        elif numbers:
            yield f"the results of sets {named(numbers)}"
        if self._uploads == 1:
            yield "1 result that was just arriving"
        elif self._uploads:
            yield f"{self._uploads} results that were just arriving"
        # No number for these: only the clients know what they have finished.
        yield "results that clients had not sent yet"

    def not_stored(self, where: object) -> NotStored:
        """Return the error that ends the run."""
        remedy = todo(self._last) if self._last else "Make room."
        return NotStored(
            self.lost(),
            where=str(where),
            todo=f"{remedy} Then `spe run` goes on where it stopped.",
        )
