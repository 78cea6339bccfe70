"""Opens sweep.db: for the master that writes it, and for readers.

Readers may have no right to write where it lies. A path becomes a URI here and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..disk_errors import reason
from ..errors import StoreError
from ..session.stamps import Stamp, stamp

if TYPE_CHECKING:
    import tempfile

COPIES = 10  # tries to copy a database that somebody writes meanwhile
_BESIDE = ("-wal", "-shm", "-journal")
#: Errors of SQLite where it may not write, or has no room for its files beside the database.
_UNWRITABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
}
#: Without readonly_shm SQLite would make a -shm of its own wherever it may, and leave it there.
_READ_ONLY = {"mode": "ro", "readonly_shm": "1"}

_HAS_META = "SELECT 1 FROM sqlite_master WHERE name = 'meta'"


def connect(path: Path, **query: str) -> sqlite3.Connection:
    """Return a connection to this very file, whatever characters its path has.

    `query` are parameters of SQLite's own URI, such as mode="ro"; without any the file is made
    where there is none. Any thread may use the connection, one at a time. No transaction begins
    unless its owner says BEGIN: the rules by which Python's sqlite3 begins some by itself differ
    between its versions.
    """
    place = quote(os.fsencode(os.path.abspath(path)))
    wanted = "&".join(f"{name}={value}" for name, value in query.items())
    # Two slashes first: a path that begins with two would else be read as the name of a machine.
    uri = f"file://{place}?{wanted}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, or undo it all when that raises or cannot be committed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after some errors SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def code_of(error: sqlite3.Error) -> int:
    """Return the code of an error without its details: SQLITE_IOERR for SQLITE_IOERR_FSYNC."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def read_settings(path: Path) -> dict[str, str] | None:
    """Return the table `meta` of a sweep.db of any schema; None when it cannot be read."""
    # Not mode=ro: it would leave the files of the write-ahead log behind, and cannot take up what a
    # crash left. The second is for read-only disks, where that log cannot be opened.
    for query in ({"mode": "rw"}, {"immutable": "1"}):
        try:
            with contextlib.closing(connect(path, **query)) as connection:
                connection.execute("PRAGMA busy_timeout=10000")
                if not connection.execute(_HAS_META).fetchone():
                    return {}  # the first transaction of this database is still to come
                return dict(connection.execute("SELECT key, value FROM meta"))
        except sqlite3.Error:
            continue
    return None


class OpenForReading:
    """sweep.db as a reader sees it, from when it is made until `close`.

    It leaves no file where it may not write.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises DatabaseError for what is no database, StoreError where it cannot be read whole.
        """
        self.path = path
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._unlocked: tuple[Stamp | None, ...] | None = None
        self.connection = self._open()

    def _open(self) -> sqlite3.Connection:
        for query in self._ways():
            try:
                self._unlocked = _signature(self.path) if "immutable" in query else None
                return _connect_and_read(self.path, **query)
            except sqlite3.OperationalError as error:
                if code_of(error) not in _UNWRITABLE:
                    raise
        return _connect_and_read(self._copied(), mode="rw")

    def _ways(self) -> Iterator[dict[str, str]]:
        """Yield the parameters with which SQLite may be able to open the file, the best first."""
        if _writable(self.path):
            # Not read-only: such a reader that is the last to leave cannot remove -wal and -shm, so
            # they would stay.
            yield {"mode": "rw"}
        has_log = _has_log(self.path)
        shared = stamp(Path(f"{self.path}-shm")) is not None
        wal = stamp(Path(f"{self.path}-wal"))
        if not has_log or (wal and shared):
            yield _READ_ONLY
        if has_log and not (wal and wal[1]):
            # SQLite wants to make files beside the database and cannot. As the log holds nothing,
            # none is needed.
            yield {"mode": "ro", "immutable": "1"}

    def _copied(self) -> Path:
        """Copy the database and its log or journal, all of one moment, into a folder of ours."""
        import tempfile  # late: every command that looks for its folder loads this file

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
            what = "the database can only be read as a copy, and it cannot be copied"
            raise StoreError(
                f"{what}: {reason(error)}",
                where=str(error.filename or self.path),
                todo="Set TMPDIR to a folder with room for it.",
            ) from error
        self._copy.cleanup()
        raise StoreError(
            "the database is written all the time and cannot be read from here",
            where=str(self.path),
            todo="Ask who runs it for read permission on sweep.db-shm, "
            "or for the address of its page.",
        )

    @property
    def changed(self) -> bool:
        """Tell whether somebody wrote while the file was read without locks.

        What was read may then be of two moments.
        """
        return self._unlocked is not None and self._unlocked != _signature(self.path)

    def close(self) -> None:
        """Close the file and remove a copy of it."""
        self.connection.close()
        if self._copy:
            self._copy.cleanup()


def _connect_and_read(path: Path, **query: str) -> sqlite3.Connection:
    """Return a connection that has read something: SQLite opens a file when it first needs it."""
    connection = connect(path, **query)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _signature(path: Path) -> tuple[Stamp | None, ...]:
    """Return what shows that a database was written: number, size and time of its files."""
    return tuple(stamp(Path(name)) for name in (path, f"{path}-wal", f"{path}-journal"))


def _copy(source: Path, target: Path) -> None:
    import shutil  # late, as tempfile

    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)


def _writable(path: Path) -> bool:
    """Tell whether SQLite can do here all that it does for a writer.

    A file that SQLite made and could not remove would stay.
    """
    files = [f"{path}{end}" for end in ("", *_BESIDE)]
    there = [str(path.parent), *(one for one in files if os.path.exists(one))]
    return all(os.access(one, os.W_OK) for one in there)


def _has_log(path: Path) -> bool:
    """Tell whether a database is written through a write-ahead log, by byte 19 of its head."""
    with path.open("rb") as file:
        return file.read(20)[19:] == b"\2"
