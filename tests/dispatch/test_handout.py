"""Handing out: how many tasks a client gets, which running ones are copied, and what is given back."""

from __future__ import annotations

import pytest
from spe.dispatch.changes import TaskMoved, TicketEnded, TicketIssued
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.steering import Aside
from spe.model import ClientState, Failure, Task, TaskState, Ticket, TicketState, Times, Usage

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch, take


def with_hosts(tasks: int, hosts: str = "a", slots: int = 2, pings: bool = True, **rules: object) -> Dispatch:
    """A dispatch with a client on each of these hosts, written as letters; their IDs are 1, 2, …"""
    dispatch = make_dispatch(tasks, **rules)
    for host in hosts:
        dispatch.register(0.0, host, "", slots, pings)
        dispatch.guard.succeeded(0.0, host, 0)
    dispatch.board.take_changes()
    return dispatch


def suspect(dispatch: Dispatch, host: str) -> None:
    for task in (1001, 1002, 1003):
        dispatch.guard.failed(0.0, host, task, BROKEN)


# -- who asks


def test_a_request_is_a_sign_of_life_that_tells_the_load_and_is_recorded_with_each_ticket() -> None:
    dispatch = with_hosts(3)
    dispatch.board.program = 4
    first, second = dispatch.handout.take(9.0, "1", 2, load=0.5)
    client = dispatch.clients["1"]
    assert (client.word, client.load, client.state) == (9.0, 0.5, ClientState.AT_WORK)
    assert dispatch.board.changes == [TicketIssued(1, 1, "1", "a", 4), TicketIssued(2, 2, "1", "a", 4)]
    assert (first.host, first.leased, first.issued) == ("a", True, 9.0) and second.task == 2
    assert not dispatch.clients.strangers


def test_a_client_that_did_not_register_is_known_by_its_address_and_has_no_lease() -> None:
    dispatch = with_hosts(3)
    (ticket,) = dispatch.handout.take(9.0, "77", 1, address="10.0.0.7")
    assert (ticket.host, ticket.client, ticket.leased) == ("10.0.0.7", "77", False)
    assert dispatch.clients.strangers == {"10.0.0.7": 9.0}
    (nameless,) = dispatch.handout.take(9.0, "77", 1)
    assert nameless.host == "" and dispatch.clients.strangers.keys() == {"10.0.0.7"}


def test_a_client_that_never_pings_has_no_lease() -> None:
    (ticket,) = take(with_hosts(1, pings=False), "1")
    assert not ticket.leased


def test_a_host_from_which_tasks_are_withheld_is_heard_all_the_same() -> None:
    dispatch = with_hosts(1)
    dispatch.steering.set_aside("a", Aside.BENCHED)
    assert dispatch.handout.take(9.0, "1", 1, load=1.0) == []
    assert dispatch.clients["1"].load == 1.0


# -- how many


def test_a_client_gets_no_more_than_it_asks_for_and_nothing_when_it_asks_for_nothing() -> None:
    dispatch = with_hosts(5)
    assert take(dispatch, "1", 0) == []
    assert len(take(dispatch, "1", 3)) == 3


@pytest.mark.parametrize(("count", "ahead", "given"), [(4, 0, 1), (4, 3, 1), (3, 3, 0)])
def test_a_probe_is_one_task_that_can_begin_at_once_and_the_next_one_comes_later(
    count: int, ahead: int, given: int
) -> None:
    dispatch = with_hosts(9, "ab")
    suspect(dispatch, "a")
    assert dispatch.handout.take(59.0, "1", count, ahead=ahead) == []
    assert dispatch.guard.record("a").probe_at == 60.0, "nothing was handed out"
    assert len(dispatch.handout.take(60.0, "1", count, ahead=ahead)) == given
    assert dispatch.guard.record("a").probe_at == (180.0 if given else 60.0)


def test_a_trusted_host_is_never_on_probation() -> None:
    dispatch = with_hosts(9)
    take(dispatch, "1", 2)
    assert dispatch.guard.record("a").probe_at == 0.0


def test_what_is_prefetched_towards_the_end_is_half_of_a_clients_share_of_what_waits() -> None:
    dispatch = with_hosts(40, "ab", slots=2)
    dispatch.register(0.0, "c", "", 4, True)
    dispatch.bye(0.0, dispatch.register(0.0, "gone", "", 100, True).id)
    assert len(dispatch.handout.take(1.0, "1", 2 + 50, ahead=50)) == 2 + 40 * 2 // (2 * 8)
    assert len(dispatch.handout.take(1.0, "2", 2 + 3, ahead=3)) == 2 + 3
    assert len(dispatch.handout.take(1.0, "2", 50, ahead=50)) == 28 * 2 // (2 * 8)


