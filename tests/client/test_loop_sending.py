"""Bringing results to the master: who takes which, what one batch holds, and what becomes of a refused one."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from spe.client.loop import sending as module
from spe.client.loop.sending import (
    MOST_BYTES,
    MOST_PARTS,
    MOST_SINGLE,
    MOST_TOGETHER,
    Batches,
    NotWanted,
    Sender,
    Senders,
)
from spe.client.task.attempt import SHORT, Attempt
from spe.client.wire.connection import parse_address
from spe.client.wire.lease import clock
from spe.client.wire.master import Stopping
from waiting import wait_until

from .loop_kit import Parts, PlayedMaster, reply
from .pretended_master import Master


def packed(parts: Parts, ticket: int, content: bytes = b"x", count: int = 1) -> Attempt:
    """Return an attempt that has ended and whose report is little."""
    attempt = parts.attempt(ticket)
    attempt.packed = [(f"y{number}", content) for number in range(count)]
    parts.tickets.hold([attempt], clock())
    return attempt


@pytest.fixture
def unstarted(monkeypatch: pytest.MonkeyPatch) -> list[Sender]:
    """No thread is started; those that would be are noted."""
    started: list[Sender] = []
    monkeypatch.setattr(Sender, "start", lambda self: started.append(self))
    return started


@pytest.fixture
def senders(parts: Parts, unstarted: list[Sender]) -> Senders:
    """Senders of a client whose master takes batches."""
    made = Senders(parts.shared, parts.settings._replace(together=True))
    assert unstarted == [made._batches]
    unstarted.clear()
    return made


def batches(senders: Senders) -> Batches:
    assert senders._batches
    return senders._batches


def gathered(senders: Senders) -> list[int]:
    return [one.task.ticket for one in batches(senders)._gathered()]


# -- who takes what


def test_small_results_and_dropped_ones_go_in_batches_and_the_others_alone(
    parts: Parts, senders: Senders, unstarted: list[Sender]
) -> None:
    large, dropped = parts.attempt(2), parts.attempt(3)
    dropped.dropped = True
    for one in (packed(parts, 1), large, dropped):
        senders.put(one)
    assert gathered(senders) == [1, 3]
    assert senders.get() is large and len(unstarted) == 1


def test_with_a_master_that_takes_no_batches_each_result_goes_alone(parts: Parts, unstarted: list[Sender]) -> None:
    senders = Senders(parts.shared, parts.settings)
    small = packed(parts, 1)
    senders.put(small)
    assert senders.get() is small and len(unstarted) == 1


def test_there_are_as_many_threads_for_large_results_as_wait_and_eight_at_most(
    parts: Parts, senders: Senders, unstarted: list[Sender]
) -> None:
    for number in range(1, 20):
        senders.put(parts.attempt(number))
        assert len(unstarted) == min(number, MOST_SINGLE)
    assert MOST_SINGLE == 8


def test_a_thread_that_is_idle_takes_the_next_large_result(
    parts: Parts, senders: Senders, unstarted: list[Sender]
) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(senders.get().task.ticket), daemon=True)
    thread.start()
    wait_until(lambda: senders.idle == 1, "one is idle")
    senders.put(parts.attempt(1))
    thread.join(20)
    assert found == [1] and not unstarted and senders.idle == 0
    senders.put(parts.attempt(2))
    assert len(unstarted) == 1


def test_a_thread_that_cannot_be_started_is_done_without_unless_it_is_the_only_one(
    parts: Parts, senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Sender, "start", fail)
    with pytest.raises(RuntimeError):
        senders.put(parts.attempt(1))
    monkeypatch.setattr(Sender, "start", lambda _: None)
    senders.put(parts.attempt(2))
    monkeypatch.setattr(Sender, "start", fail)
    senders.put(parts.attempt(3))
    assert [senders.get().task.ticket for _ in range(3)] == [1, 2, 3]
    assert len(senders._threads) == 1, "the one that could be started"


def test_what_is_delivered_is_cleared_away_and_forgotten(parts: Parts, senders: Senders) -> None:
    first, second = parts.held(1, 2)
    first.place.make()
    senders.finish([first])
    assert not os.listdir(parts.base) and list(parts.tickets.held) == [2]
    senders.finish([second])
    assert parts.demand.nothing_held.is_set()


# -- alone


def talk(sender: Sender, *answers: Any) -> PlayedMaster:
    """Run a sender's talk in that of the test until what waits is delivered."""
    line: PlayedMaster = PlayedMaster(sender.master, *answers)
    sender.connection = line
    get = sender.senders.get

    def next_one() -> Attempt:
        if sender.senders.waiting.empty():
            raise Stopping()
        return get()

    sender.senders.get = next_one  # type: ignore[method-assign]
    with pytest.raises(Stopping):
        sender.talk()
    return line


