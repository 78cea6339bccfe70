"""The real `spe run` in a folder of the test's own, and raw HTTP to it: no line of our client is used here."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from waiting import wait_until

T = TypeVar("T")
BOUNDARY = "a-boundary-of-ours"
Query = Mapping[str, Any] | Sequence[tuple[str, Any]]
Parts = Sequence[tuple[str, bytes]]


def form(parts: Parts, boundary: str = BOUNDARY) -> bytes:
    """A multipart/form-data body, by hand."""
    pieces = []
    for name, content in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        pieces += [head.encode(), content, b"\r\n"]
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def keys(self) -> dict[str, str]:
        """The lines of Key=Value."""
        return dict(line.split("=", 1) for line in self.text.splitlines() if "=" in line)

    @property
    def tickets(self) -> list[int]:
        return [int(number) for number in re.findall(rb"^Ticket=(\d+)$", self.body, re.M)]

    @property
    def ticket(self) -> int:
        (one,) = self.tickets
        return one


class Master:
    """One `spe run` and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs" / "t"
        self.process: subprocess.Popen[str] | None = None
        self.session = self.url = self.fingerprint = ""
        self.starts = 0

    def write(self, yaml: str, files: Mapping[str, str | bytes] | None = None) -> Master:
        (self.folder / "spe.yaml").write_text(f"name: t\n{yaml}\n", encoding="utf-8")
        for name, content in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(0o755)
        return self

    # -- the process

    def start(self, *arguments: str) -> Master:
        """Returns when it answers. What it writes goes to files: a pipe that nobody reads could stop it."""
        self.starts += 1
        words = [sys.executable, "-m", "spe", "run", "--hosts", "none", *arguments]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(words, cwd=self.folder, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        self._announced()
        return self

    @property
    def out(self) -> Path:
        return self.folder / f"out{self.starts}"

    @property
    def err(self) -> Path:
        return self.folder / f"err{self.starts}"

    def _announced(self) -> None:
        def facts() -> dict[str, Any] | None:
            assert self.process and self.process.poll() is None, f"it ended at once: {self.err.read_text()}"
            with contextlib.suppress(FileNotFoundError):
                found = json.loads((self.runs / "master.json").read_text())
                return found if found["pid"] == self.process.pid else None
            return None

        found = wait_until(facts, "no master.json")
        self.url, self.session, self.fingerprint = found["url"], found["session"], found["fingerprint"]

    def kill(self) -> None:
        """kill -9."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self, seconds: float = 60) -> int:
        """Wait until it has ended by itself: its exit code."""
        assert self.process
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end: {self.log}") from None

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        return (self.runs / "master.log").read_text()

    def rows(self) -> list[dict[str, str]]:
        with (self.runs / "results.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def failures(self) -> list[dict[str, str]]:
        with (self.runs / "failed.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    # -- HTTP

    @property
    def place(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def connection(self, timeout: float = 60) -> http.client.HTTPConnection:
        host, port = self.place
        if not self.url.startswith("https:"):
            return http.client.HTTPConnection(host, port, timeout=timeout)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        connection.connect()
        found = hashlib.sha256(connection.sock.getpeercert(True)).hexdigest()
        assert found == self.fingerprint
        return connection

    def target(self, path: str, query: Query = (), session: str | None = "") -> str:
        """`session` "": the right one; None: none."""
        pairs = list(query.items()) if isinstance(query, Mapping) else list(query)
        own = [] if session is None else [("sessionID", session or self.session)]
        return f"{path}?{urlencode([*own, *pairs])}"

    def ask(
        self,
        path: str,
        query: Query = (),
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        session: str | None = "",
    ) -> Reply:
        connection = self.connection()
        try:
            connection.request(method, self.target(path, query, session), body, dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, path: str, query: Query, parts: Parts, boundary: str = BOUNDARY) -> Reply:
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.ask(path, query, method="POST", body=form(parts, boundary), headers=headers)

    def complete(self, ticket: int, *parts: tuple[str, bytes], **more: Any) -> str:
        """The line that it answers to a result."""
        reply = self.post("/complete", {"ticket": ticket, **more}, parts)
        assert reply.status == 200, (reply.status, reply.body)
        assert reply.text.endswith("\n") and reply.text.count("\n") == 1
        return reply.text[:-1]

    def raw(self, data: bytes, timeout: float = 10) -> bytes:
        """Send these bytes and read until the other side closes (plain HTTP)."""
        with self.open() as sock:
            sock.settimeout(timeout)
            sock.sendall(data)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := sock.recv(65536):
                    received += chunk
            return received

    def open(self) -> socket.socket:
        return socket.create_connection(self.place, timeout=60)

    def register(self, **query: Any) -> str:
        """A client's ID."""
        reply = self.ask("/config", query)
        assert reply.status == 200
        return reply.keys["Client"]

    def take(self, count: int = 1, **query: Any) -> list[int]:
        """So many tickets, once the master has them to give."""
        found: list[int] = []
        while len(found) < count:
            reply = self.ask("/task", {"count": count - len(found), "wait": 10, **query})
            assert reply.status == 200, (reply.status, reply.body)
            found += reply.tickets
        return found


def environment(folder: Path) -> dict[str, str]:
    """For clients: nothing of this user's cache or temporary files."""
    (folder / "tmp").mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SPE_NO_LIST") if name in os.environ}
    return {**kept, "XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder / "tmp"), "SHELL": "/bin/sh"}


@contextlib.contextmanager
def ended_after(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """A process that does not outlive the block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
