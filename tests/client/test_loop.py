"""The client's loop itself: what it does for each event, how it waits, and how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from spe.client import exits
from spe.client.hand.wakeup import ENDS
from spe.client.loop import loop as module
from spe.client.loop.attempts import AttemptPipeline
from spe.client.loop.hands import END_TIME
from spe.client.loop.inbox import Inbox
from spe.client.loop.loop import HASTE, LAST_RESULTS, LAST_WORDS, LONGEST_WAIT, Loop
from spe.client.loop.renewal import OriginalRenewal
from spe.client.loop.talker import HeldTalker
from spe.client.task.attempt import Attempt
from spe.client.wire.lease import clock

from .loop_kit import Parts, close_inbox, told

OVER = exits.Ending(exits.OK, "the sweep is over")


class QuickInbox(Inbox):
    """An inbox whose waits take no time: they move the clock of the loop on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waits: list[float | None] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def wait(self, seconds: float | None, channels: Any) -> None:
        self.waits.append(seconds)
        self.now += seconds or 0.0
        self.meanwhile()

    def monotonic(self) -> float:
        return self.now


class Outbox:
    """What comes to the senders. They deliver it when the test says so; what was dropped is cleared away at once."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.came: list[Attempt] = []

    def put(self, attempt: Attempt) -> None:
        self.came.append(attempt)
        if attempt.dropped:
            self.parts.tickets.release([attempt])

    def deliver(self) -> None:
        self.parts.tickets.release(self.came)


class Killer(list[str]):
    """All that would be killed with the client's own children."""

    def __call__(self, base: str) -> Killer:
        self.append(base)
        return self

    def kill_all(self, running: dict[int, Attempt]) -> None:
        assert running == {}
        self.append("killed")


class Bench:
    """A loop whose hands, threads and clock the test plays."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        close_inbox(parts.inbox)
        self.inbox = QuickInbox()
        parts.inbox, parts.shared = self.inbox, parts.shared._replace(inbox=self.inbox)
        self.parts, self.outbox, self.tickets = parts, Outbox(parts), parts.tickets
        renewal = OriginalRenewal(parts.shared, parts.hands, None, None, parts.base + "/files")
        self.pipeline = AttemptPipeline(parts.shared, parts.hands, renewal, self.outbox, parts.host_ends)  # type: ignore[arg-type]
        self.answering = False
        self.loop = Loop(parts.shared, parts.hands, self.pipeline, renewal, lambda: self.answering, parts.host_ends)
        self.killer, self.returned = Killer(), list[list[int]]()
        monkeypatch.setattr(module, "time", self.inbox)
        monkeypatch.setattr(module, "Children", self.killer)
        monkeypatch.setattr(module, "give_back", lambda _, tickets: self.returned.append(tickets))

    def begin(self, *tickets: int) -> list[Attempt]:
        attempts = self.parts.held(*tickets)
        self.pipeline.add_ready(attempts)
        self.pipeline.feed_hands()
        self.parts.hand.heard()
        return attempts

    def told(self) -> list[tuple[str, Any]]:
        return self.parts.hand.heard()

    def tell(self, name: str, argument: Any = None) -> None:
        """Have the loop handle one event."""
        self.inbox.tell(name, argument)
        self.loop.handle_events()

    def lose_hands(self) -> None:
        self.parts.hands.processes = []


@pytest.fixture
def bench(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(parts, monkeypatch)


# -- events


class Recorder:
    """The pipeline and the renewals, in place of them: which of their methods was called, and with what."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda argument: self.calls.append((name, argument))


@pytest.mark.parametrize(
    ("event", "method"),
    [
        ("ready", "add_ready"),
        ("expired", "drop"),
        ("give back", "return_unbegun"),
        ("renewed", "end"),
        ("watch", "watch"),
        ("done", "hear_done"),
        ("ended", "hear_ended"),
        ("unbegun", "hear_unbegun"),
        ("back", "hear_back"),
        ("watched", "hear_watched"),
        ("changed", "begin"),
    ],
)
def test_what_threads_and_hands_tell_about_attempts_and_originals_goes_to_its_own_method(
    parts: Parts, event: str, method: str
) -> None:
    recorder: Any = Recorder()
    loop = Loop(parts.shared, parts.hands, recorder, recorder, lambda: False, parts.host_ends)
    parts.inbox.tell(event, 17)
    loop.handle_events()
    assert recorder.calls == [(method, 17)]


