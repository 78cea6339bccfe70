"""The desk with a real store: results that meet, results that come late, what is durable when it is said."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from needs import need, need_program, need_root
from spe import full_disk
from spe.desk import pings as pings_module
from spe.desk.desk import Brief, Desk
from spe.desk.judging import Judges, Verdict
from spe.dispatch.changes import Decision
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.rules import Rules
from spe.dispatch.scheduler import lease
from spe.dispatch.steering import Aside
from spe.earlier.extract_again import extract_again
from spe.errors import ConfigError, SpeError
from spe.hooks.hooks import Hooks
from spe.launch.neighbours import GATHERING, Neighbour
from spe.model import Kind, ResultSpec, Setup, Task, TaskState, TicketState, Work
from spe.results.extract import Part
from spe.results.kept_files import put_under
from spe.session.run_folder import RunFolder
from spe.store.reader import Reader
from spe.store.store import NewSet, Store
from waiting import wait_in_loop

SPECS = (ResultSpec("y"), ResultSpec("out", "out.bin", Kind.FILE))
LATER = lease(30) + 1


class Judging(Judges):
    """The real judges; those named in `held` look at a host's result only when they are let."""

    def __init__(self, hooks: Hooks) -> None:
        super().__init__(SPECS, ["non_empty"], hooks)
        self.held: dict[str, asyncio.Event] = {}
        self.looking: set[str] = set()
        self.fault: Exception | None = None
        self.verdict: Verdict | None = None  # in place of the real one

    async def judge(self, task: Task, host: str, seconds: float, parts: Mapping[str, Part]) -> Verdict:
        self.looking.add(host)
        if host in self.held:
            await self.held[host].wait()
        if self.fault:
            raise self.fault
        return self.verdict or await super().judge(task, host, seconds, parts)


def key_of(values: Mapping[str, str]) -> bytes:
    """The identity of a set of these tests."""
    return values["x"].encode().ljust(16)


