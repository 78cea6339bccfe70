"""The time that a queue takes, played through: whenever a slot is free, it takes the next set. Pure."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace

#: (seconds until a slot is free, factor by which sets take longer there)
Slot = tuple[float, float]


def makespan(free: Sequence[Slot], lengths: Sequence[float]) -> float:
    """Return when the last set ends, if each slot that is free takes the next of the queue."""
    slots = list(free)
    heapify(slots)
    last = max(slots)[0]
    for length in lengths:
        moment, slowness = slots[0]
        end = moment + length * slowness
        heapreplace(slots, (end, slowness))
        last = max(last, end)
    return last


def makespan_of_fitting(
    free: Sequence[Slot], forecasts: Sequence[float], lengths: Sequence[float], until: float
) -> float:
    """Return when the last set ends, if each slot takes the first set that it is expected to end by `until`.

    `forecasts`: the longest first; `lengths`: what the sets take in truth. A slot that can end none takes the last.
    """
    slots = list(free)
    heapify(slots)
    last = max(slots)[0]
    waiting = [(-forecast, length) for forecast, length in zip(forecasts, lengths, strict=True)]
    while waiting:
        moment, slowness = slots[0]
        place = first_that_fits(waiting, (until - moment) / slowness)
        _, length = waiting.pop(place)
        end = moment + length * slowness
        heapreplace(slots, (end, slowness))
        last = max(last, end)
    return last


def first_that_fits(waiting: Sequence[tuple[float, float]], most: float) -> int:
    """Return the place of the first set that takes at most `most` seconds, or the last place."""
    return min(bisect_left(waiting, (-most, 0.0)), len(waiting) - 1)


def draw_factors(errors: Sequence[float], count: int, draws: int, seed: int) -> Iterator[list[float]]:
    """Yield for each draw by which factors `count` sets take longer than their forecasts."""
    chance = random.Random(seed)
    for _ in range(draws):
        yield chance.choices(errors, k=count)
