"""The time that a queue takes, played through: whenever a slot is free, it takes the next set. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from heapq import heapify, heapreplace

LEAST_GAIN = 0.02  # share of the time that longest first must save in the mean
HARM = 1.02  # as in "no more than 2 % above the order as given"
MOST_HARMED = 0.1  # share of the draws in which it may do more harm than that
STEPS = 30_000  # sets that are played through, over all draws: some 20 milliseconds
LEAST_DRAWS, MOST_DRAWS = 6, 30


def makespan(free: Sequence[tuple[float, float]], lengths: Sequence[float]) -> float:
    """Return when the last set ends.

    `free`: seconds until each slot is free, and the factor by which sets take longer there; `lengths`: of the queue.
    """
    slots = list(free)
    heapify(slots)
    last = max(slots)[0]
    for length in lengths:
        moment, slowness = slots[0]
        end = moment + length * slowness
        heapreplace(slots, (end, slowness))
        last = max(last, end)
    return last


def pays(
    given: Sequence[float], changed: Sequence[int], free: Sequence[tuple[float, float]], errors: Sequence[float]
) -> bool:
    """Tell whether a changed order ends earlier, when forecasts are as wrong as they have been.

    `given`: forecast seconds in the order as it is; `changed`: their places in the other order; `free`: as above;
    `errors`: factors by which sets took longer than the forecast.
    """
    chance = random.Random(len(given))
    draws = max(LEAST_DRAWS, min(MOST_DRAWS, STEPS // (2 * len(given) + len(free))))
    ratios = []
    for _ in range(draws):
        factors = chance.choices(errors, k=len(given))
        lengths = [length * factor for length, factor in zip(given, factors, strict=True)]
        as_given = makespan(free, lengths)
        ratios.append(makespan(free, [lengths[place] for place in changed]) / as_given if as_given else 1.0)
    harmed = sum(ratio > HARM for ratio in ratios)
    return sum(ratios) / draws <= 1.0 - LEAST_GAIN and harmed <= MOST_HARMED * draws
