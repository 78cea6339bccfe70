"""Changes as SQL: each kind in one statement a transaction, however many there are. writer.py says when."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Table, UpdateBase, bindparam, insert, select, text, update

from ..dispatch.changes import (
    Change,
    ClientCame,
    ClientHeard,
    ClientLeft,
    Decision,
    FilesStaged,
    Settled,
    TaskMoved,
    TasksOut,
    TicketEnded,
    TicketIssued,
)
from ..model import Failure, Kind, Output, TaskState, TicketState, Usage
from ..record import record
from ..results.numerals import typed
from . import schema

C = TypeVar("C", bound=Change)
FILLED = 5000  # outputs of an older database that get their numbers in one transaction
SPEC = "spec"  # meta: row of `specs` of the results by which outputs are made now
#: A task that is out waits, for the store: its ticket tells that it is out, and one row less is written for each task.
STORED = {state: "waiting" if state is TaskState.RUNNING else state.value for state in TaskState}
_WAITS = (TaskState.WAITING, TaskState.RUNNING)
_TICKET_STORED = {state: state.value for state in TicketState}


@record
class _Statement:
    """One statement and the names of what is filled in, in the order in which `rows` have it."""

    statement: UpdateBase
    names: tuple[str, ...]

    def run(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        """As connection.execute, at half its price: the statements are few, and the rows need no conversion."""
        text, order = _compiled(self.statement, self.names, connection.dialect)
        if order == self.names:
            connection.exec_driver_sql(text, rows)
        else:
            named = [dict(zip(self.names, row, strict=True)) for row in rows]
            ready: Any = named if order is None else [tuple(map(row.__getitem__, order)) for row in named]
            connection.exec_driver_sql(text, ready)


@cache
def _compiled(statement: UpdateBase, keys: tuple[str, ...], dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    return str(compiled), None if compiled.positiontup is None else tuple(compiled.positiontup)


def get_meta(connection: Connection, key: str, default: str = "") -> str:
    """A stored setting of the sweep."""
    row = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == key)).first()
    return row[0] if row else default


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Store a setting of the sweep."""
    _META.run(connection, [(key, value)])


def remember_program(connection: Connection, parts: str) -> int:
    """The number of a program, by the text of its parts (program.py)."""
    connection.execute(text("INSERT OR IGNORE INTO programs (parts) VALUES (:parts)"), {"parts": parts})
    found = connection.execute(text("SELECT id FROM programs WHERE parts = :parts"), {"parts": parts})
    return int(found.scalar_one())


def _insert(table: Table, *names: str, replace: bool = False) -> _Statement:
    return _Statement(insert(table).prefix_with("OR REPLACE") if replace else insert(table), names)


def _update(table: Table, key: str, *names: str) -> _Statement:
    """Of the row with this key, which comes last in the rows to be filled in."""
    filled = update(table).where(table.c[key] == bindparam("b_key"))
    return _Statement(
        filled.values({name: bindparam(f"b_{name}") for name in names}), (*(f"b_{n}" for n in names), "b_key")
    )


_CLIENT = _insert(schema.clients, "id", "host", "platform", "slots", "pings", "since")
_CLIENT_LEFT = _update(schema.clients, "id", "seconds")
_CLIENT_HEARD = _update(schema.clients, "id", "heard")
_TICKET = _insert(schema.tickets, "id", "task", "client", "host", "state", "issued", "program")
_TICKET_ENDED = _update(
    schema.tickets, "id", "state", "seconds", "user", "system", "memory", "read", "written", "exit_code", "reason"
)
_LOG = _insert(schema.logs, "ticket", "stdout", "stderr", "files", replace=True)
_TASK_MOVED = _update(schema.tasks, "number", "state", "attempts", "lost", "reason", "faults", "ticket")
# Back to waiting, a set keeps its row in the table: what it has of an earlier result goes when a new one is there.
_TASK_WAITS = _update(schema.tasks, "number", "state", "attempts", "lost", "reason", "faults")
_OUTPUT = _insert(schema.outputs, "task", "name", "value", "raw", "file", "size", "number", replace=True)
_STAGED = _insert(schema.staged, "task", "moves", replace=True)
_TASK_ENDED = _update(schema.tasks, "number", "state", "attempts", "lost", "reason", "faults", "ticket", "spec")
_KEPT = _insert(schema.kept, "task", "source", "raw", "file", "size", replace=True)
_META = _insert(schema.meta, "key", "value", replace=True)


