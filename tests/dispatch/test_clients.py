"""The clients of a run by themselves: who is here, when each was heard, what each must still hear."""

from __future__ import annotations

import pytest
from spe.dispatch.changes import ClientCame, ClientHeard, ClientLeft
from spe.dispatch.clients import Clients, Occupancy
from spe.model import Client, ClientState, Ticket, TicketState


def clients_on(*hosts: str, slots: int = 2) -> Clients:
    clients = Clients()
    for host in hosts:
        clients.enter(clients.register(0.0, host, "linux", slots, True, 0))
    return clients


def test_a_client_gets_the_next_number_and_as_many_cores_as_slots_unless_it_says_more() -> None:
    clients = Clients(7)
    first = clients.register(3.0, "a", "linux-x86_64", 2, True, 0)
    assert first == Client("7", "a", "linux-x86_64", 2, 2, since=3.0, word=3.0, pings=True)
    assert first.state is ClientState.SETTING_UP
    assert clients.register(3.0, "a", "linux-x86_64", 2, False, 8) == Client("8", "a", "linux-x86_64", 2, 8, 3.0, 3.0)
    assert Clients().register(0.0, "a", "", 1, True, 0).id == "1"


def test_clients_are_found_by_their_ids_also_when_they_have_left() -> None:
    clients = clients_on("a", "b")
    clients.leave(clients["1"])
    assert [client.id for client in clients] == ["1", "2"] and len(clients) == 2
    assert "1" in clients and "3" not in clients
    assert clients.get("2") is clients["2"] and clients.get("3") is None
    assert [client.id for client in clients.present()] == ["2"]
    assert set(clients.hosts) == {"b"}


# -- a client's life


def test_a_word_of_a_client_is_noted_and_time_does_not_go_back() -> None:
    clients = clients_on("a", "b")
    assert clients.heard(9.0, "1") is clients["1"]
    assert clients.heard(5.0, "2") is clients["2"]
    assert (clients["1"].word, clients["2"].word, clients.now) == (9.0, 5.0, 9.0)
    assert clients.heard(11.0, "nobody") is None
    assert (clients.now, clients.last_word) == (11.0, 5.0)


def test_nothing_was_heard_at_first() -> None:
    assert (Clients().last_word, Clients().now, Clients().strangers) == (0.0, 0.0, {})


def test_a_client_whose_connection_breaks_is_cut_off_until_its_next_word() -> None:
    clients = clients_on("a")
    assert clients.suspect("1") is clients["1"]
    assert clients["1"].state is ClientState.SETTING_UP_CUT_OFF
    clients.heard(1.0, "1")
    assert clients["1"].state is ClientState.SETTING_UP


def test_nobody_is_suspected_who_never_came_or_has_left() -> None:
    clients = clients_on("a")
    clients.leave(clients["1"])
    assert clients.suspect("1") is None and clients.suspect("nobody") is None


def test_a_client_that_asks_is_at_work_and_its_load_is_the_one_that_it_told_last() -> None:
    clients = clients_on("a")
    for load in (1.5, None, 0.5):
        clients.asked(clients["1"], load)
        assert (clients["1"].state, clients["1"].load) == (ClientState.AT_WORK, load)


def test_a_client_that_was_told_the_end_knows_it() -> None:
    clients = clients_on("a", "b")
    clients.told_the_end("1")
    clients.told_the_end("nobody")
    assert [client.state.knows_the_end for client in clients] == [True, False]


# -- tickets that have expired


def test_a_client_must_hear_of_each_expired_ticket_until_it_has() -> None:
    clients = clients_on("a", "b")
    for ticket in (5, 3, 4):
        clients.note_expired("1", ticket)
    assert clients.has_expired("1") and not clients.has_expired("2") and clients.to_call() == ["1"]
    clients.told_expired("1", [3, 99])
    clients.told_expired("2", [5])
    assert clients.has_expired("1")
    assert clients.take_expired("1") == [4, 5]
    assert clients.take_expired("1") == [] and not clients.has_expired("1")


def test_a_client_that_has_heard_all_by_other_ways_is_not_called() -> None:
    clients = clients_on("a")
    clients.note_expired("1", 5)
    clients.told_expired("1", [5])
    assert not clients.to_call() and clients.has_expired("1") is False
    assert clients.take_expired("1") == []


def test_a_client_that_leaves_need_not_hear_of_its_tickets() -> None:
    clients = clients_on("a")
    clients.note_expired("1", 5)
    clients.leave(clients["1"])
    assert not clients.to_call() and not clients.has_expired("1")