def test_a_sender_delivers_one_result_after_the_other_and_only_clears_away_what_was_dropped(
    parts: Parts, senders: Senders, capfd: pytest.CaptureFixture[str]
) -> None:
    first, dropped, called, last = (packed(parts, number) for number in (1, 2, 3, 4))
    dropped.dropped = True
    for one in (first, dropped, called, last):
        senders.put_single(one)
    line = talk(Sender(parts.shared, senders), reply(200, b"accepted"), NotWanted(), reply(200, b"accepted"))
    assert line.asked == [("/complete", [("ticket", ticket)]) for ticket in (1, 3, 4)]
    assert not parts.tickets.held
    assert capfd.readouterr().err == "spe-client: ticket 3: the master called it back\n"


def test_a_result_that_was_called_back_is_not_sent_again_and_one_without_a_lease_waits(
    parts: Parts, senders: Senders
) -> None:
    sender = Sender(parts.shared, senders)
    first, second = parts.held(1, 2)
    sender.before_request()
    sender.attempts = [first, second]
    sender.before_request()
    second.dropped = True
    with pytest.raises(NotWanted):
        sender.before_request()
    parts.lease.renew(clock() - 1000)
    parts.stopping.set()
    with pytest.raises(Stopping):
        sender.before_request()


def test_files_that_the_master_asked_for_are_brought_although_a_ping_calls_the_ticket_back(
    parts: Parts, senders: Senders, unstarted: list[Sender]
) -> None:
    """With the report the ticket is over. A ping that was on its way says so and calls it back."""
    attempt = packed(parts, 1)
    attempt.reason = "exit code 3"
    attempt.place.make()
    with open(os.path.join(attempt.folder, "mine"), "wb") as file:
        file.write(b"evidence")
    senders.settings = senders.settings._replace(keep_failed=1000)
    bring(parts, senders, [attempt], reply(200, b"1 noted\n", Keep="1"))
    attempt.dropped = True
    sender = Sender(parts.shared, senders)
    sender.attempts = [attempt]
    sender.before_request()
    line = talk(sender, reply(200, b"kept"))
    assert line.asked == [("/kept", [("ticket", 1)])] and b"evidence" in line.bodies[0]
    assert not parts.tickets.held


