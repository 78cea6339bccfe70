"""The tables of sweep.db, made and brought up to date; the settings in `meta`; the view `results`.

schema.sql describes each table. The version of the schema is stored, so that a database of a newer
spe is refused.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..model import Kind

VERSION = 6
EVENTS = 100_000  # notes of runs that are kept
TABLES = Path(__file__).with_name("schema.sql")

# For a database of before schema 3: `hosts` over all its runs, and a copy counts as a retry.
_COUNTED = "SELECT plan, state, count(*) AS sets FROM tasks GROUP BY plan, state"
_WORKED = """
SELECT host, sum(nth > 1) AS again, sum(state = 'accepted') AS accepted,
  sum(state IN ('failed', 'rejected')) AS failures, sum(state = 'lost') AS lost,
  coalesce(sum(seconds), 0.0) AS seconds,
  coalesce(sum(user), 0.0) + coalesce(sum(system), 0.0) AS cpu
FROM (SELECT *, row_number() OVER (PARTITION BY task ORDER BY id) AS nth FROM tickets) GROUP BY host
"""

#: Statements that make a database of an older schema one of the next: SQL by the version that it comes from.
MIGRATIONS = {
    1: ("ALTER TABLE clients ADD COLUMN heard FLOAT",),
    2: (
        "CREATE INDEX failed ON tasks (plan, position) WHERE state = 'failed'",
        "CREATE INDEX tickets_of ON tickets (task)",
        """
        CREATE TABLE counts (
          plan INTEGER NOT NULL, state TEXT NOT NULL, sets INTEGER NOT NULL,
          PRIMARY KEY (plan, state)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE hosts (
          host TEXT NOT NULL PRIMARY KEY, again INTEGER NOT NULL, accepted INTEGER NOT NULL,
          failures INTEGER NOT NULL, lost INTEGER NOT NULL,
          seconds FLOAT NOT NULL, cpu FLOAT NOT NULL
        )
        """,
        f"INSERT INTO counts {_COUNTED}",
        f"INSERT INTO hosts {_WORKED}",
    ),
    # Up to here a task that was out had a state of its own.
    3: (
        "INSERT OR REPLACE INTO meta SELECT 'out', count(*) FROM tasks WHERE state = 'running'",
        "UPDATE tasks SET state = 'waiting' WHERE state = 'running'",
        "DELETE FROM counts",
        f"INSERT INTO counts {_COUNTED}",
    ),
    # From here on a task may be cancelled, which a spe of before does not know: it refuses this
    # version.
    4: (
        "ALTER TABLE tickets ADD COLUMN read INTEGER",
        "ALTER TABLE tickets ADD COLUMN written INTEGER",
        "ALTER TABLE logs ADD COLUMN files TEXT",
    ),
    # From here on a ticket says what program it ran, and a set that waits may have a row in the
    # table.
    5: (
        "ALTER TABLE tasks ADD COLUMN spec INTEGER",
        "ALTER TABLE tickets ADD COLUMN program INTEGER",
        "ALTER TABLE outputs ADD COLUMN number",
        "DROP TRIGGER IF EXISTS ticket_came",
        "DROP TRIGGER IF EXISTS ticket_ended",
        "INSERT OR REPLACE INTO meta VALUES ('legacy', '1')",
        # Up to here the stdout of accepted attempts was not stored (stored.UNTIL); later, no row means
        # an empty one.
        """
        INSERT OR REPLACE INTO meta
        SELECT 'stdout_from', CAST(coalesce(max(id), 0) AS TEXT) FROM tickets
        """,
    ),
}

#: Stand-ins for what an older schema lacks, by its version: for those who only read it.
MISSING_COLUMNS: dict[int, dict[str, tuple[str, ...]]] = {
    1: {"clients": ("heard",)},
    4: {"tickets": ("read", "written"), "logs": ("files",)},
    5: {"tasks": ("spec",), "tickets": ("program",), "outputs": ("number",)},
}
MISSING_TABLES = {
    2: (f"CREATE TEMP VIEW counts AS {_COUNTED}", f"CREATE TEMP VIEW hosts AS {_WORKED}"),
    5: (
        "CREATE TEMP TABLE programs (id INTEGER, parts TEXT)",
        "CREATE TEMP TABLE specs (id INTEGER, results TEXT)",
        "CREATE TEMP TABLE kept (task INTEGER, source TEXT, raw BLOB, file TEXT, size INTEGER)",
        "CREATE TEMP TABLE gaps (task INTEGER)",
    ),
}


def find_version(connection: sqlite3.Connection) -> int:
    """Return the schema that a database has, 0 when it is empty."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    return int(get_meta(connection, "schema", "0")) if known else 0


def upgrade(connection: sqlite3.Connection, found: int) -> None:
    """Make a database of schema `found` one of today's, inside the transaction of the caller."""
    for version in range(found or VERSION, VERSION):
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
    # At every start: `events` came without a new version, and what is there already costs nothing.
    for statement in _statements(TABLES.read_text(encoding="utf-8")):
        connection.execute(statement)
    set_meta(connection, "schema", str(VERSION))


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of an SQL file one by one.

    Connection.executescript is no choice: it commits what its caller has begun.
    """
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        # Only a line that ends with a semicolon can end a statement: SQLite is asked 50 times
        # instead of 250.
        if line.endswith(";\n") and sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def stand_ins(found: int) -> list[str]:
    """Return SQL that gives a reader what a database of schema `found` lacks.

    Missing tables and columns become views, which read all rows.
    """
    columns: dict[str, list[str]] = {}
    tables: list[str] = []
    for version in range(found, VERSION):
        for table, names in MISSING_COLUMNS.get(version, {}).items():
            columns.setdefault(table, []).extend(f"NULL AS {name}" for name in names)
        tables += MISSING_TABLES.get(version, ())
    views = [
        f"CREATE TEMP VIEW {table} AS SELECT *, {', '.join(nulls)} FROM main.{table}"
        for table, nulls in columns.items()
    ]
    return views + tables


# -- settings


def get_meta(connection: sqlite3.Connection, key: str, default: str = "") -> str:
    """Return a stored setting of the sweep."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else default


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Store a setting of the sweep."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


# -- the view `results`

#: Resources that the result of a row took. The attempts of a set that waits are those towards its next
#: result.
ATTEMPTS = """
CASE WHEN t.state = 'done' THEN t.attempts ELSE (
  SELECT count(*) FROM tickets a
  WHERE a.task = t.number AND a.id <= t.ticket AND a.state IN ('failed', 'rejected', 'accepted')
) END
"""
#: Sets that have a row in the table: those that are done, and those whose row a new result is to
#: replace.
HAS_ROW = "(t.state = 'done' OR (t.state = 'waiting' AND t.ticket IS NOT NULL))"


def show_results(
    connection: sqlite3.Connection, results: Sequence[str], kinds: Mapping[str, str]
) -> None:
    """Make the view anew with these results; its parameters are in the settings."""
    set_meta(connection, "results", json.dumps(results))
    set_meta(connection, "kinds", json.dumps(kinds))
    parameters = json.loads(get_meta(connection, "parameters", "[]"))
    numeric = json.loads(get_meta(connection, "numeric", "[]"))
    for statement in results_view(parameters, results, kinds, numeric):
        connection.execute(statement)


def results_view(
    parameters: Sequence[str],
    results: Iterable[str],
    kinds: Mapping[str, str] | None = None,
    numeric: Collection[str] = (),
) -> list[str]:
    """Return SQL that makes the view `results`: the columns of results.csv, for any SQLite tool.

    Results whose kind is `int` or `float` and the parameters in `numeric` are numbers there, all
    others texts.
    """
    kinds = kinds or {}
    columns = {"number": "t.number"}
    cells = {name: number_cell(name) if name in numeric else cell(name) for name in parameters}
    outputs = {name: output(name, as_number=is_number(kinds.get(name))) for name in results}
    named = [*columns.items(), *cells.items(), *outputs.items()]
    named += [("host", "k.host"), ("seconds", "k.seconds"), ("attempts", ATTEMPTS)]
    shown = ", ".join(f"{sql} AS {_quoted(name)}" for name, sql in named)
    view = f"""
    CREATE VIEW results AS SELECT {shown}
    FROM tasks t JOIN tickets k ON k.id = t.ticket
    WHERE {HAS_ROW} AND t.plan = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'plan')
    ORDER BY t.position
    """
    return ["DROP VIEW IF EXISTS results", view]


def cell(name: str) -> str:
    """Return SQL for a parameter of the task `t`, as a text."""
    # A path can't spell these two; json_each is slower, and right for every name.
    if '"' in name or "\\" in name:
        return f"(SELECT value FROM json_each(t.parameters) WHERE key = {_literal(name)})"
    path = f'$."{name}"'
    return f"json_extract(t.parameters, {_literal(path)})"


def number_cell(name: str) -> str:
    """Return SQL for a parameter that is a number in all sets, as a number.

    columns.py has checked its cells, so `+ 0` reads all of each. A parameter file that is edited
    while it is read can still bring a text: that one stays a text and does not become 0.
    """
    text = cell(name)
    return f"iif({text} GLOB '*[^-+.0-9eE ]*', {text}, {text} + 0)"


def output(name: str, as_number: bool) -> str:
    """Return SQL for a result of the task `t`: the cell of the table, or what it is as a number."""
    column = "number" if as_number else "value"
    return f"(SELECT {column} FROM outputs WHERE task = t.number AND name = {_literal(name)})"


def is_number(kind: str | None) -> bool:
    """Tell whether results of this kind have their value in the column `number`."""
    return kind in (Kind.INT, Kind.FLOAT)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
