"""Writes changes of the dispatch as SQL.

Each kind of change is one statement a transaction, however many changes there are.

writer.py says when. Beside the changes: outputs of sets, files on their way, notes of the run.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Any, TypeVar

from ..dispatch.changes import (
    Change,
    ClientCame,
    ClientHeard,
    ClientLeft,
    FilesStaged,
    TaskMoved,
    TasksOut,
    TicketEnded,
    TicketIssued,
)
from ..model import Kind, Output, TaskState, TicketState
from ..results.reading.numerals import typed
from .schema import EVENTS, get_meta, set_meta

C = TypeVar("C", bound=Change)
FILLED = 5000  # outputs of an older database that get their numbers in one transaction
SPEC = "spec"  # meta: row of `specs` of the results by which outputs are made now

#: A task that is out waits, for the store: its ticket tells that it is out, and a row less is
#: written for each task.
_STORED = {state: "waiting" if state is TaskState.RUNNING else state.value for state in TaskState}
_GIVEN_UP = (TaskState.FAILED, TaskState.CANCELLED)
_TICKET_STORED = {state: state.value for state in TicketState}

#: The beginning of a statement that lets tasks wait with all their attempts.
WAIT_AGAIN = """
UPDATE tasks SET
  state = 'waiting', attempts = 0, lost = 0, faults = NULL, reason = NULL, collected = NULL
"""
_ADD_CLIENT = """
INSERT INTO clients (id, host, platform, slots, pings, since) VALUES (?, ?, ?, ?, ?, ?)
"""
_ADD_TICKET = """
INSERT INTO tickets (id, task, client, host, state, issued, program)
VALUES (?, ?, ?, ?, 'issued', ?, ?)
"""
_END_TICKET = """
UPDATE tickets SET state = ?, seconds = ?, user = ?, system = ?, memory = ?, read = ?, written = ?,
exit_code = ?, reason = ? WHERE id = ?
"""
# A lost attempt whose result comes late ends a second time.
_ADD_LOG = "INSERT OR REPLACE INTO logs (ticket, stdout, stderr, files) VALUES (?, ?, ?, ?)"
_MOVE_TASK = """
UPDATE tasks SET state = ?, attempts = ?, lost = ?, reason = ?, faults = ?, ticket = ?
WHERE number = ?
"""
_END_TASK = """
UPDATE tasks SET state = ?, attempts = ?, lost = ?, reason = ?, faults = ?, ticket = ?, spec = ?
WHERE number = ?
"""
# Back to waiting, a set keeps its row in the table: an earlier result goes when a new one is there.
_PUT_BACK_TASK = """
UPDATE tasks SET state = ?, attempts = ?, lost = ?, reason = ?, faults = ? WHERE number = ?
"""
_ADD_OUTPUT = """
INSERT OR REPLACE INTO outputs (task, name, value, raw, file, size, number)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_ADD_KEPT = "INSERT OR REPLACE INTO kept (task, source, raw, file, size) VALUES (?, ?, ?, ?, ?)"


def apply(connection: Connection, changes: Sequence[Change], now: float) -> None:
    """Write the changes as if one after the other.

    Of each row the last word counts, so each is written once. `now`: seconds since 1970.
    """
    _write_clients(connection, changes, now)
    issued, ended = _of(TicketIssued, changes), _of(TicketEnded, changes)
    new = {change.id for change in issued}
    # Before new tickets, which count as retries by how the attempts before them have ended.
    _end_tickets(connection, [change for change in ended if change.id not in new])
    if issued:
        rows = [(c.id, c.task, c.client, c.host, now, c.program) for c in issued]
        connection.executemany(_ADD_TICKET, rows)
    _end_tickets(connection, [change for change in ended if change.id in new])
    _keep_logs(connection, ended)
    _move_tasks(connection, _of(TaskMoved, changes))
    staged = [(change.task, json.dumps(change.moves)) for change in _of(FilesStaged, changes)]
    if staged:
        connection.executemany("INSERT OR REPLACE INTO staged (task, moves) VALUES (?, ?)", staged)
    out = _of(TasksOut, changes)
    if out:
        set_meta(connection, "out", str(out[-1].count))


def _of(kind: type[C], changes: Iterable[Change]) -> list[C]:
    # `is` and not isinstance: no kind has kinds of its own, and there are millions of changes.
    return [change for change in changes if type(change) is kind]


def _write_clients(connection: Connection, changes: Sequence[Change], now: float) -> None:
    came = [(c.id, c.host, c.platform, c.slots, c.pings, now) for c in _of(ClientCame, changes)]
    if came:
        connection.executemany(_ADD_CLIENT, came)
    left = [(change.seconds, change.id) for change in _of(ClientLeft, changes)]
    if left:
        connection.executemany("UPDATE clients SET seconds = ? WHERE id = ?", left)
    heard = [(now - change.ago, change.id) for change in _of(ClientHeard, changes)]
    if heard:
        connection.executemany("UPDATE clients SET heard = ? WHERE id = ?", heard)


