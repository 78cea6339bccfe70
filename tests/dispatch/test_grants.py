"""Grants of a farm: a client begins no more programs than it was told, and the master knows how many it may have."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.pacing.grants import Grants, Told
from spe.model import Client, Ticket

from .kit import NO_USAGE, OUT, make_dispatch, take

PING = 30.0


def granted(tasks: int = 20, slots: int = 8, **grant: int) -> tuple[Dispatch, Grants, Client]:
    """A dispatch of a farm's job with a client on host a that follows grants, and has been told the first one."""
    dispatch = make_dispatch(tasks, ping=PING)
    grants = dispatch.handout.grants
    grants.begin(grace=180.0)
    grants.allow(1, 1, grant)
    client = dispatch.register(0.0, "a", "", slots, True)
    grants.follow(client)
    dispatch.guard.succeeded(0.0, "a", 0)
    grants.tell(client.id)
    return dispatch, grants, client


def succeed(dispatch: Dispatch, *tickets: Ticket) -> None:
    for ticket in tickets:
        dispatch.attempts.arrive(0.0, ticket.id)
        assert dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)


def test_a_run_without_a_farm_is_bound_by_nothing_and_tells_its_clients_nothing() -> None:
    dispatch = make_dispatch(20)
    client = dispatch.register(0.0, "a", "", 8, True)
    dispatch.handout.grants.follow(client)
    dispatch.guard.succeeded(0.0, "a", 0)
    assert dispatch.handout.grants.tell(client.id) is None and not dispatch.handout.grants.is_due(client.id)
    assert len(take(dispatch, client.id, 8)) == 8


def test_a_client_that_comes_while_the_farm_is_silent_gets_nothing_and_others_go_on() -> None:
    dispatch, grants, client = granted(a=3)
    grants.may_begin = lambda: False
    late, stranger = (dispatch.register(0.0, host, "", 8, True) for host in ("b", "c"))
    grants.allow(1, 2, {"a": 6, "b": 3, "c": 2})
    grants.follow(late)
    assert grants.tell(client.id) == Told(2, 6), "a client that has work may have more"
    assert grants.tell(late.id) == Told(0, 0) and grants.room(late, "b") == 0
    assert grants.room(stranger, "c") == 0, "nor does one that follows no grants"
    grants.may_begin = lambda: True
    assert grants.tell(late.id) == Told(1, 3) and grants.room(stranger, "c") == 2


def test_before_the_first_grant_nothing_is_handed_out() -> None:
    dispatch = make_dispatch(20)
    dispatch.handout.grants.begin(grace=180.0)
    client = dispatch.register(0.0, "a", "", 8, True)
    dispatch.handout.grants.follow(client)
    assert take(dispatch, client.id, 8) == []
    assert not dispatch.handout.may_get(client.id), "it is not woken for a task that it would not get"


def test_a_client_gets_as_many_tasks_as_its_host_was_granted() -> None:
    dispatch, _, client = granted(a=3)
    tickets = take(dispatch, client.id, 8)
    assert len(tickets) == 3 and take(dispatch, client.id, 8) == []
    succeed(dispatch, tickets[0])
    assert len(take(dispatch, client.id, 8)) == 1


def test_a_host_that_the_grant_does_not_name_gets_nothing() -> None:
    dispatch, grants, client = granted(b=3)
    assert take(dispatch, client.id, 8) == [] and grants.tell(client.id) == Told(0, 0)


def test_a_client_that_follows_grants_prefetches_beyond_them() -> None:
    dispatch, _, client = granted(tasks=100, a=2)
    dispatch.board.more = True
    assert len(dispatch.handout.take(0.0, client.id, 6, ahead=4)) == 6


def test_a_client_that_does_not_follow_grants_prefetches_nothing_and_keeps_within_them() -> None:
    dispatch, _, _client = granted(tasks=100, a=2)
    dispatch.board.more = True
    other = dispatch.register(0.0, "b", "", 8, True)
    dispatch.guard.succeeded(0.0, "b", 0)
    dispatch.handout.grants.allow(1, 2, {"b": 2})
    assert len(dispatch.handout.take(0.0, other.id, 6, ahead=4)) == 2
    assert dispatch.handout.take(0.0, other.id, 6, ahead=4) == []
    assert dispatch.handout.grants.begun() == {"a": 2, "b": 2}


def test_an_overtaken_grant_changes_nothing() -> None:
    _dispatch, grants, _ = granted(a=3)
    assert grants.allow(1, 3, {"a": 1}) and not grants.allow(1, 2, {"a": 8})
    assert grants.allow(2, 1, {"a": 5}), "a farm that was started again counts from 1, in a higher epoch"
    assert not grants.allow(1, 9, {"a": 8}) and grants.slots == {"a": 5}
    assert grants.allow(2, 1, {"a": 5}), "the same grant may come twice"


