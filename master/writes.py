"""Changes as SQL: each kind in one statement a transaction, however many there are. committing.py says when."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Table, UpdateBase, bindparam, insert, text, update

from . import schema
from .changes import Change, ClientCame, ClientHeard, ClientLeft, TaskMoved, TasksOut, TicketEnded, TicketIssued, Usage
from .model import Failure, Output, TaskState, TicketState
from .record import record

C = TypeVar("C", bound=Change)
SPEC = "spec"  # meta: row of `specs` of the results by which outputs are made now
#: A task that is out waits, for the store: its ticket tells that it is out, and one row less is written for each task.
STORED = {state: "waiting" if state is TaskState.RUNNING else state.value for state in TaskState}
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
_TICKET = _insert(schema.tickets, "id", "task", "client", "host", "state", "issued")
_TICKET_ENDED = _update(
    schema.tickets, "id", "state", "seconds", "user", "system", "memory", "read", "written", "exit_code", "reason"
)
_LOG = _insert(schema.logs, "ticket", "stdout", "stderr", "files", replace=True)
_TASK_MOVED = _update(schema.tasks, "number", "state", "attempts", "lost", "reason", "faults", "ticket")
_TASK_ENDED = _update(schema.tasks, "number", "state", "attempts", "lost", "reason", "faults", "ticket", "spec")
_OUTPUT = _insert(schema.outputs, "task", "name", "value", "raw", "file", "size", replace=True)
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
    issued = _of(TicketIssued, changes)
    if issued:
        _tickets_issued(connection, issued, now)
    ended = _of(TicketEnded, changes)
    if ended:
        _tickets_ended(connection, {c.id: c for c in ended}.values())
        _keep_logs(connection, ended)
    moved = _of(TaskMoved, changes)
    if moved:
        results = list({c.number: c for c in moved if c.outputs}.values())
        spec = _spec(connection) if results else None
        forget_replaced(connection, results, everywhere=spec is None)
        _tasks_moved(connection, {c.number: c for c in moved}.values(), {c.number for c in results}, spec)
        keep_outputs(connection, [(c.number, c.outputs) for c in results])
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
    _TICKET.run(connection, [(c.id, c.task, c.client, c.host, issued, now) for c in changes])


def _tickets_ended(connection: Connection, changes: Iterable[TicketEnded]) -> None:
    _TICKET_ENDED.run(connection, [_ended(c, c.usage, c.failure) for c in changes])


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
    connection: Connection, changes: Iterable[TaskMoved], ended: Container[int], spec: int | None
) -> None:
    """`ended`: those that have a result now, made by this `spec`."""
    moved, with_results = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for c in changes:
        row = _moved(c, json.dumps(c.faults) if c.faults else None)
        if c.number in ended:
            with_results.append((*row, spec, c.number))
        else:
            moved.append((*row, c.number))
    if moved:
        _TASK_MOVED.run(connection, moved)
    if with_results:
        _TASK_ENDED.run(connection, with_results)


def _moved(c: TaskMoved, faults: str | None) -> tuple[Any, ...]:
    return STORED[c.state], c.attempts, c.lost, c.reason or None, faults, c.ticket


def keep_outputs(connection: Connection, results: Iterable[tuple[int, Sequence[Output]]]) -> None:
    """Outputs of sets; what is no result but kept beside them (`keep_output`) has a name that begins with a dash."""
    outputs, kept = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for number, found in results:
        for o in found:
            if o.name.startswith("-"):
                kept.append((number, o.name[1:], o.raw, o.file, o.size))
            else:
                outputs.append((number, o.name, o.value, o.raw, o.file, o.size))
    if outputs:
        _OUTPUT.run(connection, outputs)
    if kept:
        _KEPT.run(connection, kept)


def _spec(connection: Connection) -> int | None:
    """By which `results` of spe.yaml outputs are made now, where that is known."""
    spec = _meta(connection, SPEC)
    return int(spec) if spec else None


def forget_replaced(connection: Connection, results: Sequence[TaskMoved], everywhere: bool = False) -> None:
    """New results come: what an earlier attempt of these sets left goes, in the same transaction.

    Almost always there is nothing, which a look at the rows of the sets tells: they are about to be written anyway.
    `everywhere`: also of sets that are not known to have had a result.
    """
    sets = {c.number for c in results}
    if sets and not everywhere and not _meta(connection, "legacy"):  # before schema 6 nothing told of old outputs
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


def _meta(connection: Connection, key: str) -> str | None:
    value: str | None = connection.exec_driver_sql("SELECT value FROM meta WHERE key = ?", (key,)).scalar()
    return value
