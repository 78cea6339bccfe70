"""The way of attempts: ready, at a hand, ended, and out again; each step as the loop is told of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from spe.client import exits
from spe.client.hand.held_back import LONGEST
from spe.client.loop import attempts as module
from spe.client.loop.attempts import AttemptPipeline
from spe.client.loop.renewal import OriginalRenewal
from spe.client.task.attempt import Attempt

from .loop_kit import Parts, told


class Outbox:
    """What comes to the senders, in place of them."""

    def __init__(self) -> None:
        self.came: list[Attempt] = []

    def put(self, attempt: Attempt) -> None:
        self.came.append(attempt)

    @property
    def tickets(self) -> list[int]:
        return [one.task.ticket for one in self.came]


class Way:
    """The way of attempts through a client whose hands and senders the test plays."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.outbox = parts, Outbox()
        self.renewal = OriginalRenewal(parts.shared, parts.hands, None, None, parts.base + "/files")
        self.pipeline = AttemptPipeline(parts.shared, parts.hands, self.renewal, self.outbox, parts.host_ends)  # type: ignore[arg-type]
        self.working, self.ready = parts.tickets.working, parts.tickets.ready

    def begin(self, *tickets: int) -> list[Attempt]:
        """Have attempts come and go to the hands; return them."""
        attempts = self.parts.held(*tickets)
        self.pipeline.add_ready(attempts)
        self.pipeline.feed_hands()
        return attempts

    def waiting(self) -> list[int]:
        return [one.task.ticket for one in self.ready]

    def heard(self) -> list[list[Any]]:
        """Return what each hand was told since the last call; of `begin` the tickets."""
        found = []
        for one in self.parts.played:
            found.append(
                [
                    ("begin", [given[0][0] for given in argument]) if name == "begin" else (name, argument)
                    for name, argument in one.heard()
                ]
            )
        return found


class Returned(list[tuple[list[int], str]]):
    """What is given back to the master, in place of the thread that does it."""

    def __call__(self, _: object, attempts: list[Attempt], reason: str = "") -> Returned:
        self.append(([one.task.ticket for one in attempts], reason))
        return self

    def start(self) -> None:
        """Nobody is asked."""


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> Returned:
    made = Returned()
    monkeypatch.setattr(module, "Returner", made)
    return made


@pytest.fixture
def way(parts: Parts, returned: Returned) -> Way:
    return Way(parts)


@pytest.fixture
def two_hands(make_parts: Callable[..., Parts], returned: Returned) -> Way:
    """A way with two hands of one slot each."""
    return Way(make_parts(1, 1))


# -- to the hands


def test_ready_attempts_go_to_the_free_slots_and_the_rest_waits(way: Way) -> None:
    attempts = way.begin(1, 2, 3)
    assert way.heard() == [[("begin", [1, 2])]]
    assert way.working == {1: attempts[0], 2: attempts[1]} and way.waiting() == [3]
    way.pipeline.feed_hands()
    assert way.heard() == [[]], "no slot is free"


def test_of_short_tasks_some_lie_ready_at_the_hand(way: Way) -> None:
    way.parts.prefetch.note_success(0.06)
    way.begin(1, 2, 3, 4, 5)
    assert way.heard() == [[("begin", [1, 2, 3, 4])]], "one beyond each slot"


def test_an_attempt_that_must_not_begin_any_more_is_finished_on_the_way(way: Way) -> None:
    dropped, failed, good = way.parts.held(1, 2, 3)
    dropped.dropped, failed.reason = True, "an input file cannot be had"
    way.pipeline.add_ready([dropped, failed, good])
    way.pipeline.feed_hands()
    assert way.heard() == [[("begin", [3])]]
    assert way.parts.prefetch.ahead() == 0, "no length is known: these two took no time"
    assert way.outbox.tickets == [1, 2] and list(way.working) == [3]
    assert dropped.has_left and failed.has_left and not good.has_left


def test_nothing_begins_while_an_original_is_fetched_again(way: Way) -> None:
    way.renewal._under_way.add("a checksum")
    way.begin(1)
    assert way.heard() == [[]] and way.waiting() == [1]
    way.renewal.end(("a checksum", None, ""))
    way.pipeline.feed_hands()
    assert way.heard() == [[("begin", [1])]]


def test_an_attempt_gets_its_originals_as_they_are_now_or_fails(way: Way) -> None:
    (attempt,) = way.parts.held(1)
    attempt.originals = {"a checksum": None}  # type: ignore[dict-item]
    way.renewal._fault = "404"
    way.pipeline.add_ready([attempt])
    way.pipeline.feed_hands()
    assert way.outbox.came == [attempt]
    assert attempt.reason == "an input file cannot be had again: 404"


