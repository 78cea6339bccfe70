"""The thread that asks for tasks: what it asks, what it makes of each answer, and how long it rests."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spe.client import exits
from spe.client.loop import asking as module
from spe.client.loop.asking import ASK_AGAIN, OVER_GRACE, WAIT, Asker
from spe.client.loop.renewal import OriginalRenewal
from spe.client.shared.originals import COPY, LARGE, LINK, Original
from spe.client.task.attempt import Attempt
from spe.client.wire.lease import clock
from spe.client.wire.master import MasterConnection, Stopping

from .loop_kit import InstantEvent, Parts, PlayedMaster, reply
from .pretended_master import task

LATER = {"Retry_After": "7"}
KEY = hashlib.sha256(b"shared").hexdigest()


class Asking:
    """An asking thread, run in that of the test until the answers are used up or no slot is free."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.renewal = OriginalRenewal(parts.shared, parts.hands, None, None, parts.base + "/files")
        self.fetched: list[MasterConnection] = []
        self.asker = Asker(parts.shared, self.renewal, self.fetched.append)
        self.quiet = parts.demand.nothing_held = InstantEvent()
        self.worth = parts.demand.wait
        parts.demand.wait = self.wait  # type: ignore[method-assign]
        parts.load.told = lambda folder: [("load", "0.50")] if folder == parts.base else []  # type: ignore[method-assign, misc]

    def wait(self) -> tuple[int, int]:
        """Wait for a reason to ask; where there is none, no other thread would ever bring one."""
        if not self.parts.demand._is_worth_asking():
            raise Stopping()
        return self.worth()

    def talk(self, *answers: Any) -> PlayedMaster:
        """Give these answers and return the line on which they were asked for."""
        line = self.asker.connection = PlayedMaster(self.parts.master, *answers)
        with contextlib.suppress(Stopping):
            self.asker.talk()
        return line

    def ready(self) -> list[list[int]]:
        """Return the tickets of each `ready` event; other events are a fault."""
        events = self.parts.events()
        assert {name for name, _ in events} <= {"ready"}, events
        return [[one.task.ticket for one in attempts] for _, attempts in events]


@pytest.fixture
def asking(parts: Parts) -> Asking:
    return Asking(parts)


ALWAYS = [("extra", 1), ("files", "sha256"), ("archives", "tar"), ("results", "many"), ("got", 0)]


def query(line: PlayedMaster, number: int = 0) -> dict[str, Any]:
    return dict(line.asked[number][1])


# -- the request


def test_a_request_asks_for_each_free_slot_and_may_be_held(asking: Asking) -> None:
    line = asking.talk()
    assert line.asked == [("/task", [("count", 2), ("wait", 30), *ALWAYS, ("load", "0.50")])]
    assert line.timeouts == [WAIT + 30.0] == [60.0]


def test_a_request_names_the_worker_and_how_many_tasks_are_only_ahead(make_parts: Callable[..., Parts]) -> None:
    asking = Asking(make_parts(2, worker="w"))
    asking.parts.demand.change(1, 1, 10)
    line = asking.talk()
    assert line.asked[0][1] == [
        ("worker", "w"), ("count", 11), ("wait", 30), *ALWAYS, ("ahead", 10), ("load", "0.50")
    ]  # fmt: skip


def test_a_request_names_the_highest_ticket_that_has_come(asking: Asking) -> None:
    asking.parts.demand.slots = 3
    line = asking.talk(reply(200, task(7, "true") + task(5, "true")), reply(503, **LATER))
    assert [query(line, number)["got"] for number in range(2)] == [0, 7]


def test_a_request_only_for_later_tasks_is_not_held(asking: Asking) -> None:
    asking.parts.demand.change(2, 2, 10)
    asked = query(asking.talk())
    assert (asked["count"], asked["ahead"], asked["wait"]) == (10, 10, 0)


def test_no_request_is_held_where_the_master_may_hold_none(make_parts: Callable[..., Parts]) -> None:
    assert query(Asking(make_parts(2, may_hold=False)).talk())["wait"] == 0


def test_each_request_waits_for_the_lease(asking: Asking) -> None:
    asking.asker.before_request()
    asking.parts.lease.renew(clock() - 1000)
    asking.parts.stopping.set()
    with pytest.raises(Stopping):
        asking.asker.before_request()


def test_nothing_is_asked_once_the_client_ends(asking: Asking) -> None:
    asking.parts.tickets.end(exits.Ending(1, "ended"))
    assert asking.talk().asked == []


# -- the answers


