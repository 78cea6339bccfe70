"""The tables of sweep.db and the `results` view; versioned, so that a database of a newer spe is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import (
    BLOB,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

VERSION = 2

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

tasks = Table(
    "tasks",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("key", BLOB, nullable=False, unique=True),  # what the set computes, without the worker
    Column("plan", Integer, nullable=False),  # the newest reading of the parameters that has it
    Column("position", Integer, nullable=False),  # its place in that reading
    Column("parameters", Text, nullable=False),  # a JSON object of texts
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("reason", Text),
    Column("faults", Text),  # JSON: reason class -> attempts
    Column("ticket", Integer),  # the accepted one
    Column("collected", Integer),  # 1: the gather hooks have been called; 2: one of them went wrong
)

# Only what waits is looked up by its place, so the index shrinks as the sweep goes on.
Index("waiting", tasks.c.plan, tasks.c.position, sqlite_where=text("state = 'waiting'"))

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("client", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("issued", Float, nullable=False),  # seconds since 1970, for people
    Column("seconds", Float),
    Column("user", Float),
    Column("system", Float),
    Column("memory", Integer),
    Column("exit_code", Integer),
    Column("reason", Text),
)

logs = Table(
    "logs",
    metadata,
    Column("ticket", Integer, primary_key=True),
    Column("stdout", BLOB),
    Column("stderr", BLOB),
)

outputs = Table(
    "outputs",
    metadata,
    Column("task", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),  # the cell of the table
    Column("raw", BLOB),  # the bytes, where they are not the cell and one newline
    Column("file", Text),  # or the file that holds them, below this folder
    Column("size", Integer, nullable=False),
    PrimaryKeyConstraint("task", "name"),
    sqlite_with_rowid=False,
)

clients = Table(
    "clients",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("pings", Integer, nullable=False),  # 1: silence means loss
    Column("since", Float, nullable=False),  # seconds since 1970, for people
    Column("seconds", Float),  # how long it was there
    Column("heard", Float),  # its last word, seconds since 1970
)

#: What makes a database of an older schema one of the next: SQL by the version that it comes from.
MIGRATIONS = {1: ("ALTER TABLE clients ADD COLUMN heard FLOAT",)}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def results_view(parameters: Sequence[str], results: Iterable[str]) -> list[str]:
    """SQL that makes the view `results`: the columns of results.csv, for any SQLite tool."""
    cells = [f"{_cell(name)} AS {_quoted(name)}" for name in parameters]
    cells += [
        f"(SELECT value FROM outputs WHERE task = t.number AND name = {_literal(name)}) AS {_quoted(name)}"
        for name in results
    ]
    columns = ", ".join(
        ["t.number AS number", *cells, "k.host AS host", "k.seconds AS seconds", "t.attempts AS attempts"]
    )
    return [
        "DROP VIEW IF EXISTS results",
        f"CREATE VIEW results AS SELECT {columns} FROM tasks t JOIN tickets k ON k.id = t.ticket "
        "WHERE t.state = 'done' AND t.plan = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'plan') "
        "ORDER BY t.position",
    ]


def _cell(name: str) -> str:
    if '"' in name or "\\" in name:  # a path can't spell these; json_each is slower, and right for every name
        return f"(SELECT value FROM json_each(t.parameters) WHERE key = {_literal(name)})"
    path = f'$."{name}"'
    return f"json_extract(t.parameters, {_literal(path)})"