def test_attempts_that_wait_at_one_hand_are_called_back_for_a_slot_that_is_free_at_another(two_hands: Way) -> None:
    way = two_hands
    way.parts.prefetch.note_success(0.06)
    way.begin(1, 2, 3, 4)
    assert way.heard() == [[("begin", [1, 3])], [("begin", [2, 4])]]
    for ticket in (2, 4):
        way.parts.played[1].say("done", [told(ticket)])
    for _, argument in way.parts.hands.receive():
        way.pipeline.hear_done(argument)
    way.pipeline.feed_hands()
    assert way.heard() == [[("back", None)], [("back", None)]]
    (later,) = way.parts.held(5)
    way.pipeline.add_ready([later])
    way.pipeline.feed_hands()
    assert way.heard() == [[], []], "nothing is given to a hand during the round"
    way.parts.played[0].say("back", [told(3, prepared=True)])
    way.parts.played[1].say("back", [])
    for _, argument in way.parts.hands.receive():
        way.pipeline.hear_back(argument)
    assert way.waiting() == [3, 5]
    way.pipeline.feed_hands()
    assert way.heard() == [[], [("begin", [3])]]


def test_hands_that_are_even_are_not_asked_for_anything(two_hands: Way) -> None:
    two_hands.begin(1, 2)
    two_hands.heard()
    two_hands.pipeline.feed_hands()
    assert two_hands.heard() == [[], []]


# -- told by threads


def test_a_ticket_that_the_master_does_not_want_any_more_is_dropped_once(way: Way) -> None:
    attempts = way.begin(1, 2, 3)
    way.heard()
    for ticket in (1, 1, 3, 99):
        way.pipeline.drop(ticket)
    assert way.heard() == [[("drop", 1)]], "a hand has ticket 1; ticket 3 waits here"
    assert [one.dropped for one in attempts] == [True, False, True]


def test_up_to_so_many_of_the_last_tickets_go_back_to_a_master_whose_other_hosts_are_idle(
    way: Way, returned: Returned
) -> None:
    way.begin(1, 2, 3, 4, 5)
    way.heard()
    way.parts.demand.change(0, 0, 10)
    way.pipeline.return_unbegun(2)
    assert way.heard() == [[("back", None)]]
    assert way.parts.wanted() == (0, 0), "nothing is fetched ahead any more"
    assert not returned
    way.pipeline.hear_back([])
    assert returned == [([5, 4], "")]
    assert way.waiting() == [3]
    assert sorted(way.parts.tickets.held) == [1, 2, 3]
    way.pipeline.feed_hands()
    assert way.heard() == [[]]


def test_no_more_tickets_go_back_than_wait_here(way: Way, returned: Returned) -> None:
    way.begin(1, 2, 3)
    way.pipeline.return_unbegun(1000)
    way.pipeline.hear_back([])
    assert returned == [([3], "")] and list(way.working) == [1, 2]


def test_what_a_hand_gives_back_stays_here_as_far_as_slots_are_free(two_hands: Way, returned: Returned) -> None:
    way = two_hands
    way.parts.prefetch.note_success(0.06)
    way.begin(1, 2, 3, 4)
    way.heard()
    way.pipeline.return_unbegun(9)
    way.parts.played[0].say("done", [told(1)])
    way.parts.played[0].say("back", [told(3)])
    way.parts.played[1].say("back", [told(4)])
    for name, argument in way.parts.hands.receive():
        (way.pipeline.hear_done if name == "done" else way.pipeline.hear_back)(argument)
    assert way.heard()[0][-1] == ("begin", [4])
    assert returned == [([3], "")], "no attempt is near at a hand that has no slot free"


def test_a_person_who_looks_waits_until_the_hand_keeps_the_directory(way: Way) -> None:
    way.begin(1)
    way.heard()
    first, second = threading.Event(), threading.Event()
    way.pipeline.watch((1, first))
    way.pipeline.watch((1, second))
    assert way.heard() == [[("watch", 1), ("watch", 1)]]
    assert not first.is_set()
    way.pipeline.hear_watched(2)
    assert not first.is_set()
    way.pipeline.hear_watched(1)
    assert first.is_set() and second.is_set()
    way.pipeline.hear_watched(1)


