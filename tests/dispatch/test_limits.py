"""Limits on what is handed out: at_once, licences, delay, and pauses before the next attempt."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.pacing.back_offs import LONGEST, BackOffs, back_off
from spe.dispatch.rules import Rules
from spe.model import Client, ClientState, Failure, Licence, Task, TaskState, Ticket, TicketState

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch, take

ABAQUS = Licence("abaqus", 1, 3)


def limited(tasks: int = 20, hosts: str = "ab", **rules: object) -> Dispatch:
    """A dispatch with a trusted client of eight slots on each of these hosts; their IDs are 1, 2, …"""
    dispatch = make_dispatch(tasks, **rules)
    for host in hosts:
        dispatch.register(0.0, host, "", 8, True)
        dispatch.guard.succeeded(0.0, host, 0)
    return dispatch


def succeed(dispatch: Dispatch, ticket: Ticket, now: float = 0.0) -> None:
    dispatch.attempts.arrive(now, ticket.id)
    assert dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)


# -- at_once and licences


def test_all_hosts_together_run_no_more_tasks_than_at_once_says() -> None:
    dispatch = limited(at_once=3)
    first, second = take(dispatch, "1", 2)
    assert len(take(dispatch, "2", 8)) == 1 and take(dispatch, "1", 8) == []
    assert dispatch.handout.offers == 0, "nobody is woken for nothing"
    succeed(dispatch, first)
    assert dispatch.handout.offers == 1
    assert len(take(dispatch, "2", 8)) == 1
    dispatch.attempts.fail(0.0, second.id, BROKEN, NO_USAGE)
    assert len(take(dispatch, "2", 8)) == 1


def test_a_limited_run_prefetches_nothing() -> None:
    for rules in ({"at_once": 10}, {"licences": (ABAQUS,)}, {"delay": 0.5}):
        dispatch = limited(**rules)
        dispatch.board.more = True
        assert dispatch.handout.take(0.0, "1", 5, ahead=5) == [], rules


@pytest.mark.parametrize(
    ("licences", "most"),
    [((ABAQUS,), 3), ((Licence("a", 2, 7),), 3), ((ABAQUS, Licence("b", 2, 4)), 2), ((Licence("a", 5, 5),), 1)],
)
def test_as_many_tasks_run_as_the_scarcest_licence_allows(licences: tuple[Licence, ...], most: int) -> None:
    dispatch = limited(licences=licences)
    assert len(take(dispatch, "1", 8)) == most


def test_the_stricter_of_at_once_and_licences_counts() -> None:
    assert len(take(limited(licences=(ABAQUS,), at_once=2), "1", 8)) == 2
    assert len(take(limited(licences=(ABAQUS,), at_once=5), "1", 8)) == 3


def test_a_copy_of_a_long_task_needs_a_place_and_a_licence_as_the_first_attempt_does() -> None:
    dispatch = limited(tasks=3, licences=(ABAQUS,))
    tickets = take(dispatch, "1", 3)
    dispatch.ping(500.0, "1", [ticket.id for ticket in tickets])
    dispatch.tick(500.0)
    assert dispatch.handout.offers == 0 and take(dispatch, "2", 8, 500.0) == []
    succeed(dispatch, tickets[0], 501.0)
    assert len(take(dispatch, "2", 8, 501.0)) == 1


def test_a_lost_host_gives_its_places_back_and_counts_again_when_it_is_heard() -> None:
    dispatch = limited(at_once=2, ping=10.0)
    lost = take(dispatch, "1", 2)
    dispatch.ping(100.0, "2", [])
    dispatch.tick(100.0)
    (third, _) = take(dispatch, "2", 8, 100.0)
    assert dispatch.ping(101.0, "1", [ticket.id for ticket in lost]) == []
    succeed(dispatch, third, 102.0)
    assert take(dispatch, "2", 8, 102.0) == [], "three programs run still"
    for ticket in lost:
        succeed(dispatch, ticket, 103.0)
    assert len(take(dispatch, "2", 8, 103.0)) == 1


def test_a_ticket_of_a_master_that_was_killed_counts() -> None:
    dispatch = Dispatch(Rules(at_once=2), 10)
    dispatch.register(0.0, "a", "", 8, True)
    dispatch.board.add(Task(number, {}) for number in (1, 2, 3))
    dispatch.board.restore(Task(4, {}, planned=False), Ticket(7, 4, "9", "b", 0.0))
    assert len(take(dispatch, "1", 8)) == 1


def test_people_are_told_what_waiting_sets_wait_for() -> None:
    dispatch = limited(licences=(ABAQUS,), at_once=3)
    assert dispatch.handout.limits.waits_for(0.0) == ""
    take(dispatch, "1", 8)
    assert dispatch.handout.limits.waits_for(0.0) == "a licence of abaqus: 3 of 3 in use"
    dispatch = limited(at_once=2)
    take(dispatch, "1", 8)
    assert dispatch.handout.limits.waits_for(0.0) == "another set to end: 2 run, and at_once is 2"
    dispatch = limited(delay=30.0)
    take(dispatch, "1", 8, 5.0)
    assert dispatch.handout.limits.waits_for(34.0) == "its turn: a set begins every 30 s (delay)"
    assert dispatch.handout.limits.waits_for(35.0) == ""


# -- delay


def test_two_starts_are_delay_apart_over_all_hosts() -> None:
    dispatch = limited(delay=2.0)
    assert len(take(dispatch, "1", 8, 10.0)) == 1
    assert dispatch.handout.next_moment == 12.0
    assert take(dispatch, "2", 8, 11.9) == [] and dispatch.handout.offers == 0
    dispatch.advance(12.0)
    assert dispatch.handout.offers == 1 and dispatch.handout.next_moment is None
    assert len(take(dispatch, "2", 8, 12.0)) == 1
    dispatch.advance(30.0)
    assert len(take(dispatch, "1", 8, 30.0)) == 1, "no starts are saved up"


# -- the pause before the next attempt


def test_a_back_off_doubles_with_each_attempt_up_to_an_hour() -> None:
    assert [back_off(60.0, attempts) for attempts in (0, 1, 2, 3, 6, 7, 10_000)] == [60, 60, 120, 240, 1920, 3600, 3600]
    assert back_off(7200.0, 1) == LONGEST and back_off(0.0, 5) == 0.0


def test_back_offs_end_in_their_order_and_a_removed_one_never_does() -> None:
    back_offs = BackOffs()
    for number, moment in ((1, 30.0), (2, 10.0), (3, 20.0), (2, 40.0)):
        back_offs.add(number, moment)
    back_offs.remove(1)
    back_offs.remove(99)
    assert (back_offs.next, len(back_offs), 2 in back_offs, 1 in back_offs) == (20.0, 2, True, False)
    assert back_offs.take_due(19.9) == [] and back_offs.take_due(40.0) == [3, 2]
    assert back_offs.next is None and not back_offs


def test_a_failed_task_is_not_handed_out_again_before_its_pause_is_over() -> None:
    dispatch = limited(tasks=1, retry_after=60.0, attempts=5, copies=0)
    now = 100.0
    for pause in (60.0, 120.0, 240.0):
        (ticket,) = take(dispatch, "1", 8, now)
        dispatch.attempts.fail(now, ticket.id, BROKEN, NO_USAGE)
        assert not dispatch.board.over, "the run is not over while a set pauses"
        assert dispatch.handout.next_moment == now + pause and dispatch.handout.offers == 0
        assert take(dispatch, "2", 8, now + pause - 1) == []
        now += pause
        dispatch.advance(now)
        assert dispatch.handout.offers == 1


def test_a_rejected_result_pauses_its_task_and_a_lost_host_does_not() -> None:
    dispatch = limited(tasks=2, retry_after=60.0)
    first, second = take(dispatch, "1", 2, 10.0)
    dispatch.attempts.arrive(10.0, first.id)
    dispatch.attempts.reject(first.id, "empty", NO_USAGE)
    dispatch.bye(10.0, "1")
    assert list(dispatch.board.waiting) == [second.task] and first.task in dispatch.board.back_offs


def test_a_task_in_its_pause_can_be_cancelled_and_ends_with_a_late_result() -> None:
    dispatch = limited(tasks=2, retry_after=60.0)
    first, second = take(dispatch, "1", 2, 10.0)
    for ticket in (first, second):
        dispatch.attempts.fail(10.0, ticket.id, BROKEN, NO_USAGE)
    assert dispatch.steering.cancel([first.task]) == [first.task]
    succeed(dispatch, second, 20.0)
    assert not dispatch.board.back_offs and dispatch.board.over
    dispatch.advance(500.0)
    assert not dispatch.board.waiting


def test_a_task_comes_from_the_store_with_the_rest_of_its_pause() -> None:
    dispatch = limited(tasks=0, retry_after=60.0)
    dispatch.advance(100.0)
    dispatch.board.add([Task(1, {}, attempts=1, not_before=130.0), Task(2, {}, attempts=1, not_before=90.0)])
    assert list(dispatch.board.waiting) == [2] and dispatch.handout.next_moment == 130.0
    assert not dispatch.board.over


# -- in random schedules

chance = st.integers(0, 2**16)
STEPS = 4_000


class Schedules(RuleBasedStateMachine):
    """Clients ask, end, fail, fall silent and come back; masters die. The limits hold at each hand-out."""

    steps = 0

    @initialize(
        tasks=st.integers(1, 15),
        at_once=st.sampled_from([0, 1, 2, 5]),
        licences=st.sampled_from([(), (ABAQUS,), (Licence("a", 2, 5), ABAQUS)]),
        delay=st.sampled_from([0.0, 0.5, 30.0]),
        after=st.sampled_from([0.0, 1.0, 60.0]),
    )
    def begin(
        self, tasks: int, at_once: int, licences: tuple[Licence, ...], delay: float, after: float
    ) -> None:
        self.rules = Rules(
            attempts=1000, ping=10.0, at_once=at_once, licences=licences, delay=delay, retry_after=after
        )
        self.tasks, self.now = tasks, 1000.0
        self.done: set[int] = set()
        self.last_start = -1e9
        self.not_before: dict[int, float] = {}
        self.attempts: dict[int, int] = {}
        self.dispatch = Dispatch(self.rules)
        self.dispatch.board.add(Task(number, {}) for number in range(1, tasks + 1))
        self.dispatch.board.more = False

    @property
    def out(self) -> list[Ticket]:
        return [one for one in self.dispatch.board.tickets.values() if one.state is TicketState.ISSUED]

    @property
    def clients(self) -> list[Client]:
        return self.dispatch.clients.present()

    @rule(host=st.sampled_from("abc"))
    def register(self, host: str) -> None:
        if len(self.clients) < 6:
            self.dispatch.register(self.now, host, "", 4, True)

    @precondition(lambda self: self.clients)
    @rule(which=chance, free=st.integers(1, 6), ahead=st.sampled_from([0, 3]))
    def ask(self, which: int, free: int, ahead: int) -> None:
        client = self.clients[which % len(self.clients)]
        tickets = self.dispatch.handout.take(self.now, client.id, free + ahead, ahead=ahead)
        for ticket in tickets:
            assert self.now >= self.not_before.get(ticket.task, 0.0), "a set was tried in its pause"
        if tickets:
            self.check_limits(len(tickets))

    def check_limits(self, new: int) -> None:
        out = len(self.out)
        assert not self.rules.at_once or out <= self.rules.at_once
        for licence in self.rules.licences:
            assert out * licence.takes <= licence.of, licence
        if self.rules.delay:
            assert new == 1 and self.now >= self.last_start + self.rules.delay
        self.last_start = self.now

    @precondition(lambda self: self.out)
    @rule(which=chance)
    def succeed(self, which: int) -> None:
        ticket = self.out[which % len(self.out)]
        self.dispatch.attempts.arrive(self.now, ticket.id)
        self.dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)
        self.done.add(ticket.task)

    @precondition(lambda self: self.out)
    @rule(which=chance)
    def fail(self, which: int) -> None:
        ticket = self.out[which % len(self.out)]
        task = self.dispatch.board.tasks[ticket.task]
        self.dispatch.attempts.fail(self.now, ticket.id, Failure("exit:75", "no licence"), NO_USAGE)
        self.attempts[task.number] = task.attempts
        self.not_before[task.number] = self.now + back_off(self.rules.retry_after, task.attempts)

    @precondition(lambda self: self.out)
    @rule(which=chance)
    def give_back(self, which: int) -> None:
        ticket = self.out[which % len(self.out)]
        assert self.dispatch.handout.give_back(ticket.id, ticket.client)

    @precondition(lambda self: self.clients)
    @rule(which=chance, killed=st.booleans())
    def bye(self, which: int, killed: bool) -> None:
        self.dispatch.bye(self.now, self.clients[which % len(self.clients)].id, killed)

    @rule(seconds=st.sampled_from([0.1, 1.0, 29.0, 61.0]), silent=st.booleans())
    def time_passes(self, seconds: float, silent: bool) -> None:
        self.now += seconds
        for client in self.clients:
            if not silent:
                mine = [t.id for t in self.dispatch.board.tickets.values() if t.client == client.id]
                self.dispatch.ping(self.now, client.id, mine)
        for ticket in self.dispatch.tick(self.now):
            assert ticket.state is TicketState.LOST

    @rule()
    def restart(self) -> None:
        """The master is killed: the next one has the store, and clients that go on."""
        old, self.dispatch = self.dispatch, Dispatch(self.rules, self.dispatch.board._next_ticket)
        now = self.dispatch.clients.now = self.now
        for client in old.clients.present():
            again = Client(client.id, client.host, "", 4, 4, now, now, True, ClientState.AT_WORK)
            self.dispatch.board.enter_client(again)
        self.dispatch.clients._next_id = old.clients._next_id
        if self.rules.delay:
            self.dispatch.handout.limits.started(self.last_start)
        for ticket in old.board.tickets.values():
            if ticket.state is TicketState.ISSUED:
                copy = Ticket(ticket.id, ticket.task, ticket.client, ticket.host, 0.0, word=now, leased=True)
                self.dispatch.board.restore(self.from_store(old, ticket.task, planned=False), copy)
        waiting = [n for n in range(1, self.tasks + 1) if n in old.board.tasks]
        self.dispatch.board.add(self.from_store(old, number) for number in waiting)
        self.dispatch.board.more = False

    def from_store(self, old: Dispatch, number: int, planned: bool = True) -> Task:
        task = old.board.tasks[number]
        made = Task(number, {}, attempts=task.attempts, faults=dict(task.faults), lost=0, planned=planned)
        made.not_before = self.not_before.get(number, 0.0)
        return made

    @invariant()
    def what_waits_is_never_forgotten(self) -> None:
        """A set waits in one place; somebody is woken for it, or a moment comes at which somebody is."""
        if not hasattr(self, "dispatch"):
            return
        type(self).steps += 1
        board = self.dispatch.board
        waits = {n for n, task in board.tasks.items() if task.state is TaskState.WAITING}
        assert sorted([*board.waiting, *board.back_offs.until]) == sorted(waits)
        if waits:
            assert not board.over
        if waits and not self.out:
            assert self.dispatch.handout.offers or self.dispatch.handout.next_moment is not None

    def teardown(self) -> None:
        """From any state all sets come to their end: nothing starves."""
        if not hasattr(self, "dispatch"):
            return
        self.dispatch.register(self.now, "z", "", 4, True)
        for _ in range(20 * self.tasks + 200):
            if self.dispatch.board.over:
                break
            while self.out:
                self.succeed(0)
            moment = self.dispatch.handout.next_moment
            self.now = max(self.now + 0.01, moment or 0.0)
            self.dispatch.advance(self.now)
            self.ask(len(self.clients) - 1, 4, 0)
        assert self.dispatch.board.over, (self.dispatch.board.waiting, self.dispatch.board.back_offs.until)


def test_in_random_schedules_the_limits_hold_and_nothing_starves() -> None:
    run_state_machine_as_test(
        Schedules,
        settings=settings(
            max_examples=80, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert Schedules.steps > STEPS / 4
