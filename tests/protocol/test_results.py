"""POST /results: what came of several tickets in one body; GET /back: what was fetched ahead and not begun."""

from __future__ import annotations

import gzip
import signal
import sqlite3
import threading
from collections.abc import Callable

import pytest
from waiting import wait_until

from .kit import BOUNDARY, Master, Reply, form

HELD = {"pings": 1}


def bring(master: Master, *parts: tuple[str, bytes], **query: object) -> Reply:
    return master.post("/results", query, parts)


def answers(reply: Reply) -> dict[int, str]:
    assert reply.status == 200, (reply.status, reply.body)
    return {int(ticket): answer for ticket, _, answer in (line.partition(" ") for line in reply.text.splitlines())}


def test_a_master_says_that_it_takes_them(long_sweep: Master) -> None:
    assert long_sweep.ask("/config").keys["Batch"] == "Yes"


def test_each_ticket_of_a_body_gets_its_own_answer(sweep: Callable[..., Master]) -> None:
    started = sweep(4, "attempts: 1\nresults: {y: {from: stdout, as: int}}")
    one, two, three, four = started.take(4)
    reply = bring(
        started, (f"{one}/y", b"17\n"), (f"{one}/usage", b'{"wall": 2.5}'), (f"{two}/y", b"x\n"),
        (f"{three}/reason", b"exit code 3"), (f"{three}/exit-code", b"3"), (f"{three}/stderr", b"no\n"),
        ("987654321/y", b"1\n"), (f"{four}/y", b"1\n"), (f"{four}/exit-code", b"9"),
    )  # fmt: skip
    assert answers(reply) == {
        one: "accepted", two: "rejected: y: 'x' is not an int", three: "noted", 987654321: "unknown",
        four: "rejected: exit code 9",
    }  # fmt: skip
    assert started.end() == 1
    (row,) = started.rows()
    assert (row["y"], row["seconds"]) == ("17", "2.500")
    assert {row["reason"] for row in started.failures()} >= {"exit code 3: no", "y: 'x' is not an int"}


def test_a_body_that_comes_twice_counts_once(sweep: Callable[..., Master]) -> None:
    started = sweep(2)
    one, two = started.take(2)
    assert answers(bring(started, (f"{one}/stdout", b"1\n"))) == {one: "accepted"}
    assert answers(bring(started, (f"{one}/stdout", b"2\n"), (f"{two}/stdout", b"2\n"))) == {
        one: "expired", two: "accepted",
    }  # fmt: skip
    assert started.end() == 0
    assert [row["stdout"] for row in started.rows()] == ["1", "2"]


def test_results_that_are_files_come_so_as_well_and_hooks_find_them(long_sweep: Master) -> None:
    good, bad = long_sweep.take(2)
    reply = bring(
        long_sweep, (f"{good}/stdout", b"1\n"), (f"{good}/data", b"fine"),
        (f"{bad}/stdout", b"1\n"), (f"{bad}/data", b"BAD"),
    )  # fmt: skip
    assert answers(reply) == {good: "accepted", bad: "rejected: the data are bad"}
    assert [path.read_bytes() for path in (long_sweep.runs / "files").glob("*/out.bin")].count(b"fine") == 1


@pytest.mark.parametrize("name", ["y", "/y", "0/y", "x/y", "1/", "-1/y", "1" * 30 + "/y"])
def test_a_part_without_a_ticket_in_its_name_is_refused_with_all_the_others(long_sweep: Master, name: str) -> None:
    (ticket,) = long_sweep.take()
    good = (f"{ticket}/stdout", b"1\n"), (f"{ticket}/data", b"")
    reply = bring(long_sweep, *good, (name, b"1"))
    assert reply.status == 400 and "TICKET/NAME" in reply.text
    assert answers(bring(long_sweep, *good)) == {ticket: "accepted"}, "nothing of the first body was taken"


def test_a_body_that_is_too_large_or_of_unknown_length_is_refused(long_sweep: Master) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    large = form([("1/stdout", b"x" * 5_000_000)])
    assert long_sweep.ask("/results", method="POST", body=large, headers=headers).status == 413
    chunked = {**headers, "Transfer-Encoding": "chunked"}
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(form([("1/y", b"1")])), form([("1/y", b"1")]))
    assert long_sweep.ask("/results", method="POST", body=body, headers=chunked).status == 413


def test_a_body_that_is_none_is_refused(long_sweep: Master) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    whole = form([("1/stdout", b"1\n")])
    assert long_sweep.ask("/results", method="POST", body=whole[:-4], headers=headers).status == 400
    assert long_sweep.ask("/results", method="POST", body=b"{}", headers={"Content-Type": "text/json"}).status == 400
    assert long_sweep.ask("/results", method="POST", body=whole, headers=headers, session="wrong").status == 403


def test_what_is_given_back_is_given_to_the_next_who_asks(sweep: Callable[..., Master]) -> None:
    started = sweep(3, "ping: 5")
    first, second = started.register(host="a", slots=1, **HELD), started.register(host="b", slots=1, **HELD)
    one, two, three = started.take(3, client=first)
    started.ask("/back", [("ticket", two), ("ticket", three), ("ticket", 99), ("client", first)])
    taken = started.take(2, client=second)
    assert len(taken) == 2 and not {one, two, three} & set(taken)
    assert started.ask("/ping", {"ticket": two, "client": first}).status == 205
    assert started.ask("/ping", {"ticket": one, "client": first}).status == 204
    for ticket in (one, *taken):
        assert started.complete(ticket, ("stdout", b"1\n")) == "accepted"


