"""The time that a queue takes, played through: whenever a slot is free, it takes the next set. Pure."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace

ONE_SPEED = 1.1  # slots of which the slowest takes at most so many times as long as the fastest count as alike

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

    `forecasts`: the longest first; `lengths`: what the sets take in truth. The fastest slots take the first set of
    all, as no other could end it earlier. Another one that can end none takes the last.
    """
    slots = list(free)
    heapify(slots)
    fast = ONE_SPEED * min(slowness for _, slowness in free)
    last = max(slots)[0]
    waiting = [(-forecast, length) for forecast, length in zip(forecasts, lengths, strict=True)]
    while waiting:
        moment, slowness = slots[0]
        place = 0 if slowness <= fast else first_that_fits(waiting, (until - moment) / slowness)
        _, length = waiting.pop(place)
        end = moment + length * slowness
        heapreplace(slots, (end, slowness))
        last = max(last, end)
    return last


def first_that_fits(waiting: Sequence[tuple[float, float]], most: float) -> int:
    """Return the place of the first set that takes at most `most` seconds, or the last place."""
    return min(bisect_left(waiting, (-most, 0.0)), len(waiting) - 1)


def draw_factors(
    errors: Sequence[float], shift: float, count: int, draws: int, seed: int
) -> Iterator[list[float]]:
    """Yield for each draw by which factors `count` sets take longer than their forecasts.

    `errors`: such factors of sets that ended; `shift`: standard error of the mean of their logarithms, by which all
    forecasts may be wrong together.
    """
    chance = random.Random(seed)
    for _ in range(draws):
        common = math.exp(chance.gauss(0.0, shift))
        yield [common * factor for factor in chance.choices(errors, k=count)]