def test_a_lower_bound_counts_once_the_client_says_that_it_follows_it() -> None:
    dispatch, grants, client = granted(a=4)
    take(dispatch, client.id, 4)
    grants.hear(client.id, 1, 4)
    grants.allow(1, 2, {"a": 1})
    assert grants.is_due(client.id) and grants.due() == [client.id]
    assert grants.tell(client.id) == Told(2, 1) and not grants.is_due(client.id)
    assert grants.begun() == {"a": 4}, "it may still begin tasks in place of those that end"
    grants.hear(client.id, 2, 3)
    assert grants.begun() == {"a": 3}, "it begins nothing, and three programs go on"
    grants.hear(client.id, 1, 4)
    assert grants.begun() == {"a": 3}, "an older word that was overtaken says nothing"
    grants.hear(client.id, 2, 0)
    assert grants.begun() == {"a": 1}


def test_a_higher_bound_counts_as_soon_as_it_may_have_been_heard() -> None:
    _, grants, client = granted(a=1)
    grants.hear(client.id, 1, 1)
    grants.allow(1, 2, {"a": 6})
    assert grants.begun() == {"a": 1}
    grants.tell(client.id)
    assert grants.begun() == {"a": 6}


def test_a_client_has_no_more_programs_than_slots_whatever_is_granted() -> None:
    _, grants, client = granted(slots=2, a=9)
    assert grants.tell(client.id) == Told(1, 2)


def test_two_clients_of_one_host_share_its_grant() -> None:
    dispatch, grants, client = granted(a=4)
    grants.hear(client.id, 1, 1)
    second = dispatch.register(0.0, "a", "", 8, True)
    grants.follow(second)
    assert grants.tell(second.id) == Told(0, 0), "the first one may begin four"
    dispatch.bye(1.0, client.id)
    assert grants.is_due(second.id) and grants.tell(second.id) == Told(1, 4)
    assert grants.begun() == {"a": 4}


def test_a_silent_client_holds_its_slots_until_it_has_ended_by_itself() -> None:
    dispatch, grants, client = granted(a=4)
    take(dispatch, client.id, 4)
    dispatch.tick(200.0)
    assert grants.begun() == {"a": 4}, "its tickets are lost, and its programs may go on"
    dispatch.tick(239.0)
    assert grants.begun() == {"a": 4}
    dispatch.tick(241.0)
    assert grants.begun() == {}, "grace and a minute"


def test_a_client_of_an_earlier_master_of_the_run_is_taken_up_by_its_word() -> None:
    dispatch, grants, _ = granted(a=4)
    old = Client("old", "b", "", 8, 8, 0.0, 0.0, True)
    dispatch.board.enter_client(old)
    grants.hear("old", 17, 5)
    assert grants.begun()["b"] == 8, "what it was told is not known"
    assert grants.tell("old") == Told(18, 0), "its number goes on, or it would not believe it"
    grants.hear("old", 18, 5)
    assert grants.begun()["b"] == 5


def test_a_word_of_a_client_that_never_registered_is_ignored() -> None:
    _, grants, _ = granted(a=4)
    grants.hear("nobody", 3, 3)
    assert grants.tell("nobody") is None and grants.begun() == {"a": 4}


def test_running_tasks_are_counted_by_the_bound_and_not_by_the_slots_of_the_client() -> None:
    dispatch, grants, client = granted(tasks=100, a=2)
    dispatch.board.more = True
    dispatch.handout.take(0.0, client.id, 6, ahead=4)
    assert dispatch.board.with_slot == 2
    grants.allow(1, 2, {"a": 5})
    grants.tell(client.id)
    assert dispatch.board.with_slot == 5


class OneClient(RuleBasedStateMachine):
    """A client and its master, whose messages are lost, doubled and overtake each other."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatch, self.grants, self.client = granted(tasks=0, slots=6)
        self.number = self.limit = self.begun = 0
        self.grant_number = 1
        self.answers: deque[Told] = deque()
        self.words: deque[tuple[int, int]] = deque()

    @rule(slots=st.integers(0, 6))
    def grant(self, slots: int) -> None:
        self.grant_number += 1
        self.grants.allow(1, self.grant_number, {"a": slots})

    @rule()
    def answer(self) -> None:
        told = self.grants.tell(self.client.id)
        assert told is not None
        self.answers.append(told)

    @precondition(lambda self: self.answers)
    @rule(which=st.integers(0, 5), again=st.booleans())
    def hear_answer(self, which: int, again: bool) -> None:
        told = self.answers[which % len(self.answers)]
        if not again:
            self.answers.remove(told)
        if told.number > self.number:
            self.number, self.limit = told.number, told.slots

    @rule()
    def begin(self) -> None:
        if self.begun < self.limit:
            self.begun += 1

    @rule()
    def end(self) -> None:
        self.begun = max(0, self.begun - 1)

    @rule()
    def say(self) -> None:
        self.words.append((self.number, self.begun))

    @precondition(lambda self: self.words)
    @rule(which=st.integers(0, 5), again=st.booleans())
    def hear_word(self, which: int, again: bool) -> None:
        word = self.words[which % len(self.words)]
        if not again:
            self.words.remove(word)
        self.grants.hear(self.client.id, *word)

    @invariant()
    def the_master_never_believes_that_fewer_programs_may_run_than_do(self) -> None:
        assert self.begun <= self.grants.begun().get("a", 0)


@pytest.mark.slow
def test_whatever_is_lost_or_overtaken_the_master_counts_all_that_may_run() -> None:
    run_state_machine_as_test(OneClient, settings=settings(max_examples=300, stateful_step_count=40, deadline=None))
