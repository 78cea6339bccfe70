"""Today's sets and no others are handed out, each as what it is; what an earlier run left counts for its own set."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from desk.test_desk import SPECS, Office, key_of, office
from spe.dispatch.board import Board
from spe.dispatch.changes import Decision, TaskMoved, TicketEnded, TicketIssued
from spe.dispatch.clients import Clients
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.rules import Rules
from spe.model import Failure, Output, ParameterSet, Task, TaskState, Ticket, TicketState, Usage
from spe.runner.feeding import Feeding
from spe.state.progress import Progress
from spe.store.reader import Reader
from spe.store.store import NewSet, Store
from spe.sweep.inputs.files import InputChanged


class Sets(list[ParameterSet]):
    """As Parameters are read."""

    names = ("x",)

    def check(self) -> Any:
        return SimpleNamespace(numeric=())


class Sweep:
    """Sets named by one parameter, as a sweep reads them."""

    def __init__(self, *values: str, digest: str = "") -> None:
        self.values, self.digest = values, digest
        self.results = SPECS
        self.recipe = SimpleNamespace(words=(), env={}, shell=False, worker=None)

    @property
    def parameters(self) -> Any:
        return Sets(ParameterSet({"x": value}) for value in self.values)

    def key(self, values: Mapping[str, str]) -> bytes:
        return key_of(values)

    def older_key(self, values: Mapping[str, str]) -> bytes | None:
        return None

    def plan_digest(self) -> str:
        return self.digest


def feeding(at: Office, *values: str, decision: Decision | None = None) -> Feeding:
    """The reading of these sets; the store does not know yet that they are today's."""
    at.store.begun = False
    at.dispatch.board.more = True
    return Feeding(cast(Any, Sweep(*values)), at.desk, Progress(quiet=True), decision or Decision(1, "{}"))


def test_nothing_is_fed_before_todays_sets_are_being_read(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "old", "both", feed=False) as at:
            feed = feeding(at, "new", "both")
            await feed.feed()
            assert not at.dispatch.board.waiting and at.dispatch.board.more
            with pytest.raises(RuntimeError, match="before today's sets are being read"):
                await at.store.waiting(-1, 10)
            await feed.read()
            await feed.feed()
            assert [at.dispatch.board.tasks[n].values["x"] for n in at.dispatch.board.waiting] == ["new", "both"]

    asyncio.run(run())


