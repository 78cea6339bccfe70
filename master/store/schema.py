"""The tables of sweep.db and the `results` view; versioned, so that a database of a newer spe is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

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
from sqlalchemy.types import UserDefinedType

from ..dispatch.changes import UNBEGUN
from ..model import Kind

VERSION = 6


class Anything(UserDefinedType[object]):
    """A column that SQLite stores as it comes: a number stays a number, a text a text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "BLOB"  # the one affinity that converts nothing


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
    Column("state", Text, nullable=False),  # waiting (also while a ticket of it is out), done, failed or cancelled
    Column("attempts", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("reason", Text),
    Column("faults", Text),  # JSON: reason class -> attempts
    # The attempt whose result is kept: of a done set its row in the table, of a set that waits the row that stands
    # until a new result replaces it (`--fresh`, `--missing`), of a failed set a result that was refused later.
    Column("ticket", Integer),
    Column("collected", Integer),  # 1: the gather hooks have been called; 2: one of them went wrong
    Column("spec", Integer),  # row of `specs`: the `results` that its outputs were extracted by; NULL: before schema 6
)

# Only what waits is looked up by its place, so the index shrinks as the sweep goes on.
Index("waiting", tasks.c.plan, tasks.c.position, sqlite_where=text("state = 'waiting'"))
Index("failed", tasks.c.plan, tasks.c.position, sqlite_where=text("state = 'failed'"))

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
    Column("read", Integer),  # bytes from and to storage; NULL where the system does not tell
    Column("written", Integer),
    Column("program", Integer),  # row of `programs`: what it ran; NULL: not recorded (before schema 6)
)

Index("tickets_of", tickets.c.task)

logs = Table(
    "logs",
    metadata,
    Column("ticket", Integer, primary_key=True),
    Column("stdout", BLOB),
    Column("stderr", BLOB),
    Column("files", Text),  # that were in the directory of an attempt that failed: lines as in docs/protocol.md
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
    Column("number", Anything),  # of `as: int` and `as: float`: the value as SQLite computes with it
    PrimaryKeyConstraint("task", "name"),
    sqlite_with_rowid=False,
)

# What programs tickets ran: the worker's files and the inputs that are programs, by their SHA-256.
programs = Table(
    "programs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("parts", Text, nullable=False, unique=True),  # a JSON object: name -> SHA-256
)

# The `results` of spe.yaml that outputs were extracted by.
specs = Table(
    "specs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("results", Text, nullable=False, unique=True),  # a JSON list of objects, see extraction
)

# What programs wrote and no result of today is made of: bytes by their source, for a later `results`.
kept = Table(
    "kept",
    metadata,
    Column("task", Integer, nullable=False),
    Column("source", Text, nullable=False),  # stdout, or a file in the task's directory
    Column("raw", BLOB),
    Column("file", Text),  # below this folder, in place of raw
    Column("size", Integer, nullable=False),
    PrimaryKeyConstraint("task", "source"),
    sqlite_with_rowid=False,
)

# Files of a result that replaced another one: after the commit that speaks of them, they get their places.
staged = Table(
    "staged",
    metadata,
    Column("task", Integer, primary_key=True),
    Column("moves", Text, nullable=False),  # a JSON object: place -> where the file lies, both below this folder
)

# Finished sets whose row has an empty cell: what a result of today is made of was not stored.
gaps = Table("gaps", metadata, Column("task", Integer, primary_key=True))

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

