"""GET /ping: 204 keep on, 205 leave it; leases, and what becomes of those that run out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from spe.session.calling import snapshot
from waiting import wait_until

from .kit import Master, Reply

pytestmark = pytest.mark.patient
GOOD = (("stdout", b"1\n"),)


def ping(master: Master, *tickets: object, **query: object) -> Reply:
    reply = master.ask("/ping", [*(("ticket", one) for one in tickets), *query.items()])
    assert reply.body == b"", "204 and 205 have no body"
    return reply


@pytest.fixture
def leased(sweep: Callable[..., Master]) -> Master:
    """Two sets; a lease of 3 * 0.2 + 5 seconds."""
    return sweep(2, "ping: 0.2")


#: Sets, more of spe.yaml, and whether a client that pings has them, or one of which nothing is known.
LAPSED = {
    "given up": (1, "attempts: 1\n", False),
    "renewed": (2, "", False),
    "called back": (1, "", True),
    "named": (2, "", True),
}


@dataclass
class Silent:
    """A sweep all of whose sets are lost: whoever had them was silent beyond the lease."""

    master: Master
    tickets: list[int]
    query: dict[str, str]  # who had them


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Silent]]:
    """One of each kind: their leases run out side by side, as that takes its time."""
    found: dict[str, Silent] = {}
    with ExitStack() as stack:
        for name, (sets, yaml, pings) in LAPSED.items():
            master = Master(tmp_path_factory.mktemp("silent"))
            stack.callback(master.close)
            grid = f"parameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\n"
            master.write(f"listen: 127.0.0.1:0\ncommand: echo {{{{ x }}}}\nping: 0.2\n{yaml}{grid}").start()
            query = {"client": master.register(host="a", pings=1)} if pings else {}
            found[name] = Silent(master, master.take(sets, **query), query)
            ping(master, *found[name].tickets, **query)  # whoever has pinged once has a lease
        for one in found.values():
            wait_until(
                lambda one=one: one.master.log.count("is silent") == len(one.tickets),  # type: ignore[misc]
                "all tickets are known to be lost",
            )
        yield found


def test_a_ticket_that_is_wanted_is_told_to_keep_on(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    reply = ping(long_sweep, ticket)
    assert reply.status == 204 and "Expired" not in reply.headers


def test_of_several_tickets_the_expired_ones_are_named(long_sweep: Master) -> None:
    one, two, three = long_sweep.take(3)
    assert ping(long_sweep, one, two, three).status == 204
    assert long_sweep.complete(two, ("stdout", b"x"), ("data", b"")) == "accepted"
    reply = ping(long_sweep, one, two, three, 987654321)
    assert reply.status == 205
    assert [int(word) for word in reply.headers["Expired"].split(", ")] == [two, 987654321]


@pytest.mark.parametrize("ticket", ["0", "987654321", "9" * 30, "-1", "x", "", "1.5"])
def test_an_unknown_ticket_has_expired(long_sweep: Master, ticket: str) -> None:
    assert ping(long_sweep, ticket).status == 205


def test_a_hundred_tickets_fit_in_one_ping(long_sweep: Master) -> None:
    assert ping(long_sweep, *long_sweep.take(100), *range(10**9, 10**9 + 2000)).status == 205


def test_a_given_up_task_expires_its_other_tickets(silent: dict[str, Silent]) -> None:
    started, (first,) = silent["given up"].master, silent["given up"].tickets
    (second,) = started.take()
    assert ping(started, first, second).status == 204
    started.ask("/failed", {"ticket": second, "reason": "no"})
    assert ping(started, first).status == 205


def test_a_ping_renews_a_lease_that_ran_out_while_the_task_is_undone(silent: dict[str, Silent]) -> None:
    leased, (first, second) = silent["renewed"].master, silent["renewed"].tickets
    assert ping(leased, first, second).status == 204
    assert leased.ask("/task", {"wait": 0}).status == 503, "both are out again"
    assert leased.complete(first, *GOOD) == leased.complete(second, *GOOD) == "accepted"
    assert leased.end() == 0


def test_a_silent_client_loses_its_task_to_another_and_the_first_result_counts(leased: Master) -> None:
    first, second = leased.take(2)
    ping(leased, first, second)  # whoever has pinged once has a lease
    renewed = threading.Event()

    def keep() -> None:
        while not renewed.wait(0.3):
            ping(leased, second)

    keeper = threading.Thread(target=keep)
    keeper.start()
    begun = time.monotonic()
    (copy,) = leased.take()
    renewed.set()
    keeper.join()
    assert 3 < time.monotonic() - begun < 15
    assert copy not in (first, second)
    assert leased.complete(first, ("stdout", b"late\n")) == "accepted", "late work is work done"
    reply = ping(leased, copy)
    assert (reply.status, reply.headers["Expired"]) == (205, str(copy))
    assert leased.complete(copy, ("stdout", b"copy\n")) == "expired"
    assert leased.complete(second, ("stdout", b"second\n")) == "accepted"
    assert leased.end() == 0
    assert [row["stdout"] for row in leased.rows()] == ["late", "second"]


def test_a_client_that_pings_keeps_its_ticket_beyond_the_lease(leased: Master) -> None:
    (ticket,) = leased.take()
    (other,) = leased.take()
    ping(leased, ticket, other)
    copies, end = 0, time.monotonic() + 7  # longer than the lease: the thing to be tested is time itself
    while time.monotonic() < end:
        assert ping(leased, ticket).status == 204
        if leased.ask("/task", {"wait": 0.2}).status == 200:
            copies += 1
    assert copies == 1, "of the other task"
    assert leased.complete(ticket, *GOOD) == "accepted"
    assert leased.complete(other, *GOOD) == "accepted"


def test_with_ping_0_nobody_is_asked_to_ping_and_no_lease_runs_out(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 0")
    assert started.ask("/config").keys["Ping"] == "0"
    (ticket,) = started.take()
    assert started.ask("/task", {"wait": 1}).status == 503
    assert ping(started, ticket).status == 204


def test_a_held_ping_is_answered_at_once_when_one_of_its_tickets_expires(silent: dict[str, Silent]) -> None:
    started, (first,) = silent["called back"].master, silent["called back"].tickets
    client = silent["called back"].query["client"]
    (copy,) = started.take()
    answers: list[tuple[float, Reply]] = []

    def hold() -> None:
        reply = ping(started, first, client=client, wait=20)
        answers.append((time.monotonic(), reply))

    holder = threading.Thread(target=hold)
    holder.start()
    assert ping(started, first, copy, wait=0.3).status == 204
    assert not answers
    said = time.monotonic()
    assert started.complete(copy, *GOOD) == "accepted"
    holder.join(60)
    ((at, reply),) = answers
    assert at - said < 10, "long before its time is over"
    assert (reply.status, reply.headers["Expired"]) == (205, str(first))


def test_a_ping_is_about_the_tickets_it_names_and_no_others(silent: dict[str, Silent]) -> None:
    started, (one, two) = silent["named"].master, silent["named"].tickets
    client = silent["named"].query["client"]
    copies = started.take(2)
    assert ping(started, one, two, client=client).status == 204
    assert started.complete(copies[0], *GOOD) == "accepted"
    answers = {ticket: ping(started, ticket, client=client).status for ticket in (one, two)}
    assert sorted(answers.values()) == [204, 205]


def test_a_ping_that_is_held_keeps_its_lease(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 0.2")
    client = started.register(host="a", pings=1)
    (ticket,) = started.take(client=client)
    end = time.monotonic() + 8  # longer than the lease
    while time.monotonic() < end:
        assert ping(started, ticket, client=client, wait=60).status == 204
    assert "is silent" not in started.log


def test_a_held_ping_without_an_event_ends_with_204_after_its_time(long_sweep: Master) -> None:
    client = long_sweep.register(host="a", pings=1)
    (ticket,) = long_sweep.take(client=client)
    begun = time.monotonic()
    assert ping(long_sweep, ticket, client=client, wait=0.5).status == 204
    assert 0.4 < time.monotonic() - begun < 5
    assert long_sweep.ask("/ping", {"ticket": ticket, "wait": "soon"}).status == 400


@pytest.mark.parametrize("path", ["/ping", "/task"])
def test_a_held_request_that_breaks_makes_its_client_suspect_until_its_next_word(
    sweep: Callable[..., Master], path: str
) -> None:
    started = sweep(1, "ping: 10")
    client = started.register(host="h")
    started.take(client=client)

    def state() -> str:
        found = snapshot(started.runs)
        return found["hosts"]["h"]["state"] if found and "h" in found["hosts"] else ""

    held = started.connection()
    held.request("GET", started.target(path, {"client": client, "wait": 30}))
    wait_until(lambda: state() == "up", "the host is up")
    held.close()
    wait_until(lambda: state() == "suspect", "it is seen at once, long before its lease is over", 20)
    ping(started, client=client)
    wait_until(lambda: state() == "up", "the host is up")
