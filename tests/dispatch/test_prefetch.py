"""Work that is fetched ahead of free slots: how much a client gets, what counts as begun, who is asked to give back."""

from __future__ import annotations

from spe.dispatch.dispatch import Dispatch
from spe.model import TaskState, Ticket

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch


def with_clients(tasks: int, *slots: int, **rules: object) -> Dispatch:
    """A dispatch with a pinging client for each number of slots: 1, 2, … on hosts h1, h2, …"""
    dispatch = make_dispatch(tasks, **{"ping": 5.0, **rules})
    for number, count in enumerate(slots, 1):
        dispatch.register(0.0, f"h{number}", "", count, True)
        dispatch.guard.succeeded(0.0, f"h{number}", 0)
    return dispatch


def ahead(dispatch: Dispatch, client: str, free: int, more: int) -> int:
    """How many tickets it gets that asks for so many now and so many ahead."""
    return len(dispatch.handout.take(1.0, client, free + more, ahead=more))


def test_while_there_is_plenty_all_that_is_asked_for_is_given() -> None:
    dispatch = with_clients(100, 2, 2)
    dispatch.board.more = True
    assert ahead(dispatch, "1", 2, 50) == 52


def test_when_the_end_is_in_sight_each_gets_half_of_its_share() -> None:
    dispatch = with_clients(102, 2, 6)
    assert ahead(dispatch, "1", 2, 50) == 2 + 102 * 2 // (2 * 8)
    dispatch = with_clients(3, 2, 6)
    assert ahead(dispatch, "1", 2, 50) == 2, "at the very end nothing but what can begin"


def test_nothing_is_given_ahead_to_a_host_in_doubt_or_under_a_load_limit_or_to_nobody() -> None:
    dispatch = with_clients(100, 2, max_load=1.0)
    dispatch.board.more = True
    assert ahead(dispatch, "1", 2, 50) == 2
    dispatch = with_clients(100, 2)
    dispatch.board.more = True
    assert ahead(dispatch, "", 2, 50) == 2


def test_those_with_the_most_are_asked_first_and_only_for_what_they_have_not_begun() -> None:
    dispatch = with_clients(30, 2, 4, 1)
    dispatch.board.more = True
    ahead(dispatch, "1", 2, 3)
    ahead(dispatch, "2", 4, 10)
    ahead(dispatch, "3", 1, 0)
    assert dispatch.handout.unbegun(100, dispatch.clients) == {"2": 10, "1": 3}
    assert dispatch.handout.unbegun(11, dispatch.clients) == {"2": 10, "1": 1}
    assert dispatch.handout.unbegun(4, dispatch.clients) == {"2": 4}
    assert dispatch.handout.unbegun(0, dispatch.clients) == {}


def test_slots_are_counted_in_cores_of_a_task() -> None:
    dispatch = with_clients(30, 8, cores=4)
    dispatch.board.more = True
    ahead(dispatch, "1", 2, 5)
    assert dispatch.handout.unbegun(100, dispatch.clients) == {"1": 5}


def test_a_copy_is_made_of_what_runs_not_of_what_waits_at_a_host() -> None:
    dispatch = with_clients(3, 1, 1, ping=60.0)
    dispatch.board.more = True
    ahead(dispatch, "1", 1, 2)
    dispatch.board.more = False
    dispatch.tick(40.0)
    (copy,) = dispatch.handout.take(40.0, "2", 3)
    assert copy.task == 1, "the others have not begun"


def test_what_is_given_back_waits_again_and_costs_nothing() -> None:
    dispatch = with_clients(2, 1, 1)
    dispatch.board.more = True
    one, two = dispatch.handout.take(1.0, "1", 2, ahead=1)
    dispatch.handout.give_back(two.id, "2")
    assert dispatch.board.is_live(two.id), "it is not the other's to give"
    dispatch.handout.give_back(two.id, "1")
    assert not dispatch.board.is_live(two.id) and dispatch.board.is_live(one.id)
    (again,) = dispatch.handout.take(2.0, "2", 1)
    assert (
        again.task == two.task
        and dispatch.board.tasks[again.task].attempts == dispatch.board.tasks[again.task].lost == 0
    )
    assert dispatch.board.in_state[TaskState.RUNNING] == 2


def test_tickets_that_never_reached_their_client_wait_again_and_cost_nothing() -> None:
    dispatch = with_clients(6, 2, 1)
    dispatch.board.more = True
    (one,) = dispatch.handout.take(1.0, "1", 1)
    lost = dispatch.handout.take(1.0, "1", 3)
    (others,) = dispatch.handout.take(1.0, "2", 1)
    assert dispatch.handout.take_back_unreceived("1", one.id) == 3
    assert dispatch.handout.take_back_unreceived("1", one.id) == 0, "each once"
    assert [dispatch.board.is_live(ticket.id) for ticket in (one, *lost, others)] == [True, *[False] * 3, True]
    assert not dispatch.clients.to_call(), "nobody has them, so nobody is to be told"
    again = dispatch.handout.take(2.0, "1", 4)
    assert {ticket.task for ticket in again} > {ticket.task for ticket in lost}
    assert all(dispatch.board.tasks[ticket.task].attempts == 0 for ticket in again)
    assert dispatch.handout.take_back_unreceived("1", again[-1].id) == 0, "these have come"
    assert dispatch.handout.take_back_unreceived("77", 0) == 0, "a client that did not register"


def test_tickets_that_a_client_has_pinged_have_reached_it_whatever_a_late_request_says() -> None:
    dispatch = with_clients(3, 3)
    dispatch.board.more = True
    tickets = [ticket.id for ticket in dispatch.handout.take(1.0, "1", 3)]
    assert dispatch.ping(2.0, "1", tickets) == []
    assert dispatch.handout.take_back_unreceived("1", 0) == 0
    assert all(map(dispatch.board.is_live, tickets))