def _end_tickets(connection: Connection, changes: Sequence[TicketEnded]) -> None:
    # A ticket may end twice in one transaction: lost, and a late result. The last word counts.
    last = {change.id: change for change in changes}
    if last:
        connection.executemany(_END_TICKET, [_ended(change) for change in last.values()])


def _ended(change: TicketEnded) -> tuple[Any, ...]:
    """Return the values of _END_TICKET."""
    used, failure = change.usage, change.failure
    code = reason = None
    if failure:
        code, reason = failure.exit_code, failure.reason
    spent = (used.wall, used.user, used.system, used.memory, used.read, used.written)
    return (_TICKET_STORED[change.state], *spent, code, reason, change.id)


def _keep_logs(connection: Connection, changes: Iterable[TicketEnded]) -> None:
    rows = []
    for change in changes:
        files = change.failure.files if change.failure else None
        # An empty stdout is no row: most attempts print nothing. An unknown one is a row.
        if change.stdout or change.stdout is None or change.stderr or files:
            rows.append((change.id, change.stdout, change.stderr, files))
    if rows:
        connection.executemany(_ADD_LOG, rows)


def _move_tasks(connection: Connection, moved: Sequence[TaskMoved]) -> None:
    """Write states of tasks, and the outputs of those that have a result now."""
    if not moved:
        return
    spec = None
    if any(change.outputs for change in moved):
        stored = get_meta(connection, SPEC)
        spec = int(stored) if stored else None
    dropped: dict[int, TaskMoved] = {}  # results whose set is given up in the same transaction
    results: dict[int, TaskMoved] = {}
    given_up: list[int] = []
    for change in moved:
        if change.outputs:
            results[change.number] = change
        elif change.state in _GIVEN_UP:
            given_up.append(change.number)
            if change.number in results:
                dropped[change.number] = results.pop(change.number)
    _replace_outputs(connection, list(dropped.values()), spec)
    if given_up:
        forget_given_up(connection, given_up)
    _replace_outputs(connection, list(results.values()), spec)
    _write_states(connection, moved, {change.number for change in moved if change.outputs}, spec)


def _replace_outputs(
    connection: Connection, results: Sequence[TaskMoved], spec: int | None
) -> None:
    if results:
        forget_replaced(connection, results, everywhere=spec is None)
        keep_outputs(connection, [(change.number, change.outputs) for change in results])


def _write_states(
    connection: Connection,
    changes: Iterable[TaskMoved],
    with_results: Container[int],
    spec: int | None,
) -> None:
    """Write the last word about each task.

    `with_results`: those that have a result now, made by this `spec`. A task that waits again has
    the ticket of the word before, or the one that is stored.
    """
    last: dict[int, TaskMoved] = {}
    tickets: dict[int, int | None] = {}  # tickets of the tasks whose ticket is told here
    for change in changes:
        last[change.number] = change
        if change.state not in (TaskState.WAITING, TaskState.RUNNING):
            tickets[change.number] = change.ticket
    ended, moved, put_back = [], [], []
    for number, change in last.items():
        faults = json.dumps(change.faults) if change.faults else None
        counted = (_STORED[change.state], change.attempts, change.lost)
        values = (*counted, change.reason or None, faults)
        if number not in tickets:
            put_back.append((*values, number))
        elif number in with_results:
            ended.append((*values, tickets[number], spec, number))
        else:
            moved.append((*values, tickets[number], number))
    for statement, rows in ((_END_TASK, ended), (_MOVE_TASK, moved), (_PUT_BACK_TASK, put_back)):
        if rows:
            connection.executemany(statement, rows)


# -- outputs


def keep_outputs(connection: Connection, results: Iterable[tuple[int, Sequence[Output]]]) -> None:
    """Write outputs of sets.

    What is no result but kept beside them (`keep_output`) has a name that begins with a dash.
    """
    outputs = list[tuple[Any, ...]]()
    kept = list[tuple[Any, ...]]()
    for number, found in results:
        for one in found:
            if one.name.startswith("-"):
                kept.append((number, one.name[1:], one.raw, one.file, one.size))
            else:
                cell = (number, one.name, one.value)
                outputs.append((*cell, one.raw, one.file, one.size, one.number))
    if outputs:
        connection.executemany(_ADD_OUTPUT, outputs)
    if kept:
        connection.executemany(_ADD_KEPT, kept)


