"""Whole sweeps in virtual time, through the dispatch as it is: lengths of all kinds, hosts of different speed.

The tests and bench/forecasts.py use them. Seeds are fixed, so each sweep is the same again.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

from spe.dispatch.dispatch import Dispatch
from spe.dispatch.rules import Rules
from spe.model import Output, Task, Usage

OUT = (Output("x", "1"),)
TICK = 1.0  # seconds, as in a real run
START = 1000.0  # on the clock of the dispatch, where 0 means an unknown time


@dataclass
class Sweep:
    """Sets with their parameters and seconds, and the hosts that run them: (slots, factor on the seconds)."""

    values: list[Mapping[str, str]]
    lengths: list[float]
    hosts: list[tuple[int, float]]
    drift: Callable[[float], float] = field(default=lambda now: 1.0)  # factor on the seconds of what begins at a time


Look = Callable[[float, Dispatch, int], None]


def makespan(sweep: Sweep, longest_first: bool, look: Look | None = None) -> float:
    """Run a sweep; return its seconds. `look` is called after each end: (now, dispatch, sets that have ended)."""
    dispatch = Dispatch(Rules(longest_first=longest_first, ping=0, copies=0))
    dispatch.board.add(Task(number, values) for number, values in enumerate(sweep.values, 1))
    dispatch.board.more = False
    dispatch.board.total = len(sweep.values)
    clients = [
        (dispatch.register(START, f"h{place}", "linux-x86_64", slots, True), slots, speed)
        for place, (slots, speed) in enumerate(sweep.hosts)
    ]
    ends: list[tuple[float, int, int, float]] = []  # moment, ticket, client, seconds

    def hand_out(now: float, which: int, count: int) -> None:
        client, _, speed = clients[which]
        for ticket in dispatch.handout.take(now, client.id, count):
            seconds = sweep.lengths[ticket.task - 1] * speed * sweep.drift(now - START)
            heapq.heappush(ends, (now + seconds, ticket.id, which, seconds))

    for which, (_, slots, _) in enumerate(clients):
        hand_out(START, which, slots)
    now, ticked, ended = START, START, 0
    while ends:
        now, ticket, which, seconds = heapq.heappop(ends)
        if now >= ticked + TICK:
            ticked = math.floor(now)
            dispatch.tick(ticked)
        assert dispatch.attempts.arrive(now, ticket) and dispatch.attempts.accept(ticket, OUT, Usage(wall=seconds))
        dispatch.board.take_changes()
        hand_out(now, which, 1)
        ended += 1
        if look:
            look(now - START, dispatch, ended)
    assert dispatch.board.over, "each set has run"
    return now - START


# -- lengths of many kinds


def _sets(chance: random.Random, count: int) -> list[dict[str, str]]:
    """Parameters of which the first two matter to those kinds that can be foretold."""
    return [
        {
            "n": str(chance.randint(100, 1000)),
            "method": chance.choice(["euler", "heun", "rk4"]),
            "seed": str(number),
            "x": f"{chance.uniform(0, 1):.3f}",
        }
        for number in range(1, count + 1)
    ]


def foretold(chance: random.Random, slots: int = 16, noise: float = 0.05) -> Sweep:
    """Lengths from 1 to 10, times 10 s: they follow from n, within 5 %; five sets a slot."""
    values = _sets(chance, 5 * slots)
    lengths = [int(one["n"]) / 10 * math.exp(chance.gauss(0, noise)) for one in values]
    return Sweep(values, lengths, [(slots, 1.0)])


def foretold_by_words(chance: random.Random, slots: int = 16) -> Sweep:
    """Lengths from 1 to 10 that follow from a word and a number together."""
    factor = {"euler": 1.0, "heun": 2.0, "rk4": 3.3}
    values = _sets(chance, 5 * slots)
    lengths = [
        10 * factor[one["method"]] * (1 + 2 * float(one["x"])) * math.exp(chance.gauss(0, 0.05)) for one in values
    ]
    return Sweep(values, lengths, [(slots, 1.0)])


def uniform(chance: random.Random, slots: int = 16, sets: int = 5) -> Sweep:
    """Lengths from 1 to 10 that nothing foretells."""
    values = _sets(chance, sets * slots)
    return Sweep(values, [chance.uniform(10, 100) for _ in values], [(slots, 1.0)])


def equal(chance: random.Random, slots: int = 16, sets: int = 5) -> Sweep:
    """Sets of 20 s, within 1 %."""
    values = _sets(chance, sets * slots)
    return Sweep(values, [20 * math.exp(chance.gauss(0, 0.01)) for _ in values], [(slots, 1.0)])


def exponential(chance: random.Random, slots: int = 16, sets: int = 5) -> Sweep:
    """Exponential lengths."""
    values = _sets(chance, sets * slots)
    return Sweep(values, [0.5 + chance.expovariate(1 / 30) for _ in values], [(slots, 1.0)])


def log_normal(chance: random.Random, slots: int = 16, sets: int = 5) -> Sweep:
    """Log-normal lengths: one in twenty is five times the middle one."""
    values = _sets(chance, sets * slots)
    return Sweep(values, [20 * chance.lognormvariate(0, 1) for _ in values], [(slots, 1.0)])


def bimodal(chance: random.Random, slots: int = 16, sets: int = 5) -> Sweep:
    """Short sets, and every fourth or so ten times as long."""
    values = _sets(chance, sets * slots)
    lengths = [(100 if chance.random() < 0.25 else 10) * math.exp(chance.gauss(0, 0.1)) for _ in values]
    return Sweep(values, lengths, [(slots, 1.0)])


def noisy(chance: random.Random, slots: int = 16) -> Sweep:
    """Lengths that follow from n no further than half of their variance."""
    return foretold(chance, slots, noise=0.65)


def trending(chance: random.Random, slots: int = 16) -> Sweep:
    """The machine gets slower and slower; nothing else matters."""
    sweep = uniform(chance, slots)
    sweep.lengths = [30 * math.exp(chance.gauss(0, 0.1)) for _ in sweep.values]
    sweep.drift = lambda now: 1 + now / 300
    return sweep


def ascending(chance: random.Random, slots: int = 16) -> Sweep:
    """As `foretold`, the short ones first: as people write a grid."""
    sweep = foretold(chance, slots)
    order = sorted(range(len(sweep.values)), key=lambda i: int(sweep.values[i]["n"]))
    return Sweep([sweep.values[i] for i in order], [sweep.lengths[i] for i in order], sweep.hosts)


def descending(chance: random.Random, slots: int = 16) -> Sweep:
    """As `foretold`, the long ones first: nothing is left to gain."""
    sweep = ascending(chance, slots)
    return Sweep(sweep.values[::-1], sweep.lengths[::-1], sweep.hosts)


def one_long(chance: random.Random, slots: int = 16) -> Sweep:
    """Equal sets but for one in fifty, which no parameter tells."""
    sweep = equal(chance, slots)
    sweep.lengths = [length * (8 if chance.random() < 0.02 else 1) for length in sweep.lengths]
    return sweep


# -- grids in the order in which people write them, two slots: long after the first ends, some values were never seen


def _grid(**axes: list[object]) -> list[Mapping[str, str]]:
    return [dict(zip(axes, map(str, one), strict=True)) for one in product(*axes.values())]


def _repeated(one: Mapping[str, str]) -> float:
    return 1 + 0.1 * (int(one["rep"]) - 1)


def rising_grid(chance: random.Random) -> Sweep:
    """All sets of the smallest mesh first; the seconds follow a power of it."""
    values = _grid(mesh=[8, 16, 32, 64], rep=[*range(1, 9)])
    power = chance.choice([0.5, 1, 2])
    lengths = [8 * (int(one["mesh"]) / 8) ** power * _repeated(one) * chance.uniform(0.97, 1.03) for one in values]
    return Sweep(values, lengths, [(2, 1.0)])


def mixed_grid(chance: random.Random) -> Sweep:
    """Three parameters, of which one is in no order."""
    values = _grid(case=[1, 2, 3], mesh=[16, 64, 32], rep=[*range(1, 7)])
    lengths = [
        int(one["case"]) * int(one["mesh"]) / 4 * _repeated(one) * chance.uniform(0.97, 1.03) for one in values
    ]
    return Sweep(values, lengths, [(2, 1.0)])


def grid_of_words(chance: random.Random) -> Sweep:
    """All sets of one word first, of which each may do anything."""
    factor = {word: math.exp(chance.gauss(0, 0.8)) for word in "abcd"}
    values = _grid(method=[*"abcd"], n=chance.choice([[10, 20], [10, 20, 40]]), rep=[*range(1, 5)])
    lengths = [factor[one["method"]] * int(one["n"]) * math.exp(chance.gauss(0, 0.05)) for one in values]
    return Sweep(values, lengths, [(2, 1.0)])


def grid_without_effect(chance: random.Random) -> Sweep:
    """A grid of which no parameter matters."""
    values = _grid(mesh=[8, 16, 32, 64], rep=[*range(1, 9)])
    return Sweep(values, [20 * math.exp(chance.gauss(0, 0.1)) for _ in values], [(2, 1.0)])


def rising_numbers(chance: random.Random) -> Sweep:
    """One number that rises from set to set."""
    values, power = _grid(n=[*range(4, 44)]), chance.choice([1, 2])
    return Sweep(values, [int(one["n"]) ** power * math.exp(chance.gauss(0, 0.05)) for one in values], [(2, 1.0)])


def uneven_hosts(make: Callable[..., Sweep]) -> Callable[..., Sweep]:
    """The same sweep on four hosts, of which the slowest takes three times as long as the fastest."""

    def made(chance: random.Random, slots: int = 16) -> Sweep:
        sweep = make(chance, slots)
        each = max(1, slots // 4)
        sweep.hosts = [(each, speed) for speed in (0.6, 1.0, 1.3, 1.8)]
        return sweep

    return made


GAINS: dict[str, Callable[..., Sweep]] = {"foretold": foretold, "foretold by a word and a number": foretold_by_words}
GRIDS: dict[str, Callable[[random.Random], Sweep]] = {
    "grid in rising order": rising_grid,
    "grid in mixed order": mixed_grid,
    "grid of words": grid_of_words,
    "grid without effect": grid_without_effect,
    "rising numbers": rising_numbers,
}
KEEPS: dict[str, Callable[..., Sweep]] = {
    "equal": equal,
    "not foretold": uniform,
    "exponential": exponential,
    "log-normal": log_normal,
    "two lengths": bimodal,
    "a few long ones": one_long,
    "noisy": noisy,
    "a machine that gets slower": trending,
    "short ones first": ascending,
    "long ones first": descending,
    "hosts of different speed": uneven_hosts(uniform),
    "foretold, hosts of different speed": uneven_hosts(foretold),
}
