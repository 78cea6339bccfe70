"""How the client talks with its master: registration, refusals, patience, pings, results of any size, TLS."""

from __future__ import annotations

import os
import random
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import tls_of_its_own
from spe.client.loop.pinging import TICKETS_A_PING
from spe.client.loop.sending import MOST_SINGLE
from waiting import wait_out, wait_until

from .kit import Started
from .pretended_master import SESSION, Master, task

SH = ("/bin/sh", "-c")


def test_it_registers_with_what_the_master_needs_to_know(master: Master, client: Started) -> None:
    assert client.run("--slots", "3")[0] == 0
    query = master.of("/config")[0].query
    system = f"{os.uname().sysname}-{os.uname().machine}".lower()
    assert (query["platform"], query["host"], query["slots"], query["pings"]) == ([system], ["h"], ["3"], ["1"])
    asked = master.of("/task")[0].query
    assert (asked["client"], asked["count"], asked["wait"], asked["extra"]) == (["7"], ["3"], ["30"], ["1"])


def test_a_session_that_is_refused_ends_it_with_4(master: Master, client: Started) -> None:
    code, said = client.run(session="wrong-session-id")
    assert code == 4
    assert said == "spe-client: the master refuses: 403 no such session\n"
    assert len(master.requests) == 1
    assert not client.workdir.exists()