class Office:
    """A desk, its store and its clock."""

    def __init__(self, folder: Path, store: Store, next_ids: tuple[int, int], **rules: Any) -> None:
        self.folder, self.store, self.now = folder, store, 1000.0
        self.dispatch = Dispatch(Rules(**rules), *next_ids)
        setup = Setup(True, True, 30, 180, 1, 0, 0, None)
        brief = Brief(setup, SPECS, self.work, key_of, lambda host, platform: None, lambda platform: None)
        self.judging = Judging(Hooks(folder, SPECS))
        self.desk = Desk(brief, self.dispatch, store, self.judging, folder, clock=lambda: self.now)
        self.spooled = 0

    def work(self, values: Mapping[str, str]) -> Work:
        if values["x"] == "bad":
            raise SpeError("the input file mesh.dat is gone", todo="Bring it back.")
        return Work(("./run", values["x"]))

    async def client(self, host: str) -> str:
        return (await self.desk.register(host, "linux-x86_64", 1, True)).client

    async def take(self, client: str, count: int = 1) -> list[int]:
        return [record.ticket.id for record in await self.desk.tasks(client, count, 0, lambda: True)]

    def parts(self, y: str, out: bytes | None = None) -> dict[str, Part]:
        """As body.py makes them: the file lies in the spool."""
        self.spooled += 1
        spooled = self.folder / "incoming" / str(self.spooled)
        spooled.parent.mkdir(exist_ok=True)
        spooled.write_bytes(out if out is not None else y.encode())
        return {"y": Part.of("y", y.encode()), "out": Part("out", None, spooled, spooled.stat().st_size)}

    def bring(self, ticket: int, y: str = "1", client: str = "") -> asyncio.Task[str]:
        return asyncio.ensure_future(self.desk.complete(client, ticket, self.parts(y)))

    async def feed(self) -> None:
        self.dispatch.board.add(task for _, task in await self.store.waiting(-1, 1000))
        self.dispatch.board.more = False

    def stored(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(self.store.path)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def kept(self) -> dict[str, bytes]:
        files = self.folder / "files"
        return {str(p.relative_to(files)): p.read_bytes() for p in files.rglob("*") if p.is_file()}


@asynccontextmanager
async def office(folder: Path, *values: str, feed: bool = True, **rules: Any) -> AsyncIterator[Office]:
    """Opened anew each time, as after a restart of the master."""
    store = Store(folder / "sweep.db")
    try:
        await store.begin_plan(["x"], ["y", "out"])
        await store.add_sets([NewSet(key_of({"x": v}), n, {"x": v}) for n, v in enumerate(values)])
        made = Office(folder, store, await store.next_ids(), **rules)
        if feed:
            await made.feed()
        yield made
        await made.judging._hooks.close()
    finally:
        await asyncio.to_thread(store.close)


def test_a_result_that_replaces_another_waits_until_the_other_one_is_extracted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both give files of the set their places: one would take away what the other is about to name."""
    entered, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> None:
        entered.set()
        assert go_on.wait(60)
        put_under(*arguments)

    monkeypatch.setattr("spe.earlier.extract_again.put_under", slowly)

    async def run() -> None:
        async with office(tmp_path, "a") as at:
            client = await at.client("h")
            assert await at.bring(*await at.take(client), client=client) == "accepted"
            program = await at.store.remember_program("1")
            await at.store.settle(Decision(program, "1", [program], fresh=True, before=2))
            await at.feed()
            (ticket,) = await at.take(client)
            other = (ResultSpec("y"), ResultSpec("text", "stdout", Kind.FILE))
            extracting = asyncio.ensure_future(extract_again(at.store, other, at.judging._hooks, at.folder))
            await wait_in_loop(entered.is_set, "a file of the old result is on its way")
            bringing = at.bring(ticket, "2", client)
            done, _ = await asyncio.wait([bringing], timeout=0.3)
            assert not done
            go_on.set()
            assert await bringing == "accepted"
            await extracting
            assert set(at.kept()) == {"1/out.bin"} and at.kept()["1/out.bin"] == b"2"

    asyncio.run(run())


@pytest.mark.parametrize("is_at_the_end", [False, True])
def test_neighbours_are_told_some_seconds_after_the_first_report_and_else_at_the_end(
    tmp_path: Path, is_at_the_end: bool
) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", max_load=0.8) as at:
            told: list[str] = []
            at.desk.remark = told.append
            at.desk.note_neighbours("h2", [Neighbour("alice", 8)])
            at.desk.note_neighbours("h1", [Neighbour("alice", 8)])
            await at.desk.tick()
            assert told == []
            if is_at_the_end:
                await at.desk.note_last_words()
                assert len(told) == 1
            at.now += GATHERING
            await at.desk.tick()
            assert len(told) == 1
            await at.desk.note_last_words()
            [line] = told
            assert line.startswith("alice runs spe, too, on h1 and h2 (8 slots each); with your `max_load`")
            assert [note["text"] for _, note in at.desk.events.since() if note["kind"] == "neighbours"] == told

    asyncio.run(run())


def test_a_job_of_a_farm_says_nothing_of_the_neighbours_whose_slots_the_farm_deals(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            told: list[str] = []
            at.desk.remark = told.append
            at.dispatch.handout.grants.begin(grace=60.0)
            at.desk.note_neighbours("h1", [Neighbour("alice", 8)])
            at.now += GATHERING
            await at.desk.tick()
            await at.desk.note_last_words()
            assert told == []
            assert [note for _, note in at.desk.events.since() if note["kind"] == "neighbours"] == []

    asyncio.run(run())


async def doubled(at: Office) -> tuple[int, int]:
    """One task, out on two hosts."""
    slow, quick = await at.client("slow"), await at.client("quick")
    (first,) = await at.take(slow)
    at.now += LATER
    await at.desk.tick()
    (second,) = await at.take(quick)
    return first, second


def test_a_result_is_on_disk_when_it_is_accepted(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            (ticket,) = await at.take(await at.client("h"))
            assert await at.desk.complete("1", ticket, at.parts("7\n", b"\0\1")) == "accepted"
            assert at.stored("SELECT number, x, y, out, host, attempts FROM results") == [
                (1, "a", "7", "files/1/out.bin", "h", 1)
            ]
            assert at.kept() == {"1/out.bin": b"\0\1"}
            assert (
                at.dispatch.board.over
                and at.desk.arrivals.take_accepted() == [1]
                and at.desk.arrivals.take_accepted() == []
            )

    asyncio.run(run())


@pytest.mark.parametrize("winner", ["slow", "quick"])
def test_of_two_results_at_once_one_is_accepted_and_its_files_are_kept(tmp_path: Path, winner: str) -> None:
    loser = {"slow": "quick", "quick": "slow"}[winner]

    async def run() -> None:
        async with office(tmp_path, "a") as at:
            tickets = dict(zip(("slow", "quick"), await doubled(at), strict=True))
            at.judging.held = {name: asyncio.Event() for name in tickets}
            answers = {name: at.bring(ticket, name) for name, ticket in tickets.items()}
            await wait_in_loop(lambda: len(at.judging.looking) == 2, "both results are looked at")
            at.judging.held[winner].set()
            assert await answers[winner] == "accepted"
            at.judging.held[loser].set()
            assert await answers[loser] == "expired"
            assert at.stored("SELECT y, host FROM results") == [(winner, winner)]
            assert at.kept() == {"1/out.bin": winner.encode()}
            states = dict(at.stored("SELECT id, state FROM tickets"))
            assert states == {tickets[winner]: "accepted", tickets[loser]: "expired"}
            assert await at.desk.complete("", tickets[winner], at.parts("again")) == "expired"
            assert at.kept() == {"1/out.bin": winner.encode()}

    asyncio.run(run())


def test_two_results_that_pass_in_the_same_moment_give_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            first, second = await doubled(at)
            at.judging.held = {"slow": asyncio.Event(), "quick": asyncio.Event()}
            answers = [at.bring(first, "slow"), at.bring(second, "quick")]
            await wait_in_loop(lambda: len(at.judging.looking) == 2, "both results are looked at")
            for held in at.judging.held.values():
                held.set()
            assert sorted(await asyncio.gather(*answers)) == ["accepted", "expired"]
            (row,) = at.stored("SELECT y, host FROM results")
            assert row[0] == row[1] and at.kept() == {"1/out.bin": row[0].encode()}

    asyncio.run(run())


@pytest.mark.parametrize(("y", "answer", "attempts"), [("1", "accepted", 1), ("", "rejected: y: empty (non_empty)", 1)])
def test_one_ticket_that_is_sent_twice_at_once_is_looked_at_once(
    tmp_path: Path, y: str, answer: str, attempts: int
) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", attempts=3) as at:
            (ticket,) = await at.take(await at.client("h"))
            assert await asyncio.gather(at.bring(ticket, y), at.bring(ticket, y)) == [answer, answer]
            assert at.stored("SELECT attempts FROM tasks") == [(attempts,)]
            assert not at.desk.arrivals._looking

    asyncio.run(run())


def test_a_result_is_taken_although_its_task_was_given_up_while_it_was_looked_at(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", attempts=1) as at:
            first, second = await doubled(at)
            at.judging.held = {"slow": asyncio.Event()}
            answer = at.bring(first, "slow")
            await wait_in_loop(lambda: at.judging.looking, "the result is looked at")
            await at.desk.failed("2", second, {}, "exit code 1")
            assert at.stored("SELECT state FROM tasks") == [("failed",)]
            at.judging.held["slow"].set()
            assert await answer == "accepted"
            assert at.stored("SELECT y FROM results") == [("slow",)]
            assert (at.dispatch.board.in_state[TaskState.DONE], at.dispatch.board.in_state[TaskState.FAILED]) == (1, 0)
            assert not at.dispatch.board.tasks and not at.dispatch.board.tickets

    asyncio.run(run())


def test_a_fault_while_a_result_is_looked_at_does_not_keep_its_task_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            client = await at.client("h")
            (ticket,) = await at.take(client)
            at.judging.fault = RuntimeError("a fault of ours")
            with pytest.raises(RuntimeError):
                await at.bring(ticket)
            assert at.dispatch.board.running == 0 and at.dispatch.board.tasks[1].attempts == 0
            at.judging.fault = None
            assert await at.bring(ticket) == "accepted", "the same result, sent again"
            assert await at.take(client, 5) == [2]

    asyncio.run(run())


# -- after a restart


def test_after_a_restart_late_words_about_old_tickets_mean_what_they_did(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", "c") as at:
            one, two, three = await at.take(await at.client("h"), 3)
            assert await at.bring(one) == "accepted"
            await at.desk.failed("1", two, {}, "exit code 1")
            await at.desk.bye("1")
        async with office(tmp_path, "a", "b", "c", feed=False) as at:
            assert await at.bring(99) == "unknown"
            assert await at.bring(one) == "expired"
            await at.desk.failed("1", two, {}, "exit code 1")
            assert await at.bring(three) == "accepted"
            await at.feed()
            assert at.stored("SELECT state, attempts FROM tasks") == [("done", 1), ("waiting", 1), ("done", 1)]
            (four,) = await at.take(await at.client("h"), 5)
            assert four == 4 and await at.bring(four) == "accepted"
            assert at.dispatch.board.over

    asyncio.run(run())


def test_clients_register_after_a_restart_however_many_there_were(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            before = [await at.client(f"h{n}") for n in range(11)]
        async with office(tmp_path, "a") as at:
            after = [await at.client(f"h{n}") for n in range(3)]
            assert len({*before, *after}) == 14 == len(at.stored("SELECT id FROM clients"))

    asyncio.run(run())


@pytest.mark.parametrize("first", ["failed", "rejected"])
@pytest.mark.parametrize("second", ["rejected", "accepted", "kept for a hook that is broken"])
@pytest.mark.parametrize("restart", [True, False])
def test_a_ticket_uses_up_one_attempt_however_often_and_to_whichever_master_it_is_sent(
    tmp_path: Path, first: str, second: str, restart: bool
) -> None:
    async def before(at: Office) -> int:
        (ticket,) = await at.take(await at.client("h"))
        if first == "failed":
            await at.desk.failed("1", ticket, {}, "exit code 1")
        else:
            assert (await at.bring(ticket, "")).startswith("rejected")
        assert at.stored("SELECT state, attempts FROM tasks") == [("waiting", 1)]
        return ticket

    async def after(at: Office, ticket: int) -> None:
        if second == "rejected":
            assert (await at.bring(ticket, "")).startswith("rejected")
            assert at.stored("SELECT state, attempts FROM tasks") == [("waiting", 1)]
            return
        if second != "accepted":
            at.judging.verdict = Verdict((), "hooks.py:check has a fault", fault=True)
        await at.bring(ticket, "1")
        state = "done" if second == "accepted" else "failed"
        assert at.stored("SELECT state, attempts FROM tasks") == [(state, 1)]

    async def run() -> None:
        async with office(tmp_path, "a", attempts=3) as at:
            ticket = await before(at)
            if not restart:
                await after(at, ticket)
        if restart:
            async with office(tmp_path, "a", attempts=3) as at:
                await after(at, ticket)

    asyncio.run(run())


def test_a_host_that_was_slow_and_not_lost_is_not_counted_as_lost_by_the_next_master(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            client = await at.client("h")
            (ticket,) = await at.take(client)
            at.now += LATER
            await at.desk.tick()
            assert at.stored("SELECT lost FROM tasks") == [(1,)]
        async with office(tmp_path, "a") as at:
            at.dispatch.register(at.now, "h", "", 1, True)
            for old, task in await at.store.live() or [await at.store.find(ticket)]:
                old.leased = True  # as the run does for a client that pings
                at.dispatch.board.restore(task, old)
            assert await at.desk.ping(client, [ticket], 0) == []
            assert at.stored("SELECT lost FROM tasks") == [(0,)]

    asyncio.run(run())


# -- handing out


def test_what_is_given_to_a_client_that_hangs_up_meanwhile_waits_again_at_once_and_no_host_is_lost(
    tmp_path: Path,
) -> None:
    """Its records were being committed, and never left."""

    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            gone, other = await at.client("gone"), await at.client("other")
            given = await at.desk.tasks(gone, 2, 0, lambda: at.dispatch.board.running == 0)
            assert given == [] and at.dispatch.board.running == 0
            assert at.stored("SELECT state FROM tickets") == [("expired",)] * 2
            assert len(await at.take(other, 2)) == 2
            assert at.stored("SELECT lost, attempts FROM tasks") == [(0, 0)] * 2
            assert not at.dispatch.clients.to_call(), "it has nothing that it could be told of"

    asyncio.run(run())


def test_a_request_that_waits_gets_what_a_client_that_hung_up_had_been_given(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", feed=False) as at:
            gone, other = await at.client("gone"), await at.client("other")
            held = asks(at, other)
            await wait_in_loop(lambda: at.desk.held_requests.idle, "the request is held")
            await at.feed()
            assert await at.desk.tasks(gone, 1, 0, lambda: at.dispatch.board.running == 0) == []
            (record,) = await asyncio.wait_for(held, 20)
            assert record.task.number == 1 and record.ticket.client == other

    asyncio.run(run())


def test_a_task_whose_work_cannot_be_made_fails_with_the_reason_and_the_next_is_given(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "bad", "good") as at:
            client = await at.client("h")
            assert len(await at.take(client, 2)) == 1
            ((state, reason),) = at.stored("SELECT state, reason FROM tasks WHERE number = 1")
            assert state == "failed" and reason.startswith("the input file mesh.dat is gone")

    asyncio.run(run())


def asks(at: Office, client: str, alive: Callable[[], bool] = lambda: True) -> asyncio.Task[list[Any]]:
    """A long poll; the desk's clock stands, so only an event ends it soon."""
    return asyncio.ensure_future(at.desk.tasks(client, 1, 60, alive))


def test_a_held_request_is_answered_when_a_task_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            one, other = await at.client("one"), await at.client("other")
            (ticket,) = await at.take(one)
            held = asks(at, other)
            await wait_in_loop(lambda: at.desk.held_requests.idle, "the request is held")
            await at.desk.failed(one, ticket, {}, "exit code 1")
            (record,) = await asyncio.wait_for(held, 20)
            assert record.task.number == 1 and record.ticket.client == other
            assert not at.desk.held_requests.idle

    asyncio.run(run())


def test_a_request_whose_client_is_gone_takes_nothing_and_passes_the_word_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            one, dead, other = [await at.client(name) for name in ("one", "dead", "other")]
            (ticket,) = await at.take(one)
            connected = [True]
            gone = asks(at, dead, lambda: connected[0])
            await wait_in_loop(lambda: len(at.desk.held_requests.idle) == 1, "the first request is held")
            held = asks(at, other)
            await wait_in_loop(lambda: len(at.desk.held_requests.idle) == 2, "the second request is held")
            connected[0] = False
            await at.desk.failed(one, ticket, {}, "exit code 1")
            assert await asyncio.wait_for(gone, 20) == []
            assert len(await asyncio.wait_for(held, 20)) == 1

    asyncio.run(run())


@pytest.mark.parametrize("how", ["done", "drained"])
def test_held_requests_are_answered_when_the_sweep_is_over(tmp_path: Path, how: str) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            one = await at.client("one")
            (ticket,) = await at.take(one)
            held = [asks(at, await at.client(f"h{n}")) for n in range(5)]
            await wait_in_loop(lambda: len(at.desk.held_requests.idle) == 5, "all are held")
            await (at.bring(ticket) if how == "done" else at.desk.drain())
            assert await asyncio.wait_for(asyncio.gather(*held), 20) == [[]] * 5

    asyncio.run(run())


# -- pings


def test_a_held_ping_is_answered_when_a_copy_wins_and_nothing_is_kept_of_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            first, second = await doubled(at)
            held = asyncio.ensure_future(at.desk.ping("2", [second], 60))
            await wait_in_loop(lambda: at.desk.held_requests.pings, "the ping is held")
            assert await at.bring(first) == "accepted"
            assert await asyncio.wait_for(held, 20) == [second]
            assert not at.desk.held_requests.pings and not at.dispatch.clients.to_call()

    asyncio.run(run())


def test_no_ticket_is_called_expired_before_the_end_of_its_task_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client would drop the result that it is just bringing, and a crash now would lose it."""
    monkeypatch.setattr(pings_module, "STORED_WITHIN", 0.2)

    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            client = await at.client("h")
            one, two = await at.take(client, 2)
            let, keep = asyncio.Event(), at.desk.arrivals.files.keep

            async def slowly(*words: Any) -> Any:
                await let.wait()
                return await keep(*words)

            monkeypatch.setattr(at.desk.arrivals.files, "keep", slowly)
            bringing = at.bring(one, client=client)
            await wait_in_loop(lambda: at.desk.arrivals._finishing, "its files are being kept")
            assert await at.desk.ping(client, [one, two], 0) == []
            asked = asyncio.ensure_future(at.desk.ping(client, [one, two], 0))
            let.set()
            assert await asked == [one]
            assert await bringing == "accepted"

    asyncio.run(run())


def test_a_held_ping_is_no_reason_to_drop_what_was_lost_meanwhile(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            client = await at.client("h")
            (ticket,) = await at.take(client)
            held = asyncio.ensure_future(at.desk.ping(client, [ticket], 0.2))
            await wait_in_loop(lambda: at.desk.held_requests.pings, "the ping is held")
            at.now += LATER
            await at.desk.tick()
            assert at.dispatch.board.tickets[ticket].state is TicketState.LOST
            assert await asyncio.wait_for(held, 20) == []
            assert await at.desk.ping(client, [ticket], 0) == []
            assert at.stored("SELECT state FROM tickets") == [("issued",)], "the store knows it too"
            with Reader(tmp_path) as reader:
                assert reader.statistics().running == 1 and reader.task(1).state is TaskState.RUNNING

    asyncio.run(run())


# -- a full disk


def test_result_files_wait_for_room_and_nothing_is_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    need_root()
    mount = need_program("mount", "mount")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False)
    need(mounted.returncode == 0, "needs to mount a tmpfs: root with CAP_SYS_ADMIN")
    monkeypatch.setattr(full_disk, "PAUSE", 0.05)

    async def run() -> None:
        async with office(tmp_path, "a") as at:
            at.desk.arrivals.files.folder = small
            (ticket,) = await at.take(await at.client("h"))
            with (small / "filler").open("wb") as filler, pytest.raises(OSError):
                while True:
                    os.write(filler.fileno(), b"x" * 4096)
            parts = {"y": Part.of("y", b"1"), "out": Part.of("out", b"z" * 60_000)}
            answer = asyncio.ensure_future(at.desk.complete("1", ticket, parts))
            await wait_in_loop(lambda: "make room" in caplog.text, "the master says that it waits")
            assert not answer.done() and at.stored("SELECT * FROM results") == []
            (small / "filler").unlink()
            assert await asyncio.wait_for(answer, 20) == "accepted"
            assert (small / "files/1/out.bin").read_bytes() == b"z" * 60_000

    try:
        asyncio.run(run())
    finally:
        subprocess.run(["umount", str(small)], check=True)


# -- a hook that is broken, from run to collect

BROKEN_HOOKS = """
def check(task, result):
    raise RuntimeError("not written yet")

def gather(task, result):
    with open("gathered.txt", "a") as file:
        file.write(f"{task.number} {result['y']} {result.host} {result.path('out').read_text()}\\n")
"""

SWEEP = """
name: s
command: sh -c 'echo run >> {ran}; echo {{{{ x }}}}; echo {{{{ x }}}}{{{{ x }}}} > out.bin'
parameters: {{rows: [{{x: 3}}, {{x: 4}}]}}
results:
  y: stdout
  out: {{from: out.bin, as: file}}
validate: hooks.py:check
collect: hooks.py:gather
"""


def spe(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spe", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_results_that_a_broken_hook_left_are_taken_by_collect_without_running_anything(tmp_path: Path) -> None:
    ran = tmp_path / "ran.txt"
    (tmp_path / "spe.yaml").write_text(SWEEP.format(ran=ran))
    (tmp_path / "hooks.py").write_text(BROKEN_HOOKS)
    first = spe(tmp_path, "run")
    assert first.returncode == 1, first.stderr
    assert "not written yet" in (tmp_path / "runs/s/failed.csv").read_text()
    with Reader(tmp_path / "runs/s") as reader:
        assert list(reader.suspended()) == [1, 2]
        assert [o.value for o in reader.task(2).outputs if o.name == "y"] == ["4"]
    times = ran.read_text()
    assert times == "run\n" * 2, "a result that is kept is not made again"
    (tmp_path / "hooks.py").write_text(BROKEN_HOOKS.replace('raise RuntimeError("not written yet")', "return True"))
    second = spe(tmp_path, "collect")
    assert second.returncode == 0, second.stderr
    assert ran.read_text() == times
    lines = [line.split(",")[:4] for line in (tmp_path / "runs/s/results.csv").read_text().splitlines()]
    assert lines == [
        ["number", "x", "y", "out"],
        ["1", "3", "3", "files/1/out.bin"],
        ["2", "4", "4", "files/2/out.bin"],
    ]
    gathered = (tmp_path / "gathered.txt").read_text().split("\n")
    assert [g for g in gathered if g] == ["1 3 localhost 33", "2 4 localhost 44"]
    third = spe(tmp_path, "run")
    assert third.returncode == 0 and ran.read_text() == times, third.stderr


def test_a_ping_that_is_held_is_answered_when_the_master_stops(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            client = await at.client("h")
            (ticket,) = await at.take(client)
            held = asyncio.ensure_future(at.desk.ping(client, [ticket], 60))
            await wait_in_loop(lambda: bool(at.desk.held_requests.pings), "the ping is held")
            at.desk.let_go()
            assert await asyncio.wait_for(held, 10) == []

    asyncio.run(run())


def test_an_idle_client_that_pings_while_at_work_is_not_held_longer_than_it_would_ping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its silence would count against it; and the load that it told gets old."""

    async def held_for(ping: float, pings: bool, **query: Any) -> float:
        rules = {"max_load": 1.0} if query else {}
        folder = tmp_path / f"{ping}{pings}{len(query)}"
        folder.mkdir()
        async with office(folder, "a", ping=ping, **rules) as at:
            client = at.dispatch.register(at.now, "h", "", 1, pings)
            return at.desk._longest_hold(client, query.get("load"))

    assert asyncio.run(held_for(1, True)) < lease(1) / 2
    assert 30 <= asyncio.run(held_for(30, True)) < 35
    assert asyncio.run(held_for(30, False)) == asyncio.run(held_for(0, True)) == math.inf
    assert asyncio.run(held_for(30, True, load=0.5)) <= 20


@pytest.mark.parametrize("moved", [True, False])
def test_an_input_file_that_went_with_its_sweep_is_no_fault_of_a_set(tmp_path: Path, moved: bool) -> None:
    def vanished(values: Mapping[str, str]) -> Work:
        raise ConfigError("this input file can't be read")

    async def run() -> None:
        async with office(tmp_path, "a") as at:
            (tmp_path / "runs").mkdir()
            at.desk.work_maker.folder = folder = RunFolder(tmp_path / "runs")
            folder.hold()
            at.desk.work_maker.brief = dataclasses.replace(at.desk.brief, work=vanished)
            client = await at.client("h")
            if moved:
                (tmp_path / "runs").rename(tmp_path / "elsewhere")
            assert await at.desk.tasks(client, 1, 0, lambda: True) == []
            assert at.stored("SELECT state FROM tasks") == [("waiting",) if moved else ("failed",)]
            assert at.dispatch.board.draining == moved
            folder.let_go()

    asyncio.run(run())


@pytest.mark.parametrize("rules", [{"delay": 0.2}, {"retry_after": 0.2}])
def test_a_held_request_gets_its_task_when_a_pause_is_over_and_nothing_else_happens(
    tmp_path: Path, rules: dict[str, float]
) -> None:
    """There is no tick in this test, which would come a second later."""

    async def run() -> None:
        async with office(tmp_path, "a", *("b" if "delay" in rules else ""), **rules) as at:
            client = await at.client("h")
            (first,) = await at.take(client)
            if "retry_after" in rules:
                await at.desk.failed(client, first, {}, "exit code 75")
            assert await at.take(client) == []
            asking = asyncio.ensure_future(at.desk.tasks(client, 1, 30, lambda: True))
            await wait_in_loop(lambda: len(at.desk.held_requests.idle) == 1, "the request is held")
            at.now += 0.2
            (record,) = await asyncio.wait_for(asking, 20)
            assert record.ticket.id == first + 1

    asyncio.run(run())


def test_a_place_that_becomes_free_goes_to_a_client_that_may_get_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", "c", at_once=1) as at:
            clients = [await at.client(host) for host in ("worker", "benched", "good")]
            (first,) = await at.take(clients[0])
            asking = [asyncio.ensure_future(at.desk.tasks(one, 1, 30, lambda: True)) for one in clients[1:]]
            await wait_in_loop(lambda: len(at.desk.held_requests.idle) == 2, "both are held")
            at.dispatch.steering.set_aside("benched", Aside.BENCHED)
            assert await at.bring(first, client=clients[0]) == "accepted"
            (record,) = await asyncio.wait_for(asking[1], 20)
            assert record.ticket.host == "good" and not asking[0].done()
            asking[0].cancel()

    asyncio.run(run())