def test_what_is_called_running_has_a_slot_and_each_task_counts_once() -> None:
    dispatch = with_clients(30, 2, 4)
    dispatch.board.more = True
    first = dispatch.handout.take(1.0, "1", 5, ahead=3)
    assert (dispatch.board.running, dispatch.board.with_slot) == (5, 2)
    dispatch.handout.take(1.0, "2", 1)
    assert (dispatch.board.running, dispatch.board.with_slot) == (6, 3)
    assert dispatch.attempts.arrive(2.0, first[0].id) and dispatch.attempts.accept(first[0].id, OUT, NO_USAGE)
    assert (dispatch.board.running, dispatch.board.with_slot) == (5, 3), "the next one began"
    dispatch.handout.give_back(first[4].id, "1")
    dispatch.handout.give_back(first[3].id, "1")
    assert dispatch.board.with_slot == 3
    dispatch.attempts.fail(3.0, first[2].id, BROKEN, NO_USAGE)
    assert dispatch.board.with_slot == 2


def test_a_copy_of_a_task_that_runs_is_no_second_one_that_runs() -> None:
    dispatch = with_clients(3, 1, 1)
    dispatch.board.more = True
    assert ahead(dispatch, "1", 1, 2) == 3
    dispatch.board.more = False
    dispatch.ping(5000.0, "1", [1, 2, 3])
    dispatch.tick(5000.0)
    assert dispatch.handout.take(5000.0, "2", 1) and len(list(dispatch.handout.begun())) == 2
    assert (dispatch.board.running, dispatch.board.with_slot) == (3, 1)


def test_all_that_a_client_without_an_identity_got_runs_until_it_is_known_what_slots_it_has() -> None:
    dispatch = make_dispatch(10)
    dispatch.handout.take(0.0, "1", 4, address="10.0.0.7")
    assert dispatch.board.with_slot == 4
    dispatch.register(1.0, "lab01", "", 1, True)  # it gets the same ID
    assert dispatch.board.with_slot == 1 == len(list(dispatch.handout.begun()))


def test_a_result_of_what_was_given_back_is_still_taken() -> None:
    dispatch = with_clients(1, 1)
    dispatch.board.more = True
    (ticket,) = dispatch.handout.take(1.0, "1", 1)
    dispatch.handout.give_back(ticket.id, "1")
    assert dispatch.attempts.arrive(2.0, ticket.id, "1") is not None


def test_nothing_is_given_ahead_to_who_cannot_be_called_for_it() -> None:
    dispatch = with_clients(100, 2, ping=0.0)
    dispatch.board.more = True
    assert ahead(dispatch, "1", 2, 50) == 2, "nobody pings in this sweep"
    dispatch = with_clients(100)
    dispatch.board.more = True
    dispatch.register(0.0, "h1", "", 2, False)
    dispatch.guard.succeeded(0.0, "h1", 0)
    assert ahead(dispatch, "1", 2, 50) == 2, "this one does not"


def test_only_those_who_can_hear_it_are_asked_to_give_back() -> None:
    dispatch = with_clients(40, 1, 1)
    dispatch.board.more = True
    ahead(dispatch, "1", 1, 20)
    ahead(dispatch, "2", 1, 5)
    assert dispatch.handout.unbegun(4, {"2"}) == {"2": 4}, "not the one with more, which may be dead"


def test_what_had_not_begun_is_not_blamed_for_the_death_of_its_host() -> None:
    dispatch = with_clients(5, 1, 1, 1, 1)
    dispatch.board.more = True
    for number, now in enumerate((1.0, 100.0, 200.0), 1):
        client = dispatch.clients[str(number)]
        dispatch.guard.succeeded(now, client.host, 0)
        tickets = dispatch.handout.take(now, client.id, 5, ahead=4)
        assert len(tickets) == 5
        dispatch.ping(now + 49, "4", [])  # another host lives
        dispatch.tick(now + 50)
    assert dispatch.board.in_state[TaskState.FAILED] == 1, "the one that ran on each of them"
    assert [task.lost for task in dispatch.board.tasks.values()] == [0, 0, 0, 0]


def test_a_host_that_comes_back_takes_its_blame_back() -> None:
    dispatch = with_clients(2, 1)
    dispatch.board.more = True
    one, two = dispatch.handout.take(1.0, "1", 2, ahead=1)
    dispatch.tick(100.0)
    assert [dispatch.board.tasks[t.task].lost for t in (one, two)] == [1, 0]
    dispatch.ping(101.0, "1", [one.id, two.id])
    assert [dispatch.board.tasks[t.task].lost for t in (one, two)] == [0, 0]


def test_a_host_gets_nothing_ahead_before_it_has_succeeded_nor_after_a_failure() -> None:
    dispatch = with_clients(100, 2, 2)
    dispatch.guard.records.clear()
    dispatch.board.more = True
    (one, two) = dispatch.handout.take(1.0, "1", 10, ahead=8)
    assert accepted(dispatch, one) and len(dispatch.handout.take(2.0, "1", 10, ahead=8)) == 10
    dispatch.attempts.fail(3.0, two.id, BROKEN, NO_USAGE)
    assert len(dispatch.handout.take(4.0, "1", 10, ahead=8)) == 2


def accepted(dispatch: Dispatch, ticket: Ticket) -> bool:
    """Its result came and is valid."""
    assert dispatch.attempts.arrive(1.5, ticket.id, ticket.client)
    return dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)