def test_a_session_refused_in_the_middle_ends_it_too(master: Master, client: Started) -> None:
    master.script["/task"].append((403, {}, b"no such session"))
    code, said = client.run()
    assert code == 4
    assert "403" in said


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:{closed}", "connection refused"),
        ("http://no-such-host.invalid:80", "name not found"),
        ("https://127.0.0.1:{master}", "TLS"),
    ],
)
def test_a_master_that_cannot_be_reached_ends_it_with_3_and_one_line(
    master: Master, make_client: Callable[..., Started], url: str, why: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = make_client(url.format(closed=closed.getsockname()[1], master=master.port))
        code, said = client.run("--fingerprint", "ab" * 32) if "https" in url else client.run()
    assert code == 3
    assert why in said
    assert said.count("\n") == 1
    assert not client.workdir.exists()


def test_a_master_that_takes_the_connection_and_says_nothing_is_a_timeout(
    make_client: Callable[..., Started],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make_client(f"https://127.0.0.1:{silent.getsockname()[1]}")
        code, said = client.run("--fingerprint", "ab" * 32)
    assert (code, "timeout" in said) == (3, True), said


def test_the_session_id_is_never_where_others_can_read_it(master: Master, client: Started) -> None:
    master.over = False
    client.start("--log", str(client.folder / "log"), "--slots", "1")
    master.add(task(1, "sleep", "60"), task(2, "no-such"))
    wait_until(lambda: any(client.base().glob("1/stdout")), "the program has begun")
    assert client.process
    for pid in [client.process.pid, *_below(client.process.pid)]:
        assert SESSION not in Path(f"/proc/{pid}/cmdline").read_text()
        assert SESSION not in Path(f"/proc/{pid}/environ").read_text()
    for path in client.folder.rglob("*"):
        assert SESSION not in str(path)
        assert not path.is_file() or SESSION.encode() not in path.read_bytes()


def _below(pid: int) -> list[int]:
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [deeper for one in found for deeper in _below(one)]


@pytest.fixture
def tls_master(tmp_path: Path) -> Iterator[tuple[Master, str]]:
    context, fingerprint = tls_of_its_own(tmp_path)
    made = Master(context)
    yield made, fingerprint
    made.close()


def test_it_works_over_tls_with_the_pinned_certificate(
    tls_master: tuple[Master, str], make_client: Callable[..., Started]
) -> None:
    master, fingerprint = tls_master
    master.add(task(1, *SH, "head -c 3000000 /dev/zero"))
    shown = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    assert make_client(master.url).run("--fingerprint", shown) == (0, _any_text)
    assert master.completed[1].sizes["stdout"] == 3_000_000


class _AnyText(str):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = str.__hash__


_any_text = _AnyText()


def test_another_certificate_is_refused_before_anything_is_sent(
    tls_master: tuple[Master, str], make_client: Callable[..., Started]
) -> None:
    master, _ = tls_master
    code, said = make_client(master.url).run("--fingerprint", "ab" * 32)
    assert code == 5
    assert "certificate" in said
    assert not master.requests


def test_a_connection_is_kept_for_many_requests(master: Master, client: Started) -> None:
    master.add(*(task(n, "true") for n in range(1, 101)))
    before = len(master.server.open)
    seen: set[int] = set()
    original = master.server.process_request

    def count(request: Any, address: Any) -> None:
        seen.add(address[1])
        original(request, address)

    master.server.process_request = count  # type: ignore[method-assign]
    assert client.run("--slots", "1")[0] == 0
    assert len(master.completed) == 100
    assert len(seen) <= 5 + MOST_SINGLE, "registration, asker, pinger, listener, bye, and those that bring results"
    assert before == 0


def test_retry_after_is_obeyed(master: Master, client: Started) -> None:
    master.script["/task"].extend([(503, {"Retry-After": "1"}, b"later"), (503, {"Retry-After": "4"}, b"later")])
    assert client.run()[0] == 0
    first, second, third = (one.at for one in master.of("/task"))
    assert second - first >= 1 and third - second >= 4


def test_503_without_retry_after_is_the_end(master: Master, client: Started) -> None:
    assert client.run()[0] == 0
    assert len(master.of("/task")) == 1
    assert [one.path for one in master.requests][-1] == "/bye"


def test_when_the_sweep_is_over_what_is_still_running_is_finished_or_heard_to_be_expired(
    master: Master, client: Started
) -> None:
    master.config["Ping"] = "600"
    master.add(task(1, "sleep", "1.5"), task(2, "sleep", "600"))
    master.expired.add(2)
    assert client.run("--slots", "3")[0] == 0, "it ends long before the next ping"
    assert list(master.completed) == [1]


def test_pings_come_at_once_and_then_every_ping_seconds_with_all_tickets(master: Master, client: Started) -> None:
    master.config["Ping"] = "5"
    master.over = False
    master.add(task(1, "sleep", "600"), task(2, "sleep", "600"))
    client.start("--slots", "2")
    master.wait_for(lambda: len(master.of("/ping")) == 3)
    taken, pings = master.of("/task")[0].at, master.of("/ping")
    assert pings[0].at - taken < 5, "it does not wait so long first"
    assert 4.5 < pings[2].at - pings[1].at < 10
    assert all(sorted(one.query["ticket"]) == ["1", "2"] and one.query["client"] == ["7"] for one in pings)


def test_without_ping_there_is_none(master: Master, client: Started) -> None:
    master.add(task(1, "sleep", "1"))
    assert client.run()[0] == 0
    assert not master.of("/ping")


def test_205_without_the_header_is_asked_ticket_by_ticket(master: Master, client: Started) -> None:
    master.config["Ping"] = "0.5"
    master.add(task(1, "sleep", "2"), task(2, "sleep", "600"))
    master.script["/ping"].extend([(205, {}, b""), (204, {}, b""), (205, {}, b"")])
    master.expired.add(2)
    assert client.run("--slots", "2")[0] == 0
    assert list(master.completed) == [1]
    assert [one.query["ticket"] for one in master.of("/ping")[:3]] == [["1", "2"], ["1"], ["2"]]


def test_a_ticket_called_back_ends_at_once_however_rarely_the_client_pings(master: Master, client: Started) -> None:
    master.config["Ping"] = "3600"
    master.add(task(1, "sleep", "600"))
    client.start()
    master.wait_for(lambda: master.of("/ping"))
    master.call_back(1)
    assert client.end()[0] == 0
    assert not master.completed
    assert not master.failed


def test_a_result_larger_than_memory_is_streamed(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "head -c 600M /dev/zero"), task(2, *SH, "head -c 10M /dev/urandom > r", results={"r": "r"}))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (256 << 20, before[1]))  # what the client inherits
    try:
        client.start("--slots", "2")
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert client.end(90)[0] == 0
    assert master.completed[1].sizes["stdout"] == 600 << 20
    assert master.completed[2].sizes["r"] == 10 << 20


def answered_late(master: Master) -> threading.Event:
    """The first result is answered only once this event is set."""
    go_on = threading.Event()

    def late(handler: Any) -> None:
        go_on.wait(60)
        handler.reply(200, {}, b"accepted")

    master.script["/complete"].append(late)
    return go_on


def test_a_large_result_holds_up_no_small_one(master: Master, client: Started) -> None:
    go_on = answered_late(master)
    master.over = False
    master.add(task(1, "echo", "first"))
    client.start("--slots", "1")
    master.wait_for(lambda: master.of("/complete"))
    master.add(task(2, "echo", "second"))
    master.wait_for(lambda: 2 in master.completed)
    go_on.set()
    master.finish()
    assert client.end()[0] == 0


