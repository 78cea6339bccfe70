"""What was accepted is on disk: kill -9 of the master right after its reply, and the session goes on."""

from __future__ import annotations

import http.client
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Master

LARGE = bytes(range(256)) * 2000
RESULTS = "results: {stdout: stdout, data: {from: out.bin, as: file}}\n"


def again(master: Master) -> Master:
    """kill -9, and the same command once more."""
    before = (master.url, master.session, master.fingerprint)
    master.kill()
    master.start()
    assert (master.url, master.session, master.fingerprint) == before
    return master


@pytest.mark.parametrize("listen", ["listen: 127.0.0.1:0\n", ""], ids=["HTTP", "HTTPS"])
def test_what_was_accepted_survives_the_death_of_the_master_right_after_its_reply(master: Master, listen: str) -> None:
    grid = "parameters: {grid: {x: {range: [1, 3]}}}\n"
    master.write(f"command: echo {{{{ x }}}}\n{grid}{listen}{RESULTS}").start()
    assert master.url.startswith("http:" if listen else "https:")
    tickets = master.take(3)
    for n, ticket in enumerate(tickets):
        assert master.complete(ticket, ("stdout", b"%d\n" % n), ("data", LARGE)) == "accepted"
        if n < 2:
            again(master)
    assert master.end() == 0
    rows = master.rows()
    assert [row["stdout"] for row in rows] == ["0", "1", "2"]
    assert all((master.runs / row["data"]).read_bytes() == LARGE for row in rows)


def test_a_ticket_of_before_the_restart_stays_good(sweep: Callable[..., Master]) -> None:
    started = sweep(4)
    client = started.register(host="h", pings=1)
    one, two, three = started.take(3, client=client)
    again(again(started))
    assert started.ask("/ping", {"ticket": one, "client": client}).status == 204
    assert started.complete(one, ("stdout", b"1\n"), client=client) == "accepted"
    assert started.ask("/failed", {"ticket": two, "client": client}).status == 200
    new = started.take(2, client=client)
    assert not {*new} & {one, two, three}, "a ticket is never given twice"
    assert started.register(host="h") != client
    for ticket in (*new, three):
        assert started.complete(ticket, ("stdout", b"x\n")) == "accepted"
    started.ask("/bye", {"client": client})
    assert started.end() == 0
    assert [row["attempts"] for row in started.rows()] == ["1", "2", "1", "1"]


@pytest.mark.parametrize("is_killed", [True, False], ids=["with its master", "on its way"])
def test_tickets_of_an_answer_that_was_lost_are_handed_out_again_at_the_next_request(
    sweep: Callable[..., Master], is_killed: bool
) -> None:
    started = sweep(4)
    client = started.register(host="h", pings=1)
    (one,) = started.take(client=client, got=0)
    lost = started.take(3, client=client, got=one)  # committed, and then the client never hears of them
    if is_killed:
        again(started)
    assert started.ask("/ping", {"ticket": one, "client": client}).status == 204
    new = started.take(3, client=client, got=one)  # the same request once more, as it got no answer
    assert min(new) > max(lost), "a ticket is never given twice"
    assert started.ask("/ping", [("client", client), *(("ticket", ticket) for ticket in lost)]).status == 205
    for ticket in (one, *new):
        assert started.complete(ticket, ("stdout", b"x\n"), client=client) == "accepted"
    started.ask("/bye", {"client": client})
    assert started.end() == 0
    assert [row["attempts"] for row in started.rows()] == ["1"] * 4


def test_a_finished_ticket_of_before_the_restart_has_expired(sweep: Callable[..., Master]) -> None:
    started = sweep(2)
    one, two = started.take(2)
    assert started.complete(one, ("stdout", b"1\n")) == "accepted"
    again(started)
    assert started.ask("/ping", {"ticket": one}).status == 205
    assert started.ask("/ping", {"ticket": two}).status == 204
    assert started.complete(one, ("stdout", b"other\n")) == "expired"
    assert started.complete(two, ("stdout", b"2\n")) == "accepted"
    assert started.end() == 0
    assert [row["stdout"] for row in started.rows()] == ["1", "2"]


def test_a_ticket_that_was_lost_before_the_restart_is_renewed_after_it(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "ping: 0.2")
    (ticket,) = started.take()
    started.ask("/ping", {"ticket": ticket})
    wait_until(lambda: "is silent" in started.log, "a client is found silent")
    again(started)
    assert started.ask("/ping", {"ticket": ticket}).status == 204
    assert started.ask("/task", {"wait": 0.3}).status == 503, "it is out"
    assert started.complete(ticket, ("stdout", b"1\n")) == "accepted"
    assert started.end() == 0


def test_attempts_that_were_used_up_stay_used_up(sweep: Callable[..., Master]) -> None:
    started = sweep(1, "attempts: 2")
    (ticket,) = started.take()
    started.ask("/failed", {"ticket": ticket, "reason": "first"})
    again(started)
    (ticket,) = started.take()
    started.ask("/failed", {"ticket": ticket, "reason": "second"})
    assert started.end() == 1
    assert [row["reason"] for row in started.failures()] == ["second"]


