"""Connections that never come to a request, with and without TLS, and a master that may have few open files."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from drills.by_hand_kit import Drill
from spe.session import certificate
from spe.wire import accepting
from spe.wire.accepting import MOST, RECEIVED
from spe.wire.server import Server
from waiting import wait_until

from .kit import Target, ends_as_without, is_closed, report, status_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
MANY = 2000
HTTPS = "listen: 0.0.0.0:0\n"
HELLO_BEGINS = bytes.fromhex("1603010100010000fc0303")


class Crowd:
    """Many connections to one listener."""

    def __init__(self, target: Target) -> None:
        self.target, self.there = target, list[socket.socket]()

    def come(self, count: int, say: bytes = b"") -> None:
        for _ in range(count):
            self.there.append(self.target.open())
            with contextlib.suppress(OSError):  # it may be closed already
                self.there[-1].sendall(say) if say else None

    def greet(self, count: int) -> None:
        """Those that greet as TLS wants it and then say nothing."""
        for _ in range(count):
            self.there.append(self.target.greeted())

    def go(self) -> None:
        for one in self.there:
            one.close()

    @property
    def closed(self) -> int:
        return sum(map(is_closed, self.there))


@pytest.fixture
def crowd_at() -> Iterator[Callable[[Target], Crowd]]:
    crowds: list[Crowd] = []

    def make(target: Target) -> Crowd:
        crowds.append(Crowd(target))
        return crowds[-1]

    yield make
    for one in crowds:
        one.go()


def hold(drill: Drill) -> None:
    """A host has work, and its programs wait until the gate is touched."""
    drill.host("first", GATE=str(drill.gate))
    wait_until(lambda: drill.query("SELECT count(*) FROM tickets") != [(0,)], "it has work")


@pytest.mark.parametrize(
    ("what", "megabytes"), [("silent", 15), ("the begin of a greeting", 120), ("greeted", 120), ("one byte", 120)]
)
def test_connections_before_the_first_request_cost_little_memory_and_keep_no_host_out(
    drill: Drill, crowd_at: Callable[[Target], Crowd], what: str, megabytes: int
) -> None:
    drill.sweep(20, HTTPS).start()
    target = Target(drill)
    assert target.tls
    hold(drill)
    before, crowd = target.memory("VmRSS"), crowd_at(target)
    if what == "greeted":
        crowd.greet(MANY)
    else:
        crowd.come(MANY, {"silent": b"", "one byte": b"\x16"}.get(what, HELLO_BEGINS))
    assert status_of(target.send(target.head("GET", "/nothing"))) == 404
    growth = target.memory() - before
    assert growth < megabytes * 1024 * 1024
    wait_until(lambda: crowd.closed >= MANY - MOST - RECEIVED, "there is room for so many, the oldest are closed")
    assert not is_closed(crowd.there[-1])
    drill.gate.touch()
    ends_as_without(drill, target.session)
    report(f"{MANY} connections: {what}", drill, f"{growth / 1e6:.0f} MB")


def test_a_silent_connection_is_closed_soon(drill: Drill, crowd_at: Callable[[Target], Crowd]) -> None:
    drill.sweep(1, HTTPS).start()
    crowd = crowd_at(Target(drill))
    crowd.come(5)
    crowd.come(5, HELLO_BEGINS)
    wait_until(lambda: crowd.closed == 10, "they have not greeted in time")
    ends_as_without(drill)


# Few open files


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def complaints(drill: Drill) -> list[str]:
    return [line for line in (drill.runs / "master.log").read_text().splitlines() if "open files" in line]


@pytest.mark.parametrize("yaml", ["", HTTPS], ids=["HTTP", "HTTPS"])
@pytest.mark.parametrize("page", [False, True], ids=["clients' listener", "page"])
def test_silent_connections_to_a_master_of_64_files_keep_no_host_out(
    drill: Drill, crowd_at: Callable[[Target], Crowd], yaml: str, page: bool
) -> None:
    drill.sweep(30, yaml).start(before=few_files)
    crowd = crowd_at(Target(drill, page=page))
    hold(drill)
    crowd.come(500)
    drill.host("second", SLEEP="0.1")
    target = Target(drill)
    assert status_of(target.send(target.head("GET", "/nothing"))) == 404
    drill.gate.touch()
    ends_as_without(drill, target.session)
    assert len(complaints(drill)) <= 1, complaints(drill)


def test_a_master_whose_files_are_all_taken_says_so_in_one_line_and_goes_on_when_some_are_free(
    drill: Drill, crowd_at: Callable[[Target], Crowd]
) -> None:
    """All of these belong here, so that none of them is closed for another."""
    drill.sweep(10).start(before=few_files)
    target = Target(drill)
    crowd = crowd_at(target)
    keep = target.head("GET", "/nothing").replace(b"Connection: close\r\n", b"")
    while not complaints(drill):
        crowd.come(1, keep)
        wait_until(lambda: select.select([crowd.there[-1]], [], [], 0)[0] or complaints(drill), "it answers or is full")
        assert len(crowd.there) < 64
    assert "ulimit -n" in complaints(drill)[0]
    drill.host("waits")
    crowd.come(1, keep)
    assert not select.select([crowd.there[-1]], [], [], 1)[0]
    crowd.go()
    wait_until(lambda: drill.done() > 3, "it is let in")
    ends_as_without(drill, target.session)
    assert len(complaints(drill)) == 1, complaints(drill)


# Many at once that do belong here


@pytest.mark.parametrize("slower", [1, 100], ids=["as it is", "a hundred times slower"])
@pytest.mark.parametrize("tls", [False, True], ids=["HTTP", "HTTPS"])
def test_a_herd_that_comes_in_one_moment_is_served_by_any_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool, slower: int
) -> None:
    """Five times as many as are received at a time, each with its request."""
    monkeypatch.setattr(accepting, "HURRY", accepting.HURRY / slower)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="yes")

    async def herd() -> list[bytes]:
        app = web.Application()
        app.router.add_get("/", answer)
        server = Server(app)
        await server.start("127.0.0.1", 0, context_of(tmp_path) if tls else None)
        try:
            return await asyncio.gather(*(one(server.port) for _ in range(5 * RECEIVED)))
        finally:
            await server.stop()

    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    async def one(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting if tls else None)
        writer.write(b"GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.close()

    answers = asyncio.run(herd())
    assert [status_of(one) for one in answers] == [200] * len(answers)


def context_of(folder: Path) -> ssl.SSLContext:
    pem, key = certificate.make_certificate()
    (folder / "pem").write_text(pem)
    (folder / "key").write_text(key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "pem", folder / "key")
    return context
