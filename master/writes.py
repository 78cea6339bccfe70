"""Changes as SQL: each kind in one statement a transaction, however many there are. When that is, is store.py's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from . import schema
from .changes import Change, ClientCame, ClientHeard, ClientLeft, TaskMoved, TicketEnded, TicketIssued
from .model import TaskState, TicketState


def apply(connection: Connection, changes: Sequence[Change], now: float) -> None:
    """Write the changes, in their order; runs of one kind go in one statement."""
    start = 0
    while start < len(changes):
        kind = type(changes[start])
        end = start
        while end < len(changes) and type(changes[end]) is kind:
            end += 1
        _WRITERS[kind](connection, changes[start:end], now)
        start = end


def _client_came(connection: Connection, changes: Sequence[ClientCame], now: float) -> None:
    rows = [
        {"id": c.id, "host": c.host, "platform": c.platform, "slots": c.slots, "pings": c.pings, "since": now}
        for c in changes
    ]
    connection.execute(insert(schema.clients), rows)


def _client_left(connection: Connection, changes: Sequence[ClientLeft], now: float) -> None:
    statement = update(schema.clients).where(schema.clients.c.id == bindparam("b_id")).values(seconds=bindparam("b_s"))
    connection.execute(statement, [{"b_id": c.id, "b_s": c.seconds} for c in changes])


def _client_heard(connection: Connection, changes: Sequence[ClientHeard], now: float) -> None:
    statement = update(schema.clients).where(schema.clients.c.id == bindparam("b_id")).values(heard=bindparam("b_h"))
    connection.execute(statement, [{"b_id": c.id, "b_h": now - c.ago} for c in changes])


def _ticket_issued(connection: Connection, changes: Sequence[TicketIssued], now: float) -> None:
    issued = TicketState.ISSUED.value
    rows = [
        {"id": c.id, "task": c.task, "client": c.client, "host": c.host, "state": issued, "issued": now}
        for c in changes
    ]
    connection.execute(insert(schema.tickets), rows)
    running = update(schema.tasks).where(schema.tasks.c.number == bindparam("b_task"))
    connection.execute(running.values(state=TaskState.RUNNING.value), [{"b_task": c.task} for c in changes])


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


def _ticket_ended(connection: Connection, changes: Sequence[TicketEnded], now: float) -> None:
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
    connection.execute(_TICKET_ENDED, rows)
    kept = [{"ticket": c.id, "stdout": c.stdout, "stderr": c.stderr} for c in changes if c.stdout or c.stderr]
    if kept:
        connection.execute(insert(schema.logs).prefix_with("OR REPLACE"), kept)


_TASK_MOVED = (
    update(schema.tasks)
    .where(schema.tasks.c.number == bindparam("b_number"))
    .values({name: bindparam(f"b_{name}") for name in ("state", "attempts", "lost", "reason", "faults", "ticket")})
)


def _task_moved(connection: Connection, changes: Sequence[TaskMoved], now: float) -> None:
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
    connection.execute(_TASK_MOVED, rows)
    outputs = [
        {"task": c.number, "name": o.name, "value": o.value, "raw": o.raw, "file": o.file, "size": o.size}
        for c in changes
        for o in c.outputs
    ]
    if outputs:
        connection.execute(insert(schema.outputs).prefix_with("OR REPLACE"), outputs)


_WRITERS: dict[type, Callable[[Connection, Any, float], None]] = {
    ClientCame: _client_came,
    ClientLeft: _client_left,
    ClientHeard: _client_heard,
    TicketIssued: _ticket_issued,
    TicketEnded: _ticket_ended,
    TaskMoved: _task_moved,
}
