"""The gather hook: called once for each accepted set, also for those of earlier runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
from spe.hooks.hooks import Hooks
from spe.model import Failure, Output, ResultSpec, TaskState, TicketState, Usage
from spe.runner.gathering import PAGE, Gathering, view
from spe.store.reader import Reader
from spe.store.store import NewSet, Store

HOOK = """
def gather(task, result):
    with open({log!r}, "a") as file:
        file.write(f"{{task.number}}\\n")
    if task.number == 3:
        raise ValueError("three")
"""


def accept(number: int) -> list[object]:
    moved = TaskMoved(number, TaskState.DONE, 1, 0, "", number, {}, (Output("y", "1"),))
    return [TicketIssued(number, number, "1", "h"), TicketEnded(number, TicketState.ACCEPTED, Usage(1.0)), moved]


def gathered(folder: Path, work: Callable[[Store, Gathering], object]) -> tuple[list[int], Gathering]:
    """The numbers in the order in which the hook was called, and the gathering."""
    (folder / "hooks.py").write_text(HOOK.format(log=str(folder / "log")))

    async def run() -> Gathering:
        store = Store(folder / "sweep.db")
        hooks = Hooks(folder, (ResultSpec("y"),), (), ("hooks.py:gather",))
        try:
            gathering = Gathering(hooks, store, folder, ["hooks.py:gather"])
            await work(store, gathering)  # type: ignore[misc]
            return gathering
        finally:
            await hooks.close()
            await asyncio.to_thread(store.close)

    gathering = asyncio.run(run())
    log = folder / "log"
    return [int(line) for line in log.read_text().split()] if log.exists() else [], gathering


async def fill(store: Store, count: int) -> None:
    await store.begin_plan(["x"], ["y"])
    await store.add_sets([NewSet(n.to_bytes(16, "big"), n, {"x": str(n)}) for n in range(count)])


def test_what_an_earlier_run_left_is_called_once_and_what_it_called_is_not(tmp_path: Path) -> None:
    count = PAGE + 20

    async def work(store: Store, gathering: Gathering) -> None:
        await fill(store, count)
        await store.commit([c for n in range(1, count + 1) for c in accept(n)])  # type: ignore[misc]
        for number in range(5, PAGE):
            await store.mark_collected(number, well=True)
        await gathering.begin()
        gathering.add([1, 2])  # accepted by clients that came while this began
        await fill(store, count)  # and only now are today's parameters read
        await gathering.finish()
        assert await store.uncollected(False, 10, 0) == []

    numbers, gathering = gathered(tmp_path, work)
    assert numbers == [1, 2, 3, 4, *range(PAGE, count + 1)]
    assert gathering.calls == len(numbers)
    assert len(gathering.faults) == 1 and "task 3" in gathering.faults[0] and "three" in gathering.faults[0]


def test_collecting_again_calls_for_all_accepted_ones(tmp_path: Path) -> None:
    async def work(store: Store, gathering: Gathering) -> None:
        await fill(store, 4)
        await store.commit([c for n in (4, 2) for c in accept(n)])  # type: ignore[misc]
        await store.mark_collected(2, well=True)
        await gathering.begin(again=True)
        await gathering.finish()

    assert gathered(tmp_path, work)[0] == [2, 4]


def test_hooks_see_the_attempt_that_was_accepted_not_a_later_one_that_was_rejected(tmp_path: Path) -> None:
    async def work(store: Store, gathering: Gathering) -> None:
        await fill(store, 1)
        rejected = TicketEnded(2, TicketState.REJECTED, Usage(9.0), Failure("rejected", "no", 4))
        await store.commit([*accept(1), TicketIssued(2, 1, "1", "other"), rejected, accept(1)[2]])  # type: ignore[list-item]

    gathered(tmp_path, work)
    with Reader(tmp_path) as reader:
        seen = view(reader.task(1), tmp_path)
    assert (seen.host, seen.seconds, seen.exit_code) == ("h", 1.0, 0)
