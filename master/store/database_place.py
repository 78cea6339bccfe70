"""Finds and mends an open database whose file people moved, removed or replaced.

SQLite opens its write-ahead log and its rollback journal by the name of the database, so a database
is never just followed: its connection is opened anew where it is, or its content is written there
from the open connection.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from ..results.kept_files import sync_path
from ..session.anchors import Anchor, identity

LOG, SHARED, JOURNAL = "-wal", "-shm", "-journal"
COMPANIONS = (LOG, SHARED, JOURNAL)


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file that SQLite keeps beside a database."""
    return path.with_name(path.name + suffix)


class OpenDatabase:
    """The file that a connection has open, and what lies beside it; lives as long as the store."""

    def __init__(self, path: Path) -> None:
        """Remember the file at `path`, which was just opened and written."""
        self.anchor = Anchor(path)
        self.path = path  # as the connection knows it
        self.aside: list[
            Path
        ] = []  # files that stood at the place of the database and were moved away
        self._companions = _companions(path)
        # A file that was written anew and is not yet known to be in use.
        self._fresh: Anchor | None = None

    def is_whole_at(self, path: Path) -> bool:
        """Tell whether the file and its write-ahead log are at this path."""
        log = self._companions[LOG]
        return self.anchor.is_at(path) and (log is None or identity(beside(path, LOG)) == log)

    def opened(self, path: Path) -> None:
        """Note that there is a new connection, to what `follow` or `write` brought to `path`."""
        if self._fresh:
            self.anchor.let_go()
            self.anchor = self._fresh
            self._fresh = None
        self.path = path
        self._companions = _companions(path)

    def where(self) -> Path | None:
        """Return the present path of the file; None when it was removed."""
        return self.anchor.where()

    def let_go(self) -> None:
        """Forget the file: it is not open any more, or somebody else looks after it."""
        self.anchor.let_go()

    # -- on the writer thread

    def follow(self, connection: sqlite3.Connection, path: Path) -> None:
        """See that all of a database that was moved to `path` is there, or write it there."""
        if not self.is_whole_at(path):
            self.write(connection, path)
        # A rollback journal that went along undoes a commit that could not be finished, and that is
        # tried again.

    def write(self, connection: sqlite3.Connection, path: Path) -> None:
        """Write all that the connection sees into a new file at `path`.

        What stands there is moved aside.
        """
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        new.unlink(missing_ok=True)
        try:
            with contextlib.closing(sqlite3.connect(new)) as target:
                connection.backup(target)
            sync_path(new)
            # All of it goes into the file before its log is taken away, in case this process dies
            # in between.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            fresh = Anchor(new, path)
            self._clear(path)
            os.rename(new, path)
            self._fresh = fresh
            # Beside the name of before, should the file ever come back there.
            self._clear_log(self.path)
        finally:
            for suffix in ("", *COMPANIONS):
                beside(new, suffix).unlink(missing_ok=True)
        sync_path(path.parent)

    def _clear(self, path: Path) -> None:
        """Make room at `path`.

        A log that stays would be played into the new file: logs of ours are removed.
        """
        found = identity(path)
        ours = [self.anchor.identity]
        if self._fresh:
            ours.append(self._fresh.identity)
        foreign = found is not None and found not in ours
        stamp = time.strftime("%Y%m%d-%H%M%S")
        if foreign:
            self.aside.append(_away(path, stamp))
        for suffix in COMPANIONS:
            found = identity(beside(path, suffix))
            if found and found != self._companions[suffix] and foreign:
                _away(path, stamp, suffix)
            elif found:
                beside(path, suffix).unlink()

    def _clear_log(self, path: Path) -> None:
        for suffix, known in self._companions.items():
            if known and identity(beside(path, suffix)) == known:
                beside(path, suffix).unlink()


def _companions(path: Path) -> dict[str, tuple[int, int] | None]:
    return {suffix: identity(beside(path, suffix)) for suffix in COMPANIONS}


def _away(path: Path, stamp: str, suffix: str = "") -> Path:
    """Rename a foreign file, so that it is neither used nor lost."""
    number = 1
    target = path.with_name(f"{path.name}.found-{stamp}{suffix}")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.found-{stamp}-{number}{suffix}")
    os.rename(beside(path, suffix), target)
    return target