def test_an_attempt_that_had_begun_is_given_back_with_a_reason_and_not_charged(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 5\nattempts: 1")
    client = started.register(host="a", slots=1, **HELD)
    (first,) = started.take(1, client=client)
    reason = "a program changed mesh.dat\x1b[2J, which tasks share"
    started.ask("/back", [("ticket", first), ("ticket", 99), ("client", client), ("reason", reason)])
    (second,) = started.take(1, client=client)
    started.ask("/back", [("ticket", first), ("client", client), ("reason", "it is not out any more")])
    started.ask("/back", [("ticket", second), ("client", client), ("reason", reason)])
    (third,) = started.take(1, client=client)
    assert started.complete(third, ("stdout", b"1\n")) == "accepted"
    assert started.end() == 0
    assert started.rows()[0]["attempts"] == "1"
    said = "a: a program changed mesh.dat·[2J, which tasks share; what ran there meanwhile is run again"
    assert started.log.count(said) == 1 and "not out any more" not in started.log
    with sqlite3.connect(f"file:{started.runs}/sweep.db?mode=ro", uri=True) as database:
        told = database.execute("SELECT state, reason FROM tickets WHERE id = ?", [second]).fetchone()
    assert told == ("expired", "a program changed mesh.dat·[2J, which tasks share")


def test_nobody_gives_back_the_tickets_of_others(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 5")
    first, second = started.register(host="a", **HELD), started.register(host="b", **HELD)
    (ticket,) = started.take(client=first)
    started.ask("/back", {"ticket": ticket, "client": second})
    assert started.ask("/ping", {"ticket": ticket, "client": first}).status == 204


def test_who_has_more_than_it_can_begin_is_asked_for_it_when_others_are_idle(sweep: Callable[..., Master]) -> None:
    started = sweep(5, "ping: 5")
    busy, idle = started.register(host="a", slots=2, **HELD), started.register(host="b", slots=2, **HELD)
    tickets = started.take(5, client=busy)
    asked: list[Reply] = []
    held = threading.Thread(target=lambda: asked.append(started.ask("/ping", {"client": busy, "wait": 20})))
    got: list[Reply] = []
    waiting = threading.Thread(
        target=lambda: got.append(started.ask("/task", {"client": idle, "count": 2, "wait": 20}))
    )
    held.start()
    waiting.start()
    held.join(20)
    assert asked[0].status == 204 and asked[0].headers["Idle"] == "2", "so many slots are idle, of three that wait"
    started.ask("/back", [("ticket", tickets[3]), ("ticket", tickets[4]), ("client", busy)])
    waiting.join(20)
    assert got[0].status == 200 and len(got[0].tickets) == 2


def test_nobody_is_asked_for_what_it_has_begun(sweep: Callable[..., Master]) -> None:
    started = sweep(2, "ping: 5")
    busy, idle = started.register(host="a", slots=2, **HELD), started.register(host="b", slots=2, **HELD)
    started.take(2, client=busy)
    waiting = started.connection()
    waiting.request("GET", started.target("/task", {"client": idle, "wait": 3}))
    reply = started.ask("/ping", {"client": busy, "wait": 1})
    waiting.close()
    assert reply.status == 204 and "Idle" not in reply.headers


def test_towards_the_end_little_is_given_ahead(sweep: Callable[..., Master]) -> None:
    started = sweep(41, "ping: 5")
    one, other = started.register(host="a", slots=2, **HELD), started.register(host="b", slots=2, **HELD)
    first = started.take(client=one)[0]
    assert len(started.ask("/task", {"client": one, "count": 9, "ahead": 9, "wait": 0}).tickets) == 0, "not yet proven"
    assert started.complete(first, ("stdout", b"1\n"), client=one) == "accepted"
    wait_until(lambda: len(started.take(20, client=other)) == 20, "all twenty are given out again")
    started.ask("/ping", {"client": one, "wait": 2})  # held while the master finds that there are no further sets
    reply = started.ask("/task", {"client": one, "count": 12, "ahead": 10, "wait": 5})
    assert len(reply.tickets) == 2 + 20 * 2 // (2 * 4), "two for the free slots, and half of its share of the twenty"


def test_what_is_only_asked_ahead_is_not_waited_for(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 5")
    client = started.register(host="a", **HELD)
    started.take(client=client)
    reply = started.ask("/task", {"client": client, "count": 5, "ahead": 5, "wait": 0})
    assert reply.status == 503 and reply.headers["Retry-After"]


def test_a_packed_body_is_refused_and_not_unpacked(long_sweep: Master) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Encoding": "gzip"}
    body = gzip.compress(form([("1/stdout", b"x" * 50_000_000)]))
    assert long_sweep.ask("/results", method="POST", body=body, headers=headers).status == 400


def test_a_drain_calls_for_what_has_not_begun(sweep: Callable[..., Master]) -> None:
    started = sweep(5, "ping: 5")
    client = started.register(host="a", slots=1, **HELD)
    tickets = started.take(5, client=client)
    asked: list[Reply] = []
    held = threading.Thread(target=lambda: asked.append(started.ask("/ping", {"client": client, "wait": 20})))
    held.start()
    assert started.process
    started.process.send_signal(signal.SIGINT)
    held.join(20)
    assert asked[0].headers["Idle"] == "4"
    started.ask("/back", [*(("ticket", ticket) for ticket in tickets[1:]), ("client", client)])
    assert started.complete(tickets[0], ("stdout", b"1\n")) == "accepted"
    started.ask("/bye", {"client": client})
    assert started.end() == 130
    assert len(started.rows()) == 1
