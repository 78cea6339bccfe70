"""Pings and the long poll: what they ask, what they tell the loop, and how long they rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from spe.client.loop import pinging as module
from spe.client.loop.pinging import (
    GATHER,
    HOLD,
    PAUSE,
    POLL,
    TICKETS_A_PING,
    LongPoller,
    Pinger,
    fetch_orders,
    number_in,
)
from spe.client.wire.master import MasterConnection, Stopping

from .loop_kit import InstantEvent, Parts, PlayedMaster, reply

KEEP_ON = reply(204)


def talk(thread: Any, *answers: Any) -> PlayedMaster:
    """Run a thread's talk in that of the test until these answers are used up."""
    line: PlayedMaster = PlayedMaster(thread.master, *answers)
    thread.connection = line
    with pytest.raises(Stopping):
        thread.talk()
    return line


class Clock:
    """The clock of the pings: each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


# -- pings


class Requests:
    """The requests for a ping, as the test gives them, in place of the waits for them."""

    def __init__(self, parts: Parts, *requests: bool) -> None:
        self.requests, self.waits = list(requests), list[float]()
        parts.lease.wait_for_request = self.next  # type: ignore[method-assign]

    def next(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if not self.requests:
            raise Stopping()
        return self.requests.pop(0)


def test_a_round_of_pings_names_all_tickets_and_confirms_them_as_of_its_beginning(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "clock", Clock())
    parts.held(3, 1, 2)
    requests = Requests(parts, False, False)
    line = talk(Pinger(parts.shared, 30.0), KEEP_ON, KEEP_ON)
    assert line.asked == [("/ping", [("ticket", 1), ("ticket", 2), ("ticket", 3)])] * 2
    assert parts.events() == [("confirmed", 101.0), ("confirmed", 102.0)]
    assert requests.waits == [30.0] * 3
    assert not parts.stopping.waits


def test_more_than_a_hundred_tickets_take_several_requests(parts: Parts) -> None:
    parts.held(*range(1, 251))
    Requests(parts, False)
    line = talk(Pinger(parts.shared, 30.0), KEEP_ON, KEEP_ON, KEEP_ON)
    assert [[ticket for _, ticket in query] for _, query in line.asked] == [
        [*range(1, 101)], [*range(101, 201)], [*range(201, 251)]
    ]  # fmt: skip
    assert [name for name, _ in parts.events()] == ["confirmed"] and TICKETS_A_PING == 100


def test_a_client_without_tickets_sends_no_ping_and_its_lease_goes_on(parts: Parts) -> None:
    Requests(parts, False)
    line = talk(Pinger(parts.shared, 30.0))
    assert not line.asked and [name for name, _ in parts.events()] == ["confirmed"]


def test_pings_at_intervals_of_zero_are_never_sent(parts: Parts) -> None:
    requests = Requests(parts, False)
    Pinger(parts.shared, 0.0).talk()
    LongPoller(parts.shared, 0.0, lambda _: None).talk()
    assert not requests.waits


@pytest.mark.parametrize("every", [0.5, 1.0])
def test_pings_at_intervals_of_any_length_are_sent(parts: Parts, every: float) -> None:
    parts.held(1)
    assert Requests(parts, False).requests
    assert len(talk(Pinger(parts.shared, every), KEEP_ON).asked) == 1
    assert len(talk(LongPoller(parts.shared, every, lambda _: None), reply(205, Expired="1")).asked) == 2


def test_new_tickets_gather_before_a_ping_that_was_requested_and_pings_are_a_second_apart(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "clock", clock)
    Requests(parts, True, True)
    talk(Pinger(parts.shared, 30.0))
    assert parts.stopping.waits == [GATHER, GATHER], "the one before began a second ago"
    assert (GATHER, PAUSE) == (0.2, 1.0)
    parts.stopping.waits.clear()
    times = iter([50.0, 50.0, 50.25, 51.0])
    monkeypatch.setattr(module, "clock", lambda: next(times))
    Requests(parts, True, True)
    talk(Pinger(parts.shared, 30.0))
    assert parts.stopping.waits == [GATHER, 0.75]


def test_a_client_that_has_just_booted_waits_no_longer_for_its_first_ping(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "clock", lambda: 0.0)
    Requests(parts, True)
    talk(Pinger(parts.shared, 30.0))
    assert parts.stopping.waits == [GATHER]


def test_the_wait_for_new_tickets_is_at_most_half_of_the_interval_of_pings(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "clock", lambda: 50.0)
    Requests(parts, True, True)
    talk(Pinger(parts.shared, 0.3))
    assert parts.stopping.waits == [0.15, 0.15]


def test_the_tickets_that_a_ping_is_told_of_are_expired_before_the_others_are_confirmed(parts: Parts) -> None:
    parts.held(1, 2, 3)
    Requests(parts, False)
    talk(Pinger(parts.shared, 30.0), reply(205, Expired="1, 3"))
    assert [(name, argument if name == "expired" else None) for name, argument in parts.events()] == [
        ("expired", 1), ("expired", 3), ("confirmed", None)
    ]  # fmt: skip


def test_a_master_that_does_not_say_which_ticket_has_expired_is_asked_one_by_one(parts: Parts) -> None:
    parts.held(1, 2, 3)
    Requests(parts, False)
    line = talk(Pinger(parts.shared, 30.0), reply(205), KEEP_ON, reply(205), KEEP_ON)
    assert [[ticket for _, ticket in query] for _, query in line.asked] == [[1, 2, 3], [1], [2], [3]]
    assert [one for one in parts.events() if one[0] == "expired"] == [("expired", 2)]


def test_a_205_that_names_no_ticket_expires_none(parts: Parts) -> None:
    parts.held(1)
    Requests(parts, False)
    line = talk(Pinger(parts.shared, 30.0), reply(205, Expired=""))
    assert len(line.asked) == 1 and [name for name, _ in parts.events()] == ["confirmed"]


def test_only_a_205_expires_tickets(parts: Parts) -> None:
    parts.held(1)
    Requests(parts, False)
    talk(Pinger(parts.shared, 30.0), reply(200, Expired="1"))
    assert [name for name, _ in parts.events()] == ["confirmed"]


def test_what_is_no_number_in_a_list_of_tickets_is_left_out(parts: Parts) -> None:
    parts.held(17, 23)
    Requests(parts, False)
    talk(Pinger(parts.shared, 30.0), reply(205, Expired="23,x 17 ²"))
    assert [argument for name, argument in parts.events() if name == "expired"] == [23, 17]


# -- the long poll


class Polling:
    """The thread with the long poll, in that of the test."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts = parts
        self.fetched: list[MasterConnection] = []
        self.held = parts.demand.something_held = InstantEvent()
        parts.load.told = lambda folder: [("load", "0.50")] if folder == parts.base else []  # type: ignore[method-assign, misc]
        self.now, self.takes = 0.0, 30.0
        monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        self.now += self.takes
        return self.now

    def talk(self, *answers: Any) -> PlayedMaster:
        return talk(LongPoller(self.parts.shared, 12.0, self.fetched.append), *answers)