@pytest.mark.parametrize("why_not", ["unknown", "mute", "nobody pings", "max_load", "unproven", "gone"])
def test_only_a_proven_client_that_can_be_called_prefetches(why_not: str) -> None:
    rules = {"ping": 0.0} if why_not == "nobody pings" else {"max_load": 2.0} if why_not == "max_load" else {}
    dispatch = with_hosts(40, "ab", pings=why_not != "mute", **rules)
    dispatch.board.more = True
    if why_not == "unproven":
        dispatch.guard.trusts_again("a")
    client = "77" if why_not == "unknown" else "1"
    if why_not == "gone":
        dispatch.bye(0.0, client)
    assert len(dispatch.handout.take(1.0, client, 2 + 5, ahead=5)) == (0 if why_not == "gone" else 2)
    assert dispatch.handout.take(1.0, client, 5, ahead=5) == []


# -- beside the load of others


def test_beside_others_a_host_gets_what_its_cores_allow_and_its_owner_is_told_once() -> None:
    dispatch = make_dispatch(20, max_load=0.5, cores=1)
    dispatch.register(0.0, "a", "", 8, True, cores=8)
    dispatch.register(0.0, "b", "", 8, True, cores=8)
    take(dispatch, "2", 2)
    assert len(dispatch.handout.take(0.0, "1", 8, load=1.0)) == 3, "half of 8 cores, 1 of them taken"
    for _ in range(2):
        assert dispatch.handout.take(0.0, "1", 8, load=1.0) == []
        assert dispatch.handout.loaded == {"a"}
    (note,) = dispatch.board.take_notes()
    assert (str(note), note.kind, note.host) == (
        "a: loaded by others (1.0 of 8 cores), it gets no work now", "loaded", "a"
    )  # fmt: skip
    assert len(dispatch.handout.take(0.0, "1", 8, load=0.0)) == 1
    assert dispatch.handout.loaded == set()


def test_a_load_of_nothing_is_a_load_and_one_that_is_not_told_is_none() -> None:
    dispatch = make_dispatch(20, max_load=0.5)
    dispatch.register(0.0, "a", "", 8, True, cores=8)
    assert len(dispatch.handout.take(0.0, "1", 8, load=0.0)) == 4
    assert len(dispatch.handout.take(0.0, "1", 8)) == 8


def test_what_is_lost_or_checked_takes_no_room_on_a_host() -> None:
    dispatch = make_dispatch(20, max_load=0.5)
    dispatch.register(0.0, "a", "", 8, True, cores=8)
    first, second, *_ = dispatch.handout.take(0.0, "1", 4, load=0.0)
    dispatch.losses.lose(first, silent=False)
    dispatch.attempts.arrive(0.0, second.id)
    assert len(dispatch.handout.take(0.0, "1", 8, load=0.0)) == 2


# -- given back


def test_a_ticket_that_was_not_begun_is_given_back_as_if_it_had_not_been_issued() -> None:
    dispatch = with_hosts(2)
    (ticket,) = take(dispatch, "1")
    dispatch.board.changes.clear()
    assert dispatch.handout.give_back(ticket.id, "1") is True
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.EXPIRED, failure=Failure("expired", "given back, not begun")),
        TaskMoved(1, TaskState.WAITING, 0, 0, "", None, {}),
    ]
    assert not ticket.leased and not dispatch.clients.to_call()
    assert list(dispatch.board.waiting) == [2, 1] and dispatch.board.tasks[1].past == [1]
    assert dispatch.handout.give_back(ticket.id, "1") is False


def test_an_attempt_that_had_begun_and_does_not_count_says_why() -> None:
    dispatch = with_hosts(1)
    (ticket,) = take(dispatch, "1")
    assert dispatch.handout.give_back(ticket.id, "1", "the disk was full") is True
    failures = [c.failure for c in dispatch.board.changes if isinstance(c, TicketEnded)]
    assert failures == [Failure("expired", "the disk was full")]


def test_nobody_gives_back_what_is_unknown_anothers_or_not_out() -> None:
    dispatch = with_hosts(2, "ab")
    (ticket,) = take(dispatch, "1")
    assert dispatch.handout.give_back(99, "1") is False and dispatch.handout.give_back(ticket.id, "2") is False
    dispatch.attempts.arrive(0.0, ticket.id)
    assert dispatch.handout.give_back(ticket.id, "1") is False
    assert ticket.state is TicketState.CHECKING


def test_people_are_told_once_for_a_host_and_a_reason_that_attempts_do_not_count() -> None:
    dispatch = with_hosts(0, "aab")
    for client in ("1", "2", "1", "77"):
        dispatch.handout.note_given_back(client, "the disk was full")
    notes = dispatch.board.take_notes()
    assert notes == [f"{host}: the disk was full; what ran there meanwhile is run again" for host in ("a", "77")]
    assert [(note.kind, note.host) for note in notes] == [("given_back", "a"), ("given_back", "77")]


