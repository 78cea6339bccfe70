"""Sets on their way from their reading through the store into the dispatch, while others do other things."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desk.test_acts import acting, fail, say, states
from desk.test_desk import Office
from spe.desk import result_files
from spe.dispatch.changes import Decision
from spe.runner import feeding as feeding_module
from spe.runner.feeding import Feeding
from spe.state.progress import Progress
from spe.store.store import Store
from spe.sweep.sweep import Sweep, load
from waiting import wait_in_loop

SWEEP = "command: echo {{ x }}\nparameters: sets.txt\nresults: {y: stdout, out: {from: out.bin, as: file}}\n"


def sweep_of(tmp_path: Path, *values: str) -> Sweep:
    """A sweep whose sets stand in a file."""
    (tmp_path / "spe.yaml").write_text(SWEEP)
    write_sets(tmp_path, *values)
    return load(tmp_path)


def write_sets(tmp_path: Path, *values: str) -> None:
    (tmp_path / "sets.txt").write_text("\n".join(["x", *values, ""]))


@asynccontextmanager
async def run_in(folder: Path, **rules: Any) -> AsyncIterator[Office]:
    """What a run has before it reads its sets."""
    store = Store(folder / "sweep.db")
    try:
        made = Office(folder, store, await store.next_ids(), **rules)
        yield made
        await made.judging._hooks.close()
    finally:
        await asyncio.to_thread(store.close)


def feeding_of(at: Office, sweep: Sweep) -> Feeding:
    at.desk.work_maker.brief = replace(at.desk.brief, work=sweep.work, key=sweep.key)
    return Feeding(sweep, at.desk, Progress(quiet=True), Decision(1, "{}"))


class Slowly:
    """A store whose next answer is held back after it was made: what is asked later overtakes it."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self._call, self._held = store.call, False
        self.made, self.let = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(store, "call", self._answer)

    async def _answer(self, work: Callable[[Any], Any]) -> Any:
        mine, self._held = not self._held, True
        found = await self._call(work)
        if mine:
            self.made.set()
            await self.let.wait()
        return found


async def work_off(at: Office, feeding: Feeding, client: str) -> list[int]:
    """Do as a run and its clients until it is over: the tasks that were handed out, in their order."""
    done = list[int]()
    for _ in range(100):
        await feeding.feed()
        if at.dispatch.board.over:
            return done
        for ticket in await at.take(client, 2):
            done.append(at.dispatch.board.tickets[ticket].task)
            assert await at.desk.complete(client, ticket, at.parts("1")) == "accepted"
    raise AssertionError(f"it does not end: {done}")


@pytest.mark.parametrize("more", [0, 7])
def test_what_is_put_back_while_the_store_is_read_runs_in_this_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """`more`: how many sets the store has that have not come in. Either way what it says is of before the retry."""
    monkeypatch.setattr(feeding_module, "LOW", 1)
    monkeypatch.setattr(feeding_module, "WINDOW", 3)

    async def run() -> None:
        async with run_in(tmp_path, attempts=1) as at:
            feeding = feeding_of(at, sweep_of(tmp_path, *map(str, range(3 + more))))
            await feeding.read()
            client = await at.client("h")
            await feeding.feed()
            for _ in range(3):
                await fail(at, client)
            slowly = Slowly(at.store, monkeypatch)
            asked = asyncio.ensure_future(feeding.feed())
            await wait_in_loop(slowly.made.is_set, "the store has answered")
            assert await say(acting(at), "retry", tasks=[1, 3]) == "2 sets wait again"
            slowly.let.set()
            await asked
            again = await work_off(at, feeding, client)
            assert sorted(again) == [1, 3, *range(4, 4 + more)], "each of them once"
            assert states(at) == ["done", "failed", "done", *["done"] * more]

    asyncio.run(run())