@pytest.fixture
def polling(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Polling:
    return Polling(parts, monkeypatch)


def test_a_request_is_held_open_while_tickets_are_held_and_tells_the_load(polling: Polling) -> None:
    line = polling.talk(KEEP_ON)
    assert line.asked == [("/ping", [("wait", 30), ("load", "0.50")])] * 2
    assert line.timeouts == [HOLD + 30.0] * 2 == [60.0, 60.0]
    assert polling.held.waits == [None, None], "before each request"
    assert not polling.parts.events() and not polling.fetched
    assert not polling.parts.stopping.waits, "the master held it for half a minute"


def test_the_tickets_that_are_called_back_are_expired_at_once(polling: Polling) -> None:
    polling.takes = 0.0
    polling.talk(reply(205, Expired="7, 9"), reply(205))
    assert polling.parts.events() == [("expired", 7), ("expired", 9)]
    assert not polling.parts.stopping.waits


def test_only_a_205_of_the_long_poll_expires_tickets(polling: Polling) -> None:
    polling.talk(reply(204, Expired="7"))
    assert not polling.parts.events()


def test_a_master_whose_other_hosts_are_idle_gets_tickets_back(polling: Polling) -> None:
    polling.takes = 0.0
    polling.talk(reply(204, Idle="3"), reply(204, Idle="many"))
    assert polling.parts.events() == [("give back", 3), ("give back", 0)]
    assert not polling.parts.stopping.waits


def test_orders_are_fetched_when_the_master_tells_of_them_and_the_poll_goes_on_at_once(polling: Polling) -> None:
    polling.takes = 0.0
    line = polling.talk(reply(204, Orders="1"))
    assert polling.fetched == [line] and not polling.parts.stopping.waits


@pytest.mark.parametrize(("takes", "rests"), [(0.0, [12.0]), (0.99, [12.0]), (1.0, [])])
def test_a_master_that_holds_no_request_is_asked_at_the_intervals_of_pings(
    polling: Polling, takes: float, rests: list[float]
) -> None:
    polling.takes = takes
    polling.talk(KEEP_ON)
    assert polling.parts.stopping.waits == rests


def test_a_request_that_may_not_be_held_is_sent_every_second(
    make_parts: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    polling = Polling(make_parts(2, may_hold=False), monkeypatch)
    polling.takes = 0.0
    line = polling.talk(KEEP_ON, reply(205, Expired="1"), reply(204, Orders="1"))
    assert {query[0] for _, query in line.asked} == {("wait", "0.01")}
    assert polling.parts.stopping.waits == [POLL] * 3 == [1.0] * 3


# -- headers


def test_a_number_in_a_header_is_at_least_0_and_what_is_none_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert number_in("2.5", 1.0) == 2.5
    assert number_in("-3", 1.0) == 0.0
    assert number_in("0", 1.0) == 0.0
    assert number_in("86400", 1.0) == number_in("86401", 1.0) == number_in("inf", 1.0) == 86400.0, (
        "no longer than a day"
    )
    assert number_in("nan", 1.0) == 0.0
    assert number_in("soon", 1.5) == 1.5
    assert number_in(None, 2.5) == 2.5
    assert capfd.readouterr().err.splitlines()[0] == "spe-client: the master sends 'soon' in place of a number"


def test_orders_are_fetched_only_when_there_are_some(parts: Parts) -> None:
    line = PlayedMaster(parts.master)
    fetched: list[MasterConnection] = []
    fetch_orders(reply(204), line, fetched.append)
    assert not fetched
    fetch_orders(reply(204, Orders="2"), line, fetched.append)
    assert fetched == [line]