def cut_off(handler: Any) -> None:
    """Read a little of the body, then reset the connection, as a cable would."""
    handler.rfile.read(100)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def test_an_upload_that_broke_off_is_sent_again_whole(master: Master, client: Started, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(5_000_000)
    (tmp_path / "data").write_bytes(content)
    master.script["/complete"].extend([cut_off, cut_off])
    master.add(task(1, "cat", str(tmp_path / "data")))
    assert client.run()[0] == 0
    assert len(master.of("/complete")) == 3
    assert master.completed[1].parts["stdout"] == content[: 1 << 20]
    assert master.completed[1].sizes["stdout"] == len(content)


def test_413_is_heard_while_the_body_is_still_being_sent_and_is_a_failure(master: Master, client: Started) -> None:
    master.script["/complete"].append(lambda handler: handler.reply(413, {}, b"result stdout is over max_result"))
    master.add(task(1, *SH, "head -c 50M /dev/zero"))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "a result is too large for the master: result stdout is over max_result"
    assert master.failed[1].parts["exit-code"] == b"0"


def test_400_is_a_failure_with_the_masters_reason(master: Master, client: Started) -> None:
    master.script["/complete"].append((400, {}, b"not multipart"))
    master.add(task(1, "true"))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "the master could not take the result: 400 not multipart"


def test_a_result_over_max_result_is_not_even_sent(master: Master, client: Started) -> None:
    master.config["MaxResult"] = "1000"
    master.add(task(1, *SH, "head -c 1001 /dev/zero"), task(2, *SH, "head -c 1000 /dev/zero"))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "result stdout is 1001 bytes, more than max_result (1000 bytes)"
    assert [one.ticket for one in master.of("/complete")] == [2]


def test_a_server_error_is_tried_again(master: Master, client: Started) -> None:
    master.script["/complete"].extend([(500, {}, b"oops"), (502, {}, b"oops")])
    master.script["/task"].append((500, {}, b"oops"))
    master.add(task(1, "true"))
    assert client.run()[0] == 0
    assert len(master.of("/complete")) == 3
    assert not master.failed


@pytest.mark.parametrize("answer", [b"accepted", b"rejected: not one line", b"expired", b"unknown"])
def test_whatever_200_says_the_copy_is_deleted_and_it_goes_on(master: Master, client: Started, answer: bytes) -> None:
    master.script["/complete"].append((200, {}, answer))
    master.add(task(1, "true"), task(2, "true"))
    assert client.run("--slots", "1")[0] == 0
    assert sorted(master.completed) == [1, 2]
    assert not master.failed


def test_a_result_is_kept_on_disk_until_the_master_has_it(master: Master, client: Started) -> None:
    go_on = answered_late(master)
    master.over = False
    master.add(task(1, *SH, "echo kept > r", results={"r": "r"}))
    client.start()
    master.wait_for(lambda: master.of("/complete"))
    kept = client.base() / "1" / "work" / "r"
    assert kept.read_text() == "kept\n"
    go_on.set()
    wait_until(lambda: not kept.exists(), "the kept file is removed")


def test_when_the_master_comes_back_the_result_is_brought(make_client: Callable[..., Started], tmp_path: Path) -> None:
    master = Master()
    master.config["Grace"] = "20"
    master.over = False
    master.add(task(1, *SH, f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo done"))
    client = make_client(master.url).start()
    wait_until(lambda: any(client.base().glob("1/stdout")), "the program has begun")
    master.close()
    (tmp_path / "go").touch()
    wait_until(lambda: (client.base() / "1" / "stdout").read_text() == "done\n", "the program is done")
    again = Master(port=master.port)
    try:
        again.wait_for(lambda: 1 in again.completed)
        code, said = client.end()
    finally:
        again.close()
    assert code == 0, said
    assert not again.of("/config"), "it goes on as who it was"


@pytest.mark.parametrize("ping", ["0", "0.5"])
def test_when_the_master_stays_away_it_ends_after_the_grace_time(
    make_client: Callable[..., Started], tmp_path: Path, ping: str
) -> None:
    master = Master()
    master.config.update(Grace="2", Ping=ping)
    master.over = False
    master.add(task(1, "echo", "undelivered"), task(2, "sleep", "600"))
    master.script["/complete"].append(cut_off)
    client = make_client(master.url).start("--slots", "2")
    master.wait_for(lambda: master.of("/complete") and any(client.base().glob("2/stdout")))
    master.close()
    began = time.monotonic()
    code, said = client.end()
    assert code == 3
    assert time.monotonic() - began > 1.5
    assert "has not answered for 2 s" in said
    assert not client.workdir.exists()


def test_a_silence_that_ended_is_forgiven(make_client: Callable[..., Started]) -> None:
    """The second one begins more than the grace time after the first."""
    master = Master()
    master.config.update(Grace="8", Ping="0.2")
    master.over = False
    master.add(task(1, "sleep", "600"))
    client = make_client(master.url).start("--slots", "2")
    master.wait_for(lambda: master.of("/ping"))
    master.close()
    first = time.monotonic()
    for number in (2, 3):
        wait_out(1)
        master = Master(port=master.port)
        master.config.update(Grace="8", Ping="0.2")
        master.over = False
        master.add(task(number, "echo", str(number)))
        master.wait_for(lambda here=master, ticket=number: ticket in here.completed and here.of("/ping"))  # type: ignore[misc]
        if number == 2:
            wait_out(9, first)
            master.close()
    master.expired = {1}
    master.finish()
    code, said = client.end()
    master.close()
    assert code == 0, said
    assert said.count("the master does not answer") >= 2


def test_all_tickets_are_pinged_however_many(master: Master, client: Started) -> None:
    count = 2 * TICKETS_A_PING + 50
    master.config["Ping"] = "0.3"
    master.over = False
    master.add(*(task(number, "sleep", "600") for number in range(1, count + 1)))
    client.start("--slots", str(count))
    everything = {str(number) for number in range(1, count + 1)}
    master.wait_for(lambda: {ticket for one in master.of("/ping") for ticket in one.query["ticket"]} == everything)
    assert all(len(one.query["ticket"]) <= TICKETS_A_PING for one in master.of("/ping"))
    master.expired = {count}
    place = client.base() / str(count)
    wait_until(lambda: not place.exists(), "the directory of the task is removed")
    master.expired = set(range(1, count + 1))
    master.finish()
    assert client.end()[0] == 0


def test_a_new_address_that_was_handed_over_is_used_when_the_old_one_is_silent(
    make_client: Callable[..., Started], other_master: Master
) -> None:
    master = Master()
    master.over = False
    master.config["Grace"] = "20"
    master.add(task(1, "sleep", "600"))
    client = make_client(master.url).start("--slots", "2")
    wait_until(lambda: any(client.base().glob("1/stdout")), "the program has begun")
    second = make_client(other_master.url, "second")
    second.workdir = client.workdir
    code, said = second.run()
    assert (code, "already running" in said) == (0, True)
    assert not other_master.requests, "the second one does not register"
    master.close()
    other_master.add(task(5, "echo", "moved"))
    other_master.over = False
    other_master.wait_for(lambda: 5 in other_master.completed)


def test_205_without_a_length_holds_nothing_up(master: Master, client: Started) -> None:
    def bare(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 205 Reset Content\r\nExpired: 1\r\n\r\n")
        handler.wfile.flush()
        ended.wait(60)

    ended = threading.Event()
    master.config["Ping"] = "600"
    master.script["/ping"].append(bare)
    master.add(task(1, "sleep", "600"))
    assert client.run()[0] == 0, "it ends while the connection stays open"
    ended.set()


def test_an_upload_that_breaks_off_for_ever_is_a_failure_in_the_end(master: Master, client: Started) -> None:
    master.script["/complete"].extend([cut_off] * 8)
    master.over = False
    master.add(task(1, *SH, "head -c 3M /dev/zero"))
    patched = client.folder / "patched.py"
    patched.write_text(f"""
import sys
sys.path.insert(0, {str(client.pyz)!r})
from spe_client import start
from spe_client.wire import master as wire
wire.MOST_BROKEN = 5
sys.exit(start.main())
""")
    client.pyz = patched
    client.start()
    master.wait_for(lambda: 1 in master.failed)
    assert "could not be sent to the master: it broke off 5 times" in master.failed[1].reason
    master.finish()
    assert client.end()[0] == 0


def test_413_is_heard_over_tls_too(tls_master: tuple[Master, str], make_client: Callable[..., Started]) -> None:
    master, fingerprint = tls_master

    def too_large(handler: Any) -> None:
        handler.reply(413, {}, b"too large")
        handler.rfile.read(20 << 20)  # a master drains for a while before it closes

    master.script["/complete"].append(too_large)
    master.add(task(1, *SH, "head -c 20M /dev/zero"))
    assert make_client(master.url).run("--fingerprint", fingerprint)[0] == 0
    assert master.failed[1].reason == "a result is too large for the master: too large"


def test_an_address_with_a_path_and_ipv6_is_understood(tmp_path: Path) -> None:
    from spe.client.wire.connection import parse_address

    found = parse_address("https://[fd77::1]:8443/spe/", "AB:" * 31 + "AB")
    assert (found.host, found.port, found.prefix, found.fingerprint) == ("fd77::1", 8443, "/spe", "ab" * 32)