def test_of_very_many_sentences_about_attempts_that_do_not_count_a_hundred_are_told() -> None:
    dispatch = with_hosts(0)
    for number in range(120):
        dispatch.handout.note_given_back("1", f"reason {number}")
    assert len(dispatch.board.take_notes()) == 100


def test_only_clients_that_are_known_and_have_more_than_their_slots_have_something_to_give_back() -> None:
    dispatch = with_hosts(30, "ab", slots=2)
    one = dispatch.handout.take(0.0, "1", 5)
    dispatch.handout.take(0.0, "2", 2)
    dispatch.handout.take(0.0, "77", 9, address="10.0.0.7")
    among = {"1", "2", "77"}
    assert dispatch.handout.unbegun(100, among) == {"1": 3}
    assert dispatch.handout.unbegun(1.5, among) == {"1": 1}
    dispatch.losses.lose(one[0], silent=False)
    dispatch.attempts.arrive(0.0, one[1].id)
    assert dispatch.handout.unbegun(100, among) == {"1": 1}


def test_a_client_begins_its_oldest_tickets_first() -> None:
    dispatch = with_hosts(30, "ab", slots=2)
    one = dispatch.handout.take(0.0, "1", 4)
    two = dispatch.handout.take(0.0, "2", 3)
    stranger = dispatch.handout.take(0.0, "77", 3, address="10.0.0.7")
    assert list(dispatch.handout.begun()) == [*one[:2], *two[:2], *stranger]
    dispatch.attempts.arrive(0.0, one[0].id)
    assert list(dispatch.handout.begun()) == [*one[1:3], *two[:2], *stranger]


# -- copies


def at_the_end(hosts: str = "ab", tasks: int = 1, **rules: object) -> Dispatch:
    """A dispatch whose tasks all run on the first host, for long enough to be copied."""
    dispatch = with_hosts(tasks, hosts, slots=4, **rules)
    assert len(take(dispatch, "1", tasks)) == tasks
    dispatch.ping(100.0, "1", range(1, tasks + 1))
    dispatch.tick(100.0)
    return dispatch


def test_idle_requests_are_offered_what_waits_or_what_may_be_copied() -> None:
    dispatch = with_hosts(3, "ab")
    assert dispatch.handout.offers == 3
    dispatch = at_the_end(tasks=2)
    assert dispatch.handout.offers == 2
    dispatch.steering.pause()
    assert dispatch.handout.offers == 0


def test_people_are_told_once_that_copies_run() -> None:
    dispatch = at_the_end(tasks=2)
    assert len(dispatch.handout.take(100.0, "2", 4)) == 2
    (note,) = dispatch.board.take_notes()
    assert note.kind == "copies" and "the first is task 1" in note


def test_a_task_that_may_not_be_copied_here_stays_on_offer_for_others() -> None:
    dispatch = at_the_end(hosts="abc", tasks=2)
    assert dispatch.handout.take(100.0, "1", 4) == []
    assert dispatch.handout.offers == 2
    assert [ticket.task for ticket in dispatch.handout.take(100.0, "2", 4)] == [1, 2]
    assert dispatch.handout.offers == 0


def test_a_task_that_ended_meanwhile_is_passed_over() -> None:
    dispatch = at_the_end(tasks=3)
    dispatch.attempts.arrive(100.0, 1)
    dispatch.attempts.accept(1, OUT, NO_USAGE)
    dispatch.attempts.arrive(100.0, 2)
    assert [ticket.task for ticket in dispatch.handout.take(100.0, "2", 4)] == [3], "the second is being checked"


def test_a_copy_goes_to_another_client_of_the_same_host_only_when_no_other_host_is_there() -> None:
    dispatch = at_the_end(hosts="aa")
    assert dispatch.handout.take(100.0, "1", 1) == []
    assert len(dispatch.handout.take(100.0, "2", 1)) == 1
    dispatch = at_the_end(hosts="aab")
    assert dispatch.handout.take(100.0, "2", 1) == []
    assert len(dispatch.handout.take(100.0, "3", 1)) == 1


def test_a_host_that_is_set_aside_is_no_other_host() -> None:
    dispatch = at_the_end(hosts="aab")
    dispatch.steering.set_aside("b", Aside.BENCHED)
    assert len(dispatch.handout.take(100.0, "2", 1)) == 1