def test_a_result_that_was_on_its_way_when_the_master_died_is_sent_again(sweep: Callable[..., Master]) -> None:
    started = sweep(1, RESULTS)
    (ticket,) = started.take()
    target = started.target("/complete", {"ticket": ticket})
    kind = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 999999"
    head = f"POST {target} HTTP/1.1\r\nHost: m\r\n{kind}\r\n\r\n"
    part = b'--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n' + LARGE[:300_000]
    with started.open() as sock:
        sock.sendall(head.encode() + part)
        incoming = started.runs / "incoming"
        wait_until(lambda: incoming.exists() and any(incoming.iterdir()), "a result is on its way in")
        again(started)
    assert started.complete(ticket, ("stdout", b"1\n"), ("data", LARGE)) == "accepted"
    assert started.end() == 0
    assert not (started.runs / "incoming").exists()


def test_a_new_run_after_the_end_is_a_new_session(sweep: Callable[..., Master]) -> None:
    started = sweep(1)
    session = started.session
    assert started.complete(*started.take(), ("stdout", b"1\n")) == "accepted"
    assert started.end() == 0
    assert not (started.runs / "master.json").exists() and not (started.runs / "session").exists()
    text = (started.folder / "spe.yaml").read_text()
    (started.folder / "spe.yaml").write_text(text.replace("range: [1, 1]", "range: [1, 2]"))
    started.start()
    assert started.session != session
    (ticket,) = started.take()
    assert ticket == 2, "tickets are unique in the sweep for ever"
    assert started.ask("/ping", {"ticket": 1}).status == 205
    assert started.ask("/task", session=session).status == 403


# -- the end


def answers(master: Master) -> bool:
    try:
        return master.ask("/ping").status == 204
    except (OSError, http.client.HTTPException):
        return False


def seconds_of_answers(master: Master) -> float:
    begun = time.monotonic()
    wait_until(lambda: not answers(master), "it goes on answering")
    return time.monotonic() - begun


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Have masters wait for their clients' last words for minutes: then a busy machine is no reason to go earlier."""

    def set_limits(*names: str) -> None:
        folder = tmp_path_factory.mktemp("patient")
        lines = ["from spe.runner import goodbye", *(f"goodbye.{name} = 300.0" for name in names)]
        (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n")
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return set_limits


def test_after_the_end_503_and_205_are_answered_until_all_were_told(
    sweep: Callable[..., Master], patient: Callable[..., None]
) -> None:
    patient("TOLD_MOST", "BYE_MOST")
    started = sweep(1)
    one, two = started.register(host="a"), started.register(host="b")
    (ticket,) = started.take(client=one)
    assert started.complete(ticket, ("stdout", b"1\n"), client=one) == "accepted"
    assert started.ask("/task", {"client": one}).headers["Retry-After"] is None
    end = time.monotonic() + 2.5  # between 1 and 5: the second one was not told yet
    while time.monotonic() < end:
        assert started.ask("/ping", {"ticket": ticket}).status == 205
        assert started.ask("/task").status == 503, "of a client that does not say who it is"
    reply = started.ask("/task", {"client": two, "wait": 30})
    assert (reply.status, reply.headers["Retry-After"]) == (503, None)
    seconds_of_answers(started)  # all were told
    assert started.end() == 0


def test_after_the_end_it_answers_for_a_second_also_when_all_were_told(
    sweep: Callable[..., Master], patient: Callable[..., None]
) -> None:
    patient("TOLD_MOST", "BYE_MOST")
    started = sweep(1)
    client = started.register(host="a")
    (ticket,) = started.take(client=client)
    assert started.complete(ticket, ("stdout", b"1\n")) == "accepted"
    begun = time.monotonic()
    assert started.ask("/task", {"client": client}).status == 503
    seconds_of_answers(started)
    assert time.monotonic() - begun > 0.9
    assert started.end() == 0


def test_after_the_end_it_waits_five_seconds_at_most(
    sweep: Callable[..., Master], patient: Callable[..., None]
) -> None:
    patient("BYE_MOST")
    started = sweep(1)
    started.register(host="never asks again")
    (ticket,) = started.take()
    assert started.complete(ticket, ("stdout", b"1\n")) == "accepted"
    assert seconds_of_answers(started) > 4
    assert started.end() == 0


# -- over the network


def test_without_listen_it_speaks_https_on_all_addresses_with_its_own_certificate(master: Master) -> None:
    master.write("command: echo {{ x }}\nparameters: {grid: {x: {range: [1, 2]}}}").start()
    host, port = master.place
    assert master.url.startswith("https://") and len(master.fingerprint) == 64
    addresses = {host, "127.0.0.1"} | ({"::1"} if has_ipv6() else set())
    for address in addresses:
        master.url = f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
        assert master.ask("/config").status == 200, "and the fingerprint is right: see connection()"
        assert master.ask("/config", session="x").status == 403
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(f"GET {master.target('/config')} HTTP/1.1\r\nHost: m\r\n\r\n".encode())
        assert b"200" not in sock.recv(1000), "no plain HTTP there"
    assert master.session not in master.err.read_text() + master.log


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_two_masters_have_two_certificates(master: Master, tmp_path_factory: pytest.TempPathFactory) -> None:
    yaml = "command: echo {{ x }}\nparameters: {grid: {x: {range: [1, 2]}}}"
    other = Master(Path(tmp_path_factory.mktemp("other")))
    try:
        assert master.write(yaml).start().fingerprint != other.write(yaml).start().fingerprint
    finally:
        other.close()


def test_the_store_is_whole_after_a_kill(sweep: Callable[..., Master]) -> None:
    started = sweep(200)
    for ticket in started.take(100):
        started.complete(ticket, ("stdout", b"1\n"))
    started.kill()
    with sqlite3.connect(started.runs / "sweep.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM tasks WHERE state = 'done'").fetchone() == (100,)
