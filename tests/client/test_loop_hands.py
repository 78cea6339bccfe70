"""The client's side of its hands: who gets the next attempts, what each says, and when one counts as dead."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator

import pytest
from spe.client.loop import hands as module
from spe.client.loop.hands import END_TIME, LONGEST_SILENCE, HandProcess
from spe.client.machine import facts

from .loop_kit import Parts, PlayedHand, is_over, told


def feed(parts: Parts, count: int, near: int = 0, first: int = 1) -> list[list[int]]:
    """Hand out so many attempts. Return the tickets that each hand got."""
    waiting = deque(parts.attempt(ticket) for ticket in range(first, first + count))
    parts.hands.feed(lambda: waiting.popleft() if waiting else None, near)
    return [one.begun() for one in parts.played]


def test_the_least_loaded_hand_for_its_slots_gets_the_next_attempt(make_parts: Callable[..., Parts]) -> None:
    parts = make_parts(1, 3)
    assert feed(parts, 2) == [[1], [2]]
    assert feed(parts, 9, first=11) == [[], [11, 12]]
    assert [one.process.given for one in parts.played] == [1, 3]
    assert list(parts.played[1].process.tickets) == [2, 11, 12], "in the order in which it got them"


def test_attempts_lie_ready_beyond_each_slot_as_many_as_are_near(make_parts: Callable[..., Parts]) -> None:
    parts = make_parts(1, 2)
    assert feed(parts, 99, near=2) == [[1, 4, 7], [2, 3, 5, 6, 8, 9]]


def test_a_hand_gets_all_its_attempts_in_one_message_and_one_without_any_gets_none(
    make_parts: Callable[..., Parts],
) -> None:
    parts = make_parts(3, 1)
    waiting = deque(parts.attempt(ticket) for ticket in range(1, 10))
    parts.played[1].process.given = 1
    parts.hands.feed(lambda: waiting.popleft(), 0)
    assert [len(one.heard()) for one in parts.played] == [1, 0]
    assert len(waiting) == 6, "no attempt is taken that no hand has a slot for"


def test_nobody_is_fed_when_there_is_nothing_or_no_hand(parts: Parts) -> None:
    assert feed(parts, 0) == [[]]
    parts.hands.processes = []
    parts.hands.feed(lambda: parts.attempt(1), 0)
    assert not parts.hands.is_uneven() and not parts.hands.are_waiting()


def test_a_slot_is_free_when_a_hand_says_that_an_attempt_is_done_ended_or_not_begun(parts: Parts) -> None:
    hand = parts.hand
    feed(parts, 6, near=9)
    for name, ticket, left in (("done", 1, 5), ("ended", 2, 4), ("back", 3, 3), ("unbegun", 4, 2)):
        hand.say(name, [told(ticket)])
        assert parts.hands.receive() == [(name, [told(ticket)])]
        assert hand.process.given == left and ticket not in hand.process.tickets
    hand.say("done", [told(2), told(99)])  # the report after `ended`, and a ticket that it never had
    hand.say("watched", 5)
    assert [name for name, _ in parts.hands.receive()] == ["done", "watched"]
    assert list(hand.process.tickets) == [5, 6] and hand.process.given == 2
    assert parts.hands.receive() == []


def test_hands_are_uneven_when_one_has_a_free_slot_while_attempts_wait_at_another(
    make_parts: Callable[..., Parts],
) -> None:
    parts = make_parts(1, 1)
    first, second = parts.hands.processes
    for given, waiting, uneven in (
        ((0, 0), False, False),
        ((1, 0), False, False),
        ((1, 1), False, False),
        ((2, 1), True, False),
        ((2, 0), True, True),
        ((0, 2), True, True),
    ):
        first.given, second.given = given
        assert (parts.hands.are_waiting(), parts.hands.is_uneven()) == (waiting, uneven), given


def test_all_hands_are_told_and_counted(make_parts: Callable[..., Parts]) -> None:
    parts = make_parts(1, 1, 1)
    assert parts.hands.tell("drop", 7) == 3
    assert [one.heard() for one in parts.played] == [[("drop", 7)]] * 3
    assert parts.hands.channels == [one.process.channel for one in parts.played]
    parts.hands.tell("back")
    assert parts.hand.heard() == [("back", None)]


# -- hands that end


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process to be the hand."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    if process.returncode is None:
        process.kill()
        process.wait()


def as_hand(parts: Parts, process: subprocess.Popen[bytes], slots: int = 2) -> PlayedHand:
    """Have this process be the only hand."""
    parts.hand.close()
    parts.played[0] = PlayedHand(slots, process.pid)
    parts.hands.processes = [parts.hand.process]
    assert parts.hands.pids == [process.pid]
    return parts.hand


def test_of_a_hand_that_was_killed_the_client_knows_the_signal_and_what_it_had_begun(
    parts: Parts, sleeper: subprocess.Popen[bytes]
) -> None:
    hand = as_hand(parts, sleeper)
    feed(parts, 3, near=1)
    sleeper.send_signal(signal.SIGTERM)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    hand.channel.close()
    assert parts.hands.receive() == [("killed", ("a process of the client was killed by signal 15", [1, 2]))]
    sleeper.returncode = -signal.SIGTERM  # it was waited for
    assert parts.hands.processes == [] and parts.hands.receive() == []
    assert hand.process.channel.fileno() == -1, "closed"


def test_a_hand_that_was_killed_for_want_of_memory_says_so(
    parts: Parts, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "why_killed", lambda code: ", no memory" if code == -signal.SIGKILL else "?")
    hand = as_hand(parts, sleeper)
    sleeper.kill()
    hand.channel.close()
    assert parts.hands.receive() == [("killed", ("a process of the client was killed by signal 9, no memory", []))]
    sleeper.returncode = -signal.SIGKILL


def test_a_hand_that_has_just_ended_by_itself_is_no_killed_one(parts: Parts) -> None:
    ended = subprocess.Popen(["true"])
    hand = as_hand(parts, ended, slots=1)
    feed(parts, 2, near=1)
    hand.channel.close()
    assert parts.hands.receive() == [("killed", ("a process of the client has ended", [1]))]
    ended.returncode = 0


def test_a_hand_that_was_waited_for_with_all_other_children_has_ended(parts: Parts) -> None:
    """At the end of the client, where all processes below it are killed and waited for."""
    ended = subprocess.Popen(["true"])
    hand = as_hand(parts, ended)
    ended.wait()
    hand.say("watched", 1)
    hand.channel.close()
    heard = parts.hands.receive() + parts.hands.receive()
    assert heard == [("watched", 1), ("killed", ("a process of the client has ended", []))]
    assert not parts.hands.processes


def test_hands_are_told_to_end_also_those_that_somebody_has_stopped(
    parts: Parts, sleeper: subprocess.Popen[bytes]
) -> None:
    hand = as_hand(parts, sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    parts.hands.stop(True)
    os.waitid(os.P_PID, sleeper.pid, os.WCONTINUED | os.WNOWAIT)
    assert hand.heard() == [("stop", True)]
    parts.hands.stop(False)
    assert hand.heard() == [("stop", False)]
    assert not is_over(sleeper.pid)


def test_hands_that_have_not_ended_are_killed(parts: Parts, sleeper: subprocess.Popen[bytes]) -> None:
    as_hand(parts, sleeper)
    parts.hands.kill()
    assert sleeper.wait(20) == -signal.SIGKILL
    assert END_TIME == 9.0, "three times the seconds that a hand gives its programs"


# -- hands that are silent


class Watch:
    """A hand whose state the test gives, and the times at which the client looks at it."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts, self.state, self.killed = parts, "S", list[int]()
        self.now = parts.hands._looked = parts.hands._asked = 100.0
        monkeypatch.setattr(module.facts, "stat_of", lambda pid: [self.state])
        monkeypatch.setattr(module.process_tree, "send", lambda pid, number: self.killed.append(number))

    def look_after(self, *seconds: float) -> list[str]:
        """Look after each of these times. Return the messages to the hand."""
        for one in seconds:
            self.now += one
            self.parts.hands.kill_silent(self.now)
        return [name for name, _ in self.parts.hand.heard()]

    @property
    def hand(self) -> HandProcess:
        return self.parts.hand.process