def keep_events(connection: Connection, events: Sequence[Mapping[str, Any]], most: int = schema.EVENTS) -> None:
    """Notes of the run (events.py), and the oldest go when there are too many."""
    names = ("time", "kind", "text", "host", "task")
    connection.execute(insert(schema.events), [{name: event.get(name) for name in names} for event in events])
    connection.execute(text("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - :most"), {"most": most})


def apply(connection: Connection, changes: Sequence[Change], now: float) -> None:
    """Write the changes as if one after the other: of each row the last word counts, so each is written once.

    `now`: seconds since 1970, for people.
    """
    _clients(connection, changes, now)
    issued, ended = _of(TicketIssued, changes), _of(TicketEnded, changes)
    if ended:  # before what is tried again, which is counted as such by how the attempts before it have ended
        new = {c.id for c in issued}
        _tickets_ended(connection, {c.id: c for c in ended if c.id not in new}.values())
    if issued:
        _tickets_issued(connection, issued, now)
    if ended:
        _tickets_ended(connection, {c.id: c for c in ended if c.id in new}.values())
        _keep_logs(connection, ended)
    moved = _of(TaskMoved, changes)
    if moved:
        results = list({c.number: c for c in moved if c.outputs}.values())
        spec = _spec(connection) if results else None
        forget_replaced(connection, results, everywhere=spec is None)
        _tasks_moved(connection, moved, {c.number for c in results}, spec)
        keep_outputs(connection, [(c.number, c.outputs) for c in results])
    if files := _of(FilesStaged, changes):
        _STAGED.run(connection, [(c.task, json.dumps(c.moves)) for c in files])
    if out := _of(TasksOut, changes):
        _META.run(connection, [("out", str(out[-1].count))])


def cancel(connection: Connection, plan: int, numbers: Sequence[int], reason: str) -> list[int]:
    """Waiting sets of today's parameters never run, until somebody wants them again; those that did wait."""
    statement = text(
        "UPDATE tasks SET state = 'cancelled', reason = :reason WHERE state = 'waiting' AND plan = :plan "
        "AND number IN (SELECT value FROM json_each(:numbers)) RETURNING number"
    )
    found = connection.execute(statement, {"reason": reason, "plan": plan, "numbers": json.dumps(list(numbers))})
    return [row[0] for row in found]


def put_back(
    connection: Connection, plan: int, numbers: Sequence[int] | None, but: Sequence[int]
) -> dict[int, TaskState]:
    """Failed and cancelled sets wait again with all attempts, all of them or these; what they were before."""
    which = (
        "FROM tasks WHERE state IN ('failed', 'cancelled') AND plan = :plan "
        "AND (:numbers IS NULL OR number IN (SELECT value FROM json_each(:numbers))) "
        "AND number NOT IN (SELECT value FROM json_each(:but))"
    )
    given = {
        "plan": plan, "numbers": None if numbers is None else json.dumps(list(numbers)), "but": json.dumps(list(but)),
    }  # fmt: skip
    found = {row[0]: TaskState(row[1]) for row in connection.execute(text(f"SELECT number, state {which}"), given)}
    connection.execute(
        text(
            "UPDATE tasks SET state = 'waiting', attempts = 0, lost = 0, faults = NULL, reason = NULL, ticket = NULL, "
            "collected = NULL WHERE number IN (SELECT value FROM json_each(:found))"
        ),
        {"found": json.dumps(list(found))},
    )
    return found


