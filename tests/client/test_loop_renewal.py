"""Renewal of originals that a program has changed: nothing begins meanwhile, and suspects are remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spe.client import exits
from spe.client.loop import renewal as module
from spe.client.loop.renewal import Fetcher, OriginalRenewal
from spe.client.shared.originals import WORKER, Original
from spe.client.wire.connection import parse_address
from waiting import wait_until

from .loop_kit import Parts, PlayedMaster, parse_tasks, reply
from .pretended_master import Master, task

KEY = hashlib.sha256(b"shared").hexdigest()
INPUT = Original(KEY, "/files/in", 2, (6, 1), None)
PROGRAM = Original(WORKER, "/worker/w", 2, (6, 1), None)


class Workers:
    """The worker, in place of the file that would be fetched."""

    def __init__(self) -> None:
        self.fault: OSError | None = None

    def have(self, _: object) -> Original:
        if self.fault:
            raise self.fault
        return PROGRAM


class Started(list[str]):
    """The keys of the originals that a thread would fetch, in place of these threads."""

    def __call__(self, _: object, changed: Original) -> Started:
        self.append(changed.key)
        return self

    def start(self) -> None:
        self.append("started")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    made = Started()
    monkeypatch.setattr(module, "Fetcher", made)
    return made


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def renewal(make_parts: Callable[..., Parts], workers: Any) -> OriginalRenewal:
    parts = make_parts(1, 1)
    made = OriginalRenewal(parts.shared, parts.hands, workers, PROGRAM, parts.base + "/files")
    made.files.kept[KEY] = INPUT
    made.parts = parts  # type: ignore[attr-defined]
    return made


def heard(renewal: Any) -> list[list[tuple[str, Any]]]:
    return [one.heard() for one in renewal.parts.played]


@pytest.mark.parametrize("original", [INPUT, PROGRAM])
def test_a_changed_original_is_lost_at_all_hands_and_fetched_again_once(
    renewal: OriginalRenewal, started: Started, original: Original, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not renewal.is_under_way()
    renewal.begin(tuple(original))
    assert heard(renewal) == [[("lose", tuple(original))]] * 2
    assert started == [original.key, "started"] and renewal.is_under_way()
    renewal.begin(tuple(original))
    assert len(started) == 2 and heard(renewal) == [[("lose", tuple(original))]] * 2
    said = f"spe-client: a program changed {original.path}, which tasks share: it is fetched again\n"
    assert capfd.readouterr().err == said


@pytest.mark.parametrize("original", [INPUT, PROGRAM, INPUT._replace(key="of another file")])
def test_a_change_that_was_noticed_late_is_lost_at_all_hands_but_fetches_nothing(
    renewal: OriginalRenewal, started: Started, original: Original
) -> None:
    old = original._replace(stamp=(6, 0))
    renewal.begin(tuple(old))
    assert not started and not renewal.is_under_way()
    assert heard(renewal) == [[("lose", tuple(old))]] * 2


def test_two_originals_may_be_under_way_and_attempts_begin_again_after_both(
    renewal: OriginalRenewal, started: Started
) -> None:
    renewal.begin(tuple(INPUT))
    renewal.begin(tuple(PROGRAM))
    assert started == [KEY, "started", WORKER, "started"]
    renewal.end((KEY, INPUT, ""))
    assert renewal.is_under_way()
    renewal.end((WORKER, PROGRAM, ""))
    assert not renewal.is_under_way()
    renewal.begin(tuple(INPUT))
    assert renewal.is_under_way(), "a second time"


def test_the_new_worker_goes_to_all_hands_and_a_new_input_with_its_attempts(renewal: OriginalRenewal) -> None:
    new = PROGRAM._replace(stamp=(7, 2))
    renewal.end((WORKER, new, ""))
    assert renewal.original == new
    assert heard(renewal) == [[("worker", tuple(new))]] * 2
    renewal.end((KEY, INPUT, ""))
    renewal.end((WORKER, None, "404"))
    assert renewal.original == new and heard(renewal) == [[], []]


def test_an_attempt_gets_its_originals_as_they_are_now(renewal: Any) -> None:
    attempt = renewal.parts.attempt(1)
    attempt.originals = {KEY: INPUT}
    new = renewal.files.kept[KEY] = INPUT._replace(stamp=(7, 2))
    renewal.refresh(attempt)
    assert attempt.originals == {KEY: new} and not attempt.reason


def test_an_attempt_whose_original_could_not_be_fetched_again_fails(renewal: Any) -> None:
    early = renewal.parts.attempt(3)
    early.originals = {"of another file": INPUT}
    renewal.refresh(early)
    assert early.reason == "an input file cannot be had again: ", "nobody said why"
    attempt = renewal.parts.attempt(1)
    attempt.originals = {KEY: INPUT}
    renewal.end((KEY, None, "404 gone"))
    del renewal.files.kept[KEY]
    renewal.refresh(attempt)
    assert attempt.reason == "an input file cannot be had again: 404 gone"
    assert attempt.originals == {KEY: INPUT}
    other = renewal.parts.attempt(2)
    other.originals = {KEY: INPUT}
    renewal.end(("of another file", INPUT, ""))
    renewal.refresh(other)
    assert other.reason == "an input file cannot be had again: ", "the latest fault counts"


def test_the_tasks_of_lost_attempts_are_suspects_by_number_or_else_by_command(renewal: Any) -> None:
    numbered, plain, dropped, good = (
        renewal.parts.attempt(1, "w", extra="Task=17\n"), *(renewal.parts.attempt(n, f"w{n}") for n in (2, 3, 4))
    )  # fmt: skip
    for one in (numbered, plain, dropped):
        one.lost = "a program changed it"
    dropped.dropped = True
    assert not renewal.is_suspect(numbered.task)
    assert renewal.lost_among([good]) == []
    assert renewal.lost_among([numbered, plain, dropped, good]) == [numbered, plain]
    again = parse_tasks(task(9, "another", extra="Task=17\n") + task(10, "w2") + task(11, "w", extra="Task=18\n"))
    assert [renewal.is_suspect(one) for one in again] == [True, True, False]
    assert not renewal.is_suspect(dropped.task) and not renewal.is_suspect(good.task)


def test_the_inputs_of_all_tickets_that_are_held_are_needed(renewal: Any) -> None:
    parts = renewal.parts
    attempts = [
        parts.attempt(1, shared={"a": b"shared", "b": b"more"}),
        parts.attempt(2, inputs={"c": b"own"}),
        parts.attempt(3),
    ]
    assert renewal.files._needed() == set()
    parts.tickets.hold(attempts, 0.0)
    assert renewal.files._needed() == {KEY, hashlib.sha256(b"more").hexdigest()}
    assert renewal.files.folder == parts.base + "/files"


# -- the thread that fetches


def fetch(renewal: Any, key: str, *answers: Any) -> tuple[PlayedMaster, list[Any]]:
    fetcher = Fetcher(renewal, PROGRAM if key == WORKER else INPUT)
    line = fetcher.connection = PlayedMaster(renewal.parts.master, *answers)
    fetcher.talk()
    return line, renewal.parts.events()


def test_an_input_is_fetched_again_and_the_loop_told(renewal: Any, tmp_path: Path) -> None:
    del renewal.files.kept[KEY]
    line, events = fetch(renewal, KEY, reply(200, b"shared"))
    assert line.paths == ["/file"] and line.closed == 1
    assert events == [("renewed", (KEY, renewal.files.kept[KEY], ""))]
    assert renewal.files.kept[KEY].path == str(tmp_path / "files" / KEY)


def test_an_input_that_cannot_be_fetched_again_costs_its_tasks_only(renewal: Any) -> None:
    del renewal.files.kept[KEY]
    line, events = fetch(renewal, KEY, reply(404, b"gone"))
    assert line.closed == 1
    ((name, (key, original, fault)),) = events
    assert (name, key, original) == ("renewed", KEY, None)
    assert fault.endswith("404 gone")


def test_a_worker_is_fetched_again_and_the_loop_told(renewal: Any) -> None:
    _, events = fetch(renewal, WORKER)
    assert events == [("renewed", (WORKER, PROGRAM, ""))]


def test_a_worker_that_cannot_be_fetched_again_ends_the_client(renewal: Any, workers: Workers) -> None:
    workers.fault = OSError("no room")
    with pytest.raises(exits.Ending) as ending:
        fetch(renewal, WORKER)
    assert ending.value.code == exits.WORKER
    assert ending.value.text == "the worker could not be fetched again: no room"
    assert not renewal.parts.events()


def test_without_a_worker_there_is_none_to_be_fetched(renewal: Any) -> None:
    renewal.worker = None
    assert fetch(renewal, WORKER)[1] == [("renewed", (WORKER, None, ""))]


def test_a_thread_of_its_own_fetches(renewal: Any, master: Master) -> None:
    parts = renewal.parts
    parts.master.address = parse_address(master.url, "")
    master.files[KEY] = b"shared"
    renewal.begin(tuple(INPUT))
    found: list[Any] = []
    wait_until(lambda: found.extend(parts.events()) or found, "an event")
    assert found == [("renewed", (KEY, renewal.files.kept[KEY], ""))]
    assert renewal.files.kept[KEY] != INPUT and renewal.is_under_way()