# Two tables that count along, kept by triggers: whoever writes a state counts it, in the same transaction, and nobody
# who wants a number reads a million rows. `hosts` is of the last run alone: it begins anew with each (Store.begin_run).
counts = Table(
    "counts",
    metadata,
    Column("plan", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("sets", Integer, nullable=False),
    PrimaryKeyConstraint("plan", "state"),
    sqlite_with_rowid=False,
)

hosts = Table(
    "hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("again", Integer, nullable=False),  # retries: tickets of tasks of which an attempt had gone wrong
    Column("accepted", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("cpu", Float, nullable=False),
)

#: What was noted in all runs, for people; the newest EVENTS of it are kept. A database of before has no such table.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Float, nullable=False),  # seconds since 1970
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("host", Text),
    Column("task", Integer),
)
EVENTS = 100_000

# For a database of before: `hosts` over all its runs, and a copy counts as tried again.
_COUNTED = "SELECT plan, state, count(*) AS sets FROM tasks GROUP BY plan, state"
_WORKED = (
    "SELECT host, sum(nth > 1) AS again, sum(state = 'accepted') AS accepted, "
    "sum(state IN ('failed', 'rejected')) AS failures, sum(state = 'lost') AS lost, "
    "coalesce(sum(seconds), 0.0) AS seconds, coalesce(sum(user), 0.0) + coalesce(sum(system), 0.0) AS cpu "
    "FROM (SELECT *, row_number() OVER (PARTITION BY task ORDER BY id) AS nth FROM tickets) GROUP BY host"
)

#: What a database of an older schema lacks, by the version that it has: for those who only read it.
_MISSING_COLUMNS: dict[int, dict[str, tuple[str, ...]]] = {
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


def stand_ins(found: int) -> list[str]:
    """SQL that gives a connection what a database of schema `found` lacks: views that read all rows."""
    columns: dict[str, list[str]] = {}
    statements: list[str] = []
    for version in range(found, VERSION):
        for table, names in _MISSING_COLUMNS.get(version, {}).items():
            columns.setdefault(table, []).extend(f"NULL AS {name}" for name in names)
        statements += MISSING_TABLES.get(version, ())
    views = [f"CREATE TEMP VIEW {table} AS SELECT *, {', '.join(names)} FROM main.{table}"
             for table, names in columns.items()]  # fmt: skip
    return views + statements


_COUNT = "INSERT INTO counts VALUES (NEW.plan, NEW.state, 1) ON CONFLICT (plan, state) DO UPDATE SET sets = sets + 1;"
# The last ticket of the runs before this one (Store.begin_run).
_BEFORE = "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'tickets_before'), 0)"
# An earlier attempt of this run has gone wrong, and none is out: else this one is a copy. The plus keeps the last
# term from the index: so it is looked at for a task that had attempts, and almost none had.
_AGAIN = (
    "(EXISTS (SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state IN ('failed', 'rejected', 'lost') "
    f"AND +id > {_BEFORE}) "
    "AND NOT EXISTS (SELECT 1 FROM tickets WHERE task = NEW.task AND id < NEW.id AND state = 'issued'))"
)

TRIGGERS = (
    f"CREATE TRIGGER IF NOT EXISTS set_came AFTER INSERT ON tasks BEGIN {_COUNT} END",
    "CREATE TRIGGER IF NOT EXISTS set_moved AFTER UPDATE OF plan, state ON tasks "
    "WHEN NEW.state <> OLD.state OR NEW.plan <> OLD.plan BEGIN "
    f"UPDATE counts SET sets = sets - 1 WHERE plan = OLD.plan AND state = OLD.state; {_COUNT} END",
    # Almost every ticket is the first one of its task, on a host that is known: nothing is written then.
    f"CREATE TRIGGER IF NOT EXISTS ticket_came AFTER INSERT ON tickets WHEN {_AGAIN} "
    "OR NOT EXISTS (SELECT 1 FROM hosts WHERE host = NEW.host) BEGIN "
    f"INSERT INTO hosts VALUES (NEW.host, {_AGAIN}, 0, 0, 0, 0.0, 0.0) "
    "ON CONFLICT (host) DO UPDATE SET again = again + excluded.again; END",
    # What was issued in an earlier run and not taken back at its end is none of this one's; a ticket that is out now
    # is of this run, so nothing more is asked of almost all of them.
    "CREATE TRIGGER IF NOT EXISTS ticket_ended AFTER UPDATE OF state ON tickets "
    f"WHEN OLD.state = 'issued' OR NEW.id > {_BEFORE} BEGIN UPDATE hosts SET "
    f"again = again - CASE WHEN NEW.state = 'expired' AND NEW.reason = '{UNBEGUN}' THEN {_AGAIN} ELSE 0 END, "
    "accepted = accepted + (NEW.state = 'accepted') - (OLD.state = 'accepted'), "
    "failures = failures + (NEW.state IN ('failed', 'rejected')) - (OLD.state IN ('failed', 'rejected')), "
    "lost = lost + (NEW.state = 'lost') - (OLD.state = 'lost'), "
    "seconds = seconds + coalesce(NEW.seconds, 0.0) - coalesce(OLD.seconds, 0.0), "
    "cpu = cpu + coalesce(NEW.user, 0.0) + coalesce(NEW.system, 0.0) "
    "- coalesce(OLD.user, 0.0) - coalesce(OLD.system, 0.0) WHERE host = NEW.host; END",
)

#: What makes a database of an older schema one of the next: SQL by the version that it comes from.
MIGRATIONS = {
    1: ("ALTER TABLE clients ADD COLUMN heard FLOAT",),
    2: (
        "CREATE INDEX failed ON tasks (plan, position) WHERE state = 'failed'",
        "CREATE INDEX tickets_of ON tickets (task)",
        "CREATE TABLE counts (plan INTEGER NOT NULL, state TEXT NOT NULL, sets INTEGER NOT NULL, "
        "PRIMARY KEY (plan, state)) WITHOUT ROWID",
        "CREATE TABLE hosts (host TEXT NOT NULL PRIMARY KEY, again INTEGER NOT NULL, accepted INTEGER NOT NULL, "
        "failures INTEGER NOT NULL, lost INTEGER NOT NULL, seconds FLOAT NOT NULL, cpu FLOAT NOT NULL)",
        f"INSERT INTO counts {_COUNTED}",
        f"INSERT INTO hosts {_WORKED}",
    ),
    3: (
        "INSERT OR REPLACE INTO meta SELECT 'out', count(*) FROM tasks WHERE state = 'running'",
        "UPDATE tasks SET state = 'waiting' WHERE state = 'running'",
        "DELETE FROM counts",
        f"INSERT INTO counts {_COUNTED}",
    ),
    # From here on a task may be cancelled, which a spe of before does not know: it refuses this version.
    4: (
        "ALTER TABLE tickets ADD COLUMN read INTEGER",
        "ALTER TABLE tickets ADD COLUMN written INTEGER",
        "ALTER TABLE logs ADD COLUMN files TEXT",
    ),
    # From here on a ticket says what program it ran, and a set that waits may have a row in the table.
    5: (
        "ALTER TABLE tasks ADD COLUMN spec INTEGER",
        "ALTER TABLE tickets ADD COLUMN program INTEGER",
        "ALTER TABLE outputs ADD COLUMN number",
        "DROP TRIGGER IF EXISTS ticket_came",
        "DROP TRIGGER IF EXISTS ticket_ended",
        "INSERT OR REPLACE INTO meta VALUES ('legacy', '1')",
        # Of accepted attempts up to here stdout was not stored (stored.UNTIL); of later ones no row means an empty one.
        "INSERT OR REPLACE INTO meta SELECT 'stdout_from', CAST(coalesce(max(id), 0) AS TEXT) FROM tickets",
    ),
}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


#: What the result of a row took. The attempts of a set that waits are those towards its next result.
ATTEMPTS = (
    "CASE WHEN t.state = 'done' THEN t.attempts ELSE (SELECT count(*) FROM tickets a WHERE a.task = t.number "
    "AND a.id <= t.ticket AND a.state IN ('failed', 'rejected', 'accepted')) END"
)
#: Which sets have a row in the table: those that are done, and those whose row a new result is to replace.
HAS_ROW = "(t.state = 'done' OR (t.state = 'waiting' AND t.ticket IS NOT NULL))"


def results_view(
    parameters: Sequence[str],
    results: Iterable[str],
    kinds: Mapping[str, str] | None = None,
    numeric: Collection[str] = (),
) -> list[str]:
    """Return SQL that makes the view `results`: the columns of results.csv, for any SQLite tool.

    Results whose kind is `int` or `float` and the parameters in `numeric` are numbers there, all others texts.
    """
    kinds = kinds or {}
    cells = [f"{number_cell(name) if name in numeric else cell(name)} AS {_quoted(name)}" for name in parameters]
    cells += [f"{output(name, is_number(kinds.get(name)))} AS {_quoted(name)}" for name in results]
    columns = ", ".join(
        ["t.number AS number", *cells, "k.host AS host", "k.seconds AS seconds", f"{ATTEMPTS} AS attempts"]
    )
    return [
        "DROP VIEW IF EXISTS results",
        f"CREATE VIEW results AS SELECT {columns} FROM tasks t JOIN tickets k ON k.id = t.ticket "
        f"WHERE {HAS_ROW} AND t.plan = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'plan') "
        "ORDER BY t.position",
    ]


def cell(name: str) -> str:
    if '"' in name or "\\" in name:  # a path can't spell these; json_each is slower, and right for every name
        return f"(SELECT value FROM json_each(t.parameters) WHERE key = {literal(name)})"
    path = f'$."{name}"'
    return f"json_extract(t.parameters, {literal(path)})"


def number_cell(name: str) -> str:
    """A parameter that is a number in all sets, as a number. columns.py has checked its cells: `+ 0` reads all of each.

    A parameter file that is edited while it is read can still bring a text: that one stays a text, and is not 0.
    """
    text_cell = cell(name)
    return f"iif({text_cell} GLOB '*[^-+.0-9eE ]*', {text_cell}, {text_cell} + 0)"


def output(name: str, as_number: bool) -> str:
    """A result of the task `t`: the cell of the table, or what it is as a number."""
    column = "number" if as_number else "value"
    return f"(SELECT {column} FROM outputs WHERE task = t.number AND name = {literal(name)})"


def is_number(kind: str | None) -> bool:
    """Whether results of this kind have their value in the column `number`."""
    return kind in (Kind.INT, Kind.FLOAT)
