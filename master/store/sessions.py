"""Runs and sessions in the store: their beginning and end, what a lost master has left."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

from ..dispatch import shortfall
from ..model import Task, TaskState, Ticket, TicketState
from ..record import record
from ..version import __version__
from .schema import get_meta, set_meta

#: True where something of an earlier result of a task is stored: a row in the table, what is left
#: of one, or files that are still to be removed.
REDONE = """
(tasks.ticket IS NOT NULL OR EXISTS (SELECT 1 FROM outputs WHERE task = tasks.number)
OR EXISTS (SELECT 1 FROM kept WHERE task = tasks.number)
OR EXISTS (SELECT 1 FROM staged WHERE task = tasks.number))
"""
#: meta: exit code and process of the last run, "" while it goes on or when it was killed.
END = "end"
#: meta: host -> why it was set aside at the end of the last run, as JSON; "" while it goes on.
ASIDE = "hosts_aside"
#: meta: `retry.after` of the last run in seconds.
RETRY_AFTER = "retry_after"
#: meta: the version of the spe that began the last run.
SPE = "spe"
#: meta: messages that were due in the last run, and what of them was sent, as JSON (notify/courier.py).
NOTIFIED = "notified"
_TICKETS = f"""
SELECT k.id, k.client, k.host, k.state, k.program,
  tasks.number, tasks.parameters, tasks.state, tasks.attempts, tasks.lost, tasks.faults, tasks.key,
  tasks.plan, {REDONE}
FROM tickets k JOIN tasks ON tasks.number = k.task
"""


@record
class KnownClient:
    """A client that has not left, as the store remembers it."""

    id: str
    host: str
    platform: str
    slots: int
    pings: bool


@record
class RunEnd:
    """The exit code with which the last run ended, and the number of its process."""

    code: int
    pid: int


def next_ids(connection: Connection) -> tuple[int, int]:
    """Return the next ticket and the next client, never used before in this sweep."""
    return _last_ticket(connection) + 1, _last_client(connection) + 1


def _last_ticket(connection: Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM tickets").fetchone()[0])


def _last_client(connection: Connection) -> int:
    # Client numbers are texts, of which 9 would be greater than 10.
    query = "SELECT coalesce(max(CAST(id AS INTEGER)), 0) FROM clients"
    return int(connection.execute(query).fetchone()[0])


def _closed(connection: Connection) -> int:
    """Return the last ticket of the sessions that have ended.

    No ticket up to it is out, so nobody looks for one there.
    """
    return int(get_meta(connection, "closed", "0"))


# -- the beginning and the end


def begin_run(
    connection: Connection, cores: int, resumed: bool, retry_after: float = 0.0
) -> None:
    """Begin to count anew, unless the run goes on with one that was killed. `cores`: of a task."""
    set_meta(connection, SPE, __version__)
    set_meta(connection, "cores", str(cores))
    set_meta(connection, RETRY_AFTER, str(retry_after))
    set_meta(connection, shortfall.META, "")
    set_meta(connection, END, "")
    set_meta(connection, ASIDE, "")
    if resumed:
        return
    close_session(connection)
    connection.execute("DELETE FROM hosts")
    set_meta(connection, NOTIFIED, "")
    set_meta(connection, "tickets_before", str(_closed(connection)))
    set_meta(connection, "clients_before", str(_last_client(connection)))


def close_session(connection: Connection) -> None:
    """End the session: tickets still out are lost, and so their tasks wait; clients have left."""
    out = "UPDATE tickets SET state = 'lost' WHERE id > ? AND state = 'issued'"
    connection.execute(out, (_closed(connection),))
    # A client was there until its last word, as far as anybody knows.
    here = """
    UPDATE clients SET seconds = max(0.0, coalesce(heard, since) - since) WHERE seconds IS NULL
    """
    connection.execute(here)
    set_meta(connection, "closed", str(_last_ticket(connection)))
    set_meta(connection, "out", "0")


def note_end(connection: Connection, end: RunEnd) -> None:
    """Store how this run ended."""
    set_meta(connection, END, json.dumps([end.code, end.pid]))


def read_end(connection: Connection) -> RunEnd | None:
    """Return how the last run ended.

    None when it goes on, was killed, or was one of a spe that did not store it.
    """
    stored = json.loads(get_meta(connection, END) or "null")
    return RunEnd(*stored) if stored else None


# -- what a master takes up again


def known_clients(connection: Connection) -> list[KnownClient]:
    """Return the clients that have not left."""
    query = "SELECT id, host, platform, slots, pings FROM clients WHERE seconds IS NULL"
    found = connection.execute(query).fetchall()
    return [
        KnownClient(id_, host, platform, slots, bool(pings))
        for id_, host, platform, slots, pings in found
    ]


def since_last_start(connection: Connection) -> float:
    """Return the seconds since the newest ticket was handed out; infinity before the first one."""
    found = connection.execute("SELECT issued FROM tickets ORDER BY id DESC LIMIT 1").fetchone()
    # A clock that was set back would make them negative.
    return max(0.0, time.time() - found[0]) if found else math.inf


def since_failures(connection: Connection, numbers: Sequence[int]) -> dict[int, float]:
    """Return the seconds since the last failed attempt of each of these sets that had one.

    The end of an attempt is computed from its hand-out and its duration: no other time is stored.
    """
    query = """
    SELECT task, max(issued + coalesce(seconds, 0.0)) FROM tickets
    WHERE task IN (SELECT value FROM json_each(?)) AND state IN ('failed', 'rejected')
    GROUP BY task
    """
    now = time.time()
    found = connection.execute(query, (json.dumps(list(numbers)),))
    return {task: max(0.0, now - ended) for task, ended in found}


def find(connection: Connection, ticket: int, plan: int | None) -> tuple[Ticket, Task] | None:
    """Return a ticket that the dispatch does not hold, with its task as it is now.

    `plan`: see `live`.
    """
    row = connection.execute(f"{_TICKETS} WHERE k.id = ?", (ticket,)).fetchone()
    return _pair(row, plan) if row else None


def live(connection: Connection, plan: int | None) -> list[tuple[Ticket, Task]]:
    """Return tickets that were out when the master went away, with their tasks.

    With them come lost tickets of clients that may come back, as long as their tasks are undone.
    `plan`: the present reading of the parameters, None before it has begun.
    """
    query = f"""
    {_TICKETS} WHERE k.id > ? AND (k.state = 'issued' OR (
      k.state = 'lost' AND tasks.state = 'waiting'
      AND k.client IN (SELECT id FROM clients WHERE seconds IS NULL)
    ))
    """
    rows = connection.execute(query, (_closed(connection),)).fetchall()
    return [_pair(row, plan) for row in rows]


def _pair(row: tuple[Any, ...], plan: int | None) -> tuple[Ticket, Task]:
    """Return a row of _TICKETS as a ticket and its task."""
    id_, client, host, ticket_state, program = row[:5]
    number, parameters, state, attempts, lost, faults, key, made_in, redone = row[5:]
    task = Task(
        number,
        json.loads(parameters),
        # The dispatch moves the task to running when it takes a live ticket back.
        TaskState(state),
        attempts,
        lost,
        faults_of(faults),
        key=key,
        # True once the present reading has come to the set: before, it may be one of today's or not.
        planned=plan is not None and made_in == plan,
        redone=bool(redone),
    )
    ticket = Ticket(id_, number, client, host, 0.0, TicketState(ticket_state), program=program)
    return ticket, task


def faults_of(text: str | None) -> dict[str, int]:
    """Return the column `faults` of a task: reason class -> attempts."""
    return json.loads(text) if text else {}