def test_the_result_that_is_being_delivered_is_the_one_that_is_checked(
    parts: Parts, senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(parts.shared, senders)
    seen: list[list[Attempt]] = []
    monkeypatch.setattr(module, "deliver", lambda *_: seen.append(sender.attempts))
    attempts = parts.held(1, 2)
    for one in attempts:
        senders.put_single(one)
    talk(sender)
    assert seen == [[attempts[0]], [attempts[1]]]


# -- batches


def test_a_batch_holds_five_hundred_attempts_at_most(parts: Parts, senders: Senders) -> None:
    for number in range(1, MOST_TOGETHER + 3):
        senders.put(packed(parts, number))
    assert len(gathered(senders)) == MOST_TOGETHER == 500
    assert gathered(senders) == [501, 502]


def test_a_batch_ends_with_the_attempt_that_makes_it_large(parts: Parts, senders: Senders) -> None:
    half = b"x" * (MOST_BYTES // 2)
    for number, content in enumerate((half, half[:-1], b"x", half + half, b"x"), 1):
        senders.put(packed(parts, number, content))
    assert gathered(senders) == [1, 2, 3]
    assert gathered(senders) == [4]
    assert gathered(senders) == [5]
    assert MOST_BYTES == 1 << 20


def test_a_batch_ends_with_the_attempt_that_makes_it_many_parts(parts: Parts, senders: Senders) -> None:
    for number, count in enumerate((2, MOST_PARTS - 3, 1, MOST_PARTS, 1), 1):
        senders.put(packed(parts, number, b"", count))
    assert gathered(senders) == [1, 2, 3]
    assert gathered(senders) == [4]
    assert gathered(senders) == [5]
    assert MOST_PARTS == 5000


def test_what_was_dropped_counts_as_nothing_in_a_batch(parts: Parts, senders: Senders) -> None:
    for number in (1, 2):
        attempt = parts.attempt(number)
        attempt.dropped = True
        senders.put(attempt)
    assert gathered(senders) == [1, 2]


def test_results_of_short_tasks_gather_for_a_moment_while_more_is_at_work(parts: Parts, senders: Senders) -> None:
    for length, busy, waits in ((0.0, True, 0), (0.5, True, 0), (SHORT / 2, False, 0), (SHORT / 2, True, 1)):
        parts.stopping.waits.clear()
        parts.prefetch._mean = length
        parts.tickets.working = {9: parts.attempt(9)} if busy else {}
        senders.put(packed(parts, 1))
        assert gathered(senders) == [1]
        assert parts.stopping.waits == [SHORT] * waits, (length, busy)


def test_a_thread_that_waits_for_the_first_result_is_woken_by_it(parts: Parts, senders: Senders) -> None:
    found: list[list[int]] = []
    thread = threading.Thread(target=lambda: found.append(gathered(senders)), daemon=True)
    thread.start()
    wait_until(lambda: batches(senders)._came._waiters, "somebody waits")  # type: ignore[attr-defined]
    senders.put(packed(parts, 1))
    thread.join(20)
    assert found == [[1]]


def bring(parts: Parts, senders: Senders, attempts: list[Attempt], *answers: Any) -> PlayedMaster:
    thread = batches(senders)
    line: PlayedMaster = PlayedMaster(parts.master, *answers)
    thread.connection = line
    thread._bring(attempts)
    return line


def test_a_batch_is_delivered_in_one_request_and_forgotten(parts: Parts, senders: Senders) -> None:
    attempts = [packed(parts, 1), packed(parts, 2)]
    line = bring(parts, senders, attempts, reply(200, b"1 accepted\n2 accepted\n"))
    assert line.paths == ["/results"] and not parts.tickets.held
    assert b'name="1/y0"' in line.bodies[0] and b'name="2/y0"' in line.bodies[0]
    assert senders.waiting.empty()


def test_what_was_called_back_is_left_out_of_a_batch_and_forgotten(
    parts: Parts, senders: Senders, capfd: pytest.CaptureFixture[str]
) -> None:
    attempts = [packed(parts, 1), packed(parts, 2), packed(parts, 3)]
    attempts[0].dropped = True
    line = PlayedMaster(parts.master, NotWanted(), reply(200, b"3 accepted\n"))
    thread = batches(senders)
    thread.connection = line
    told = line.ask

    def ask(*arguments: Any, **more: Any) -> Any:
        attempts[1].dropped = len(line.asked) == 0 or attempts[1].dropped
        return told(*arguments, **more)

    line.ask = ask  # type: ignore[method-assign]
    thread._bring(attempts)
    assert len(line.asked) == 2
    assert [b"1/y0" in body for body in line.bodies] == [False, False]
    assert [b"2/y0" in body for body in line.bodies] == [True, False]
    assert not parts.tickets.held and senders.waiting.empty()
    assert capfd.readouterr().err == "spe-client: the master called back some of 3 results\n"


def test_a_batch_that_the_master_refuses_goes_one_by_one_but_for_what_was_called_back(
    parts: Parts, senders: Senders, unstarted: list[Sender]
) -> None:
    attempts = [packed(parts, 1), packed(parts, 2), packed(parts, 3)]
    attempts[1].dropped = True
    bring(parts, senders, attempts, reply(413, b"too much"))
    assert [senders.get() for _ in range(2)] == [attempts[0], attempts[2]]
    assert sorted(parts.tickets.held) == [1, 3] and unstarted


def test_a_batch_of_nothing_but_dropped_attempts_asks_nothing(parts: Parts, senders: Senders) -> None:
    attempt = packed(parts, 1)
    attempt.dropped = True
    assert not bring(parts, senders, [attempt]).asked and not parts.tickets.held


def test_threads_bring_small_and_large_results_one_batch_after_the_other(parts: Parts, master: Master) -> None:
    """With real threads and a real connection."""
    parts.master.address = parse_address(master.url, "")
    senders = Senders(parts.shared, parts.settings._replace(together=True))
    for number in (1, 2):
        senders.put(packed(parts, number))
        master.wait_for(lambda number=number: number in master.brought)
    large = parts.attempt(3)
    large.place.make()
    for path in (large.stdout, large.stderr):
        open(path, "wb").close()
    parts.tickets.hold([large], clock())
    senders.put(large)
    master.wait_for(lambda: master.of("/complete"))
    wait_until(lambda: not parts.tickets.held, "all are sent")
    assert not parts.events()
