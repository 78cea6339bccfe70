"""Sets that are added to a running sweep, in the store."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from spe.dispatch.changes import Decision
from spe.model import TaskState
from spe.store.decisions import Adder
from spe.store.store import NewSet, Store


def finished_by(path: Path, program: int) -> None:
    """Store a finished set of an earlier reading, key b"old", whose result this program has made."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO tasks (key, plan, position, parameters, state, attempts, lost, ticket) "
            "VALUES (?, 0, 0, '{}', 'done', 1, 0, 1)", (b"old",)
        )  # fmt: skip
        connection.execute(
            "INSERT INTO tickets (id, task, client, host, state, issued, program) "
            "SELECT 1, number, '1', 'h', 'accepted', 0, ? FROM tasks", (program,)
        )  # fmt: skip


@pytest.mark.parametrize(
    ("made_by", "more", "came", "others"),
    [
        (1, {}, {TaskState.DONE: 1}, 0),
        (2, {}, {}, 1),
        (2, {"keep": True}, {TaskState.DONE: 1}, 0),
        (2, {"fresh": True, "before": 9}, {TaskState.WAITING: 1}, 0),
        (1, {"fresh": True, "before": 1}, {TaskState.DONE: 1}, 0),
    ],
)
def test_a_result_of_another_program_comes_back_only_where_people_have_said_so(
    tmp_path: Path, made_by: int, more: dict[str, int], came: dict[TaskState, int], others: int
) -> None:
    async def add() -> None:
        store = Store(tmp_path / "sweep.db")
        await store.begin_plan(["x"], ["stdout"], "digest")
        finished_by(tmp_path / "sweep.db", made_by)
        added = await store.add_to_todays([(b"old", {})], Decision(1, "{}", [1], **more))  # type: ignore[arg-type]
        assert (dict(added.came), added.others) == (came, others)
        store.close()

    asyncio.run(add())


def test_a_column_that_a_new_set_makes_a_text_is_no_number_any_more(tmp_path: Path) -> None:
    async def add() -> None:
        store = Store(tmp_path / "sweep.db")
        await store.begin_plan(["x"], ["stdout"], "digest", ["x"])
        await store.add_sets([NewSet(b"1", 0, {"x": "1"})])
        await store.end_plan("digest")
        await store.add_to_todays([(b"2", {"x": "a"})], Decision(1, "{}"))
        await store.end_adding(Adder("null", "other", "parameters", ()), {})
        assert await store.meta("numeric") == "[]"
        assert await store.begin_plan(["x"], ["stdout"], "other") is False
        assert await store.count() == {TaskState.WAITING: 2}
        store.close()

    asyncio.run(add())