def test_a_task_of_an_old_ticket_that_is_none_of_todays_goes_back_to_the_store_and_is_not_queued(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with office(tmp_path, "old", "kept", "done") as at:
            tickets = await at.take(await at.client("h"), 3)
        async with office(tmp_path, "old", "kept", "done", feed=False) as at:
            at.store.begun = False  # as a master that comes back has it
            for ticket, task in await at.store.live():
                ticket.word = at.now
                at.dispatch.board.restore(task, ticket)
            assert at.dispatch.board.unplanned() == [1, 2, 3] and at.dispatch.board.running == 3
            feed = feeding(at, "kept", "new")
            await feed.read()
            assert at.dispatch.board.unplanned() == [] and at.dispatch.board.running == 1
            assert await at.desk.ping("1", tickets, 0) == [tickets[0], tickets[2]], "they are called back"
            await feed.feed()
            assert await at.desk.complete("", tickets[2], at.parts("late")) == "accepted"
            assert at.stored("SELECT state FROM tasks WHERE number = 3") == [("done",)]
            assert at.dispatch.board.in_state[TaskState.DONE] == 0, "it is no set of today"
            at.dispatch.board.stop()
            at.dispatch.board.draining = False
            await at.desk._store()
            await feed.feed()
            assert sorted(at.dispatch.board.tasks[n].values["x"] for n in at.dispatch.board.waiting) == ["kept", "new"]
            assert at.dispatch.board.running == 0 and 1 not in at.dispatch.board.tasks

    asyncio.run(run())


def test_what_is_given_back_to_the_store_is_looked_for_again_from_the_first_place(tmp_path: Path) -> None:
    dispatch = Dispatch(Rules())
    dispatch.board.restore(Task(7, {}, planned=False), Ticket(3, 7, "1", "h", 0.0, TicketState.ISSUED, leased=True))
    dispatch.board.more, dispatch.board.fed, before = False, 40, dispatch.board.looks
    dispatch.bye(1.0, "")
    dispatch.losses.lose(dispatch.board.tickets[3])
    assert (list(dispatch.board.waiting), dispatch.board.tasks, dispatch.board.tickets) == ([], {}, {})
    assert dispatch.board.more and dispatch.board.fed == -1 and dispatch.board.looks > before
    assert dispatch.board.in_state[TaskState.WAITING] == dispatch.board.in_state[TaskState.RUNNING] == 0
    assert dispatch.board.add([Task(7, {}, attempts=1)]) == 1 and dispatch.board.tasks[7].attempts == 1


def test_what_is_read_while_a_set_is_given_back_is_read_again(tmp_path: Path) -> None:
    """The reading does not know what the attempt has used up."""

    async def run() -> None:
        async with office(tmp_path, "a", feed=False) as at:
            feed = feeding(at, "a")
            await feed.read()
            reading = asyncio.ensure_future(feed.feed())
            await asyncio.sleep(0)  # it has asked
            at.dispatch.board.restore(
                Task(1, {"x": "a"}, planned=False), Ticket(9, 1, "1", "h", 0.0, TicketState.ISSUED)
            )
            at.dispatch.attempts.fail(at.now, 9, Failure("exit:1", "exit code 1", 1), Usage())
            await at.desk._store()
            await reading
            while at.dispatch.board.more:
                await feed.feed()
            assert at.dispatch.board.tasks[1].attempts == 1 and list(at.dispatch.board.waiting) == [1]

    asyncio.run(run())


@pytest.mark.parametrize("after", [-1, 0])
def test_sets_put_back_while_the_store_is_read_are_read_again(tmp_path: Path, after: int) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", feed=False) as at:
            await at.store.commit([TaskMoved(n, TaskState.FAILED, 3, 0, "no") for n in (1, 2)])
            feed = feeding(at, "a", "b")
            await feed.read()
            at.dispatch.board.fed = after
            reading = asyncio.ensure_future(feed.feed())
            await asyncio.sleep(0)  # it has asked
            at.dispatch.steering.put_back(await at.store.put_back(None, ()))
            await reading
            while at.dispatch.board.more:
                await feed.feed()
            assert [at.dispatch.board.tasks[n].values["x"] for n in at.dispatch.board.waiting] == ["a", "b"]

    asyncio.run(run())


def test_what_has_not_the_identity_of_its_set_is_not_handed_out_and_waits(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            at.dispatch.board.tasks[1].values = {"x": "forged"}
            at.dispatch.board.tasks[2].values = {"other name": "b"}
            assert await at.take(await at.client("h"), 2) == []
            assert set(at.dispatch.board.left_out) == {1, 2} and at.dispatch.board.over
            assert at.stored("SELECT state, attempts FROM tasks") == [("waiting", 0)] * 2
            assert at.dispatch.board.add([Task(1, {"x": "a"})]) == 0, "not again in this run"

    asyncio.run(run())


def test_a_set_whose_input_changed_waits_for_another_run_and_is_charged_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", attempts=1) as at:
            work = at.work

            def changed(values: Mapping[str, str]) -> Any:
                if values["x"] == "a":
                    raise InputChanged("mesh.dat")
                return work(values)

            object.__setattr__(at.desk.brief, "work", changed)
            (ticket,) = await at.take(await at.client("h"), 2)
            assert await at.desk.complete("1", ticket, at.parts("1")) == "accepted"
            assert at.stored("SELECT x FROM results") == [("b",)]
            assert "mesh.dat" in at.dispatch.board.left_out[1]
            assert at.dispatch.board.over
            with Reader(tmp_path) as reader:
                assert (reader.statistics().waiting, reader.statistics().failed) == (1, 0)

    asyncio.run(run())


def test_a_report_of_another_program_counts_for_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            at.dispatch.board.program = await at.store.remember_program('{"worker any": "1"}')
            (ticket,) = await at.take(await at.client("h"))
            assert at.stored("SELECT program FROM tickets") == [(1,)]
        async with office(tmp_path, "a") as at:
            at.dispatch.board.program = await at.store.remember_program('{"worker any": "2"}')
            assert await at.desk.complete("1", ticket, at.parts("of the old one")) == "expired"
            assert at.stored("SELECT * FROM results") == []
            assert await at.desk.ping("1", [ticket], 0) == [ticket]
            await at.desk.failed("1", ticket, {}, "exit code 1")
            assert at.stored("SELECT attempts FROM tasks") == [(0,)]

    asyncio.run(run())


# -- what runs again


def accepted(number: int, ticket: int, program: int, value: str) -> list[Any]:
    out = (Output("y", value),)
    return [
        TicketIssued(ticket, number, "1", "h", program),
        TicketEnded(ticket, TicketState.ACCEPTED, Usage(1.0)),
        TaskMoved(number, TaskState.DONE, 1, 0, "", ticket, {}, out),
    ]


def plan(store: Store, *values: str) -> Any:
    async def work() -> None:
        await store.begin_plan(["x"], ["y"])
        await store.add_sets([NewSet(key_of({"x": v}), n, {"x": v}) for n, v in enumerate(values)])

    return work()


def rows(folder: Path) -> dict[str, str]:
    with Reader(folder) as reader:
        return {row.values["x"]: row.outputs["y"].value for row in reader.rows()}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store(tmp_path / "sweep.db")
    yield made
    made.close()


def test_fresh_keeps_each_row_until_a_new_result_replaces_it(store: Store, tmp_path: Path) -> None:
    async def run() -> None:
        await plan(store, "a", "b")
        one, two = await store.remember_program("1"), await store.remember_program("2")
        await store.commit([*accepted(1, 1, one, "old a"), *accepted(2, 2, one, "old b")])
        settled = await store.settle(Decision(two, "2", [two], fresh=True, before=3))
        assert settled.again == 2
        assert rows(tmp_path) == {"a": "old a", "b": "old b"}
        tasks = [task for _, task in await store.waiting(-1, 9)]
        assert [(t.number, t.redone, t.attempts) for t in tasks] == [(1, True, 0), (2, True, 0)]
        await store.commit([TicketIssued(3, 1, "1", "h", two), TaskMoved(1, TaskState.RUNNING, 0, 0)])
        await store.commit([TaskMoved(1, TaskState.WAITING, 1, 0, "exit code 1")])
        assert rows(tmp_path) == {"a": "old a", "b": "old b"}, "an attempt that went wrong takes no row away"
        await store.commit(accepted(1, 4, two, "new a"))
        await store.commit([TaskMoved(2, TaskState.FAILED, 1, 0, "no")])
        assert rows(tmp_path) == {"a": "new a"}, "one that has failed stands in failed.csv"
        assert (await store.settle(Decision(two, "2", [two], before=5))).again == 0

    asyncio.run(run())


def test_an_earlier_fresh_counts_for_sets_of_other_programs_that_come_back(store: Store, tmp_path: Path) -> None:
    async def run() -> None:
        one, two = await store.remember_program("1"), await store.remember_program("2")
        await plan(store, "a")
        await store.commit(accepted(1, 1, one, "by one"))
        await plan(store, "b")
        await store.commit(accepted(2, 2, one, "by one"))
        await store.settle(Decision(two, "2", [two], fresh=True, before=3))
        await store.commit(accepted(2, 3, two, "by two"))
        await plan(store, "a", "b")
        await store.settle(Decision(two, "2", [two], before=4))
        assert [task.values["x"] for _, task in await store.waiting(-1, 9)] == ["a"]

    asyncio.run(run())


def test_a_set_that_was_out_of_the_file_at_a_fresh_run_of_its_own_program_stays_finished(store: Store) -> None:
    async def run() -> None:
        one, two = await store.remember_program("1"), await store.remember_program("2")
        await plan(store, "a", "b")
        await store.commit([*accepted(1, 1, one, "by one"), *accepted(2, 2, one, "by one")])
        await plan(store, "a")
        await store.settle(Decision(one, "1", [one], fresh=True, before=3))
        await store.commit(accepted(1, 3, one, "again"))
        await plan(store, "a", "b")
        await store.settle(Decision(one, "1", [one], before=4))
        await store.settle(Decision(two, "2", [two], before=4))  # --keep
        assert not await store.waiting(-1, 9)

    asyncio.run(run())


def test_what_failed_in_this_very_run_is_not_put_back_by_its_retry(store: Store) -> None:
    async def run() -> None:
        await plan(store, "a", "b")
        await store.commit([TicketIssued(1, 1, "1", "h"), TaskMoved(1, TaskState.FAILED, 1, 0, "no")])
        await store.commit([TicketIssued(2, 2, "1", "h"), TaskMoved(2, TaskState.FAILED, 1, 0, "no")])
        settled = await store.settle(Decision(1, "1", retry=(), before=2))
        assert (settled.again, settled.retried) == (0, 1)
        assert [task.values["x"] for _, task in await store.waiting(-1, 9)] == ["a"]

    asyncio.run(run())


def test_a_database_of_before_knows_its_sets_by_their_older_key(store: Store, tmp_path: Path) -> None:
    async def run() -> None:
        await plan(store, "a")
        await store.commit(accepted(1, 1, 1, "old"))
        await store.set_meta("legacy", "1")
        await store.begin_plan(["x"], ["y"])
        await store.add_sets([NewSet(b"new key".ljust(16), 0, {"x": "a"}, key_of({"x": "a"}))])
        assert rows(tmp_path) == {"a": "old"} and not await store.waiting(-1, 9)

    asyncio.run(run())


def test_only_todays_tasks_are_counted_by_the_board() -> None:
    board = Board(Clients(), cores=1)
    board.restore(Task(1, {}, planned=False), Ticket(1, 1, "1", "h", 0.0, TicketState.ISSUED))
    board.restore(Task(2, {}, planned=False), Ticket(2, 2, "1", "h", 0.0, TicketState.LOST))
    assert (board.running, board.in_state[TaskState.WAITING]) == (1, 0)
    board.plan(board.tasks[2], False)
    assert board.in_state[TaskState.WAITING] == 1