def fill_numbers(connection: Connection, name: str, kind: Kind, after: int, most: int = FILLED) -> int | None:
    """Give a result of the next `most` tasks beyond number `after` the number that its text says.

    Returns the last of these tasks, None when there is none left.
    """
    found = connection.exec_driver_sql(
        "SELECT task, value FROM outputs WHERE name = ? AND task > ? AND number IS NULL ORDER BY task LIMIT ?",
        (name, after, most),
    ).all()
    numbers = [(number, task, name) for task, value in found if (number := typed(value, kind)) is not None]
    if numbers:
        connection.exec_driver_sql("UPDATE outputs SET number = ? WHERE task = ? AND name = ?", numbers)
    return found[-1][0] if found else None


def _of(kind: type[C], changes: Iterable[Change]) -> list[C]:
    return [c for c in changes if type(c) is kind]


def _clients(connection: Connection, changes: Sequence[Change], now: float) -> None:
    if came := _of(ClientCame, changes):
        _CLIENT.run(connection, [(c.id, c.host, c.platform, c.slots, c.pings, now) for c in came])
    if left := _of(ClientLeft, changes):
        _CLIENT_LEFT.run(connection, [(c.seconds, c.id) for c in left])
    if heard := _of(ClientHeard, changes):
        _CLIENT_HEARD.run(connection, [(now - c.ago, c.id) for c in heard])


def _tickets_issued(connection: Connection, changes: Sequence[TicketIssued], now: float) -> None:
    issued = _TICKET_STORED[TicketState.ISSUED]
    _TICKET.run(connection, [(c.id, c.task, c.client, c.host, issued, now, c.program) for c in changes])


def _tickets_ended(connection: Connection, changes: Iterable[TicketEnded]) -> None:
    if rows := [_ended(c, c.usage, c.failure) for c in changes]:
        _TICKET_ENDED.run(connection, rows)


def _ended(c: TicketEnded, used: Usage, failure: Failure | None) -> tuple[Any, ...]:
    code, reason = (failure.exit_code, failure.reason) if failure else (None, None)
    times = (used.wall, used.user, used.system)
    return (_TICKET_STORED[c.state], *times, used.memory, used.read, used.written, code, reason, c.id)


def _keep_logs(connection: Connection, changes: Iterable[TicketEnded]) -> None:
    said = [(c.id, c.stdout, c.stderr, _files(c.failure)) for c in changes]
    if kept := [one for one in said if any(one[1:]) or one[1] is None]:  # an empty stdout is no row, an unknown one is
        _LOG.run(connection, kept)


def _files(failure: Failure | None) -> str | None:
    return failure.files if failure else None


def _tasks_moved(
    connection: Connection, changes: Iterable[TaskMoved], with_results: Container[int], spec: int | None
) -> None:
    """Of each task the last word; one that waits again has the ticket of the word before, or the one that is stored.

    `with_results`: those that have a result now, made by this `spec`.
    """
    last: dict[int, tuple[TaskMoved, bool, int | None]] = {}  # with whether its ticket is told here, and which
    for c in changes:
        if c.state in _WAITS:
            _, told, ticket = last.get(c.number, (c, False, None))
            last[c.number] = (c, told, ticket)
        else:
            last[c.number] = (c, True, c.ticket)
    told_here = [(c, ticket) for c, told, ticket in last.values() if told]
    if ended := [(*_moved(c), ticket, spec, c.number) for c, ticket in told_here if c.number in with_results]:
        _TASK_ENDED.run(connection, ended)
    if moved := [(*_moved(c), ticket, c.number) for c, ticket in told_here if c.number not in with_results]:
        _TASK_MOVED.run(connection, moved)
    if waiting := [(*_moved(c), c.number) for c, told, _ in last.values() if not told]:
        _TASK_WAITS.run(connection, waiting)