def test_sets_that_are_stored_while_the_store_is_asked_for_more_are_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store had nothing, and when it had said so, all was stored: that is no reason to take this for the end."""

    async def run() -> None:
        async with run_in(tmp_path) as at:
            feeding = feeding_of(at, sweep_of(tmp_path, "a", "b", "c"))
            add = at.store.add_sets

            async def asked_before(sets: Any) -> None:
                """The store is asked when the reading has begun and none of its sets is there."""
                nonlocal asked
                if asked is None:
                    slowly.append(Slowly(at.store, monkeypatch))
                    asked = asyncio.ensure_future(feeding.feed())
                    await wait_in_loop(slowly[0].made.is_set, "the store has answered")
                await add(sets)

            asked: asyncio.Future[None] | None = None
            slowly = list[Slowly]()
            monkeypatch.setattr(at.store, "add_sets", asked_before)
            await feeding.read()
            assert asked is not None and not at.dispatch.board.over
            slowly[0].let.set()
            await asked
            assert sorted(await work_off(at, feeding, await at.client("h"))) == [1, 2, 3]

    asyncio.run(run())


def test_a_set_whose_files_are_being_kept_is_not_handed_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store knows of it only when its files are kept, and until then says that it waits."""
    begun, go = threading.Event(), threading.Event()
    keep: Callable[..., Any] = result_files.keep_files

    def slowly(*words: Any) -> Any:
        begun.set()
        assert go.wait(20)
        return keep(*words)

    monkeypatch.setattr(result_files, "keep_files", slowly)

    async def run() -> None:
        async with run_in(tmp_path, attempts=1) as at:
            feeding = feeding_of(at, sweep_of(tmp_path, "a", "b", "c"))
            await feeding.read()
            client = await at.client("h")
            await feeding.feed()
            (kept,) = await at.take(client)
            await fail(at, client)
            (runs,) = await at.take(client)
            await feeding.feed()
            assert not at.dispatch.board.more and not at.dispatch.board.over
            bringing = at.bring(kept, client=client)
            await wait_in_loop(begun.is_set, "its files are being kept")
            await say(acting(at), "retry", tasks=[2])  # so all is read from its beginning
            await feeding.feed()
            (again,) = await at.take(client, 2)
            assert at.dispatch.board.tickets[again].task == 2
            go.set()
            assert await bringing == "accepted"
            for ticket in (runs, again):
                assert await at.desk.complete(client, ticket, at.parts("1")) == "accepted"
            await feeding.feed()
            assert at.dispatch.board.over and states(at) == ["done"] * 3

    try:
        asyncio.run(run())
    finally:
        go.set()


def test_a_parameter_file_that_changes_while_it_is_read_is_read_again_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest was taken before and is that of the next run, too; the sets were those of another content."""
    digest = Sweep.plan_digest
    changes = iter([("a", "wrong")])

    def changed_after(sweep: Sweep) -> str:
        found = digest(sweep)
        write_sets(tmp_path, *next(changes, ("a", "wrong")))
        return found

    async def sets_of(sweep: Sweep) -> list[str]:
        async with run_in(tmp_path) as at:
            await feeding_of(at, sweep).read()
            return [task.values["x"] for _, task in await at.store.waiting(-1, 9)]

    async def run() -> None:
        sweep = sweep_of(tmp_path, "a", "b", "c")
        with monkeypatch.context() as patched:
            patched.setattr(Sweep, "plan_digest", changed_after)
            assert await sets_of(sweep) == ["a", "wrong"]
        assert await sets_of(sweep_of(tmp_path, "a", "b", "c")) == ["a", "b", "c"]

    asyncio.run(run())


def test_a_parameter_file_that_stays_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        for added in (3, 0):
            sweep, count = sweep_of(tmp_path, "a", "b", "c"), 0
            async with run_in(tmp_path) as at:
                add = at.store.add_sets

                async def counted(sets: Any, add: Callable[..., Any] = add) -> None:
                    nonlocal count
                    count += len(sets)
                    await add(sets)

                monkeypatch.setattr(at.store, "add_sets", counted)
                await feeding_of(at, sweep).read()
                assert [task.values["x"] for _, task in await at.store.waiting(-1, 9)] == ["a", "b", "c"]
            assert count == added

    asyncio.run(run())
