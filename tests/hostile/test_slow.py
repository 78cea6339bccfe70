"""Senders that never finish: each is borne for a stated time, and the sweep goes on beside them."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time

import pytest
from drills.by_hand_kit import Drill
from spe.wire.body import PATIENCE
from spe.wire.server import HEAD_TIME

from .kit import MULTIPART, B, Target, report, status_of

pytestmark = [pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(400)]


class Loris:
    """Connections that begin a request and send it in drops; how long each was borne."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.begun = time.monotonic()
        self.dropped: dict[str, list[float]] = {}
        self.answers: dict[str, bytes] = {}
        self.left = 0

    def add(self, what: str, target: Target, begin: bytes, drop: bytes, count: int = 1) -> None:
        for _ in range(count):
            sock = target.open()
            sock.sendall(begin)
            sock.setblocking(False)
            self.selector.register(sock, selectors.EVENT_READ, (what, drop))
            self.left += 1

    def until_all_are_cut_off(self, seconds: float) -> None:
        next_drop = 0.0
        while self.left:
            passed = time.monotonic() - self.begun
            assert passed < seconds, f"still borne: {[key.data[0] for key in self.selector.get_map().values()]}"
            for key, _ in self.selector.select(0.2):
                self._read(key, passed)
            if time.monotonic() >= next_drop:
                next_drop = time.monotonic() + 1
                for key in list(self.selector.get_map().values()):
                    with contextlib.suppress(OSError):
                        key.fileobj.send(key.data[1])  # type: ignore[union-attr]

    def _read(self, key: selectors.SelectorKey, passed: float) -> None:
        sock, what = key.fileobj, key.data[0]
        assert isinstance(sock, socket.socket)
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.answers[what] = self.answers.get(what, b"") + data
        if not data:
            self.dropped.setdefault(what, []).append(passed)
            self.selector.unregister(sock)
            sock.close()
            self.left -= 1


def test_slow_senders_are_cut_off_after_a_stated_time_and_nobody_waits_for_them(drill: Drill) -> None:
    drill.sweep(60).start()
    protocol, page = Target(drill), Target(drill, page=True)
    loris = Loris()
    for what, target in (("protocol", protocol), ("page", page)):
        loris.add(f"{what}: nothing", target, b"", b"", 20)
        loris.add(f"{what}: slow line", target, b"GET /ta", b"a", 40)
        loris.add(f"{what}: slow headers", target, target.head("GET", "/task")[:-2] + b"X: ", b"y", 40)
        loris.add(f"{what}: after a whole request", target, b"GET /x HTTP/1.1\r\nHost: m\r\n\r\nGET /y", b"a", 10)
    strange = protocol.head("POST", "/complete?ticket=1", f"Content-Type: {MULTIPART}", "Content-Length: 9999",
                            session="x")  # fmt: skip
    loris.add("protocol: slow body of a stranger", protocol, strange, b"x", 20)
    begin = protocol.head("POST", "/complete?ticket=1", f"Content-Type: {MULTIPART}", "Content-Length: 999999")
    part = f'--{B}\r\nContent-Disposition: form-data; name="data"\r\n\r\n'.encode()
    loris.add("protocol: slow body", protocol, begin + part, b"x", 20)
    loris.add("protocol: body that stops", protocol, begin + part + bytes(5000), b"", 20)
    loris.add("protocol: slow head of a part", protocol, begin + part[:20], b"x", 20)
    strange = protocol.head("POST", "/results", f"Content-Type: {MULTIPART}", "Content-Length: 9999", session="x")
    loris.add("protocol: slow batch of a stranger", protocol, strange, b"x", 20)
    begin = protocol.head("POST", "/results", f"Content-Type: {MULTIPART}", "Content-Length: 999999")
    part = part.replace(b'name="', b'name="1/')
    loris.add("protocol: slow batch, body", protocol, begin + part, b"x", 20)
    loris.add("protocol: batch that stops", protocol, begin + part + bytes(5000), b"", 20)
    loris.add("protocol: batch, slow head of a part", protocol, begin + part[:20], b"x", 20)
    for name in ("h1", "h2"):
        drill.host(name, SLEEP="1.1")  # until after the last of them
    began = time.monotonic()
    status = status_of(protocol.send(protocol.head("GET", "/bye")))
    assert (status, time.monotonic() - began < 5) == (200, True)
    loris.until_all_are_cut_off(PATIENCE + 25)
    for what, times in sorted(loris.dropped.items()):
        limit = PATIENCE if what.endswith(("body", "stops", "part")) else HEAD_TIME
        print(f"{what}: {len(times)} cut off after {min(times):.0f} to {max(times):.0f} s")
        assert max(times) < limit + 12, what
        assert protocol.session.encode() not in loris.answers[what]
    assert drill.end() == 0
    report("slow senders", drill, f"{sum(map(len, loris.dropped.values()))} connections cut off")
    drill.checked()
