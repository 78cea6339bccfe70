"""The database moved, removed and replaced while commits come in: all that was acknowledged is there."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
from spe.model import Output, TaskState, TicketState, Usage
from spe.store import writer as committing
from spe.store.database_place import OpenDatabase
from spe.store.store import NewSet, Store
from waiting import wait_in_loop

LANES = 4


class Load:
    """Sets that are committed as done by several at once, until `stop`."""

    def __init__(self, store: Store) -> None:
        self.store, self.stopped = store, False
        self.acknowledged: list[int] = []

    async def lane(self, number: int) -> None:
        while not self.stopped:
            await self.store.commit([TicketIssued(number, number, "1", "h")])
            outputs = (Output("y", str(number)),)
            moved = TaskMoved(number, TaskState.DONE, 1, 0, "", number, {}, outputs)
            await self.store.commit([TicketEnded(number, TicketState.ACCEPTED, Usage(1.0)), moved])
            self.acknowledged.append(number)
            number += LANES

    async def more(self, count: int = 20) -> None:
        """Wait until so many more were acknowledged."""
        goal = len(self.acknowledged) + count
        await wait_in_loop(lambda: len(self.acknowledged) >= goal, "more is acknowledged")


async def under_load(path: Path, act: Callable[[Load, OpenDatabase], Awaitable[None]]) -> list[int]:
    """What was acknowledged before, during and after the act."""
    store = Store(path)
    await store.begin_plan(["x"], ["y"])
    database, load = OpenDatabase(path), Load(store)
    await store.add_sets([NewSet(n.to_bytes(16, "big"), n, {"x": str(n)}) for n in range(1, 20_000)])
    lanes = [asyncio.ensure_future(load.lane(1 + lane)) for lane in range(LANES)]
    try:
        await load.more()
        await act(load, database)
        await load.more()
    finally:
        load.stopped = True
        await asyncio.gather(*lanes)
        store.close()
        database.let_go()
    return load.acknowledged


async def go(load: Load, database: OpenDatabase, path: Path, how: str = "follow") -> None:
    await load.store.writer.go_to(path, database.follow if how == "follow" else database.write)
    database.opened(path)


def check(path: Path, acknowledged: list[int]) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = {row[0] for row in connection.execute("SELECT number FROM tasks WHERE state = 'done'")}
    values = dict(connection.execute("SELECT task, value FROM outputs").fetchall())
    connection.close()
    assert found >= set(acknowledged)
    assert all(values[number] == str(number) for number in acknowledged)


@pytest.fixture(params=["LOCAL", "REMOTE"], autouse=True)
def journal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As on a disk of this machine, and as on NFS."""
    if request.param == "REMOTE":
        monkeypatch.setattr(committing, "LOCAL", committing.REMOTE)
    return str(request.param)