@pytest.mark.parametrize(("copies", "made"), [(0, 0), (1, 1), (2, 2)])
def test_as_many_copies_run_as_the_rules_allow(copies: int, made: int) -> None:
    dispatch = at_the_end(hosts="abcd", copies=copies)
    for client in ("2", "3", "4"):
        dispatch.handout.take(100.0, client, 1)
        dispatch.tick(110.0)
    assert len(dispatch.board.tasks[1].tickets) == 1 + made


@pytest.mark.parametrize(("silence", "copied"), [(600.0, False), (600.1, True)])
def test_an_attempt_of_a_client_that_never_pings_counts_for_ten_minutes(silence: float, copied: bool) -> None:
    dispatch = with_hosts(1, "ab", pings=False, copies=0)
    take(dispatch, "1", now=50.0)
    dispatch.clients.now = 50.0 + silence
    assert bool(dispatch.handout._may_copy(dispatch.board.tasks[1])) == copied


def test_a_client_that_has_a_copy_gets_no_second_one_and_nobody_does_while_a_result_is_checked() -> None:
    dispatch = at_the_end(hosts="abc", copies=2)
    assert len(dispatch.handout.take(100.0, "2", 1)) == 1
    dispatch.tick(110.0)
    assert dispatch.handout.take(110.0, "2", 1) == []
    dispatch.attempts.arrive(110.0, 1)
    assert dispatch.handout.take(110.0, "3", 1) == []


def test_nothing_is_copied_that_nobody_has() -> None:
    dispatch = with_hosts(1, "ab")
    assert not dispatch.handout._may_copy(Task(5, {}))
    take(dispatch, "1")
    assert dispatch.handout._may_copy(dispatch.board.tasks[1])
    dispatch.attempts.arrive(0.0, 1)
    assert not dispatch.handout._may_copy(dispatch.board.tasks[1])


@pytest.mark.parametrize("spoiled", ["", "waiting", "more", "draining", "once"])
def test_running_tasks_are_on_offer_only_at_the_end(spoiled: str) -> None:
    dispatch = at_the_end(copies=int(spoiled != "once"))
    if spoiled == "waiting":
        dispatch.board.add([Task(9, {})])
    dispatch.board.more, dispatch.board.draining = spoiled == "more", spoiled == "draining"
    dispatch.handout.find_stragglers(100.0)
    if spoiled == "waiting":
        dispatch.board.waiting.clear()
    assert dispatch.handout.offers == (0 if spoiled else 1)


def test_a_look_for_long_tasks_forgets_what_the_last_one_found() -> None:
    dispatch = at_the_end()
    dispatch.handout.find_stragglers(100.0)
    assert dispatch.handout.offers == 1
    dispatch.handout.find_stragglers(1.0)
    assert dispatch.handout.offers == 0


# -- which task


def test_a_task_that_went_wrong_here_goes_elsewhere_if_another_host_is_at_work() -> None:
    dispatch = with_hosts(2, "ab", attempts=9)
    dispatch.attempts.fail(0.0, take(dispatch, "1")[0].id, BROKEN, NO_USAGE)
    dispatch.board.waiting.rotate(1)
    assert list(dispatch.board.waiting) == [1, 2]
    assert take(dispatch, "1")[0].task == 2
    dispatch.steering.set_aside("b", Aside.BENCHED)
    dispatch.board.add([Task(3, {})])
    assert take(dispatch, "1")[0].task == 1


def test_a_stranger_leaves_a_task_that_went_wrong_there_to_the_one_host_that_is_at_work() -> None:
    dispatch = with_hosts(2, "a", attempts=9)
    dispatch.board.tasks[1].shunned.add("10.0.0.7")
    (ticket,) = dispatch.handout.take(0.0, "77", 1, address="10.0.0.7")
    assert ticket.task == 2


# -- how long attempts take


def accepted(dispatch: Dispatch, wall: float) -> Ticket:
    (ticket,) = take(dispatch, "1")
    dispatch.attempts.arrive(0.0, ticket.id)
    dispatch.attempts.accept(ticket.id, OUT, Usage(wall=wall))
    return ticket


def test_the_median_is_of_five_accepted_attempts_or_more_and_of_the_latest_501() -> None:
    dispatch = with_hosts(9, timeout=Times(3))
    for wall in (1.0, 2.0, 9.0, 4.0):
        accepted(dispatch, wall)
    assert (dispatch.handout.median(), dispatch.handout.timeout()) == (0.0, 0.0)
    accepted(dispatch, 3.0)
    assert (dispatch.handout.median(), dispatch.handout.timeout()) == (3.0, 9.0)
    dispatch.handout.walls.extend([100.0] * 600)
    assert list(dispatch.handout.walls) == [100.0] * 501


def test_a_timeout_in_seconds_is_what_it_is() -> None:
    assert with_hosts(0, timeout=7.5).handout.timeout() == 7.5
