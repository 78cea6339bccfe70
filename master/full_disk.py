"""Waiting while the disk takes nothing more: what people are told, and when the wait ends all the same.

All that writes in a run shares one `FullDisk`: the store, the results that were taken, the uploads. Each waits until
there is room again. Only the second Ctrl-C ends the wait: uploads are cut at once, which makes room for the store, and
what cannot be stored a moment later is given up. Its sets run again, as after `kill -9`.
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
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from .disk_errors import FULL, reason, sentence, todo, way_on
from .errors import NotStored
from .logs import Nagging
from .text import counted, named

log = logging.getLogger("spe.disk")
T = TypeVar("T")
PAUSE = 1.0  # seconds between two tries
LAST_TRIES = 3.0  # seconds from the second Ctrl-C until what cannot be stored is given up
PROBE = 64 * 1024  # bytes that are written to see whether there is room again
SLACK = 64 * 1024  # bytes: SQLite writes to a file in pieces no larger than this, and so stops short of a limit


def probe(folder: Path) -> None:
    """Raises OSError when a file that is written in `folder` does not come to the disk."""
    path = folder / f".{secrets.token_hex(8)}.probe"
    try:
        with path.open("xb", buffering=0) as file:
            file.write(bytes(PROBE))
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def cause(fault: BaseException | None, path: Path) -> OSError:
    """The system's error behind one of SQLite about the database at `path`, as far as it can be found.

    SQLite says `disk I/O error` for all but ENOSPC, and keeps the number to itself.
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
    """Whether a file of the database is about as large as this process may make one."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit == resource.RLIM_INFINITY:
        return False
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-journal")]
    sizes = [file.stat().st_size for file in files if file.exists()]
    return max(sizes, default=0) + SLACK >= limit


class FullDisk:
    """The one wait of a run; its methods may be called by any thread."""

    def __init__(self) -> None:
        self.complain: Callable[[str], None] = Nagging(log).say
        self._over: float | None = None  # on the monotonic clock: from then on nothing waits any more
        self._last: OSError | None = None  # why something waited
        self._sets: set[int] = set()  # with a result that came and was not stored
        self._uploads = 0
        self._tables = ""  # why they were not made
        self.gave_up = False  # whether the store did: it writes nothing more

    def end(self) -> None:
        """The second Ctrl-C."""
        if self._over is None:
            self._over = time.monotonic() + LAST_TRIES

    @property
    def is_ending(self) -> bool:
        """Whether uploads wait no longer, and tables that cannot be made are left."""
        return self._over is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing waits any longer."""
        return self._over is not None and time.monotonic() >= self._over

    def say(self, who: str, error: OSError, where: object) -> None:
        """Tell people once a minute what waits, and why."""
        self._last = error
        self.complain(f"{who} waits: {reason(error)} ({where}). Nothing is lost; {way_on(error)}.")

    async def pause(self, who: str, error: OSError, where: object) -> None:
        """Tell it, and wait for a moment. Raises NotStored when it is over."""
        self.say(who, error, where)
        if self.is_over:
            raise self.not_stored(where)
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
        """From now on the store writes nothing: later changes rest on those that were given up."""
        self.gave_up = True

    def lose(self, sets: Iterable[int]) -> None:
        """Results of these sets had come, and are not stored."""
        self._sets.update(sets)

    def lose_upload(self) -> None:
        """A result was coming, and was cut."""
        self._uploads += 1

    def lose_tables(self, what: str) -> None:
        """The tables at the end of the run could not be made; `what` is the reason."""
        self._tables = self._tables or what

    @property
    def has_lost(self) -> bool:
        """Whether something that had come, or was coming, was not stored."""
        return bool(self._sets) or self._uploads > 0

    def lost(self) -> str:
        """What is not stored, as a sentence."""
        numbers, parts = sorted(self._sets), list[str]()
        if numbers:
            whose = "set" if len(numbers) == 1 else "sets"
            parts.append(f"what had come of {whose} {named(numbers)}")
        if self._uploads:
            parts.append(f"{counted(self._uploads, 'result')} on the way")
        what = ", ".join([*parts, "what clients had not brought yet"])
        why = sentence(self._last) if self._last else "the disk takes nothing more"
        text = f"{why}; not on disk: {what}. These sets run again"
        if not self._tables or self.gave_up:
            return text
        tables = f"{self._tables}; what was accepted is in the database, and `spe collect` makes it"
        return f"{tables}. {text}" if self.has_lost else f"not on disk: {tables}"

    def not_stored(self, where: object) -> NotStored:
        """The error that ends the run."""
        remedy = todo(self._last) if self._last else "Make room."
        return NotStored(self.lost(), where=str(where), todo=f"{remedy} Then `spe run` goes on where it stopped.")
