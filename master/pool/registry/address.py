"""Finds the database of a registry, and makes the engine that connects to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from ...errors import StoreError, UsageError
from ...store.filesystem import remote
from ...table.extras import library

SILENT = 15  # seconds without an answer after which a connection counts as broken
CONNECTING = 5  # seconds to wait for a connection
#: Kind of database -> the driver that is used.
DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
KINDS = "sqlite:///FILE, postgresql://USER@HOST/NAME or mariadb://USER@HOST/NAME"


def default_file() -> Path:
    """Return the file of a farm that was given no database."""
    return Path.home() / ".local" / "share" / "spe" / "farm" / "farm.db"


def address_of(text: str) -> URL:
    """Return the address of a database. Raises UsageError for one that cannot have a registry."""
    if not text:
        return URL.create("sqlite+pysqlite", database=str(default_file()))
    try:
        # Other programs write postgres://, which SQLAlchemy does not know.
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except ArgumentError as error:
        raise UsageError(
            "the address of the registry is not a URL", todo=f"write {KINDS}"
        ) from error
    kind = url.get_backend_name()
    if kind not in DRIVERS:
        raise UsageError(f"the registry cannot be in {kind}", todo=f"write {KINDS}")
    if kind == "sqlite" and (url.database or ":memory:") == ":memory:":
        raise UsageError(
            "the registry needs a file, not a database in memory", todo=f"write {KINDS}"
        )
    return url.set(drivername=f"{kind}+{DRIVERS[kind]}")


def shown(url: URL) -> str:
    """Return the address for messages, without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


def engine_of(url: URL) -> Engine:
    """Return the engine for this address; nothing is connected yet."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        engine = create_engine(url, connect_args={"timeout": CONNECTING})
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    library(DRIVERS[kind], f"a registry in {kind}")
    arguments = _POSTGRESQL if kind == "postgresql" else _MARIADB
    # pre-ping: a connection that the server has ended while idle is replaced and nobody sees it.
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_size=2)


#: A server that does not answer is given up, and a farm that has vanished within a transaction
#: does not keep the row of `meta` locked.
_POSTGRESQL: dict[str, Any] = {
    "connect_timeout": CONNECTING,
    "keepalives_idle": SILENT,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": SILENT * 1000,
    "options": f"-c statement_timeout={SILENT}s -c idle_in_transaction_session_timeout={SILENT}s",
}
_MARIADB: dict[str, Any] = {
    "connect_timeout": CONNECTING,
    "read_timeout": SILENT,
    "write_timeout": SILENT,
    "charset": "utf8mb4",
    "init_command": f"SET SESSION wait_timeout={2 * SILENT}",
}


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # FULL: a grant that was sent must be there after a power cut. About 2 ms a commit on a local disk.
    for words in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {words}")


def make_private_file(file: Path) -> None:
    """Make the file and its folder, for this account alone. Raises StoreError.

    A network file system is refused: its locks do not always hold, and two farms would deal.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if found := remote(file.parent):
            raise StoreError(
                f"the registry would lie on {found}, a network file system, where locks may fail",
                where=str(file),
                todo="put it on a local disk (--store sqlite:////FOLDER/farm.db), or on a server",
            )
        # The database's other files (-wal, -shm) are made with the mode of this one.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"the registry cannot be made: {error.strerror}",
            where=str(file),
            todo="choose a folder of yours with --store sqlite:////FOLDER/farm.db",
        ) from error
