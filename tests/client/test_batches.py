"""Short tasks: fetched ahead, their results brought together; given back when others have nothing to do."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from spe.client.loop.prefetch import MOST, Prefetch
from spe.client.wire.connection import parse_address
from spe.client.wire.master import Master as Wire
from spe.client.wire.master import MasterGone
from waiting import wait_until

from .kit import Started
from .pretended_master import Master, task


@pytest.fixture
def master(master: Master) -> Iterator[Master]:
    """One that takes batches and calls back what was fetched ahead."""
    master.config.update(Batch="Yes", Ping="0.5")
    yield master


def test_short_tasks_are_fetched_ahead_and_their_results_come_together(master: Master, client: Started) -> None:
    numbers = range(1, 401)
    master.add(*(task(n, "sh", "-c", f"echo {n}; exit {n % 40 == 0:d}") for n in numbers))
    code, said = client.run("--slots", "2")
    assert code == 0, said
    assert {n: one.parts["stdout"] for n, one in master.completed.items()} == {
        n: b"%d\n" % n for n in numbers if n % 40
    }
    assert {n: one.reason for n, one in master.failed.items()} == {n: "exit code 1" for n in numbers if not n % 40}
    assert not master.of("/complete") and not master.of("/failed")
    assert len(master.of("/results")) < 200, "fewer requests than results"
    assert any(int(one.query["count"][0]) > 2 and one.query["ahead"] for one in master.of("/task"))
    assert not client.workdir.exists()


def test_nothing_is_fetched_ahead_of_long_tasks(master: Master, client: Started) -> None:
    master.add(*(task(n, "sleep", "1.1") for n in range(1, 5)))
    assert client.run("--slots", "2")[0] == 0
    assert all("ahead" not in one.query for one in master.of("/task"))


def test_a_result_comes_at_once_when_nothing_else_runs(master: Master, client: Started) -> None:
    master.over = False
    client.start("--slots", "4")
    for number in range(1, 6):
        master.add(task(number, "true"))
        master.wait_for(lambda number=number: number in master.completed)
    assert len(master.of("/results")) == 5
    master.finish()
    assert client.end()[0] == 0


def test_what_is_not_begun_is_given_back_when_others_are_idle(master: Master, client: Started, tmp_path: Path) -> None:
    master.over = False
    go = tmp_path / "go"
    quick = [task(n, "true") for n in range(1, 41)]
    # Few, so that all are fetched ahead also where the quick ones took a tenth of a second.
    slow = [task(n, "sh", "-c", f"until test -e {go}; do sleep 0.01; done") for n in range(41, 51)]
    master.add(*quick, *slow)
    client.start("--slots", "2")
    master.wait_for(lambda: len(master.completed) == 40)
    wait_until(lambda: not master.tasks, "all tasks are given out")
    master.call_for(1000)
    master.wait_for(lambda: master.of("/back"))
    (back,) = master.of("/back")
    given = {int(one) for one in back.query["ticket"]}
    begun = set(range(41, 51)) - given
    assert 2 <= len(begun) <= 3, "those that run, and at most one that was on its way"
    go.touch()
    master.wait_for(lambda: begun <= set(master.completed))
    master.finish()
    assert client.end()[0] == 0
    assert not given & set(master.completed)
    assert not client.workdir.exists()


def test_a_large_result_goes_alone_and_the_small_ones_together(master: Master, client: Started) -> None:
    large = "head -c 300000 /dev/zero"
    master.add(*(task(n, "sh", "-c", large if n == 3 else f"echo {n}") for n in range(1, 7)))
    assert client.run("--slots", "1")[0] == 0
    assert [one.ticket for one in master.of("/complete")] == [3]
    assert sorted(master.brought) == [1, 2, 4, 5, 6]


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_master_that_refuses_a_batch_gets_its_results_one_by_one(
    master: Master, client: Started, status: int
) -> None:
    master.script["/results"].append((status, {}, b"what is this?"))
    master.add(task(1, "sh", "-c", "echo 1"), task(2, "sh", "-c", "echo no >&2; exit 3"))
    assert client.run("--slots", "2")[0] == 0
    alone = {one.ticket: one for one in master.of("/complete") + master.of("/failed")}
    together = master.brought
    refused = [one for one in master.of("/results") if one is master.of("/results")[0]]
    assert refused and alone, "what was refused came alone"
    assert set(alone) | set(together) == {1, 2}
    assert all(one.parts["stdout"] == b"1\n" for ticket, one in alone.items() if ticket == 1)
    assert all(one.reason == "exit code 3" and one.parts["stderr"] == b"no\n" for t, one in alone.items() if t == 2)


def test_a_result_that_was_called_back_is_left_out_of_its_batch(master: Master, client: Started) -> None:
    def never(handler: object) -> None:
        """The first try finds no master; meanwhile one of the results is called back."""
        master.call_back(1)
        wait_until(lambda: not master.called, "it is told")
        listened = len(master.of("/held"))
        wait_until(lambda: len(master.of("/held")) > listened, "it has heard that, and listens again")

    master.script["/results"].append(never)
    master.add(*(task(n, "sh", "-c", f"sleep 0.1; echo {n}") for n in (1, 2)))
    assert client.run("--slots", "2")[0] == 0
    assert 2 in master.completed and len(master.of("/results")[-1].parts) > 0
    assert not any(name.startswith("1/") for name in master.of("/results")[-1].parts)


def test_what_a_task_left_in_its_directory_goes_as_well(master: Master, client: Started) -> None:
    words = ("sh", "-c", "mkdir -p a/b; touch a/b/c .d; echo 1 > out")
    master.add(*(task(n, *words, results={"y": "out"}) for n in range(9)))
    assert client.run("--slots", "2")[0] == 0
    assert {one.parts["y"] for one in master.completed.values()} == {b"1\n"}
    assert not client.workdir.exists()


def test_how_much_is_worth_fetching_follows_the_latest_lengths() -> None:
    pace = Prefetch(2)
    assert pace.ahead() == 0 and not pace.is_quick(), "nothing is known"
    pace.note_success(0.1)
    assert pace.ahead() == 20
    for _ in range(100):
        pace.note_success(0.0005)
    assert pace.ahead() == MOST and pace.is_quick()
    for _ in range(100):
        pace.note_success(3.0)
    assert pace.ahead() == 0 and not pace.is_quick()
    assert Prefetch(0).ahead() == 0


def test_no_task_ends_the_client_by_what_it_makes_of_its_directory(master: Master, client: Started) -> None:
    """A result that is a directory, one whose directory became a file, a directory that nobody may write into."""
    master.add(
        task(1, "mkdir", "out", results={"y": "out"}),
        task(2, "sh", "-c", "touch sub", results={"y": "sub/out"}),
        task(3, "sh", "-c", "echo 3 > out; chmod a-w .", results={"y": "out"}),
        task(4, "sh", "-c", "echo 4 > out", results={"y": "out"}),
    )
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert sorted(master.failed) == [1, 2] and sorted(master.completed) == [3, 4]
    assert not client.workdir.exists()


def test_tasks_that_share_large_inputs_are_fetched_ahead(master: Master, client: Started) -> None:
    large = b"x" * 2_000_000
    master.files[hashlib.sha256(large).hexdigest()] = large
    master.add(*(task(n, "sleep", "0.01", shared={"in": large}) for n in range(1, 60)))
    assert client.run("--slots", "2")[0] == 0
    assert any("ahead" in one.query for one in master.of("/task"))
    assert len(master.of("/file")) == 1 and len(master.completed) == 59


def test_no_more_is_fetched_ahead_than_fits_if_each_has_files_of_its_own(master: Master, client: Started) -> None:
    """The master says that they are of 400 MB: two lie here beside what runs. More at once are given back."""
    large = b"x" * 100_000
    master.files[hashlib.sha256(large).hexdigest()] = large
    told = [task(n, "sleep", "0.01", shared={"in": large}).replace(b"=100000", b"=400000000") for n in range(1, 30)]
    master.add(*(task(n, "sleep", "0.01") for n in range(101, 105)), *told)
    master.over = False
    client.start("--slots", "1")
    master.wait_for(lambda: not master.tasks and set(master.completed) | given_back(master) >= {*range(1, 30)})
    back = given_back(master)
    master.finish()
    assert client.end()[0] == 0
    first = next(n for n, one in enumerate(master.of("/task")) if int(one.query.get("ahead", ["0"])[0]) > 2)
    assert all(int(one.query.get("ahead", ["0"])[0]) <= 2 for one in master.of("/task")[first + 1 :])
    assert back and back.isdisjoint(master.completed)


def test_for_each_slot_a_task_is_taken_however_large_its_files_are(master: Master, client: Started) -> None:
    large = b"x" * 100_000
    master.files[hashlib.sha256(large).hexdigest()] = large
    told = [task(n, "true", shared={"in": large}).replace(b"=100000", b"=4000000000") for n in range(1, 9)]
    master.add(*told)
    assert client.run("--slots", "4")[0] == 0
    assert len(master.completed) == 8 and not master.of("/back")
    assert all("ahead" not in one.query for one in master.of("/task"))


def given_back(master: Master) -> set[int]:
    return {int(ticket) for one in master.of("/back") for ticket in one.query["ticket"]}


def test_nothing_is_fetched_ahead_from_a_master_without_pings(master: Master, client: Started) -> None:
    master.config["Ping"] = "0"
    master.add(*(task(n, "true") for n in range(1, 30)))
    assert client.run("--slots", "2")[0] == 0
    assert all("ahead" not in one.query for one in master.of("/task"))
    assert len(master.completed) == 29


def test_a_master_that_takes_long_over_one_request_is_not_gone_while_it_answers_others() -> None:
    master = Wire(parse_address("http://127.0.0.1:9", ""), "session", lambda: None)
    master.grace = 5.0
    long_ago = time.monotonic() - 600
    master.heard()
    master.unheard(long_ago, TimeoutError())
    alone = Wire(parse_address("http://127.0.0.1:9", ""), "session", lambda: None)
    alone.grace, alone._heard_at = 5.0, long_ago
    with pytest.raises(MasterGone):
        alone.unheard(long_ago, TimeoutError())


def test_a_listener_that_is_asked_to_give_back_listens_again_at_once(master: Master, client: Started) -> None:
    master.config["Ping"] = "30"
    master.over = False
    master.add(task(1, "sleep", "60"))
    client.start("--slots", "1")
    master.wait_for(lambda: master.of("/held"))
    master.call_for(1)
    master.wait_for(lambda: len(master.of("/held")) == 2)
    master.call_back(1)
    master.finish()
    assert client.end()[0] == 0
