"""The tables, made from the records of rows.py: one table a record, one column a field."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    MetaData,
    RowMapping,
    String,
    Table,
)
from sqlalchemy.types import TypeEngine

from ...record import Word
from .. import rows
from .values import check, length

R = TypeVar("R")
Key = tuple[type[rows.Row], tuple[Any, ...]]

#: Names as MariaDB must compare them: `ada` and `Ada` are two users.
OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
#: Record -> name of its table, its key, and the columns by which rows are sought.
_SHAPES: dict[type[rows.Row], tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    rows.UserRow: ("users", ("name",), ()),
    rows.TokenRow: ("tokens", ("sha256",), ()),
    rows.HostRow: ("hosts", ("name",), ()),
    rows.JobRow: ("jobs", ("id",), ("owner", "state", "ended", "group")),
    rows.GrantRow: ("grants", ("job", "epoch", "number", "host"), ()),
    rows.LedgerRow: ("ledger", ("id",), ("job", "until")),
    rows.HistoryRow: ("history", ("id",), ("job", "host", "at")),
    rows.LicenceRow: ("licences", ("name",), ()),
    rows.SettingRow: ("settings", ("name",), ()),
}

METADATA = MetaData()

#: One row. Its columns are in every schema, so that each spe can tell how old a registry is.
META = Table(
    "meta",
    METADATA,
    Column("one", BigInteger, primary_key=True, autoincrement=False),
    Column("schema", BigInteger, nullable=False),
    Column("farm", String(64), nullable=False),
    Column("host", String(253), nullable=False),
    Column("process", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("renewed", Double, nullable=False),
    Column("last_job", BigInteger, nullable=False),
    Column("last_ledger", BigInteger, nullable=False),
    Column("last_history", BigInteger, nullable=False),
    **OPTIONS,
)


def _type(table: str, column: str, kind: Any) -> TypeEngine[Any]:
    if kind is bool:
        return Boolean()
    if kind is int:
        return BigInteger()
    if kind is float:
        return Double()  # Float has 4 bytes on MariaDB: times of today would lose their seconds
    if issubclass(kind, str):
        return String(length(table, column))
    raise TypeError(f"{table}.{column}: no column for {kind}")


def _table(record: type[rows.Row]) -> Table:
    name, key, sought = _SHAPES[record]
    hints = get_type_hints(record)
    columns = [
        Column(
            one.name,
            _type(name, one.name, hints[one.name]),
            primary_key=one.name in key,
            autoincrement=False,
            nullable=False,
        )
        for one in fields(record)
    ]
    indexes = [Index(f"{name}_by_{column}", column) for column in sought]
    return Table(name, METADATA, *columns, *indexes, **OPTIONS)


TABLES = {record: _table(record) for record in _SHAPES}
_WORDS = {
    record: {
        name: kind
        for name, kind in get_type_hints(record).items()
        if isinstance(kind, type) and issubclass(kind, Word)
    }
    for record in _SHAPES
}


def key_of(row: rows.Row) -> Key:
    """Return what a row has for itself alone: its record and the values of its key."""
    record = type(row)
    return record, tuple(getattr(row, name) for name in _SHAPES[record][1])


def values_of(row: rows.Row) -> dict[str, Any]:
    """Return the values of a row by column. Raises UnfitRow for what cannot be stored."""
    record = type(row)
    table, key, _ = _SHAPES[record]
    found = {one.name: getattr(row, one.name) for one in fields(record)}
    for name, value in found.items():
        check(table, name, value, name in key)
    # Drivers know texts, not enums.
    for name in _WORDS[record]:
        found[name] = str(found[name])
    return found


def row_of(record: type[R], found: RowMapping) -> R:
    """Return the row that was read. Columns that this spe does not know are left out."""
    words = _WORDS[record]  # type: ignore[index]
    values = {one.name: found[one.name] for one in fields(record)}  # type: ignore[arg-type]
    for name, kind in words.items():
        values[name] = kind(values[name])
    return record(**values)
