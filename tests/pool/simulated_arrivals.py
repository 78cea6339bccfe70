"""Users, their jobs and the hosts of a simulated farm, by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

HOUR = 3600.0
Lengths = Callable[[random.Random], list[float]]  # of the tasks of one job


def _spread(chance: random.Random, least: float, most: float) -> float:
    """Return a time whose logarithm is spread evenly."""
    return float(least * (most / least) ** chance.random())


def short(chance: random.Random) -> list[float]:
    """A sweep of tasks of less than a second to 10 s."""
    one = _spread(chance, 0.3, 10)
    return [one * chance.uniform(0.5, 1.5) for _ in range(int(_spread(chance, 50, 3000)))]


def minutes(chance: random.Random) -> list[float]:
    """A sweep of tasks of 10 s to 20 min."""
    one = _spread(chance, 10, 1200)
    return [one * chance.uniform(0.5, 1.5) for _ in range(int(_spread(chance, 5, 300)))]


def hours(chance: random.Random) -> list[float]:
    """A few tasks of 20 min to 10 h."""
    one = _spread(chance, 1200, 10 * HOUR)
    return [min(10 * HOUR, one * chance.uniform(0.5, 1.5)) for _ in range(int(_spread(chance, 2, 40)))]


def bimodal(chance: random.Random) -> list[float]:
    """A sweep of tasks of 1 s, of which each tenth takes some 10 min."""
    many = int(_spread(chance, 50, 1000))
    return [600 * chance.uniform(0.5, 1.5) if chance.random() < 0.1 else 1.0 for _ in range(many)]


def single(chance: random.Random) -> list[float]:
    """One task of 1 s to 5 min."""
    return [_spread(chance, 1, 300)]


KINDS: Mapping[str, Lengths] = {
    "short": short,
    "minutes": minutes,
    "hours": hours,
    "bimodal": bimodal,
    "single": single,
}


@dataclass
class Arrival:
    """A job that is submitted at this time."""

    at: float
    owner: str
    priority: int
    kind: str
    lengths: list[float] = field(repr=False)


@dataclass
class Habit:
    """A user's way to work: jobs of a kind, so often, so many at a time."""

    owner: str
    kind: str
    priority: int
    every: float  # seconds between two arrivals, in the mean
    at_once: int = 1

    def arrivals(self, chance: random.Random, until: float) -> Iterator[Arrival]:
        """Yield the user's jobs."""
        now = chance.expovariate(1 / self.every)
        while now < until:
            for _ in range(self.at_once):
                yield Arrival(now, self.owner, self.priority, self.kind, KINDS[self.kind](chance))
            now += chance.expovariate(1 / self.every)


def habits(chance: random.Random, users: int) -> list[Habit]:
    """Return what each user does: most at the default priority, some with a crowd of single tasks."""
    found = []
    for number in range(users):
        kind = chance.choice(list(KINDS))
        priority = chance.choice([64, 64, 64, 64, 0, 48, 80, 96, 127])
        at_once = chance.choice([5, 50, 250]) if kind == "single" else 1
        every = {"hours": 2 * HOUR, "single": HOUR / 2}.get(kind, HOUR / 3)
        found.append(Habit(f"u{number}", kind, priority, every, at_once))
    return found


class Weather:
    """Which hosts are there, and how many cores of each others leave: both change by chance."""

    def __init__(self, chance: random.Random, hosts: Mapping[str, int], unrest: float = 1.0) -> None:
        """unrest: 0 for hosts on which nothing ever happens."""
        self._chance, self._hosts, self._unrest = chance, hosts, unrest
        self.gone: dict[str, float] = {}  # host -> when it is back
        self._others: dict[str, tuple[int, float]] = {}  # host -> cores of others, until when

    def pass_time(self, now: float, step: float) -> None:
        """Let hosts go for 2 to 60 min each 8 h, and people come for 1 to 120 min each 2 h."""
        if not self._unrest:
            return
        self.gone = {host: back for host, back in self.gone.items() if back > now}
        self._others = {host: one for host, one in self._others.items() if one[1] > now}
        for host, cores in self._hosts.items():
            if self._chance.random() < step * self._unrest / (8 * HOUR):
                self.gone[host] = now + _spread(self._chance, 120, HOUR)
            if host not in self._others and self._chance.random() < step * self._unrest / (2 * HOUR):
                self._others[host] = (self._chance.randint(1, cores), now + _spread(self._chance, 60, 2 * HOUR))

    def vacant(self) -> dict[str, int]:
        """Return the cores of each host that jobs may use."""
        return {
            host: 0 if host in self.gone else cores - self._others.get(host, (0, 0.0))[0]
            for host, cores in self._hosts.items()
        }
