"""Many clients: one process that speaks the protocol for thousands of them, against a real master and a bare server.

    python bench/clients.py busy [CLIENTS] [SLOTS] [SECONDS A TASK] [SECONDS]
    python bench/clients.py idle [CLIENTS] [SECONDS]

No program is run: a task is over when its time is, and its result is the same few bytes. The server has one core, this
process the other; what others do on this machine changes the rates, and much less the processor time a result. Results
go by POST /results, many in one, to a master that offers it (`Batch=` in /config), else one by one. What the bare
server needs is measured with the same simulator in the same run: it has canned answers to all.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from master_kit import Server, bare, many_files, master, on_core

TICKET = re.compile(rb"^Ticket=(\d+)", re.MULTILINE)
BOUNDARY = b"5ca1ab1e0ddba11"
PARTS = {"stdout": b"3.14159\n", "stderr": b"", "exit-code": b"0",
         "usage": b'{"wall": 1.0, "user": 0.99, "system": 0.01, "memory": 10485760}'}  # fmt: skip
MOST_IN_ONE = 500  # results
HOLD = 30  # seconds, as our client has it
MOST_SETS = 300_000
AT_ONCE = 200  # clients that register side by side
Answer = Callable[[int, bytes], None]


class KeptConnection(asyncio.Protocol):
    """One kept-alive connection: a request, its answer, the next."""

    def __init__(self) -> None:
        self.heard: Answer | None = None
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes, heard: Answer) -> None:
        assert self._transport is not None and self.heard is None
        self.heard = heard
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        status, length = int(self._data[9:12]), 0
        at = self._data.find(b"Content-Length: ", 0, end)
        if at > 0:
            length = int(self._data[at + 16 : self._data.find(b"\r\n", at)])
        if len(self._data) < end + 4 + length:
            return
        body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
        heard, self.heard = self.heard, None
        assert heard is not None
        heard(status, body)

    def connection_lost(self, exc: Exception | None) -> None:
        if not Crowd.ending:  # what is counted without this client would be wrong
            print(f"a connection was lost: {exc}", file=sys.stderr)


class Crowd:
    """All clients, and what they have counted."""

    ending = False

    def __init__(self, server: Server, slots: int, seconds: float) -> None:
        self.server, self.slots, self.seconds = server, slots, seconds
        self.accepted = self.requests = 0
        self.batch = False
        self.loop = asyncio.get_running_loop()

    async def connect(self) -> KeptConnection:
        _, made = await self.loop.create_connection(KeptConnection, self.server.host, self.server.port)
        return made

    def get(self, path: str, query: str) -> bytes:
        self.requests += 1
        return f"GET {path}?sessionID={self.server.session}&{query} HTTP/1.1\r\nHost: m\r\n\r\n".encode()

    def post(self, path: str, query: str, body: bytes) -> bytes:
        self.requests += 1
        head = f"POST {path}?sessionID={self.server.session}&{query} HTTP/1.1\r\nHost: m\r\n"
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
        return (head + kind).encode() + body


class Client:
    """One client: asks for as many tasks as it has free slots, brings what is over, pings."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd, self.number, self.id = crowd, number, ""
        self.free, self.over, self.held = crowd.slots, list[int](), set[int]()
        self.tasks: KeptConnection
        self.results: KeptConnection

    async def register(self, with_results: bool) -> None:
        crowd = self.crowd
        self.tasks = await crowd.connect()
        said: asyncio.Future[bytes] = crowd.loop.create_future()
        query = f"platform=linux-x86_64&host=h{self.number}&slots={crowd.slots}&pings=1"
        self.tasks.ask(crowd.get("/config", query), lambda status, body: said.set_result(body))
        text = (await said).decode()
        self.id = re.findall(r"^Client=(.*)$", text, re.MULTILINE)[0]
        self.results = await crowd.connect() if with_results else self.tasks
        if with_results:  # a master closes connections that have not yet shown the session, when they are many
            shown: asyncio.Future[int] = crowd.loop.create_future()
            self.results.ask(crowd.get("/ping", f"client={self.id}"), lambda status, body: shown.set_result(status))
            await shown
        crowd.batch = re.search(r"^Batch=(?!No)", text, re.MULTILINE) is not None

    def ask(self) -> None:
        if not Crowd.ending and self.tasks.heard is None and self.free:
            query = f"client={self.id}&count={self.free}&wait={HOLD}&extra=1&files=sha256"
            self.tasks.ask(self.crowd.get("/task", query), self._got)

    def _got(self, status: int, body: bytes) -> None:
        tickets = [int(found) for found in TICKET.findall(body)] if status == 200 else []
        self.free -= len(tickets)
        self.held.update(tickets)
        if tickets:
            self.crowd.loop.call_later(self.crowd.seconds, self._over, tickets)
            self.ask()
        else:
            self.crowd.loop.call_later(0.05, self.ask)

    def _over(self, tickets: list[int]) -> None:
        self.over += tickets
        self._bring()

    def _bring(self) -> None:
        if self.results.heard is not None or not self.over or Crowd.ending:
            return
        count = MOST_IN_ONE if self.crowd.batch else 1
        now, self.over = self.over[:count], self.over[count:]
        if self.crowd.batch:
            request = self.crowd.post("/results", f"client={self.id}&n={len(now)}", body_of(now))
        else:
            request = self.crowd.post("/complete", f"client={self.id}&ticket={now[0]}", body_of(None))
        self.results.ask(request, lambda status, body: self._brought(now, status, body))

    def _brought(self, now: list[int], status: int, body: bytes) -> None:
        assert status == 200, (status, body)
        self.crowd.accepted += body.count(b"accepted")
        self.free += len(now)
        self.held.difference_update(now)
        self._bring()
        self.ask()


