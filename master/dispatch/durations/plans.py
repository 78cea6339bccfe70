"""The order in which the waiting sets end earliest, found by playing orders through. Pure.

On slots of one speed, longest first is near the best order, and small changes are tried on it. On slots of different
speed it is not: a slow host that is free last takes the longest set, and all wait for it. There a slot takes the
longest set that it is expected to end in time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .makespans import ONE_SPEED, Slot, draw_factors, makespan, makespan_of_fitting

LEAST_GAIN = 0.02  # share of the time that a plan must save in the mean
HARM = 1.02  # as in "no more than 2 % above the order as given"
MOST_HARMED = 0.04  # share of the draws in which it may do more harm than that
STEPS = 30_000  # sets that are played through to judge a plan, over all draws: some 10 milliseconds
LEAST_DRAWS, MOST_DRAWS = 6, 30
SEARCHED = 60_000  # sets that are played through to find an order: some 20 milliseconds
SEARCH_DRAWS = 8
DEADLINE_DRAWS = 8
FEWEST_TRIES = (
    20  # changes of an order; where the queue is too long for so many, longest first is good enough
)
DEADLINES = 16  # moments by which all may end, at most
WIDEST = 0.4  # share by which the latest of them is later than the earliest end that can be


class Errors(NamedTuple):
    """How wrong forecasts are."""

    factors: Sequence[float]  # by which sets took longer than their forecasts
    shift: float  # standard error of the mean of their logarithms


class Plan(NamedTuple):
    """An order of the waiting sets."""

    order: list[int]  # places in the queue as it is
    until: float | None = (
        None  # seconds by which a slot shall end what it takes; None: each takes the next set
    )


def make_plan(
    queue: Sequence[float], tried: int, free: Sequence[Slot], errors: Errors, seed: int
) -> Plan:
    """Return the plan that ends earliest.

    `queue`: the forecast seconds of the waiting sets as they wait, of which the last `tried` stay where they are;
    `free`: the slots.
    """
    fresh = len(queue) - tried
    longest = sorted(range(fresh), key=lambda place: -queue[place])
    rest = list(range(fresh, len(queue)))
    slowness = [slot[1] for slot in free]
    if max(slowness) > ONE_SPEED * min(slowness):
        return Plan(
            longest + rest, _deadline([queue[place] for place in longest], free, errors, seed)
        )
    return Plan(_search(queue, longest, free, errors, seed) + rest)


def _deadline(forecasts: Sequence[float], free: Sequence[Slot], errors: Errors, seed: int) -> float:
    """Return the seconds by which slots shall end what they take, so that all ends earliest."""
    rate = sum(1.0 / slowness for _, slowness in free)
    work = sum(forecasts) + sum(moment / slowness for moment, slowness in free)
    least = max(work / rate, max(free)[0])
    count = max(3, min(DEADLINES, SEARCHED // max(1, DEADLINE_DRAWS * len(forecasts))))
    seconds = list(_drawn(forecasts, free, errors, DEADLINE_DRAWS, seed))

    def cost(until: float) -> float:
        return sum(
            makespan_of_fitting(slots, forecasts, lengths, until) for slots, lengths in seconds
        )

    return min((least * (1.0 + WIDEST * place / count) for place in range(count)), key=cost)


def _drawn(
    queue: Sequence[float], free: Sequence[Slot], errors: Errors, draws: int, seed: int
) -> Iterator[tuple[list[Slot], list[float]]]:
    """Yield the slots and the seconds of the sets of a queue, as they may come.

    What runs ends earlier or later, too: by the same share of a usual set as those that wait.
    """
    chance = random.Random(seed)
    unit = sum(queue) / max(1, len(queue))
    for factors in draw_factors(errors.factors, errors.shift, len(queue), draws, seed):
        slots = [
            (
                max(0.0, moment + (chance.choice(errors.factors) - 1.0) * unit * slowness)
                if moment
                else 0.0,
                slowness,
            )
            for moment, slowness in free
        ]
        yield slots, [length * factor for length, factor in zip(queue, factors, strict=True)]


def _search(
    queue: Sequence[float], longest: list[int], free: Sequence[Slot], errors: Errors, seed: int
) -> list[int]:
    """Return the best order that small changes of longest first, and of the order as it is, lead to."""
    tries = SEARCHED // max(1, SEARCH_DRAWS * len(longest))
    if tries < FEWEST_TRIES or len(longest) < 2:
        return longest
    seconds = list(_drawn(queue, free, errors, SEARCH_DRAWS, seed))

    def cost(order: Sequence[int]) -> float:
        return sum(
            makespan(slots, [lengths[place] for place in order]) for slots, lengths in seconds
        )

    best = longest
    least = cost(best)
    chance = random.Random(seed)
    starts = [sorted(longest)]
    for _ in range(tries):
        order = starts.pop() if starts else _changed(best, chance)
        found = cost(order)
        if found <= least:
            best, least = order, found
    return best


def _changed(order: Sequence[int], chance: random.Random) -> list[int]:
    """Return the order with two sets exchanged, or with one at another place."""
    changed = list(order)
    one, other = chance.randrange(len(order)), chance.randrange(len(order))
    if chance.random() < 0.5:
        changed[one], changed[other] = changed[other], changed[one]
    else:
        changed.insert(other, changed.pop(one))
    return changed


def pays(
    queue: Sequence[float],
    plan: Plan,
    free: Sequence[Slot],
    errors: Errors,
    gain: float = LEAST_GAIN,
) -> bool:
    """Tell whether a plan ends earlier than the queue as it is, when forecasts are as wrong as they have been.

    `gain`: share of the time that it must save in the mean.
    """
    draws = max(LEAST_DRAWS, min(MOST_DRAWS, STEPS // (2 * len(queue) + len(free))))
    ratios = []
    forecasts = [queue[place] for place in plan.order]
    for slots, lengths in _drawn(queue, free, errors, draws, len(queue)):
        planned = [lengths[place] for place in plan.order]
        as_given = makespan(slots, lengths)
        if plan.until is None:
            found = makespan(slots, planned)
        else:
            found = makespan_of_fitting(slots, forecasts, planned, plan.until)
        ratios.append(found / as_given if as_given else 1.0)
    harmed = sum(ratio > HARM for ratio in ratios)
    # On hosts of different speed the last set that a slow one takes decides: draws show that too seldom.
    most_harmed = MOST_HARMED * draws if plan.until is None else 0
    return sum(ratios) / draws <= 1.0 - gain and harmed <= most_harmed