@pytest.fixture
def watch(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Watch:
    feed(parts, 1)
    return Watch(parts, monkeypatch)


def test_a_hand_with_attempts_is_asked_every_five_seconds_whether_it_is_there(watch: Watch) -> None:
    assert watch.look_after(2, 2) == []
    assert watch.look_after(1) == ["here"]
    watch.parts.hand.say("here")
    watch.parts.hands.receive()
    assert watch.look_after(2, 2) == []
    assert watch.look_after(1) == ["here"]
    assert watch.look_after(5) == [], "it is asked again only when it has answered"


def test_a_hand_without_attempts_is_left_alone(watch: Watch) -> None:
    watch.hand.leave_slots([told(1)])
    assert watch.look_after(*[2] * 50) == []
    assert not watch.killed


def test_a_hand_that_does_not_answer_is_killed_after_thirty_seconds(watch: Watch) -> None:
    assert watch.look_after(5) == ["here"]
    watch.look_after(*[2] * 14)
    assert not watch.killed and watch.hand.silent == 28
    watch.look_after(2)
    assert watch.killed == [signal.SIGKILL]
    assert LONGEST_SILENCE == 30


def test_any_word_of_a_hand_is_an_answer(watch: Watch) -> None:
    watch.look_after(5, *[2] * 14)
    watch.parts.hand.say("watched", 1)
    watch.parts.hands.receive()
    assert watch.look_after(5) == ["here"], "asked anew"
    watch.look_after(*[2] * 14)
    assert not watch.killed


def test_no_word_is_no_answer(watch: Watch) -> None:
    watch.look_after(5, *[2] * 14)
    watch.parts.hands.receive()
    watch.look_after(2)
    assert watch.killed


def test_a_hand_that_waits_for_a_disk_is_not_silent(watch: Watch) -> None:
    watch.look_after(5)
    watch.state = "D"
    watch.look_after(*[2] * 50)
    assert not watch.killed and watch.hand.silent == 0
    watch.state = "S"
    watch.look_after(*[2] * 14)
    assert not watch.killed


def test_only_time_in_which_the_client_was_awake_counts(watch: Watch) -> None:
    watch.look_after(5)
    watch.look_after(3600)
    assert not watch.killed and watch.hand.silent == 2.5


def test_the_client_looks_at_most_once_a_second(watch: Watch) -> None:
    watch.look_after(5)
    watch.look_after(0.5)
    assert watch.hand.silent == 0
    watch.look_after(0.5)
    assert watch.hand.silent == 1


def test_a_hand_that_somebody_has_stopped_is_killed_after_five_seconds_and_going_on_is_forgiven(watch: Watch) -> None:
    watch.state = "T"
    watch.look_after(2, 2)
    watch.state = "S"
    watch.look_after(1)
    watch.state = "T"
    watch.look_after(2, 2)
    assert not watch.killed
    watch.look_after(1)
    assert watch.killed == [signal.SIGKILL]


def test_a_hand_of_a_group_that_was_suspended_may_be_continued_after_its_client(watch: Watch) -> None:
    """Each look comes after a sleep, and finds the hand stopped still."""
    watch.state = "T"
    watch.look_after(8, 8, 8)
    assert not watch.killed


def test_a_hand_that_is_to_be_killed_is_asked_nothing(watch: Watch) -> None:
    watch.state = "T"
    assert watch.look_after(2.5, 2.5) == [] and watch.killed


def test_a_hand_that_is_gone_is_seen_neither_stopped_nor_silent(parts: Parts) -> None:
    assert not facts.stat_of(parts.hand.process.pid)
    parts.hand.process.look(100.0)
    assert not parts.hand.process.is_dead()
    parts.hand.process.asked = 1.0
    parts.hand.process.look(29.0)
    assert not parts.hand.process.is_dead()
