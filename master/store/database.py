"""Opens sweep.db: for the master that writes it, and for readers, who may have no right to write where it lies.

A path becomes part of a URL here and nowhere else.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DatabaseError, OperationalError

from ..disk_errors import reason
from ..errors import StoreError

COPIES = 10  # tries to copy a database that somebody writes meanwhile
_BESIDE = ("-wal", "-shm", "-journal")
#: What SQLite says where it may not write, or has no room for its files beside the database.
_UNWRITABLE = {
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
}  # fmt: skip
#: Without readonly_shm SQLite would make a -shm of its own wherever it may, and leave it there.
_READ_ONLY = {"mode": "ro", "readonly_shm": "1"}


def engine_for(path: Path, **query: str) -> Engine:
    """An engine on this very file, whatever characters its path has.

    `query` are parameters of SQLite's own URI, such as mode="ro"; without any the file is made where there is none.
    """
    place = os.path.abspath(path)
    if query:
        url = URL.create("sqlite", database=f"file:{quote(os.fsencode(place))}", query={**query, "uri": "true"})
    else:
        url = URL.create("sqlite", database=place)
    return create_engine(url, connect_args={"check_same_thread": False})


class OpenForReading:
    """sweep.db as a reader sees it, from when it is made until `close`. It leaves no file where it may not write."""

    def __init__(self, path: Path) -> None:
        """Raises DatabaseError for what is no database, StoreError where it cannot be read as a whole."""
        self.path = path
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._unlocked: tuple[_Stamp, ...] | None = None
        self.connection = self._open()

    def _open(self) -> Connection:
        for query in self._ways():
            try:
                self._unlocked = _signature(self.path) if "immutable" in query else None
                return _connect(self.path, **query)
            except OperationalError as error:
                if not _lacks_rights(error):
                    raise
        return _connect(self._copied(), mode="rw")

    def _ways(self) -> Iterator[dict[str, str]]:
        """The parameters with which SQLite may be able to open it, the best first."""
        if _writable(self.path):
            # Not read-only: such a reader that is the last to leave cannot remove -wal and -shm, so they would stay.
            yield {"mode": "rw"}
        log, shared = _has_log(self.path), _stamp(f"{self.path}-shm") is not None
        wal = _stamp(f"{self.path}-wal")
        if not log or (wal and shared):
            yield _READ_ONLY
        if log and not (wal and wal[1]):
            # SQLite wants to make its files beside the database, and cannot. As the log holds nothing, none is needed.
            yield {"mode": "ro", "immutable": "1"}

    def _copied(self) -> Path:
        """The database and its log or journal, in a folder of ours: all of one moment."""
        self._copy = tempfile.TemporaryDirectory(prefix="spe-read-")
        copy = Path(self._copy.name, "sweep.db")
        try:
            for _ in range(COPIES):
                before = _signature(self.path)
                for end in ("", "-wal", "-journal"):
                    _copy(Path(f"{self.path}{end}"), Path(f"{copy}{end}"))
                if before == _signature(self.path):
                    return copy
        except OSError as error:
            self._copy.cleanup()
            raise StoreError(
                f"the database can only be read as a copy, and it cannot be copied: {reason(error)}",
                where=str(error.filename or self.path),
                todo="Set TMPDIR to a folder with room for it.",
            ) from error
        self._copy.cleanup()
        raise StoreError(
            "the database is written all the time and cannot be read from here",
            where=str(self.path),
            todo="Ask who runs it for read permission on sweep.db-shm, or for the address of its page.",
        )

    @property
    def changed(self) -> bool:
        """Whether somebody wrote while it was read without locks: then what was read may be of two moments."""
        return self._unlocked is not None and self._unlocked != _signature(self.path)

    def close(self) -> None:
        """Let go of the file; a copy of it is removed."""
        engine = self.connection.engine
        self.connection.close()
        engine.dispose()
        if self._copy:
            self._copy.cleanup()


def _connect(path: Path, **query: str) -> Connection:
    """A connection that has read something: SQLite opens a file only when it first needs it."""
    engine = engine_for(path, **query)
    try:
        connection = engine.connect()
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except DatabaseError:
        engine.dispose()
        raise
    return connection


def _lacks_rights(error: OperationalError) -> bool:
    """Whether SQLite needs more rights, or more room, than there are."""
    return getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _UNWRITABLE  # the rest is detail


_Stamp = tuple[int, int, int] | None


def _signature(path: Path) -> tuple[_Stamp, ...]:
    """What shows that a database was written: number, size and time of it and of the files beside it."""
    return tuple(map(_stamp, (str(path), f"{path}-wal", f"{path}-journal")))


def _stamp(name: str) -> _Stamp:
    try:
        status = os.stat(name)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)


def _writable(path: Path) -> bool:
    """Whether SQLite can do here all that it does for a writer: a file that it made and could not remove would stay."""
    files = [f"{path}{end}" for end in ("", *_BESIDE)]
    return os.access(path.parent, os.W_OK) and all(os.access(f, os.W_OK) for f in files if os.path.exists(f))


def _has_log(path: Path) -> bool:
    """Whether the file says that it is written through a write-ahead log: byte 19 of its head."""
    with path.open("rb") as file:
        return file.read(20)[19:] == b"\2"
