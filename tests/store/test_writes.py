"""Changes written together leave the same rows as changes written one after the other."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from spe.dispatch.changes import (
    Change,
    ClientCame,
    ClientHeard,
    ClientLeft,
    TaskMoved,
    TasksOut,
    TicketEnded,
    TicketIssued,
)
from spe.model import Failure, Output, TaskState, TicketState, Usage
from spe.store import writes
from spe.store.database import transaction
from spe.store.store import NewSet, Store

TASKS = 3
TABLES = ("tasks", "tickets", "logs", "outputs", "clients", "meta")
numbers = st.integers(1, TASKS)
texts = st.sampled_from([b"", b"a", b"b"])


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """What a dispatch might say: a ticket is issued before it ends, a client came before it left."""
    changes: list[Change] = [ClientCame("1", "h", "", 2, True)]
    issued: list[int] = []
    for _ in range(draw(st.integers(1, 25))):
        kind = draw(st.sampled_from(["issue", "issue", "end", "move", "move", "heard", "left", "out"]))
        if kind == "issue":
            issued.append(len(issued) + 1)
            changes.append(TicketIssued(issued[-1], draw(numbers), "1", "h"))
        elif kind == "end" and issued:
            changes.append(_ended(draw, draw(st.sampled_from(issued))))
        elif kind == "move":
            changes.append(_moved(draw))
        elif kind == "out":
            changes.append(TasksOut(draw(st.integers(0, 9))))
        elif kind == "heard":
            changes.append(ClientHeard("1", draw(st.floats(0, 9))))
        elif kind == "left":
            changes.append(ClientLeft("1", draw(st.floats(0, 9))))
    return changes


def _ended(draw: st.DrawFn, ticket: int) -> TicketEnded:
    failure = draw(st.sampled_from([None, Failure("exit:1", "no", 1), Failure("exit:1", "no", 1, files="1 a\n+0\n")]))
    state, used = draw(st.sampled_from(TicketState)), Usage(draw(st.floats(0, 100)), read=draw(st.integers(0, 9)))
    return TicketEnded(ticket, state, used, failure, draw(texts), draw(texts))


def _moved(draw: st.DrawFn) -> TaskMoved:
    outputs = tuple(Output(name, draw(st.sampled_from("xy"))) for name in draw(st.sampled_from(["", "a", "ab"])))
    state, ticket, reason = (draw(st.sampled_from(of)) for of in (TaskState, [None, 1, 2], ["", "r"]))
    return TaskMoved(draw(numbers), state, draw(st.integers(0, 3)), 0, reason, ticket, {}, outputs)


def rows_after(changes: Sequence[Change], pieces: Sequence[Sequence[Change]]) -> dict[str, list[tuple[object, ...]]]:
    """All rows after these pieces were each written at once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.db"
        store = Store(path)
        try:
            with transaction(store.writer.connection):
                sets = [NewSet(bytes([n] * 16), n, {"x": str(n)}) for n in range(1, TASKS + 1)]
                for one in sets:
                    store.writer.connection.execute(
                        "INSERT INTO tasks (number, key, plan, position, parameters, state, attempts, lost) "
                        "VALUES (?, ?, 1, ?, '{}', 'waiting', 0, 0)", (one.position, one.key, one.position),
                    )  # fmt: skip
                for piece in pieces:
                    writes.apply(store.writer.connection, piece, 1000.0)
        finally:
            store.close()
        connection = sqlite3.connect(path)
        found = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}
        connection.close()
        return found


@settings(max_examples=60, deadline=None)
@given(histories())
def test_together_is_the_same_as_one_after_the_other(changes: list[Change]) -> None:
    assert rows_after(changes, [changes]) == rows_after(changes, [[one] for one in changes])
