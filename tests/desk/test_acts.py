"""What people say to a running sweep, with a real desk and store: what happens, and what is on disk then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from spe.desk.acts import META, Acts, Controls, restore
from spe.dispatch.steering import Aside
from spe.errors import SpeError, UsageError
from spe.fleet.hosts_file import HostsFile
from spe.model import Host, TaskState
from spe.page.acting import carry_out
from spe.sweep.hosts import parse_line
from waiting import wait_in_loop

from .test_desk import Office, office


class Hosts:
    """In place of the fleet: remembers what it was told."""

    def __init__(self, *lines: str) -> None:
        self.hosts = [host for line in lines for host in parse_line(line)]
        self.used: list[str] = []

    def add(self, hosts: Sequence[Host]) -> None:
        self.hosts += hosts

    def use(self, name: str) -> bool:
        self.used.append(name)
        return False


def acting(at: Office, *lines: str) -> Acts:
    return Acts(at.desk, Controls(Hosts(*lines), lambda now: None, lambda sentence: None))


def states(at: Office) -> list[str]:
    return [row[0] for row in at.stored("SELECT state FROM tasks ORDER BY number")]


async def say(acts: Acts, verb: str, **more: Any) -> str:
    return await carry_out(acts, {"do": verb, **more})


async def fail(at: Office, client: str) -> None:
    (ticket,) = await at.take(client)
    await at.desk.failed(client, ticket, {}, "exit code 1")


def test_a_paused_sweep_hands_out_nothing_until_it_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            acts, client = acting(at), await at.client("h")
            (ticket,) = await at.take(client)
            assert await say(acts, "pause") == "the sweep is paused: nothing new is begun; 1 set still runs"
            assert await at.take(client) == []
            assert await at.desk.complete(client, ticket, at.parts("1")) == "accepted"
            assert not at.dispatch.board.over
            waiting = asyncio.ensure_future(at.desk.tasks(client, 1, 20, lambda: True))
            await wait_in_loop(lambda: at.desk.held_requests.idle, "it waits for work")
            assert await say(acts, "resume") == "the sweep goes on"
            assert len(await waiting) == 1
            with pytest.raises(UsageError, match="not paused"):
                await say(acts, "resume")

    asyncio.run(run())


def test_a_master_that_comes_back_knows_that_it_is_paused_and_which_hosts_are_set_aside(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            acts = acting(at, "h", "k")
            await say(acts, "pause")
            await say(acts, "drain", host="H")
            await say(acts, "bench", host="k")
        async with office(tmp_path, "a") as at:
            restore(at.dispatch.steering, await at.store.meta(META))
            assert at.dispatch.steering.paused and at.dispatch.steering.aside == {
                "h": Aside.DRAINED,
                "k": Aside.BENCHED,
            }

    asyncio.run(run())


def test_a_cancelled_task_never_runs_and_its_ticket_is_called_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", "c") as at:
            acts, client = acting(at), await at.client("h")
            (ticket,) = await at.take(client)
            assert await at.desk.ping(client, [ticket], 0) == []
            said = await say(acts, "cancel", tasks=[1, 2, 9])
            assert said == "2 sets cancelled; `spe retry` brings them back; 9 had been neither waiting nor running"
            assert states(at) == ["cancelled", "cancelled", "waiting"]
            assert await at.desk.ping(client, [ticket], 0) == [ticket]
            assert await at.desk.complete(client, ticket, at.parts("1")) == "expired"
            assert [at.dispatch.board.tickets[t].task for t in await at.take(client, 5)] == [3]
            with pytest.raises(UsageError, match="task 1 does not run now: it is cancelled"):
                await say(acts, "cancel", tasks=[1])
            with pytest.raises(UsageError, match=r"there is no task 9\n  The numbers go from 1 to 3\."):
                await say(acts, "cancel", tasks=[9])
            with pytest.raises(UsageError, match="none of 1, 2 and 9 is waiting or running"):
                await say(acts, "cancel", tasks=[2, 1, 9])

    asyncio.run(run())


def test_a_result_that_is_being_looked_at_when_its_task_is_cancelled_is_not_taken(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            acts, client = acting(at), await at.client("h")
            (ticket,) = await at.take(client)
            at.judging.held["h"] = asyncio.Event()
            bringing = at.bring(ticket, client=client)
            await wait_in_loop(lambda: at.judging.looking, "it is looked at")
            await say(acts, "cancel", tasks=[1])
            at.judging.held["h"].set()
            assert await bringing == "expired"
            assert states(at) == ["cancelled"] and at.dispatch.board.over

    asyncio.run(run())


def test_tasks_that_have_not_come_in_are_cancelled_in_the_store_and_counted(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", "c", feed=False) as at:
            assert await say(acting(at), "cancel", tasks=[1, 3]) == "2 sets cancelled; `spe retry` brings them back"
            await at.feed()
            assert list(at.dispatch.board.tasks) == [2]
            assert at.dispatch.board.in_state[TaskState.CANCELLED] == 2

    asyncio.run(run())


def test_a_master_that_comes_back_does_not_take_a_result_of_what_was_cancelled(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b") as at:
            (ticket,) = await at.take(await at.client("h"))
            await say(acting(at), "cancel", tasks=[1])
        async with office(tmp_path, "a", "b") as at:
            assert await at.desk.complete("1", ticket, at.parts("1")) == "expired"
            assert states(at) == ["cancelled", "waiting"]

    asyncio.run(run())


def test_failed_and_cancelled_sets_run_again_while_the_sweep_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", "c", attempts=1) as at:
            acts, client = acting(at), await at.client("h")
            await fail(at, client)
            await say(acts, "cancel", tasks=[2])
            assert states(at) == ["failed", "cancelled", "waiting"]
            at.dispatch.board.fed = 2  # all have come in
            said = await say(acts, "retry", tasks=[2, 3])
            assert said == "1 set waits again; 3 had neither failed nor been cancelled"
            assert await say(acts, "retry") == "1 set waits again"
            with pytest.raises(UsageError, match="no set has failed"):
                await say(acts, "retry")
            with pytest.raises(UsageError, match=r"not a failed set: 3, 99\n  `spe status`"):
                await say(acts, "retry", tasks=[3, 99])
            assert at.dispatch.board.more and at.dispatch.board.fed == -1
            await at.feed()
            assert sorted(at.dispatch.board.tasks) == [1, 2, 3]
            assert sorted(at.dispatch.board.in_state.elements()) == [TaskState.WAITING] * 3
            for ticket in await at.take(client, 3):
                assert await at.desk.complete(client, ticket, at.parts("1")) == "accepted"
            assert at.dispatch.board.over and states(at) == ["done"] * 3

    asyncio.run(run())


def test_a_set_that_is_put_back_by_hand_has_all_its_attempts_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", attempts=2) as at:
            acts, client = acting(at), await at.client("h")
            await at.take(client)  # the other one runs on
            for _ in range(2):
                await fail(at, client)
            assert states(at) == ["waiting", "failed"]
            await say(acts, "retry", tasks=[2])
            for ends in ("waiting", "failed"):
                await at.feed()
                await fail(at, client)
                assert states(at) == ["waiting", ends]

    asyncio.run(run())


def test_a_drained_host_gets_nothing_and_is_sent_home_when_it_has_finished_what_it_has(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a", "b", "c") as at:
            acts, client, other = acting(at, "h", "k"), await at.client("h"), await at.client("k")
            (ticket,) = await at.take(client)
            idle = asyncio.ensure_future(at.desk.tasks(client, 1, 20, lambda: True))
            assert len(await idle) == 1
            (second,) = [t for t in at.dispatch.board.tickets if t != ticket]
            assert "leaves when it has finished" in await say(acts, "drain", host="h")
            waiting = asyncio.ensure_future(at.desk.tasks(client, 1, 20, lambda: True))
            for one in (ticket, second):
                assert not at.dispatch.steering.closed_for(client)
                await at.desk.complete(client, one, at.parts("1"))
            assert await asyncio.wait_for(waiting, 5) == [] and at.dispatch.steering.closed_for(client)
            assert not at.dispatch.steering.closed_for(other) and len(await at.take(other)) == 1

    asyncio.run(run())


def test_what_lies_ready_on_a_host_that_is_set_aside_is_called_for(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, *"abcdef") as at:
            acts, client = acting(at, "h"), await at.client("h")
            tickets = await at.take(client, 4)  # it has one slot
            held = asyncio.ensure_future(at.desk.ping(client, tickets, 20))
            await wait_in_loop(lambda: at.desk.held_requests.pings, "its ping is held")
            await say(acts, "bench", host="h")
            assert await asyncio.wait_for(held, 5) == []
            assert at.desk.take_call(client) == 3

    asyncio.run(run())


def test_a_host_that_is_used_again_gets_work_also_when_the_guard_had_benched_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            acts, client = acting(at, "h"), await at.client("h")
            await say(acts, "bench", host="h")
            assert await at.take(client) == []
            assert await say(acts, "use", host="h") == "h is used again"
            assert isinstance(acts.run_hosts, Hosts) and acts.run_hosts.used == ["h"]
            assert len(await at.take(client)) == 1
            with pytest.raises(UsageError, match="h is in use"):
                await say(acts, "use", host="h")
            with pytest.raises(UsageError, match="no host of this run is called 'g'"):
                await say(acts, "drain", host="g")

    asyncio.run(run())


def test_hosts_come_by_lines_of_a_hosts_file(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            acts = acting(at, "h")
            assert await say(acts, "add", line="lab[1-2] slots=3") == "lab1, lab2: being started"
            added = acts.run_hosts.hosts[1:]
            assert [(host.name, host.slots) for host in added] == [("lab1", 3), ("lab2", 3)]
            with pytest.raises(UsageError, match="h: already a host of this run"):
                await say(acts, "add", line="h slots=2")
            with pytest.raises(SpeError, match="unknown option"):
                await say(acts, "add", line="new slot=3")

    asyncio.run(run())


@pytest.mark.parametrize(
    "order", [{}, {"do": "explode"}, {"do": 3}, {"do": "cancel"}, {"do": "cancel", "tasks": "1"}, {"do": "drain"},
              {"do": "cancel", "tasks": [0]}, {"do": "cancel", "tasks": [True]}, {"do": "add", "line": " "}],
)  # fmt: skip
def test_an_order_that_cannot_be_understood_is_refused(tmp_path: Path, order: dict[str, Any]) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            with pytest.raises(SpeError):
                await carry_out(acting(at, "h"), order)
            assert states(at) == ["waiting"]

    asyncio.run(run())


def test_a_run_that_ends_takes_no_orders(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            acts = acting(at, "h")
            await at.desk.drain()
            for verb in ("pause", "resume", "stop", "retry", "add"):
                with pytest.raises(UsageError):
                    await say(acts, verb, line="x")

    asyncio.run(run())


def test_a_hosts_file_that_changes_is_taken_up(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "hosts.txt"
        path.write_text("a\nb slots=2\n")
        async with office(tmp_path, "x") as at:
            acts, warned = acting(at, "a", "b slots=2"), list[str]()
            run_hosts = acts.run_hosts
            assert isinstance(run_hosts, Hosts)
            watching = asyncio.create_task(HostsFile(path, tuple(run_hosts.hosts), acts, warned.append).watch(0.01))
            path.write_text("a\nc\n")
            await wait_in_loop(lambda: len(run_hosts.hosts) == 3, "the new line is started")
            assert at.dispatch.steering.aside == {"b": Aside.DRAINED}
            path.write_text("a\nb slots=2\nc\n# more\n")
            await wait_in_loop(lambda: run_hosts.used, "the line that is back is used")
            assert not at.dispatch.steering.aside
            assert run_hosts.used == ["b"] and [host.name for host in run_hosts.hosts] == ["a", "b", "c"]
            path.write_text("a sluts=2\n")
            await wait_in_loop(lambda: warned, "it says what is wrong")
            assert "unknown option 'sluts'" in warned[0] and "the hosts stay as they are" in warned[0]
            path.unlink()
            path.write_text("\n")
            await wait_in_loop(lambda: len(warned) == 2, "a file without hosts is no order")
            assert not at.dispatch.steering.aside
            watching.cancel()

    asyncio.run(run())


def test_what_is_kept_is_plain_json(tmp_path: Path) -> None:
    async def run() -> None:
        async with office(tmp_path, "a") as at:
            await say(acting(at, "h"), "drain", host="h")
            assert json.loads(await at.store.meta(META)) == {"paused": False, "aside": {"h": "drained"}}

    asyncio.run(run())