def _moved(c: TaskMoved) -> tuple[Any, ...]:
    return STORED[c.state], c.attempts, c.lost, c.reason or None, json.dumps(c.faults) if c.faults else None


def keep_outputs(connection: Connection, results: Iterable[tuple[int, Sequence[Output]]]) -> None:
    """Outputs of sets; what is no result but kept beside them (`keep_output`) has a name that begins with a dash."""
    outputs, kept = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for number, found in results:
        for o in found:
            if o.name.startswith("-"):
                kept.append((number, o.name[1:], o.raw, o.file, o.size))
            else:
                outputs.append((number, o.name, o.value, o.raw, o.file, o.size, o.number))
    if outputs:
        _OUTPUT.run(connection, outputs)
    if kept:
        _KEPT.run(connection, kept)


def _spec(connection: Connection) -> int | None:
    """By which `results` of spe.yaml outputs are made now, where that is known."""
    spec = get_meta(connection, SPEC)
    return int(spec) if spec else None


def forget_replaced(connection: Connection, results: Sequence[TaskMoved], everywhere: bool = False) -> None:
    """New results come: what an earlier attempt of these sets left goes, in the same transaction.

    Almost always there is nothing, which a look at the rows of the sets tells: they are about to be written anyway.
    `everywhere`: also of sets that are not known to have had a result.
    """
    sets = {c.number for c in results}
    if sets and not everywhere and not get_meta(connection, "legacy"):  # before schema 6 nothing told of old outputs
        which = "SELECT number FROM tasks WHERE number IN (SELECT value FROM json_each(?)) AND spec IS NOT NULL"
        sets = {row[0] for row in connection.exec_driver_sql(which, (json.dumps(sorted(sets)),))}
    if not sets:
        return
    for table in ("kept", "gaps"):
        which = f"DELETE FROM {table} WHERE task IN (SELECT value FROM json_each(?))"
        connection.exec_driver_sql(which, (json.dumps(sorted(sets)),))
    stale = "DELETE FROM outputs WHERE task = ? AND name NOT IN (SELECT value FROM json_each(?))"
    rows = [(c.number, json.dumps([o.name for o in c.outputs])) for c in results if c.number in sets]
    connection.exec_driver_sql(stale, rows)


def forget_results(connection: Connection, numbers: Sequence[int]) -> None:
    """All that earlier attempts at these tasks left goes, so that no result is made of two attempts."""
    for table in ("outputs", "kept", "gaps"):
        statement = text(f"DELETE FROM {table} WHERE task IN (SELECT value FROM json_each(:numbers))")
        connection.execute(statement, {"numbers": json.dumps(list(numbers))})


def settle(connection: Connection, plan: int, decision: Decision) -> Settled:
    """What is to run again waits, with its row still in the table; today's program is remembered with it.

    One transaction: a run that is killed before it has decided nothing. `--fresh` also means finished sets that are
    none of today's, where another program has made them: when they come back, they run again.
    """
    set_meta(connection, "program", decision.parts)
    again = retried = 0
    if decision.keep:
        agreed = json.loads(get_meta(connection, "agreed", "{}"))
        set_meta(connection, "agreed", json.dumps({**agreed, str(decision.program): decision.before}))
    if decision.fresh:
        given: dict[str, Any] = {"plan": plan, "before": decision.before, "same": json.dumps(list(decision.same))}
        again = connection.execute(text(_RUN_AGAIN), given).rowcount
        set_meta(connection, "replacing", "1")
    if decision.fresh or decision.retry is not None:
        numbers = json.dumps(list(decision.retry)) if decision.retry and not decision.fresh else None
        given = {"plan": plan, "before": decision.before, "numbers": numbers}
        retried = connection.execute(text(_PUT_BACK), given).rowcount
    return Settled(again, retried)


