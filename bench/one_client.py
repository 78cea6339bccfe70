"""What a short task costs the master alone: a pretend client takes tasks and brings results as a busy one of ours does.

    python bench/one_client.py [TASKS] [SETS]

No program is run, so that a master is measured and not the machine. As our client with two slots and tasks of a
millisecond does, it asks for 128 tasks at a time, on a connection of their own brings 32 results in a request, and
pings. Prints microseconds of the master's processor time a task, of its event loop and of its other threads, without
start, storing and tables.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from clients import all_stored
from master_kit import Server, master
from measure import scratch

TICKET = re.compile(rb"^Ticket=(\d+)", re.MULTILINE)
LENGTH = re.compile(rb"Content-Length: (\d+)")
FETCH, AHEAD, TOGETHER = 128, 258, 32
USAGE = b'{"wall": 0.0013518333435058594, "user": 0.000712, "system": 0.000402, "memory": 1544192}'
PART = b'--%s\r\nContent-Disposition: form-data; name="%d/%s"\r\n\r\n%s\r\n'
BOUNDARY = b"5ca1ab1e0ddba11"


class KeptConnection:
    """One kept-alive connection."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection((server.host, server.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session = server.session

    def ask(self, path: str, query: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of the answer."""
        method = "GET" if body is None else "POST"
        head = f"{method} {path}?sessionID={self._session}&{query} HTTP/1.1\r\nHost: m\r\n"
        if body is not None:
            kind = f"multipart/form-data; boundary={BOUNDARY.decode()}"
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + (body or b""))
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        found = LENGTH.search(data, 0, end)
        whole = end + 4 + (int(found[1]) if found else 0)
        while len(data) < whole:
            data += self._more()
        return int(data[9:12]), data[end + 4 : whole]

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise SystemExit("the master has closed the connection")
        return data


class Client:
    """Holds what it has taken, the oldest first."""

    def __init__(self, server: Server) -> None:
        self.tasks, self.results, self.pings = (KeptConnection(server) for _ in range(3))
        text = self.tasks.ask("/config", "platform=linux-x86_64&host=h&slots=2&pings=1")[1].decode()
        self._me = "client=" + re.findall(r"^Client=(.*)$", text, re.MULTILINE)[0]
        self.held: deque[int] = deque()
        self.done, self._pinged = 0, time.monotonic()

    def work(self, count: int) -> int:
        """Take and bring so many tasks, or all that there are; how many that were."""
        before = self.done
        while self.done - before < count and self._fetch():
            self._bring([self.held.popleft() for _ in range(min(TOGETHER, len(self.held)))])
            self._ping()
        return self.done - before

    def _fetch(self) -> bool:
        if len(self.held) > AHEAD - FETCH:
            return True
        count = FETCH if self.done else 2
        query = f"{self._me}&count={count}&wait=5&extra=1&files=sha256&ahead={count - 2 if self.done else 0}"
        status, body = self.tasks.ask("/task", query)
        self.held += map(int, TICKET.findall(body)) if status == 200 else ()
        return bool(self.held)

    def _bring(self, tickets: list[int]) -> None:
        parts = (("stdout", b"3.14159\n"), ("exit-code", b"0"), ("usage", USAGE))
        pieces = [PART % (BOUNDARY, one, name.encode(), content) for one in tickets for name, content in parts]
        status, body = self.results.ask("/results", self._me, b"".join(pieces) + b"--%s--\r\n" % BOUNDARY)
        if status != 200 or body.count(b" accepted\n") != len(tickets):
            raise SystemExit(f"the master answers {status} {body[:200]!r}")
        self.done += len(tickets)

    def _ping(self) -> None:
        """A ping for all that is held, in pieces, a second after the last."""
        if time.monotonic() - self._pinged < 1:
            return
        self._pinged, held = time.monotonic(), list(self.held)
        for at in range(0, len(held), 100):
            self.pings.ask("/ping", "&".join([self._me, *(f"ticket={one}" for one in held[at : at + 100])]))


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of processor time a task."""

    loop: float
    others: float

    @property
    def all(self) -> float:
        """All threads."""
        return self.loop + self.others


def cost_of_tasks(server: Server, client: Client, count: int) -> Cost:
    """What so many tasks cost the master."""
    before = _threads(server.pid)
    done = max(1, client.work(count))
    after = _threads(server.pid)
    loop = (after[server.pid] - before[server.pid]) / done
    return Cost(loop, sum(after.values()) / done - sum(before.values()) / done - loop)


def _threads(pid: int) -> dict[int, float]:
    """Microseconds that each thread has used; one that has ended meanwhile had next to nothing to do."""
    folder = Path(f"/proc/{pid}/task")
    return {int(one.name): int((one / "schedstat").read_text().split()[0]) / 1000 for one in folder.iterdir()}


def sweep(sets: int) -> str:
    """The spe.yaml of a sweep of so many sets."""
    return f"command: /bin/true\nparameters: {{repeat: {sets}}}\nnice: 0\n"


def main(tasks: int = 20_000, sets: int = 0) -> None:
    with scratch() as folder, master(folder, sweep(sets or tasks + 2000)) as server:
        client = Client(server)
        client.work(1000)  # what is done once is done
        all_stored(server.runs / "sweep.db", sets or tasks + 2000)
        cost = cost_of_tasks(server, client, tasks)
        print(f"{cost.all:.1f} us a task: event loop {cost.loop:.1f}, other threads {cost.others:.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
