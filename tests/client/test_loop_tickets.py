"""The tickets of a client: held until delivered, counted by what is worth asking for."""

from __future__ import annotations

from collections.abc import Callable

from spe.client import exits
from spe.client.wire.lease import clock

from .loop_kit import Parts


def test_tickets_that_are_held_take_slots_and_have_the_next_ping_sent_at_once(
    make_parts: Callable[..., Parts],
) -> None:
    parts = make_parts(5)
    before = clock()
    first, second = parts.held(1, 2)
    assert parts.tickets.held == {1: first, 2: second}
    assert first.sure and second.sure
    assert before <= first.held_at == second.held_at <= clock()
    assert parts.wanted() == (3, 0)
    assert parts.demand.something_held.is_set() and not parts.demand.nothing_held.is_set()
    assert parts.lease.wait_for_request(0)


def test_tickets_of_an_answer_that_took_longer_than_the_lease_wait_for_the_masters_word(parts: Parts) -> None:
    attempt = parts.attempt(1)
    parts.tickets.hold([attempt], clock() - 1000)
    assert not attempt.sure


def test_what_is_delivered_is_no_longer_held_and_its_slot_was_free_before(make_parts: Callable[..., Parts]) -> None:
    parts = make_parts(5)
    attempts = parts.held(1, 2)
    parts.demand.change(-1, 0)  # the program of ticket 1 has ended
    parts.tickets.release(attempts[:1])
    assert list(parts.tickets.held) == [2]
    assert parts.wanted() == (4, 0)
    assert parts.demand.something_held.is_set()
    parts.tickets.release(attempts)  # a ticket that is forgotten already is no error
    assert not parts.tickets.held
    assert parts.wanted() == (4, 0)


def test_the_last_ticket_that_is_delivered_leaves_nothing_held(parts: Parts) -> None:
    parts.tickets.release(parts.held(1))
    assert parts.demand.nothing_held.is_set() and not parts.demand.something_held.is_set()


def test_tickets_that_go_back_free_their_slots_unless_these_were_free_already(make_parts: Callable[..., Parts]) -> None:
    parts = make_parts(5)
    attempts = parts.held(1, 2, 3)
    for one in attempts[:2]:
        parts.tickets.working[one.task.ticket] = one
    attempts[0].has_left = True
    parts.demand.change(-1, 0)  # as the slot of ticket 1 is free
    parts.tickets.give_up([*attempts[:2], parts.attempt(9)][:2])
    assert list(parts.tickets.held) == [3] and not parts.tickets.working
    assert parts.wanted() == (4, 0)
    parts.tickets.give_up(attempts[2:])
    assert parts.wanted() == (5, 0) and parts.demand.nothing_held.is_set()


def test_a_client_is_busy_while_an_attempt_is_ready_or_at_a_hand(parts: Parts) -> None:
    (attempt,) = parts.held(1)
    assert not parts.tickets.is_busy()
    parts.tickets.ready.append(attempt)
    assert parts.tickets.is_busy()
    parts.tickets.ready.clear()
    parts.tickets.working[1] = attempt
    assert parts.tickets.is_busy()


def test_the_first_reason_to_end_counts(parts: Parts) -> None:
    first, second = exits.Ending(1, "first"), exits.Ending(2, "second")
    assert parts.tickets.ending is None
    parts.tickets.end(first)
    parts.tickets.end(second)
    assert parts.tickets.ending is first