def body_of(tickets: list[int] | None) -> bytes:
    """The results of these tickets in one body; None: of one that the query names."""
    pieces = []
    for before in [b"%d/" % one for one in tickets] if tickets is not None else [b""]:
        for name, content in PARTS.items():
            head = b'--%s\r\nContent-Disposition: form-data; name="%s%s"\r\n\r\n'
            pieces.append(head % (BOUNDARY, before, name.encode()) + content + b"\r\n")
    return b"".join(pieces) + b"--%s--\r\n" % BOUNDARY


async def registered(crowd: Crowd, count: int, with_results: bool) -> list[Client]:
    clients = [Client(crowd, number) for number in range(count)]
    for at in range(0, count, AT_ONCE):
        await asyncio.gather(*(client.register(with_results) for client in clients[at : at + AT_ONCE]))
    return clients


class Window:
    """What happened in a stretch of time: requests, results, processor time of the server and of this process."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self._begun = self._now()

    def _now(self) -> tuple[float, ...]:
        crowd = self.crowd
        return time.monotonic(), crowd.server.processor(), crowd.requests, crowd.accepted, time.process_time()

    def end(self) -> str:
        seconds, cpu, requests, accepted, own = (b - a for a, b in zip(self._begun, self._now(), strict=True))
        self.each = 1e6 * cpu / max(1, requests)
        self.result = 1e6 * cpu / max(1, accepted)
        self.rate, self.load = accepted / seconds, cpu / seconds
        return (
            f"{self.rate:6.0f} results/s {requests / seconds:6.0f} requests/s; server {self.load:6.1%} of a core "
            f"({1e6 / self.result if accepted else 0:.0f} results a core second), {self.each:.0f} µs a request, "
            f"{self.crowd.server.memory():.0f} MB; simulator {own / seconds:.0%}"
        )


async def busy(server: Server, clients: int, slots: int, seconds: float, length: float) -> Window:
    crowd = Crowd(server, slots, seconds)
    made = await registered(crowd, clients, True)
    for client in made:
        client.ask()
    await asyncio.sleep(3 * seconds + 1)  # until it goes its even way
    window = Window(crowd)
    await asyncio.sleep(length)
    print(f"{'batches' if crowd.batch else 'one by one':10} {window.end()}")
    return window


async def idle(server: Server, clients: int, length: float) -> Window:
    crowd = Crowd(server, 1, 1e6)
    begun = time.monotonic()
    made = await registered(crowd, clients, False)
    came = time.monotonic() - begun
    pause = HOLD / max(1, clients)
    for client in made:  # spread over the time, as clients are that came one by one
        client.ask()
        await asyncio.sleep(pause)
    window = Window(crowd)
    await asyncio.sleep(length)
    print(f"{came:5.1f} s to come; then {window.end()}")
    return window


def all_stored(database: Path, sets: int) -> None:
    """What storing the sets costs is another matter."""
    with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as opened:
        while (opened.execute("SELECT max(number) FROM tasks").fetchone()[0] or 0) < sets:
            time.sleep(0.2)


def compare(
    what: Callable[[Server], Coroutine[None, None, Window]], sweep: str, sets: int, *words: str
) -> list[Window]:
    """The same against both, once so many sets are stored."""
    windows: list[Window] = []
    for label in ("spe", "bare"):
        with tempfile.TemporaryDirectory(prefix="spe-bench-") as name:
            more = [*words, "batch"] if windows and windows[0].crowd.batch else words
            start = master(Path(name), sweep) if label == "spe" else bare(Path(name), *more)
            with start as server:
                print(f"{label:5}", end="", flush=True)
                if label == "spe":
                    all_stored(server.runs / "sweep.db", sets)
                Crowd.ending = False
                windows.append(asyncio.run(what(server)))
                Crowd.ending = True
    return windows


def main(kind: str, *numbers: str) -> None:
    on_core(1)
    most = many_files() - 200
    given = [float(number) for number in numbers]
    if kind == "busy":
        clients, slots, seconds, length = given + [1000, 32, 1, 10][len(given) :]
        count = min(MOST_SETS, int(2 * clients * slots / seconds * (3 * seconds + 1 + length)))
        sets = f"command: /bin/true {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {count}]}}}}}}\n"
        spe, floor = compare(lambda server: busy(server, int(clients), int(slots), seconds, length), sets, count)
        print(f"{clients:.0f} clients of {slots:.0f} slots, tasks of {seconds:g} s: {spe.rate:.0f} results a second, "
              f"{1e6 / spe.result:.0f} a core second; "
              f"a request costs {spe.each / floor.each:.2f} and a result {spe.result / floor.result:.2f} "
              f"times the bare server's")  # fmt: skip
    else:
        clients, length = given + [10000, 40][len(given) :]
        if clients > most:
            print(f"no more than {most} clients: this system allows no more open files")
            clients = most
        sets = "command: /bin/true {{ x }}\nparameters: {grid: {x: {range: [1, 1]}}}\nonce: true\n"
        spe, floor = compare(lambda server: idle(server, int(clients), length), sets, 1, "idle")
        print(
            f"{clients:.0f} idle clients: {spe.load:.1%} of a core, {spe.load / floor.load:.2f} times the bare server's"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