def test_a_person_who_looks_at_a_ticket_that_no_hand_has_need_not_wait(way: Way) -> None:
    ready = threading.Event()
    way.pipeline.watch((7, ready))
    assert ready.is_set() and way.heard() == [[]]


@pytest.mark.parametrize("lost", [False, True])
def test_a_person_who_looks_is_released_when_the_attempt_ends(way: Way, lost: bool) -> None:
    way.begin(1)
    ready = threading.Event()
    way.pipeline.watch((1, ready))
    way.pipeline.hear_done([told(1, lost="a program changed it" if lost else "")])
    assert ready.is_set()


# -- told by hands


def test_an_attempt_that_has_ended_goes_to_the_senders_with_all_that_the_hand_says(way: Way) -> None:
    first, second = way.begin(1, 2)
    before = time.monotonic()
    way.pipeline.hear_done([told(1, reason="exit code 3", exit_code=3), told(99)])
    assert way.outbox.came == [first] and list(way.working) == [2]
    assert (first.reason, first.exit_code, first.prepared, first.cleared) == ("exit code 3", 3, True, True)
    assert before <= first.heard_at <= time.monotonic()
    assert first.has_left and not first.dropped and not second.has_left
    assert sorted(way.parts.tickets.held) == [1, 2], "held until it is delivered"
    assert way.parts.wanted() == (1, 0)


def test_the_slot_of_an_attempt_is_counted_as_free_once_though_its_report_follows(way: Way) -> None:
    attempts = way.begin(1, 2)
    way.pipeline.hear_ended([(1, 0.2, False), (99, 0.2, False)])
    assert attempts[0].has_left and not attempts[1].has_left
    assert way.parts.wanted()[0] >= 1
    assert way.parts.prefetch.ahead() == 2 * 5
    way.parts.demand.change(0, 0, 0)
    assert way.parts.wanted() == (1, 0)
    way.pipeline.hear_done([told(1, usage={"wall": 5.0})])
    assert way.parts.wanted() == (1, 0)
    assert way.parts.prefetch.ahead() == 10, "its length has been counted"
    assert way.outbox.tickets == [1] and list(way.working) == [2]
    way.parts.tickets.release(attempts)
    assert way.parts.demand.nothing_held.is_set(), "a slot that is free changes nothing about what is held"


def test_what_is_worth_fetching_ahead_follows_the_lengths_of_tasks(way: Way) -> None:
    way.begin(1, 2)
    way.pipeline.hear_ended([(1, 0.5, False)])
    assert way.parts.wanted() == (5, 4)


def test_three_tasks_that_fail_in_a_row_make_the_host_doubtful_and_a_dropped_one_does_not_count(
    make_parts: Callable[..., Parts], returned: Returned
) -> None:
    way = Way(make_parts(4))
    way.begin(1, 2, 3, 4, 5)
    way.heard()
    way.pipeline.hear_done([told(1, reason="exit code 1"), told(2, reason="ended", dropped=True)])
    way.pipeline.hear_ended([(3, 0.1, True)])  # the dropped one is no success either: it took 0.5 s
    assert not way.parts.prefetch.is_doubtful
    assert way.heard() == [[]]
    way.pipeline.hear_done([told(4, reason="exit code 1", usage={})])
    assert way.parts.prefetch.is_doubtful
    assert way.heard() == [[("back", None)]], "what waits here should go to other hosts"


def test_a_doubtful_host_that_has_nothing_left_to_give_asks_no_hand(make_parts: Callable[..., Parts]) -> None:
    way = Way(make_parts(4))
    way.begin(1, 2, 3, 4)
    way.heard()
    way.pipeline.hear_done([told(n, reason="exit code 1") for n in (1, 2, 3)])
    assert way.parts.prefetch.is_doubtful and way.heard() == [[]]


def test_a_doubtful_host_gives_back_all_that_waits_at_its_hands(make_parts: Callable[..., Parts]) -> None:
    way = Way(make_parts(3))
    way.parts.prefetch.note_success(0.06)
    way.begin(1, 2, 3, 4)
    way.heard()
    way.pipeline.hear_ended([(n, 0.06, True) for n in (1, 2, 3)])
    way.pipeline.hear_done([told(3, reason="exit code 1")])
    assert way.heard() == [[("back", None)]], "attempt 4 waits at a hand"


def test_a_task_that_took_no_time_tells_nothing_about_lengths(way: Way) -> None:
    way.parts.prefetch.note_failure()
    way.begin(1)
    way.pipeline.hear_ended([(1, 0.0, False)])
    assert way.parts.prefetch.ahead() == 0
    assert way.parts.prefetch._failures == 1, "it is no success either"