def test_messages_of_hands_are_handled_behind_what_threads_have_told(bench: Bench) -> None:
    (attempt,) = bench.begin(1)
    bench.parts.hand.say("done", [told(1)])
    bench.tell("expired", 1)
    assert bench.outbox.came == [attempt] and attempt.dropped
    assert bench.told() == [("drop", 1)]


def test_the_answer_of_a_hand_that_lives_changes_nothing(bench: Bench) -> None:
    bench.parts.hand.say("here")
    bench.loop.handle_events()
    assert bench.tickets.ending is None and not bench.outbox.came


def test_a_signal_for_a_task_goes_to_the_hands(bench: Bench) -> None:
    bench.tell("signal", (1, int(signal.SIGSTOP)))
    assert bench.told() == [("signal", (1, 19))]


def test_the_first_ending_counts_and_its_results_still_do(bench: Bench) -> None:
    (attempt,) = bench.begin(1)
    attempt.heard_at = 1e9
    bench.tell("end", OVER)
    bench.tell("end", exits.Ending(1, "later"))
    assert bench.tickets.ending is OVER and not attempt.dropped


def test_a_fault_of_a_hand_ends_the_client_for_its_reason(bench: Bench) -> None:
    bench.parts.hand.say("fault", (exits.FAULT, "a fault of spe's own"))
    bench.loop.handle_events()
    ending = bench.tickets.ending
    assert ending is not None and (ending.code, ending.text) == (exits.FAULT, "a fault of spe's own")
    assert not isinstance(ending, exits.Killed)


def test_a_killed_hand_ends_the_client_with_what_had_begun_below_it(bench: Bench) -> None:
    bench.tell("killed", ("a process was killed", [1, 2]))
    ending = bench.tickets.ending
    assert isinstance(ending, exits.Killed)
    assert (ending.text, ending.begun, ending.code) == ("a process was killed", [1, 2], exits.KILLED)


@pytest.mark.parametrize("event", ["got signal", "told to end"])
def test_a_signal_that_ends_hosts_ends_the_client_and_what_has_just_ended_counts_for_nothing(
    bench: Bench, event: str
) -> None:
    (attempt,) = bench.begin(1)
    attempt.heard_at = 1e9
    bench.tell(event, 15)
    ending = bench.tickets.ending
    assert ending is not None and (ending.code, ending.text) == (143, "ended by signal 15")
    assert bench.parts.host_ends.is_set() and attempt.dropped


