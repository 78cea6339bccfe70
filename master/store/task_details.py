"""Reads a set in full: its attempts, what they printed, what is stored of its result."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from ..errors import UsageError
from ..model import Output, ResultSpec, TaskState, TicketState
from ..record import record
from ..results.extraction import STDOUT, Evidence
from ..results.leftovers import Leftovers, parse
from .stored import kept_of

_LAST = 2**63 - 1  # SQLite has no larger number


@record
class TicketRow:
    """An attempt, with what is kept of its output."""

    id: int
    host: str
    state: str
    issued: float
    seconds: float | None
    cpu: float | None
    memory: int | None
    read: int | None
    written: int | None
    exit_code: int | None
    reason: str | None
    stdout: bytes
    stderr: bytes
    files: Leftovers | None  # files in the directory of a failed attempt


@record
class TaskDetail:
    """Everything about one set."""

    number: int
    key: bytes  # its identity
    values: dict[str, str]
    state: TaskState
    attempts: int
    lost: int
    reason: str | None
    tickets: tuple[TicketRow, ...]
    outputs: tuple[Output, ...]
    in_plan: bool
    successor: int | None  # the set of the last run with its parameters, where it is none itself
    accepted_ticket: int | None  # the one whose result is kept
    program: (
        dict[str, str] | None
    )  # program of the accepted attempt: file -> SHA-256; None: not recorded
    last_program: dict[str, str] | None  # the same of the last attempt
    command: str  # text of the recipe that it was made from, see earlier/kept_command.py; "": not recorded
    kept: tuple[Evidence, ...] = ()  # what its program wrote and no result of today is made of
    origins: Mapping[str, str] = field(default_factory=dict)  # result -> what it was read from

    @property
    def is_refused(self) -> bool:
        """True when it has failed only because today's `results` refuses what is stored of it."""
        if self.state is not TaskState.FAILED or self.accepted_ticket is None:
            return False
        states = {one.id: one.state for one in self.tickets}
        return states.get(self.accepted_ticket) == TicketState.ACCEPTED

    def stdout_of(self, ticket: TicketRow) -> bytes:
        """Return what an attempt printed to stdout.

        Where a result was read from that, it is stored once: with the result, not with the attempt.
        """
        if ticket.stdout or ticket.id != self.accepted_ticket:
            return ticket.stdout
        for output in self.outputs:
            if self.origin(output) == STDOUT and not output.file:
                return output.content
        kept = (one.raw for one in self.kept if one.source == STDOUT and not one.file)
        return next(kept, None) or b""

    def origin(self, output: Output) -> str:
        """Return what a result was read from."""
        # Rows of earlier versions do not tell it.
        return self.origins.get(output.name, output.name)

    @property
    def last_run(self) -> TicketRow | None:
        """The attempt of the table, else the last one that began; None where none did."""
        ran = [one for one in self.tickets if one.state != TicketState.EXPIRED or one.stdout or one.stderr]
        accepted = [one for one in ran if one.id == self.accepted_ticket]
        return next(reversed(accepted or ran), None)

    @property
    def absence(self) -> str:
        """Why it is none of today's sets, in words that follow "it is"; "" for one that is."""
        if self.in_plan:
            return ""
        if self.successor:
            return f"of an earlier command or inputs; its parameters are those of task {self.successor} now"
        return "not among the parameters of the last run"


def read_task(
    connection: sqlite3.Connection,
    number: int,
    plan: int,
    outputs: Sequence[Output],
    specs: Mapping[int, Sequence[ResultSpec]],
) -> TaskDetail:
    """Return everything about one set.

    `outputs`: what is stored of its result, `plan`: today's, `specs`: all `results` that there were.
    Raises UsageError when there is no such number.
    """
    query = """
    SELECT parameters, state, attempts, lost, reason, ticket, plan, key, spec
    FROM tasks WHERE number = ?
    """
    row = None
    if 0 < number <= _LAST:
        row = connection.execute(query, (number,)).fetchone()
    if row is None:
        (last,) = connection.execute("SELECT max(number) FROM tasks").fetchone()
        todo = f"The numbers go from 1 to {last or 0}."
        raise UsageError(f"there is no task {number}", todo=todo)
    parameters, stored_state, attempts, lost, reason, ticket, made_in, key, spec = row
    tickets = tuple(_tickets(connection, number))
    state = TaskState(stored_state)
    # To the store, a task that is out waits: its ticket tells that it runs.
    if state is TaskState.WAITING and any(one.state == TicketState.ISSUED for one in tickets):
        state = TaskState.RUNNING
    return TaskDetail(
        number=number,
        key=key,
        values=json.loads(parameters),
        state=state,
        attempts=attempts,
        lost=lost,
        reason=reason,
        tickets=tickets,
        # Without a ticket they are what is left of a result that is no result any more.
        outputs=tuple(outputs) if ticket else (),
        in_plan=made_in == plan,
        successor=None if made_in == plan else _successor(connection, plan, parameters),
        accepted_ticket=ticket,
        program=_program(connection, ticket),
        last_program=_program(connection, tickets[-1].id if tickets else None),
        command=_command(connection, made_in),
        kept=tuple(kept_of(connection, json.dumps([number])).get(number, {}).values()),
        origins={one.name: one.origin for one in specs.get(spec, ())},
    )


def _successor(connection: sqlite3.Connection, plan: int, parameters: str) -> int | None:
    query = "SELECT number FROM tasks WHERE plan = ? AND parameters = ? LIMIT 1"
    row = connection.execute(query, (plan, parameters)).fetchone()
    return int(row[0]) if row else None


def _command(connection: sqlite3.Connection, plan: int) -> str:
    # A database of schema 6 may be older than this table.
    known = "SELECT 1 FROM sqlite_master WHERE name = 'commands'"
    if not connection.execute(known).fetchone():
        return ""
    query = "SELECT command FROM commands WHERE plan <= ? ORDER BY plan DESC LIMIT 1"
    row = connection.execute(query, (plan,)).fetchone()
    return str(row[0]) if row else ""


def _program(connection: sqlite3.Connection, ticket: int | None) -> dict[str, str] | None:
    query = "SELECT p.parts FROM programs p JOIN tickets k ON k.program = p.id WHERE k.id = ?"
    row = connection.execute(query, (ticket,)).fetchone()
    return json.loads(row[0]) if row else None


def _tickets(connection: sqlite3.Connection, task: int) -> Iterator[TicketRow]:
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    query = """
    SELECT k.*, l.stdout, l.stderr, l.files
    FROM tickets k LEFT JOIN logs l ON l.ticket = k.id WHERE k.task = ? ORDER BY k.id
    """
    for row in cursor.execute(query, (task,)):
        yield _ticket_row(row)


def _ticket_row(row: Any) -> TicketRow:
    return TicketRow(
        id=row["id"],
        host=row["host"],
        state=row["state"],
        issued=row["issued"],
        seconds=row["seconds"],
        cpu=None if row["user"] is None else row["user"] + row["system"],
        memory=row["memory"],
        read=row["read"],
        written=row["written"],
        exit_code=row["exit_code"],
        reason=row["reason"],
        stdout=row["stdout"] or b"",
        stderr=row["stderr"] or b"",
        files=parse(row["files"] or ""),
    )