def test_a_report_without_a_time_tells_nothing_about_lengths_either(way: Way) -> None:
    way.begin(1)
    way.pipeline.hear_done([told(1, usage={})])
    assert way.parts.prefetch.ahead() == 0 and way.outbox.tickets == [1]


def test_attempts_that_prove_nothing_are_given_back_with_the_reason_and_the_others_delivered(
    way: Way, returned: Returned
) -> None:
    first, second = way.begin(1, 2)
    why = "a program changed it"
    way.pipeline.hear_done([told(1, lost=why), told(2)])
    assert returned == [([1], why)]
    assert way.outbox.came == [second]
    assert list(way.parts.tickets.held) == [2] and not way.working
    assert way.renewal.is_suspect(first.task)
    assert way.parts.wanted() == (6, 4), "two slots, and what is worth fetching ahead of them"


def test_what_a_hand_has_not_begun_waits_again_before_all_others_in_its_old_order(way: Way) -> None:
    way.parts.prefetch.note_success(0.06)
    way.begin(1, 2, 3, 4, 5)
    way.pipeline.hear_unbegun([told(3, prepared=False), told(4)])
    assert way.waiting() == [3, 4, 5] and list(way.working) == [1, 2]
    assert [one.prepared for one in way.ready] == [False, True, False]
    assert not way.outbox.came


# -- at the end of the client


def test_what_is_ready_is_dropped_at_the_end(way: Way) -> None:
    attempts = way.begin(1, 2, 3, 4)
    way.pipeline.drop_ready()
    assert not way.ready and way.outbox.tickets == [3, 4]
    assert [one.dropped for one in attempts] == [False, False, True, True]
    assert all(one.has_left for one in attempts[2:])


def test_what_no_hand_can_tell_of_any_more_is_dropped_at_the_end(way: Way) -> None:
    attempts = way.begin(1, 2)
    way.pipeline.drop_working()
    assert not way.working and way.outbox.tickets == [1, 2]
    assert all(one.dropped and one.has_left for one in attempts)


@pytest.mark.parametrize("name", ["unbegun", "back"])
def test_what_a_hand_gave_back_just_before_it_was_killed_is_dropped_with_the_rest(way: Way, name: str) -> None:
    """The message still lies in the channel when the attempts of that hand have been dropped."""
    way.begin(1, 2)
    way.pipeline.drop_working()
    getattr(way.pipeline, f"hear_{name}")([told(1), told(2)])
    assert not way.ready and way.outbox.tickets == [1, 2]


@pytest.mark.parametrize("why", ["the host shuts down", "a process was killed"])
def test_what_ends_together_with_the_client_counts_for_nothing(way: Way, why: str) -> None:
    attempts = way.begin(1, 2)
    if why == "the host shuts down":
        way.parts.host_ends.set(1.0)
    else:
        way.parts.tickets.end(exits.Killed(why, [1]))
    way.pipeline.hear_done([told(1)])
    assert [one.dropped for one in attempts] == [True, False]
    assert way.outbox.tickets == [1]


def test_what_has_ended_just_before_is_dropped_and_what_ended_long_ago_is_delivered(way: Way) -> None:
    latest, old, dropped = way.parts.held(1, 2, 3)
    now = time.monotonic()
    latest.heard_at, old.heard_at, dropped.heard_at = now, now - LONGEST - 1, now - LONGEST - 1
    dropped.dropped = True
    way.pipeline.void_latest()
    assert not latest.dropped, "the sweep goes on"
    way.parts.tickets.end(exits.Ending(0, "the sweep is over"))
    way.pipeline.void_latest()
    assert not latest.dropped
    way.parts.host_ends.set(1.0)
    way.pipeline.void_latest()
    assert (latest.dropped, old.dropped, dropped.dropped) == (True, False, True)


def test_what_ended_two_seconds_before_is_the_last_that_is_delivered(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    last, later = way.parts.held(1, 2)
    last.heard_at, later.heard_at = 98.0, 98.25
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    way.parts.host_ends.set(1.0)
    way.pipeline.void_latest()
    assert (last.dropped, later.dropped) == (False, True)


def test_the_reason_of_a_killed_client_voids_the_latest_as_well(way: Way) -> None:
    (latest,) = way.parts.held(1)
    latest.heard_at = time.monotonic() - LONGEST / 2
    way.parts.tickets.end(exits.Killed("killed", []))
    way.pipeline.void_latest()
    assert latest.dropped