def test_the_tasks_of_an_answer_are_held_and_ready(asking: Asking) -> None:
    before = clock()
    line = asking.talk(reply(200, task(1, "true") + task(2, "echo", "x")))
    assert asking.ready() == [[1, 2]]
    assert list(asking.parts.tickets.held) == [1, 2]
    attempt = asking.parts.tickets.held[2]
    assert attempt.task.words == [b"echo", b"x"] and attempt.folder == asking.parts.base + "/2/work"
    assert attempt.sure and attempt.held_at >= before
    assert not attempt.prepared, "a hand makes its directory"
    assert len(line.asked) == 1, "no slot is free"


def test_tickets_of_an_answer_that_came_late_are_not_sure(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request began long ago: a host that slept meanwhile."""
    monkeypatch.setattr(module, "clock", lambda: clock() - 1000)
    asking.talk(reply(200, task(1, "true") + task(2, "true")))
    assert not asking.parts.tickets.held[1].sure


def test_a_ticket_that_is_held_already_is_not_taken_twice(asking: Asking) -> None:
    (first,) = asking.parts.held(1)
    asking.talk(reply(200, task(1, "true") + task(2, "true")))
    assert asking.ready() == [[2]]
    assert asking.parts.tickets.held[1] is first


def test_orders_of_people_are_fetched_when_an_answer_tells_of_them(asking: Asking) -> None:
    line = asking.talk(reply(503, Orders="1", **LATER), reply(503, **LATER))
    assert asking.fetched == [line]


@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_that_nobody_understands_ends_the_client(asking: Asking, status: int) -> None:
    with pytest.raises(exits.Ending) as ending:
        asking.talk(reply(status, b"no such\nthing"))
    assert ending.value.code == exits.OTHER
    assert ending.value.text == f"the master answers {status} to /task: no such thing"


def test_a_record_that_cannot_be_read_ends_the_client(asking: Asking) -> None:
    with pytest.raises(exits.Ending) as ending:
        asking.talk(reply(200, b"Ticket=one\n"))
    assert ending.value.code == exits.OTHER
    assert ending.value.text.startswith("the master's task record cannot be read: ")


# -- rests


def test_a_request_that_was_refused_rests_as_long_as_the_master_says_and_up_to_a_quarter_more(asking: Asking) -> None:
    line = asking.talk(*[reply(503, **LATER)] * 20)
    assert len(line.asked) == 21
    waits = [seconds or 0.0 for seconds in asking.parts.stopping.waits]
    assert len(waits) == 20 and all(7.0 <= seconds <= 8.75 for seconds in waits)
    assert len(set(waits)) > 1, "with jitter"
    assert {query(line, number)["wait"] for number in range(21)} == {30}


@pytest.mark.parametrize(("told", "least", "most"), [("0", 0.05, 0.05), ("soon", 1.0, 1.25), ("-5", 0.05, 0.05)])
def test_a_rest_is_never_without_end_or_none_at_all(asking: Asking, told: str, least: float, most: float) -> None:
    asking.talk(reply(503, Retry_After=told))
    (seconds,) = asking.parts.stopping.waits
    assert seconds is not None and least <= seconds <= most


def test_a_request_for_later_tasks_that_was_refused_waits_for_a_free_slot(asking: Asking) -> None:
    asking.parts.demand.change(2, 2, 10)
    asked: list[int] = []

    def refuse() -> None:
        asked.append(1)
        raise Stopping()

    asking.parts.demand.refuse = refuse  # type: ignore[method-assign]
    line = asking.talk(reply(503, **LATER))
    assert asked and len(line.asked) == 1 and not asking.parts.stopping.waits


def test_a_refusal_of_later_tasks_lasts_until_a_slot_is_free(asking: Asking) -> None:
    asking.parts.demand.change(2, 2, 10)
    asking.asker._rest(reply(503, **LATER), True)
    assert asking.parts.wanted() == (0, 0) and not asking.parts.stopping.waits


# -- the end of the sweep


def test_a_client_that_holds_nothing_ends_with_the_sweep(asking: Asking) -> None:
    line = asking.talk(reply(503))
    ((name, ending),) = asking.parts.events()
    assert (name, ending.code, ending.text) == ("end", exits.OK, "the sweep is over")
    assert len(line.asked) == 1


def test_a_client_that_still_holds_tickets_has_them_checked_and_asks_again(make_parts: Callable[..., Parts]) -> None:
    asking = Asking(make_parts(3))
    attempts = asking.parts.held(1)
    lease = asking.parts.lease
    assert lease.wait_for_request(0)
    asking.parts.master.grace = 180.0
    line = asking.talk(reply(503), reply(503))
    assert lease.wait_for_request(0), "a ping is sent at once"
    assert asking.quiet.waits == [ASK_AGAIN] * 2 == [2.0, 2.0]
    assert asking.parts.master.grace == OVER_GRACE == 10.0
    assert [query(line, number)["wait"] for number in range(3)] == [30, 0, 0], "held no longer"
    assert not asking.parts.events() and not asking.parts.stopping.waits
    asking.parts.tickets.release(attempts)
    asking.talk(reply(503, **LATER), reply(503))
    assert [name for name, _ in asking.parts.events()] == ["end"]
    assert len(asking.parts.stopping.waits) == 1


def test_a_sweep_that_goes_on_after_all_has_its_requests_held_again(make_parts: Callable[..., Parts]) -> None:
    asking = Asking(make_parts(3))
    asking.parts.held(1)
    line = asking.talk(reply(503), reply(503, **LATER))
    assert [query(line, number)["wait"] for number in range(3)] == [30, 0, 30]


# -- files that tasks share


class Files:
    """The originals of inputs, in place of the files that would be fetched."""

    def __init__(self, how: int = LINK, size: int = 6) -> None:
        self.limit, self.how, self.size = 100, how, size
        self.asked: list[str] = []
        self.fault: OSError | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def have(self, _: MasterConnection, sha256: str) -> Original:
        self.asked.append(sha256)
        self.meanwhile()
        if self.fault:
            raise self.fault
        return Original(sha256, "/nowhere", self.how, (self.size,), None)


@pytest.fixture
def files(asking: Asking) -> Files:
    made: Any = Files()
    asking.renewal.files = made
    return made  # type: ignore[no-any-return]


def shared(ticket: int, size: int = 6) -> bytes:
    return task(ticket, "true", shared={"in": b"shared"}).replace(b"Length=6", b"Length=%d" % size)


def test_an_attempt_with_shared_files_is_ready_once_they_are_here_and_does_not_wait_for_the_next(
    asking: Asking, files: Files
) -> None:
    seen: list[list[int]] = []
    files.meanwhile = lambda: seen.append(sorted(asking.parts.tickets.held))
    asking.talk(reply(200, shared(1) + task(2, "true") + shared(3)))
    assert asking.ready() == [[1], [3], [2]]
    assert files.asked == [KEY, KEY]
    assert seen == [[1, 2, 3]] * 2, "held before their files are fetched: the pings must name them"
    assert list(asking.parts.tickets.held[1].originals) == [KEY]
    assert not asking.parts.tickets.held[1].prepared


def test_an_attempt_whose_file_cannot_be_had_fails_for_that_reason(asking: Asking, files: Files) -> None:
    files.fault = OSError(28, os.strerror(28))
    asking.talk(reply(200, shared(1)))
    assert asking.ready() == [[1]]
    reason = asking.parts.tickets.held[1].reason
    assert reason.startswith("an input file cannot be had: ") and "No space left" in reason


def prepared_by(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Attempt, Any]]:
    """Note which attempts are prepared by the asking thread, and with which worker."""
    found: list[tuple[Attempt, Any]] = []
    monkeypatch.setattr(module, "prepare", lambda attempt, worker: found.append((attempt, worker)))
    return found


@pytest.mark.parametrize(("how", "size", "here"), [(COPY, LARGE, True), (COPY, LARGE - 1, False), (LINK, LARGE, False)])
def test_only_directories_with_a_copy_of_a_large_file_are_made_here(
    asking: Asking, files: Files, monkeypatch: pytest.MonkeyPatch, how: int, size: int, here: bool
) -> None:
    files.how, files.size = how, size
    found = prepared_by(asking, monkeypatch)
    asking.talk(reply(200, shared(1)))
    assert [one.task.ticket for one, _ in found] == ([1] if here else [])


def test_a_large_worker_that_is_copied_is_a_reason_as_well(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = asking.renewal.original = Original("", "/w", COPY, (LARGE,), None)
    found = prepared_by(asking, monkeypatch)
    asking.talk(reply(200, task(1, "true")))
    assert found == [(asking.parts.tickets.held[1], worker)]


def test_a_suspect_gets_its_directory_with_files_of_its_own_here(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = prepared_by(asking, monkeypatch)
    asking.renewal._suspects.add(repr([b"true"]))
    asking.talk(reply(200, task(1, "true") + task(2, "false")))
    held = asking.parts.tickets.held
    assert held[1].is_suspect and not held[2].is_suspect
    assert found == [(held[1], None)]


def test_an_attempt_that_cannot_run_here_fails_and_a_changed_original_is_left_to_the_hand(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Original("", "/w", COPY, (LARGE,), None)
    asking.renewal.original = original
    faults = [module.CannotRun("no room"), module.Changed(original)]

    def prepare(*_: object) -> None:
        raise faults.pop(0)

    monkeypatch.setattr(module, "prepare", prepare)
    asking.talk(reply(200, task(1, "true") + task(2, "true")))
    assert [one.reason for one in asking.parts.tickets.held.values()] == ["no room", ""]
    assert asking.ready() == [[1, 2]]


# -- no more than the disk has room for


class Returned(list[list[int]]):
    """What is given back to the master, in place of the thread that does it."""

    def __call__(self, _: object, attempts: list[Attempt]) -> Returned:
        self.append([one.task.ticket for one in attempts])
        return self

    def start(self) -> None:
        self.append([])


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> Returned:
    made = Returned()
    monkeypatch.setattr(module, "Returner", made)
    return made


def test_attempts_whose_files_have_no_room_on_the_disk_go_back(
    asking: Asking, files: Files, returned: Returned
) -> None:
    asking.parts.prefetch.note_success(0.1)
    asking.talk(reply(200, b"".join(shared(n, size=30 if n == 2 else 20) for n in range(1, 6))))
    assert sorted(asking.parts.tickets.held) == [1, 2, 3], "three times the largest fit into 100 bytes"
    assert returned == [[4, 5], []], "and a thread gives them back"
    assert asking.parts.prefetch.ahead() == 3
    asking.parts.demand.change(-1, -1)
    assert asking.parts.wanted() == (3, 3)
    asking.parts.demand.change(-2, -2)
    assert asking.parts.demand.nothing_held.is_set(), "what goes back was never held"


def test_for_each_slot_an_attempt_is_taken_whatever_the_size_of_its_files(
    asking: Asking, files: Files, returned: Returned
) -> None:
    asking.talk(reply(200, b"".join(shared(n, size=1000) for n in range(1, 4))))
    assert sorted(asking.parts.tickets.held) == [1, 2]
    assert returned == [[3], []]


def test_as_many_attempts_as_fit_exactly_are_all_kept(asking: Asking, files: Files, returned: Returned) -> None:
    asking.talk(reply(200, b"".join(shared(n, size=25) for n in range(1, 5))))
    assert len(asking.parts.tickets.held) == 4 and not returned


def test_attempts_without_shared_files_are_never_too_many(asking: Asking, files: Files, returned: Returned) -> None:
    files.limit = 0
    asking.parts.prefetch.note_success(0.001)
    asking.talk(reply(200, b"".join(task(n, "true", inputs={"in": b"own" * 99}) for n in range(1, 9))))
    assert len(asking.parts.tickets.held) == 8 and not returned
    assert asking.parts.prefetch.ahead() == 256, "no limit"


def test_a_shared_file_of_unknown_length_counts_as_nothing(asking: Asking, files: Files, returned: Returned) -> None:
    record = shared(1).replace(b"Length=6", b"Length=") + shared(2, size=10)
    files.limit = 10
    asking.talk(reply(200, record + task(3, "true", inputs={"big": b"x" * 50})))
    assert len(asking.parts.tickets.held) == 2, "the largest has 10 bytes: one would fit, and there are two slots"
    assert returned == [[3], []]


def test_where_no_length_is_known_nothing_is_limited(asking: Asking, files: Files, returned: Returned) -> None:
    files.limit = 0
    asking.talk(reply(200, b"".join(shared(n).replace(b"Length=6", b"Length=") for n in range(1, 4))))
    assert len(asking.parts.tickets.held) == 3 and not returned


def test_an_answer_without_new_tickets_limits_nothing(asking: Asking, files: Files, returned: Returned) -> None:
    asking.parts.held(1)
    asking.parts.prefetch.note_success(0.001)
    asking.talk(reply(200, shared(1, size=30)))
    assert asking.parts.prefetch.ahead() == 256 and not returned


def test_all_shared_files_of_an_attempt_count_together(asking: Asking, files: Files, returned: Returned) -> None:
    two = task(1, "true", shared={"a": b"shared", "b": b"sharee"})
    files.limit = 36
    asking.talk(reply(200, two + b"".join(shared(n) for n in range(2, 5))))
    assert sorted(asking.parts.tickets.held) == [1, 2, 3], "36 / 12"
    assert returned == [[4], []]


def test_a_file_that_has_just_been_fetched_lies_in_the_folder_of_the_client(asking: Asking, tmp_path: Path) -> None:
    line = asking.talk(reply(200, shared(1)), reply(200, b"shared"))
    assert line.paths[:2] == ["/task", "/file"]
    assert (tmp_path / "files" / KEY).read_bytes() == b"shared"
    assert asking.ready()[0] == [1]
