"""A farm whose account has been taken over: it has the pinned key, and answers what it likes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from spe.pool.gate.keys import load_keys

Wire = Any  # an SSLSocket
Answer = bytes | Callable[[Wire], None]


def answer(body: Any, status: str = "200 OK", *headers: str) -> bytes:
    """Bytes of an answer; a body that is no bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(raw)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


class EvilGate:
    """A gate that answers each path with what the test has put there. Lives for one test."""

    farm = "f00d"

    def __init__(self, folder: Path) -> None:
        self.keys = load_keys(folder)
        self.answers: dict[str, Answer] = {}  # [METHOD ]path without its query -> what it answers
        self.asked: list[tuple[str, str, Any]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def stop(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(20)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        # A client that has had enough closes the connection: that is what the test is about.
        with suppress(OSError), plain, self.keys.context.wrap_socket(plain, server_side=True) as wire:
            path = self._read(wire)
            if not path:
                return
            none = answer({"error": "no such path"}, "404 Not Found")
            given = self.answers.get(f"{self.asked[-1][0]} {path}", self.answers.get(path, none))
            if callable(given):
                given(wire)
            else:
                wire.sendall(given)

    def _read(self, wire: Wire) -> str:
        with wire.makefile("rb") as lines:
            first = lines.readline().decode().split()
            if not first:
                return ""  # it has seen the key, and left
            method, path, _ = first
            length = 0
            while (line := lines.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            body = json.loads(lines.read(length)) if length else None
        self.asked.append((method, path, body))
        return str(path).partition("?")[0]


# -- answers that are none, on the way from bytes to JSON


def _drip(wire: Wire) -> None:
    """A byte now and then: never silent for long, and never done."""
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _for_ever(wire, b" ", 0.02)


def _drip_headers(wire: Wire) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    _for_ever(wire, b"x", 0.02)


def _continue(wire: Wire) -> None:
    _for_ever(wire, b"HTTP/1.1 100 Continue\r\n\r\n", 0.001)


def _flood(wire: Wire) -> None:
    wire.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"jobs": "')
    _for_ever(wire, b"x" * 100_000, 0.0)


def _for_ever(wire: Wire, what: bytes, pause: float) -> None:
    closed = threading.Event()
    while not closed.wait(pause):
        wire.sendall(what)  # until the other end has had enough


def _nothing(wire: Wire) -> None:
    wire.recv(1)  # b"" once the other end has gone


#: What becomes no JSON object within the limits of time and size.
NO_ANSWERS: dict[str, Answer] = {
    "drip": _drip,
    "drip of headers": _drip_headers,
    "endless 100": _continue,
    "flood": _flood,
    "silence": _nothing,
    "closed": b"",
    "no http": b"\x00\x1b[2J" * 100,
    "redirect": answer(b"", "302 Found", "Location: https://evil.example:1/"),
    "permanent redirect": answer({"jobs": {}}, "308 Permanent Redirect", "Location: file:///etc/passwd"),
    "500": answer({"error": "\x1b[2J\x07"}, "500 \x1b[2J"),
    "wrong length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}",
    "wrong chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 60 + b"\r\n{}\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n{}",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n{}",
    "deep": answer(b"[" * 100_000),
    "deep object": answer(b'{"jobs":' * 100_000),
    "long number": answer(b'{"jobs": ' + b"9" * 10_000 + b"}"),
    "no utf-8": answer(b'{"jobs": "\xff\xfe"}'),
    "list": answer([1, 2]),
    "text": answer("jobs"),
    "null": answer(None),
    "nothing": answer(b""),
}

#: Names that are none: a user, a port, an option, a path, and what a shell or a terminal would obey.
WRONG_NAMES = (
    "root@lab01", "lab01:22", "-oProxyCommand=touch /tmp/evil", "--", "lab01 -oProxyCommand=id", "lab01/../../etc",
    "/etc/passwd", "lab01;id", "$(id)", "`id`", "lab01\nlab02", "lab01\n", " lab01", "lab01 ", "", "lab\x1b[2J", "läb",
    "lab01\x00", "[::1]", "::1", "lab01,lab02", "lab_01", "*", "lab*", ".lab01", "\udc80lab", "lab\u202e01", "l" * 101,
    "ssh://lab01", "%h", "~lab01", "lab01=1",
)  # fmt: skip

#: Names of hosts that are in order, and that no user of the tests has accepted.
OTHER_NAMES = (
    "evil.example.com",
    "lab.example.com",
    "lab01.example.com",
    "10.0.0.1",
    "127.0.0.1",
    "srv",
    "LAB01",
    "a--b",
)

#: What is no number of tasks, slots, epochs or grants.
NO_NUMBERS: tuple[Any, ...] = (-1, 1.5, 2**64, 10**30, True, None, "4", [4], {"n": 4}, float("nan"), float("inf"))