def finished_by(connection: Connection, programs: Sequence[int], since: int) -> bool:
    """Whether any set has a result by one of these programs, of a ticket from `since` on."""
    given = {"programs": json.dumps(list(programs)), "since": since}
    return connection.execute(text(f"SELECT 1 {_FINISHED} LIMIT 1"), given).first() is not None


def finished_among(
    connection: Connection, keys: Sequence[bytes], programs: Sequence[int], since: int
) -> set[int]:  # fmt: skip
    """Which of these programs have made results of the sets with these keys, of tickets from `since` on."""
    connection.exec_driver_sql("CREATE TEMP TABLE IF NOT EXISTS asked (key BLOB PRIMARY KEY)")
    connection.exec_driver_sql("DELETE FROM temp.asked")
    connection.exec_driver_sql("INSERT OR IGNORE INTO temp.asked VALUES (?)", [(key,) for key in keys])
    given = {"programs": json.dumps(list(programs)), "since": since}
    statement = f"SELECT DISTINCT k.program {_FINISHED} AND t.key IN (SELECT key FROM temp.asked)"
    return {row[0] for row in connection.execute(text(statement), given)}


# Also those that have failed because today's `results` refuses what is stored: another one may take it again.
_FINISHED = (
    "FROM tasks t JOIN tickets k ON k.id = t.ticket WHERE t.state IN ('done', 'failed') AND k.id >= :since "
    "AND k.program IN (SELECT value FROM json_each(:programs))"
)
_BACK = "UPDATE tasks SET state = 'waiting', attempts = 0, lost = 0, faults = NULL, reason = NULL, collected = NULL"
_RUN_AGAIN = f"""{_BACK}
WHERE state = 'done' AND ticket < :before AND (plan = :plan OR NOT EXISTS (
  SELECT 1 FROM tickets k WHERE k.id = tasks.ticket AND k.program IN (SELECT value FROM json_each(:same))))
"""
# What has failed in this very run stays so.
_PUT_BACK = f"""{_BACK}, ticket = NULL
WHERE plan = :plan AND state IN ('failed', 'cancelled')
AND (:numbers IS NULL OR number IN (SELECT value FROM json_each(:numbers)))
AND NOT EXISTS (SELECT 1 FROM tickets k WHERE k.task = tasks.number AND k.id >= :before)
"""


def staged(connection: Connection) -> dict[int, dict[str, str]]:
    """The files that still have to get their places, by task."""
    found = connection.execute(text("SELECT task, moves FROM staged"))
    return {task: json.loads(moves) for task, moves in found}


def placed(connection: Connection, task: int) -> None:
    """The files of this task have got their places."""
    connection.execute(text("DELETE FROM staged WHERE task = :task"), {"task": task})


# -- result files that were removed


def kept_files(connection: Connection, after: tuple[int, str], limit: int) -> list[tuple[int, str, str]]:
    """(task, name, file) of results that are kept as files, in the order of the first two, beyond `after`."""
    query = text(
        "SELECT task, name, file FROM outputs WHERE file IS NOT NULL AND (task, name) > (:task, :name) "
        "ORDER BY task, name LIMIT :limit"
    )
    rows = connection.execute(query, {"task": after[0], "name": after[1], "limit": limit})
    return [(row[0], row[1], row[2]) for row in rows]


def lose(connection: Connection, tasks: Sequence[int]) -> None:
    """The files of these tasks are gone, and so their results: those that were done wait again."""
    which = {"tasks": json.dumps(list(tasks))}
    among = "IN (SELECT value FROM json_each(:tasks))"
    waits = "state = 'waiting', attempts = 0, lost = 0, faults = NULL, reason = NULL, collected = NULL"
    connection.execute(text(f"UPDATE tasks SET {waits} WHERE state = 'done' AND number {among}"), which)
    connection.execute(text(f"UPDATE tasks SET ticket = NULL WHERE number {among}"), which)
    forget_results(connection, tasks)