def test_a_folder_that_is_moved_takes_its_database_along(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()

    async def act(load: Load, database: OpenDatabase) -> None:
        old.rename(new)
        await asyncio.sleep(0)
        assert database.where() == new / "sweep.db"
        await go(load, database, new / "sweep.db")
        (old / "nothing").parent.mkdir()  # from here on somebody else's

    acknowledged = asyncio.run(under_load(old / "sweep.db", act))
    assert list(old.iterdir()) == []  # not even a journal
    check(new / "sweep.db", acknowledged)
    assert [path.name for path in new.iterdir()] == ["sweep.db"]


def test_a_database_that_is_moved_alone_is_whole_where_it_is(tmp_path: Path) -> None:
    path, away = tmp_path / "sweep.db", tmp_path / "away.db"

    async def act(load: Load, database: OpenDatabase) -> None:
        path.rename(away)
        await go(load, database, away)

    check(away, asyncio.run(under_load(path, act)))
    assert [one.name for one in tmp_path.iterdir()] == ["away.db"]


def test_a_database_that_is_removed_is_written_back(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"

    async def act(load: Load, database: OpenDatabase) -> None:
        for one in tmp_path.iterdir():
            one.unlink(missing_ok=True)
        assert database.where() is None
        await go(load, database, path, "write")

    check(path, asyncio.run(under_load(path, act)))
    assert [one.name for one in tmp_path.iterdir()] == ["sweep.db"]


def test_a_log_that_stays_when_its_database_is_removed_does_not_come_into_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sweep.db"

    rename = os.rename

    def renamed(source: Path, target: Path) -> None:
        beside = {one.name for one in tmp_path.iterdir() if one.name.startswith("sweep.db")}
        assert beside <= {"sweep.db"}  # a crash now, and it would be played
        rename(source, target)

    async def act(load: Load, database: OpenDatabase) -> None:
        monkeypatch.setattr("spe.store.database_place.os.rename", renamed)
        path.unlink()
        if committing.LOCAL is not committing.REMOTE:  # which cannot commit by now
            await load.more()
        await go(load, database, path, "write")

    check(path, asyncio.run(under_load(path, act)))


def test_what_was_put_in_its_place_is_moved_aside_as_it_is(tmp_path: Path) -> None:
    path, foreign = tmp_path / "sweep.db", tmp_path / "foreign"
    foreign.write_text("mine")

    async def act(load: Load, database: OpenDatabase) -> None:
        os.replace(foreign, path)
        await go(load, database, path, "write")
        assert [one.read_text() for one in database.aside] == ["mine"]

    check(path, asyncio.run(under_load(path, act)))


def test_a_place_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sweep.db"

    async def act(load: Load, database: OpenDatabase) -> None:
        with pytest.raises((OSError, sqlite3.Error)):
            await load.store.writer.go_to(tmp_path / "nowhere" / "sweep.db", database.write)

    check(path, asyncio.run(under_load(path, act)))


@pytest.mark.parametrize("journal", ["REMOTE"], indirect=True)  # only that one is opened by the database's name
def test_a_commit_that_fails_as_its_database_was_moved_waits_and_is_made_at_the_new_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "PAUSE", 0.05)
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()

    async def act(load: Load, database: OpenDatabase) -> None:
        stalled: list[str] = []
        load.store.disk.complain = stalled.append
        old.rename(new)
        await wait_in_loop(lambda: stalled, "a commit waits")
        more = asyncio.ensure_future(load.more(1))
        assert not (await asyncio.wait([more], timeout=0.5))[0]
        await go(load, database, new / "sweep.db")
        await more

    check(new / "sweep.db", asyncio.run(under_load(old / "sweep.db", act)))


def test_a_move_in_the_middle_of_a_transaction_undoes_nothing(tmp_path: Path) -> None:
    """A rollback journal goes along, and SQLite removes it by the name of before: one that stays would be played."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    store = Store(old / "sweep.db")

    async def run() -> None:
        await store.begin_plan(["x"], ["y"])
        database, stalled = OpenDatabase(old / "sweep.db"), list[str]()
        store.disk.complain = stalled.append

        def write_and_move(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO meta (key, value) VALUES ('told', 'yes')")
            if old.exists():  # not when it is tried again
                old.rename(new)

        writing = asyncio.ensure_future(store.call(write_and_move))
        await wait_in_loop(new.exists, "it is moved")
        if committing.LOCAL is committing.REMOTE:
            await wait_in_loop(lambda: stalled, "it could not be finished")
        await store.writer.go_to(new / "sweep.db", database.follow)
        await writing
        assert await store.meta("told") == "yes"
        database.let_go()

    asyncio.run(run())
    store.close()
    connection = sqlite3.connect(new / "sweep.db")
    assert connection.execute("SELECT value FROM meta WHERE key = 'told'").fetchone() == ("yes",)
    connection.close()
    assert [path.name for path in new.iterdir()] == ["sweep.db"] and not old.exists()
