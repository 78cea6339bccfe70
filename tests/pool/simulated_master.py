"""A pretended master: clients that start and linger, tasks of known lengths, reports as real ones."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from spe.pool.farm import News
from spe.pool.holding import Grant, Report

START = 3.0  # seconds that the start of a client takes, and what it costs
LINGER = 300.0  # seconds for which a client stays without a grant, as in fleet/granted_hosts.py
LOST = 20.0  # seconds after which a master knows that a host is gone


@dataclass
class Client:
    """A client of a job on one host, from its start to its end."""

    host: str
    job: int
    began: float
    ready: float
    is_up: bool = False  # it has registered
    bound: int = 0  # tasks that it may run
    was_bound: int = 0  # as far as the master knows
    running: list[tuple[float, float]] = field(default_factory=list)  # (end, length), a heap
    work: float = 0.0  # seconds of tasks that it has finished
    idle: float | None = None  # since when nothing is granted
    lost: float | None = None  # since when its host is gone


class Master:
    """One job of a user with tasks of these lengths. Lives from the job's submission to its end."""

    def __init__(self, number: int, owner: str, kind: str, lengths: Iterable[float], chance: random.Random) -> None:
        self.number, self.owner, self.kind = number, owner, kind
        self.waiting = deque(lengths)
        self.sets = len(self.waiting)
        self.work = sum(self.waiting)
        self.done = 0
        self.clients: dict[str, Client] = {}
        self.past: list[Client] = []  # clients that have ended
        self._chance = chance
        self._grant = Grant(0, 0)
        self._serial = 0
        self._faults: dict[str, str] = {}

    @property
    def is_over(self) -> bool:
        return self.done == self.sets

    def running(self) -> int:
        """Return how many of its tasks run."""
        return sum(len(one.running) for one in self.clients.values())

    def ends(self) -> Iterator[float]:
        """Yield when its running tasks end."""
        for client in self.clients.values():
            yield from (end for end, _ in client.running)

    def step(self, now: float, grant: Grant, alive: Collection[str]) -> News | None:
        """Live until `now`, apply a grant, and return a report; None before the first grant."""
        self._faults = {}
        for client in list(self.clients.values()):
            self._live(now, client, alive)
        if grant.rank > self._grant.rank:
            self._grant = grant
        if not self._grant.number:
            return None
        self._apply(now, alive)
        self._serial += 1
        return self._news()

    def end(self) -> None:
        """Take all clients away."""
        self.past += self.clients.values()
        self.clients = {}

    def _live(self, now: float, client: Client, alive: Collection[str]) -> None:
        if client.host not in alive:
            client.lost = now if client.lost is None else client.lost
            if now - client.lost >= LOST:
                self._remove(client)
                self._faults[client.host] = "lost"
            return
        client.is_up = client.ready <= now
        client.was_bound = client.bound  # its latest message has said that it follows it
        while client.running and client.running[0][0] <= now:
            ended, length = heappop(client.running)
            client.work += length
            self.done += 1
            if len(client.running) < client.bound:
                self._begin(client, max(ended, client.ready))
        while client.is_up and len(client.running) < client.bound and self.waiting:
            self._begin(client, now)

    def _begin(self, client: Client, when: float) -> None:
        if self.waiting:
            length = self.waiting.popleft()
            heappush(client.running, (when + length, length))

    def _remove(self, client: Client) -> None:
        self.waiting.extendleft(length for _, length in client.running)
        client.running = []
        self.past.append(self.clients.pop(client.host))

    def _apply(self, now: float, alive: Collection[str]) -> None:
        for host, slots in self._grant.slots.items():
            if slots and host not in self.clients and host in alive:
                took = START * self._chance.uniform(0.7, 1.3)
                self.clients[host] = Client(host, self.number, now, now + took)
        for client in list(self.clients.values()):
            client.bound = self._grant.slots.get(client.host, 0)
            if client.bound:
                client.idle = None
            elif client.idle is None:
                client.idle = now
            elif now - client.idle >= LINGER and not client.running:
                self._remove(client)

    def _news(self) -> News:
        up = {host for host, one in self.clients.items() if one.is_up}
        known = {host: max(len(one.running), one.bound, one.was_bound) for host, one in self.clients.items()}
        report = Report(
            (1, self._serial),
            self._grant.epoch,
            self._grant.number,
            self._grant.slots,
            {host: number for host, number in known.items() if number and host in up},
        )
        return News(
            report=report,
            wants=self.running() + len(self.waiting),
            up=frozenset(up),
            faults=dict(self._faults),
            sets=self.sets,
            done=self.done,
        )