# -- what the store is told


def test_a_client_is_recorded_when_it_comes_and_when_it_goes() -> None:
    client = Clients().register(3.0, "a", "linux", 2, True, 8)
    assert Clients.came(client) == ClientCame("1", "a", "linux", 2, True)
    assert Clients.left(client, 5.5) == [ClientLeft("1", 2.5), ClientHeard("1", 0.0)]


def test_every_thirty_seconds_it_is_recorded_who_was_heard_since() -> None:
    clients = clients_on("a", "b", "c")
    clients.heard(10.0, "1")
    clients.heard(12.0, "2")
    clients.leave(clients["2"])
    assert clients.heard_since_noted(29.9) == []
    assert clients.heard_since_noted(30.0) == [ClientHeard("1", 20.0)]
    clients.heard(30.0, "1")
    clients.heard(41.0, "3")
    assert clients.heard_since_noted(59.0) == []
    assert clients.heard_since_noted(60.0) == [ClientHeard("3", 19.0)]
    clients.heard(61.0, "1")
    assert clients.heard_since_noted(61.0, pause=0.0) == [ClientHeard("1", 0.0)]


# -- slots


@pytest.mark.parametrize(("slots", "cores", "at_once"), [(8, 1, 8), (8, 3, 2), (8, 8, 1), (2, 4, 1), (0, 1, 1)])
def test_a_client_runs_as_many_tasks_at_once_as_fit_into_its_slots_and_at_least_one(
    slots: int, cores: int, at_once: int
) -> None:
    client = Client("1", "a", "", slots, 8, 0.0, 0.0)
    assert Occupancy(Clients(), {}, cores).slots(client) == at_once


def test_tickets_beyond_the_slots_of_a_client_have_not_begun() -> None:
    clients = clients_on("a", slots=2)
    occupancy = Occupancy(clients, {}, 1)
    for number, begun in ((1, 1), (2, 2), (3, 2), (4, 2)):
        occupancy.count(Ticket(number, number, "1", "a", 0.0), [number], +1)
        assert occupancy.begun == begun
    for number, begun in ((4, 2), (1, 2), (2, 1), (3, 0)):
        occupancy.count(Ticket(number, number, "1", "a", 0.0), [number], -1)
        assert (occupancy.begun, occupancy.with_slot) == (begun, begun)


def test_tickets_of_a_client_that_registers_later_have_all_begun_until_then() -> None:
    clients = Clients()
    occupancy = Occupancy(clients, {}, 1)
    for number in (1, 2, 3):
        occupancy.count(Ticket(number, number, "1", "a", 0.0), [number], +1)
    assert occupancy.begun == 3
    client = clients.register(0.0, "a", "", 2, True, 0)
    clients.enter(client)
    occupancy.entered(client)
    assert occupancy.begun == 2
    other = clients.register(0.0, "b", "", 2, True, 0)
    clients.enter(other)
    occupancy.entered(other)
    assert occupancy.begun == 2


@pytest.mark.parametrize("other", [TicketState.ISSUED, TicketState.CHECKING])
def test_a_copy_is_counted_as_one_only_while_the_other_attempt_is_out(other: TicketState) -> None:
    tickets = {1: Ticket(1, 5, "1", "a", 0.0), 2: Ticket(2, 5, "2", "b", 0.0)}
    occupancy = Occupancy(clients_on("a", "b"), tickets, 1)
    occupancy.count(tickets[1], [1], +1)
    occupancy.count(tickets[2], [1, 2], +1)
    assert (occupancy.begun, occupancy.with_slot) == (2, 1)
    occupancy.count(tickets[2], [1, 2], -1)
    assert (occupancy.begun, occupancy.with_slot) == (1, 1)
    tickets[1].state = other
    occupancy.count(tickets[2], [1], +1)
    assert occupancy.with_slot == (1 if other is TicketState.ISSUED else 2)


def test_an_attempt_beside_one_that_is_out_and_one_that_is_checked_is_a_copy() -> None:
    tickets = {number: Ticket(number, 5, str(number), "a", 0.0) for number in (1, 2, 3)}
    occupancy = Occupancy(clients_on("a", "b", "c"), tickets, 1)
    occupancy.count(tickets[1], [1], +1)
    tickets[2].state = TicketState.CHECKING
    occupancy.count(tickets[3], [1, 2, 3], +1)
    assert (occupancy.begun, occupancy.with_slot) == (2, 1)