def forget_replaced(
    connection: Connection, results: Sequence[TaskMoved], everywhere: bool = False
) -> None:
    """Remove what an earlier attempt of these sets left, in the transaction of their new results.

    Almost always there is nothing, which a look at the rows of the sets tells: they are about to be
    written anyway. `everywhere`: also of sets that are not known to have had a result.
    """
    sets = {change.number for change in results}
    # In a database of before schema 6 nothing tells of old outputs.
    if sets and not everywhere and not get_meta(connection, "legacy"):
        which = """
        SELECT number FROM tasks
        WHERE number IN (SELECT value FROM json_each(?)) AND spec IS NOT NULL
        """
        sets = {row[0] for row in connection.execute(which, (json.dumps(sorted(sets)),))}
    if not sets:
        return
    numbers = (json.dumps(sorted(sets)),)
    connection.execute("DELETE FROM kept WHERE task IN (SELECT value FROM json_each(?))", numbers)
    connection.execute("DELETE FROM gaps WHERE task IN (SELECT value FROM json_each(?))", numbers)
    # Outputs of the same names are replaced by what is about to be written.
    stale = "DELETE FROM outputs WHERE task = ? AND name NOT IN (SELECT value FROM json_each(?))"
    replaced = [change for change in results if change.number in sets]
    rows = [
        (change.number, json.dumps([one.name for one in change.outputs])) for change in replaced
    ]
    connection.executemany(stale, rows)


def forget_results(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove all that earlier attempts at these tasks left.

    So no result is made of two attempts.
    """
    given = (json.dumps(list(numbers)),)
    for table in ("outputs", "kept", "gaps"):
        statement = f"DELETE FROM {table} WHERE task IN (SELECT value FROM json_each(?))"
        connection.execute(statement, given)


def forget_given_up(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove the earlier results of these sets, which have failed or are cancelled now.

    Their rows are gone from the table, so no file may pass for their result either: each is removed
    as soon as files are given their places.
    """
    with_files = """
    INSERT OR REPLACE INTO staged (task, moves)
    SELECT gone.value, '{}' FROM json_each(?) AS gone
    WHERE EXISTS (SELECT 1 FROM outputs WHERE task = gone.value AND file IS NOT NULL)
    OR EXISTS (SELECT 1 FROM kept WHERE task = gone.value AND file IS NOT NULL)
    """
    connection.execute(with_files, (json.dumps(list(numbers)),))
    forget_results(connection, numbers)


def fill_numbers(
    connection: Connection, name: str, kind: Kind, after: int, most: int = FILLED
) -> int | None:
    """Give a result of the next `most` tasks beyond number `after` the number that its text says.

    Returns the last of these tasks, None when there is none left.
    """
    texts = """
    SELECT task, value FROM outputs
    WHERE name = ? AND task > ? AND number IS NULL ORDER BY task LIMIT ?
    """
    found = connection.execute(texts, (name, after, most)).fetchall()
    numbers = [(typed(value, kind), task, name) for task, value in found]
    known = [row for row in numbers if row[0] is not None]
    if known:
        connection.executemany("UPDATE outputs SET number = ? WHERE task = ? AND name = ?", known)
    return found[-1][0] if found else None


# -- result files


def staged(connection: Connection) -> dict[int, dict[str, str]]:
    """Return the files that still have to get their places, by task."""
    found = connection.execute("SELECT task, moves FROM staged").fetchall()
    return {task: json.loads(moves) for task, moves in found}


def placed(connection: Connection, task: int) -> None:
    """Note that the files of this task have got their places."""
    connection.execute("DELETE FROM staged WHERE task = ?", (task,))


def kept_files(
    connection: Connection, after: tuple[int, str], limit: int
) -> list[tuple[int, str, str]]:
    """Return (task, name, file) of results that are kept as files, in the order of the first two.

    Up to `limit` of them, beyond (task, name) `after`.
    """
    query = """
    SELECT task, name, file FROM outputs
    WHERE file IS NOT NULL AND (task, name) > (?, ?) ORDER BY task, name LIMIT ?
    """
    return connection.execute(query, (*after, limit)).fetchall()


def lose(connection: Connection, tasks: Sequence[int]) -> None:
    """Forget the results of tasks whose files are gone: those that were done wait again."""
    numbers = (json.dumps(list(tasks)),)
    among = "number IN (SELECT value FROM json_each(?))"
    connection.execute(f"{WAIT_AGAIN} WHERE state = 'done' AND {among}", numbers)
    connection.execute(f"UPDATE tasks SET ticket = NULL WHERE {among}", numbers)
    forget_results(connection, tasks)


# -- notes of the run


def keep_command(connection: Connection, plan: int, command: str) -> None:
    """Store the command of a reading of the parameters, where it is another one than before."""
    add = """
    INSERT OR REPLACE INTO commands SELECT ?, ?
    WHERE ? IS NOT (SELECT command FROM commands ORDER BY plan DESC LIMIT 1)
    """
    connection.execute(add, (plan, command, command))


def keep_events(
    connection: Connection, events: Sequence[Mapping[str, Any]], most: int = EVENTS
) -> None:
    """Store notes of the run (events.py), and remove the oldest when there are too many."""
    names = ("time", "kind", "text", "host", "task")
    rows = [tuple(event.get(name) for name in names) for event in events]
    add = "INSERT INTO events (time, kind, text, host, task) VALUES (?, ?, ?, ?, ?)"
    connection.executemany(add, rows)
    connection.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (most,))