def test_a_signal_by_which_the_system_tells_that_the_guard_was_killed_ends_no_host(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.begin(1, 2)
    monkeypatch.setattr(module.os, "getppid", lambda: 1)
    bench.tell("got signal", 15)
    ending = bench.tickets.ending
    assert isinstance(ending, exits.Killed) and ending.begun == [1, 2]
    assert ending.text == "the process that guards the client was killed"
    assert not bench.parts.host_ends.is_set()


# -- the lease


def test_each_answered_round_of_pings_renews_the_lease_and_hands_hear_of_it_once_they_are_unsure(
    bench: Bench,
) -> None:
    lease, asked = bench.parts.lease, clock()
    lease.renew(asked - 1000)
    assert not lease.holds() and lease.wait_for_request(0)
    bench.tell("confirmed", asked)
    assert lease.holds() and bench.told() == []
    bench.parts.hand.say("unsure")
    bench.loop.handle_events()
    assert lease.wait_for_request(0), "a ping is sent at once"
    bench.tell("confirmed", asked)
    assert bench.told() == [("go on", asked)]
    bench.tell("confirmed", asked)
    assert bench.told() == []


# -- waiting


def test_the_loop_waits_two_seconds_at_most_and_looks_after_hands_and_load(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.begin(1, 2, 3)
    bench.tickets.working[3] = bench.tickets.ready.pop()
    noted: list[int] = []
    looked: list[float] = []
    monkeypatch.setattr(bench.parts.load, "note", noted.append)
    monkeypatch.setattr(bench.parts.hands, "kill_silent", looked.append)
    bench.loop.wait()
    assert bench.inbox.waits == [LONGEST_WAIT] == [2.0]
    assert looked == [1002.0], "after the wait"
    assert noted == [2], "not more than there are slots"
    del bench.tickets.working[2], bench.tickets.working[3]
    bench.loop.wait()
    assert noted == [2, 1]
    assert bench.tickets.ending is None


def test_a_guard_that_was_killed_is_noticed_without_any_event(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "getppid", lambda: 1)
    bench.loop.wait()
    assert isinstance(bench.tickets.ending, exits.Killed)


# -- the end


def test_at_the_end_hands_stop_and_their_last_results_are_delivered(bench: Bench) -> None:
    first, second, third = bench.begin(1, 2, 3)
    bench.tickets.end(OVER)

    def meanwhile() -> None:
        if len(bench.inbox.waits) == 3:
            bench.parts.hand.say("done", [told(1)])
        if len(bench.inbox.waits) == 4:
            bench.lose_hands()
        if len(bench.inbox.waits) == 9:
            bench.outbox.deliver()

    bench.inbox.meanwhile = meanwhile
    bench.loop.stop()
    assert bench.told() == [("stop", False)]
    assert [one.dropped for one in (first, second, third)] == [False, True, True]
    assert bench.outbox.came == [third, first, second]
    assert bench.killer == [bench.parts.base, "killed"]
    assert len(bench.inbox.waits) == 9, "until the last result is delivered"
    assert bench.parts.stopping.is_set() and not bench.returned


def test_the_client_waits_in_small_steps_and_handles_what_comes_meanwhile(bench: Bench) -> None:
    (late,) = bench.parts.held(9)
    bench.inbox.meanwhile = lambda: bench.inbox.tell("ready", [late]) if len(bench.inbox.waits) == 2 else None
    bench.tickets.end(OVER)
    bench.loop.stop()
    assert set(bench.inbox.waits) == {0.05}
    assert late.dropped and not bench.tickets.ready, "it does not begin any more"


@pytest.mark.parametrize(("hasty", "for_results"), [(False, LAST_RESULTS), (True, HASTE)])
def test_hands_that_do_not_end_are_killed_and_results_that_do_not_arrive_are_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, hasty: bool, for_results: float
) -> None:
    killed: list[float] = []
    monkeypatch.setattr(bench.parts.hands, "kill", lambda: killed.append(bench.inbox.now))
    bench.parts.held(7)  # its result does not reach the master
    (working,) = bench.begin(1)
    bench.tickets.end(OVER)
    if hasty:
        bench.parts.host_ends.set(1.0)
    bench.loop.stop()
    assert bench.told() == [("stop", hasty)]
    assert killed == [pytest.approx(1000 + END_TIME, abs=0.06)]
    assert bench.inbox.now == pytest.approx(1000 + END_TIME + for_results, abs=0.11)
    assert working.dropped and bench.outbox.came == [working]
    assert (END_TIME, LAST_RESULTS, HASTE) == (9.0, 5.0, 1.0)


@pytest.mark.parametrize("code", [exits.REFUSED, exits.NOT_REACHED])
def test_a_client_without_a_master_does_not_wait_for_its_results(bench: Bench, code: int) -> None:
    bench.parts.held(7)
    bench.lose_hands()
    bench.answering = True
    bench.tickets.end(exits.Ending(code, "no master"))
    bench.loop.stop()
    assert bench.inbox.waits == []


def test_a_client_that_ends_for_no_reason_waits_for_nothing_either(bench: Bench) -> None:
    bench.parts.held(7)
    bench.lose_hands()
    bench.loop.stop()
    assert bench.inbox.waits == [] and bench.parts.stopping.is_set()


@pytest.mark.parametrize(("hasty", "seconds"), [(False, LAST_WORDS), (True, HASTE)])
def test_answers_to_people_get_a_moment(bench: Bench, hasty: bool, seconds: float) -> None:
    bench.lose_hands()
    bench.answering = True
    bench.tickets.end(OVER)
    if hasty:
        bench.parts.host_ends.set(1.0)
    bench.loop.stop()
    assert bench.inbox.now == pytest.approx(1000 + seconds, abs=0.06)
    assert LAST_WORDS == 2.0


def test_a_client_waits_for_answers_only_until_they_have_been_given(bench: Bench) -> None:
    bench.lose_hands()
    bench.answering = True

    def meanwhile() -> None:
        bench.answering = len(bench.inbox.waits) < 3

    bench.inbox.meanwhile = meanwhile
    bench.tickets.end(OVER)
    bench.loop.stop()
    assert len(bench.inbox.waits) == 3


def test_the_innocent_tickets_of_a_killed_client_go_back_to_the_master(bench: Bench) -> None:
    begun, other, waiting = bench.begin(1, 2, 3)
    (delivered,) = bench.parts.held(4)
    bench.lose_hands()
    bench.tickets.end(exits.Killed("a process was killed", [1]))
    bench.outbox.put(delivered)
    bench.loop.stop()
    assert begun.dropped and other.dropped and waiting.dropped
    assert bench.returned == [[2, 3]], "what had begun below the killed process may be why"


# -- a whole life


class Told(HeldTalker):
    """A thread that tells the loop what the test says, and then ends."""

    def __init__(self, parts: Parts, *events: tuple[str, Any]) -> None:
        super().__init__(parts.shared)
        self.events, self.hung_up, self.has_talked = events, 0, False

    def talk(self) -> None:
        self.has_talked = True
        for event in self.events:
            self.inbox.tell(*event)

    def hang_up(self) -> None:
        self.hung_up += 1
        super().hang_up()


def test_a_loop_works_until_there_is_a_reason_to_end_and_returns_it(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    """With the real inbox and its pipe: nothing here would end if a bell did not ring."""
    monkeypatch.setattr(module, "Children", Killer())
    monkeypatch.setattr(module, "LONGEST_WAIT", None)
    outbox = Outbox(parts)
    renewal = OriginalRenewal(parts.shared, parts.hands, None, None, parts.base + "/files")
    pipeline = AttemptPipeline(parts.shared, parts.hands, renewal, outbox, parts.host_ends)  # type: ignore[arg-type]
    loop = Loop(parts.shared, parts.hands, pipeline, renewal, lambda: False, parts.host_ends)
    attempts = parts.held(1)
    asker = Told(parts, ("ready", attempts))
    other = Told(parts, ("give back", 1))
    seen: list[int] = []

    def stop() -> None:
        seen.extend(parts.tickets.working)
        assert parts.tickets.ending is OVER
        assert not asker.hung_up

    monkeypatch.setattr(loop, "stop", stop)
    parts.hand.say("back", [])
    thread = Told(parts)
    fed = parts.hands.feed

    ended: list[int] = []

    def feed(*arguments: Any) -> None:
        fed(*arguments)
        # Once: what the threads say may come in several turns.
        if parts.tickets.working and not ended:
            ended.append(1)
            parts.inbox.tell("end", OVER)

    monkeypatch.setattr(parts.hands, "feed", feed)
    other.release()
    thread.release()

    def ready() -> None:
        assert asker.is_alive(), "started later it may find no room for a thread, and nobody would hear of it"
        assert not asker._released.is_set() and not asker.has_talked, "no task may come before"

    assert loop.run(asker, [other, thread], ready) is OVER
    assert seen == [1], "what was ready went to a hand"
    assert asker.hung_up == 1, "the master must not give tasks to a client that is gone"
    assert not other.hung_up
    for one in (asker, other, thread):
        one.join(20)
        assert not one.is_alive()
    for number in ENDS:
        os.kill(os.getpid(), number)
    assert parts.events() == [("got signal", number) for number in ENDS]


def test_the_client_ends_its_programs_also_when_the_loop_itself_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    asker = Told(bench.parts)
    bench.lose_hands()
    bench.inbox.tell("an event that nobody knows")
    with pytest.raises(KeyError):
        bench.loop.run(asker, [])
    assert bench.killer == [bench.parts.base, "killed"] and asker.hung_up == 1
    asker.join(20)


def test_each_turn_waits_handles_what_came_and_feeds_the_hands(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    steps: list[str] = []

    def handle() -> None:
        steps.append("handle")
        if len(steps) > 3:
            bench.tickets.end(OVER)

    monkeypatch.setattr(bench.loop, "wait", lambda: steps.append("wait"))
    monkeypatch.setattr(bench.loop, "handle_events", handle)
    monkeypatch.setattr(bench.pipeline, "feed_hands", lambda: steps.append("feed"))
    monkeypatch.setattr(bench.loop, "stop", lambda: steps.append("stop"))
    asker = Told(bench.parts)
    assert bench.loop.run(asker, []) is OVER
    assert steps == ["wait", "handle", "feed", "wait", "handle", "feed", "stop"]
    asker.join(20)
