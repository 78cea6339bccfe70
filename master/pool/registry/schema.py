"""Makes the tables, refuses newer ones, copies and migrates older ones."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from ...errors import StoreError
from .tables import META, METADATA, OPTIONS

#: Version of the tables. A change of rows.py that changes a table adds 1 here, a step below, and a
#: sample of the old version to tests/pool/registry/samples.
SCHEMA = 1
#: Version -> what makes it of the one before. Each step is done again after a break, so it must not
#: mind what it finds done.
STEPS: dict[int, Callable[[Connection], None]] = {}


def new_farm() -> str:
    """Return an ID for a farm, which no other farm has."""
    return uuid.uuid4().hex


def prepare(engine: Engine, where: str) -> None:
    """Make the tables in an empty database. Raises StoreError for a newer or foreign one."""
    with engine.begin() as connection:
        there = set(inspect(connection).get_table_names())
        is_made = META.name in there and _is_ours(connection, META)
        if is_made and connection.execute(select(META.c.one)).first():
            _refuse_newer(connection, where)
            return
        foreign = [
            name
            for name, table in METADATA.tables.items()
            if name in there and not _is_ours(connection, table)
        ]
        if foreign:
            raise StoreError(
                f"the database has a table {foreign[0]} of another program",
                where=where,
                todo="give the farm an empty database of its own",
            )
        METADATA.create_all(connection)
    _enter_first_row(engine)


def _enter_first_row(engine: Engine) -> None:
    first = {
        **dict.fromkeys(META.c.keys(), 0),
        "one": 1,
        "schema": SCHEMA,
        "farm": new_farm(),
        "host": "",
        "renewed": 0.0,
    }
    try:
        with engine.begin() as connection:
            connection.execute(insert(META), first)
    except IntegrityError:
        pass  # another farm that starts now was faster; who leads is decided by the row


def _is_ours(connection: Connection, table: Table) -> bool:
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    return there >= set(table.c.keys())


def _refuse_newer(connection: Connection, where: str) -> None:
    found = connection.execute(select(META.c.schema)).scalar_one()
    if found > SCHEMA:
        raise StoreError(
            f"the registry was written by a newer spe (schema {found}, this one knows {SCHEMA})",
            where=where,
            todo="start the farm with the newer spe",
        )


def migrate(engine: Engine, file: Path | None) -> str:
    """Bring an older registry up to date; return where its copy lies, "" when it is up to date.

    file: that of SQLite. The caller leads, so nobody else writes.
    """
    with engine.connect() as connection:
        found = int(connection.execute(select(META.c.schema)).scalar_one())
    if found >= SCHEMA:
        return ""
    copy = _copy_file(engine, file, found) if file else _copy_tables(engine, found)
    for version in range(found + 1, SCHEMA + 1):
        with engine.begin() as connection:
            STEPS[version](connection)
            connection.execute(update(META).values(schema=version))
    return copy


def _copy_file(engine: Engine, file: Path, schema: int) -> str:
    copy = file.with_name(f"{file.name}.schema-{schema}")
    part = file.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # Not a copy of the file: what was committed last is in its write-ahead log.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM INTO :name"), {"name": str(part)})
    part.replace(copy)
    return str(copy)


def _copy_tables(engine: Engine, schema: int) -> str:
    """Copy all tables on their server, without keys and indexes, whose names must be unique."""
    with engine.begin() as connection:
        old = MetaData()
        there = set(inspect(connection).get_table_names())
        old.reflect(connection, only=[name for name in METADATA.tables if name in there])
        for table in old.sorted_tables:
            columns = [Column(column.name, column.type) for column in table.columns]
            copy = Table(f"{table.name}_schema_{schema}", MetaData(), *columns, **OPTIONS)
            copy.drop(connection, checkfirst=True)  # of a migration that broke off
            copy.create(connection)
            connection.execute(insert(copy).from_select(list(table.c.keys()), select(table)))
    return f"tables *_schema_{schema}"
