"""Clients that end while this master hears nobody: neither their hosts nor their tasks are to blame."""

from __future__ import annotations

import pytest
from spe.dispatch.losses import AFTER, Naps
from spe.model import TicketState

from .kit import make_dispatch


@pytest.mark.parametrize(
    ("since", "word", "expected"),
    [(1.0, 50.0, True), (1.0, 100 + AFTER, True), (1.0, 101 + AFTER, False), (101.0, 102.0, False)],
)
def test_a_nap_ends_clients_from_before_it_and_no_others(since: float, word: float, expected: bool) -> None:
    dispatch, naps = make_dispatch(), Naps()
    client = dispatch.register(since, "h", "linux", 1, pings=True)
    client.word = word
    naps.note(100.0)
    assert naps.has_ended(client, 1000.0) is expected


def test_a_nap_disturbs_starts_from_before_it_for_a_short_time() -> None:
    naps = Naps()
    assert not naps.has_disturbed(1.0, 2.0)
    naps.note(100.0)
    assert naps.has_disturbed(1.0, 100 + AFTER)
    assert not naps.has_disturbed(1.0, 101 + AFTER)
    assert not naps.has_disturbed(101.0, 102.0)


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_a_task_whose_client_ended_in_a_nap_is_not_blamed_and_its_attempt_says_what_it_was(says_goodbye: bool) -> None:
    dispatch = make_dispatch(tasks=1)
    client = dispatch.register(1.0, "h", "linux", 1, pings=True)
    [ticket] = dispatch.handout.take(2.0, client.id, 1)
    dispatch.ping(3.0, client.id, [ticket.id])
    task = dispatch.board.tasks[ticket.task]
    dispatch.board.take_changes()
    dispatch.losses.naps.note(80.0)
    if says_goodbye:
        dispatch.bye(81.0, client.id)
    else:
        dispatch.tick(1000.0)
    assert (ticket.state, task.lost) == (TicketState.LOST, 0)
    failures = [change.failure.reason for change in dispatch.board.take_changes() if getattr(change, "failure", None)]
    assert failures == ["its client left: the master was silent for longer than `grace:`"]


def test_hosts_that_fall_silent_together_were_cut_off_and_are_not_at_fault() -> None:
    dispatch = make_dispatch(tasks=2)
    clients = [dispatch.register(1.0, host, "linux", 1, pings=True) for host in ("a", "b")]
    for client in clients:
        dispatch.clients.heard(10.0, client.id)
    dispatch.tick(11.0)
    assert not any(dispatch.losses.naps.has_ended(client, 11.0) for client in clients)
    dispatch.tick(10.0 + dispatch.rules.ping + 60)
    assert all(dispatch.losses.naps.has_ended(client, 200.0) for client in clients)


def test_a_client_whose_host_came_up_again_leaves_its_slots_when_it_has_been_silent_for_a_lease() -> None:
    dispatch = make_dispatch(tasks=4)
    old = dispatch.register(1.0, "h", "linux", 2, pings=True)
    dispatch.clients.heard(10.0, old.id)
    new = dispatch.register(12.0, "h", "linux", 2, pings=True)
    dispatch.clients.heard(13.0, new.id)
    dispatch.tick(14.0)
    assert not old.state.is_gone, "it may only be late"
    lease = 3 * dispatch.rules.ping + 5
    dispatch.clients.heard(11 + lease, new.id)
    dispatch.tick(11 + lease)
    assert old.state.is_gone and old.was_killed and not new.state.is_gone
    assert old.word == 10.0, "it was not heard meanwhile"


def test_a_client_that_ended_in_a_nap_was_not_killed_although_a_later_one_of_its_host_is_here() -> None:
    dispatch = make_dispatch(tasks=1)
    old = dispatch.register(1.0, "h", "linux", 1, pings=True)
    [ticket] = dispatch.handout.take(2.0, old.id, 1)
    dispatch.ping(3.0, old.id, [ticket.id])
    dispatch.board.take_changes()
    dispatch.losses.naps.note(200.0)
    dispatch.losses.forgive(197.0)  # the lease of its ticket goes on
    dispatch.register(202.0, "h", "linux", 1, pings=True)
    dispatch.tick(203.0)
    assert old.state.is_gone and not old.was_killed
    failures = [change.failure.reason for change in dispatch.board.take_changes() if getattr(change, "failure", None)]
    assert failures == ["its client left: the master was silent for longer than `grace:`"]
    assert dispatch.board.tasks[ticket.task].lost == 0


def test_two_clients_of_one_host_that_were_heard_since_both_came_stay_both() -> None:
    dispatch = make_dispatch(tasks=4)
    clients = [dispatch.register(now, "h", "linux", 2, pings=True) for now in (1.0, 2.0)]
    for client in clients:
        dispatch.clients.heard(3.0, client.id)
    dispatch.tick(4.0 + 10 * dispatch.rules.ping)
    assert not any(client.state.is_gone for client in clients)
