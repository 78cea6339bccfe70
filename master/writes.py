"""Changes as SQL: each kind in one statement a transaction, however many there are. When that is, is store.py's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, UpdateBase, bindparam, insert, text, update

from . import schema
from .changes import Change, ClientCame, ClientHeard, ClientLeft, TaskMoved, TicketEnded, TicketIssued
from .model import TaskState, TicketState

C = TypeVar("C", bound=Change)

_CLIENT, _TICKET = insert(schema.clients), insert(schema.tickets)
_CLIENT_IS = update(schema.clients).where(schema.clients.c.id == bindparam("b_id"))
_CLIENT_LEFT = _CLIENT_IS.values(seconds=bindparam("b_s"))
_CLIENT_HEARD = _CLIENT_IS.values(heard=bindparam("b_h"))
_TASK_RUNNING = (
    update(schema.tasks).where(schema.tasks.c.number == bindparam("b_task")).values(state=bindparam("b_state"))
)
_LOG, _OUTPUT = (insert(table).prefix_with("OR REPLACE") for table in (schema.logs, schema.outputs))


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
        _tasks_moved(connection, {c.number: c for c in moved}.values())
        _keep_outputs(connection, moved)
    if issued:
        _tasks_running(connection, changes)


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


@cache
def _compiled(statement: UpdateBase, keys: tuple[str, ...], dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    return str(compiled), compiled.positiontup


def _execute(connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """As connection.execute, at half its price: the statements are few, and the rows need no conversion."""
    text, order = _compiled(statement, tuple(rows[0]), connection.dialect)
    parameters = rows if order is None else [tuple(map(row.__getitem__, order)) for row in rows]
    connection.exec_driver_sql(text, list(parameters))


def _clients(connection: Connection, changes: Sequence[Change], now: float) -> None:
    if came := _of(ClientCame, changes):
        _client_came(connection, came, now)
    if left := _of(ClientLeft, changes):
        _client_left(connection, left)
    if heard := _of(ClientHeard, changes):
        _client_heard(connection, heard, now)


def _client_came(connection: Connection, changes: Sequence[ClientCame], now: float) -> None:
    rows = [
        {"id": c.id, "host": c.host, "platform": c.platform, "slots": c.slots, "pings": c.pings, "since": now}
        for c in changes
    ]
    _execute(connection, _CLIENT, rows)


def _client_left(connection: Connection, changes: Sequence[ClientLeft]) -> None:
    _execute(connection, _CLIENT_LEFT, [{"b_id": c.id, "b_s": c.seconds} for c in changes])


def _client_heard(connection: Connection, changes: Sequence[ClientHeard], now: float) -> None:
    _execute(connection, _CLIENT_HEARD, [{"b_id": c.id, "b_h": now - c.ago} for c in changes])


def _tickets_issued(connection: Connection, changes: Sequence[TicketIssued], now: float) -> None:
    issued = TicketState.ISSUED.value
    rows = [
        {"id": c.id, "task": c.task, "client": c.client, "host": c.host, "state": issued, "issued": now}
        for c in changes
    ]
    _execute(connection, _TICKET, rows)


def _tasks_running(connection: Connection, changes: Sequence[Change]) -> None:
    """Those whose last word is that a ticket was issued."""
    last = {
        c.task if isinstance(c, TicketIssued) else c.number: type(c) is TicketIssued
        for c in changes
        if isinstance(c, TicketIssued | TaskMoved)
    }
    running = [{"b_task": number, "b_state": TaskState.RUNNING.value} for number, runs in last.items() if runs]
    if running:
        _execute(connection, _TASK_RUNNING, running)


_TICKET_ENDED = (
    update(schema.tickets)
    .where(schema.tickets.c.id == bindparam("b_id"))
    .values(
        {
            name: bindparam(f"b_{name}")
            for name in ("state", "seconds", "user", "system", "memory", "exit_code", "reason")
        }
    )
)


def _tickets_ended(connection: Connection, changes: Iterable[TicketEnded]) -> None:
    rows = [
        {
            "b_id": c.id,
            "b_state": c.state.value,
            "b_seconds": round(c.usage.wall, 6),
            "b_user": round(c.usage.user, 6),
            "b_system": round(c.usage.system, 6),
            "b_memory": c.usage.memory,
            "b_exit_code": c.failure.exit_code if c.failure else None,
            "b_reason": c.failure.reason if c.failure else None,
        }
        for c in changes
    ]
    _execute(connection, _TICKET_ENDED, rows)


def _keep_logs(connection: Connection, changes: Iterable[TicketEnded]) -> None:
    kept = [{"ticket": c.id, "stdout": c.stdout, "stderr": c.stderr} for c in changes if c.stdout or c.stderr]
    if kept:
        _execute(connection, _LOG, kept)


_TASK_MOVED = (
    update(schema.tasks)
    .where(schema.tasks.c.number == bindparam("b_number"))
    .values({name: bindparam(f"b_{name}") for name in ("state", "attempts", "lost", "reason", "faults", "ticket")})
)


def _tasks_moved(connection: Connection, changes: Iterable[TaskMoved]) -> None:
    rows = [
        {
            "b_number": c.number,
            "b_state": c.state.value,
            "b_attempts": c.attempts,
            "b_lost": c.lost,
            "b_reason": c.reason or None,
            "b_faults": json.dumps(c.faults) if c.faults else None,
            "b_ticket": c.ticket,
        }
        for c in changes
    ]
    _execute(connection, _TASK_MOVED, rows)


def _keep_outputs(connection: Connection, changes: Iterable[TaskMoved]) -> None:
    outputs = [
        {"task": c.number, "name": o.name, "value": o.value, "raw": o.raw, "file": o.file, "size": o.size}
        for c in changes
        for o in c.outputs
    ]
    if outputs:
        _execute(connection, _OUTPUT, outputs)
