"""The time that a sweep will still take, as a range that holds nine times out of ten.

The rest of the sweep is played through a few dozen times. Each time, the lengths of the sets are drawn from those that
ended, times what their parameters and their host make of it (dispatch/durations/). So the range knows that slots are
free, that something has run for a while, and that the last sets keep few slots busy.

It is pure: no clock, no I/O, and the same question has the same answer.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from itertools import accumulate

from .censored import redistributed, spread

FEWEST = 3  # ends before anything is foretold
PER_RUNNING = 1.5  # ends for each set that runs, before sets of different lengths are foretold
EQUAL = 0.1  # spread of lengths that are taken as equal
SHARE = 0.9  # of the sweeps end within the range
STEPS = 12_000  # sets that are played through, over all draws: some 15 milliseconds
LEAST_DRAWS, MOST_DRAWS = 16, 80
LAST = 4  # sets a slot that are played through one by one; those before them are one sum
MOST_SINGLE = 400
TAIL = 0.55  # standard deviations from the longest set that ended to a longer one, on average
MOST_EXCESS = 0.7  # share of what the longest that runs is beyond all that ended, by which it is longer, on average
CLOCK = 0.02  # share of the middle by which the range is wider on each side: starts and reports vary


@dataclass
class Outlook:
    """What is known of a sweep at one moment."""

    errors: Sequence[float]  # logarithm of the seconds of sets that ended, less their forecast
    # Of what runs: seconds since its start, the logarithm of its forecast, and its slot as in `idle`; None for a slot
    # that gets nothing more.
    running: Sequence[tuple[float, float, float | None]] = ()
    idle: Sequence[float] = ()  # of each idle slot, the logarithm of the seconds of a usual set there
    waiting: int = 0
    queue: Sequence[float] = ()  # of the waiting sets that are known, in order: logarithm of the factor on a usual set
    until: float | None = None  # seconds in which slots shall end what they take; None: each takes the next set
    fast: float = 0.0  # of the fastest slots, as in `idle`: those take the next set
    usual: float = 1.0  # mean factor of those that are not known
    freedom: float = 0.0  # values that were free in the fit of the forecast
    doubt: float = 0.0  # standard error of the parameters' effects, as a share of them
    delay: float = 0.0  # seconds on top of each set: its start, its report
    waste: float = 1.0  # seconds of all attempts, failed ones too, as a multiple of those that count
    slack: float = 1.0  # seconds of a slot that a set takes, as a multiple of its own
    pause: float = 0.0  # seconds until the last set that failed is tried again
    start_pause: float = 0.0  # seconds between two starts
    # Kinds of sets by their unseen values: of each, (source, standard deviation) of what these add. The first has none.
    doubts: Sequence[Sequence[tuple[str, float]]] = ((),)
    kinds: Sequence[int] = ()  # of `queue`, in `doubts`; () for all of the first
    running_kinds: Sequence[int] = ()
    is_blind: bool = False  # some sets have values of which those that ended tell nothing
    _sums: dict[int, float] = field(default_factory=dict)

    def speeds(self) -> list[float]:
        """Return the slots that may get something, as in `idle`."""
        return [*self.idle, *(slot for _, _, slot in self.running if slot is not None)]


def by_rate(todo: int, ended: int, span: float) -> tuple[float, float] | None:
    """Return a range of seconds from the count of ends alone, where no set's length is known.

    In the last `span` seconds `ended` sets ended. The count is a Poisson variable, so the rate is known to within two
    of its standard deviations.
    """
    if todo <= 0 or ended < FEWEST:
        return None
    doubt = min(0.9, 2.0 / math.sqrt(ended))
    middle = todo * span / ended
    return _rounded(middle * (1.0 - doubt)), _rounded(middle * (1.0 + doubt))


def left(outlook: Outlook) -> tuple[float, float] | None:
    """Return the least and the most seconds that a sweep will take, None while too little is known."""
    speeds = outlook.speeds()
    if len(outlook.errors) < FEWEST or not (outlook.running or outlook.waiting):
        return None
    if outlook.waiting and not speeds:
        return None  # nobody takes them
    if outlook.is_blind or not _is_enough(outlook):
        return None
    ends = sorted(_Draws(outlook).draw())
    low, high = _quantile(ends, (1 - SHARE) / 2), _quantile(ends, (1 + SHARE) / 2)
    width = CLOCK * (low + high) / 2
    low, high = low - width, high + width
    starts = outlook.waiting * outlook.start_pause
    typical = math.exp(max(speeds, default=0.0) + math.fsum(outlook.errors) / len(outlook.errors))
    low = max(low, outlook.pause, starts)
    high = max(high, low, *(one + typical for one in (outlook.pause, starts) if one))
    return _rounded(low), _rounded(high)


def _is_enough(outlook: Outlook) -> bool:
    """Tell whether those that have ended are like those that run: in the beginning only the short ones have ended."""
    if len(outlook.errors) >= PER_RUNNING * len(outlook.running):
        return True
    longest = math.exp(max(outlook.errors)) * (1.0 + EQUAL)
    is_longer = any(elapsed > longest * math.exp(log) + outlook.delay for elapsed, log, _ in outlook.running)
    return spread(outlook.errors) <= EQUAL and not is_longer


class _Draws:
    """The rest of one sweep, played through again and again."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._chance = random.Random(1)  # always the same: the range shall change with the sweep, not with each look
        self._running_kinds = outlook.running_kinds or [0] * len(outlook.running)
        # What a set of unseen values has run tells of these, and not of the errors of the others.
        beyond = [
            math.log(elapsed - outlook.delay) - log
            for (elapsed, log, _), kind in zip(outlook.running, self._running_kinds, strict=True)
            if elapsed > outlook.delay and not kind
        ]
        self._errors, self._shares, self._beyond = redistributed(outlook.errors, beyond)
        count = len(self._errors)
        self._spread = spread(self._errors)
        # A set that has run far longer than all that ended tells how far the longest ones are from the others.
        self._excess = max([0.0, *(one - self._errors[-1] for one in beyond)])
        self._tail = max(TAIL * self._spread, MOST_EXCESS * self._excess)
        # What the bootstrap of few sets misses of the doubt about their mean.
        self._shift = self._spread * math.sqrt((0.5 + outlook.freedom) / count)
        waiting, slots = outlook.waiting, len(outlook.speeds())
        single = waiting if waiting <= MOST_SINGLE else min(MOST_SINGLE, max(100, LAST * slots))
        self._bulk = waiting - single
        self._singles, self._kinds = self._last(single)
        self._sources = sorted({source for doubts in outlook.doubts for source, _ in doubts})
        steps = single + 2 * len(outlook.running) + slots
        self.draws = max(LEAST_DRAWS, min(MOST_DRAWS, STEPS // max(1, steps)))

    def _last(self, count: int) -> tuple[list[float], list[int]]:
        """Return the logarithms of the factors of the last sets of the queue, and their kinds."""
        known = list(self._outlook.queue[-count:]) if count else []
        if self._outlook.waiting > len(self._outlook.queue):
            known = []  # the last ones are none of those that are known
        rest = count - len(known)
        kinds = list(self._outlook.kinds[-len(known) :]) if known else []
        kinds += [0] * (count - len(kinds))
        return known + [math.log(self._outlook.usual)] * rest, kinds

    def _offsets(self) -> list[float]:
        """Return what unseen values add to each kind of set in one play: equal sources add alike."""
        drawn = {source: self._chance.gauss(0.0, 1.0) for source in self._sources}
        return [math.fsum(drawn[source] * doubt for source, doubt in doubts) for doubts in self._outlook.doubts]

    def draw(self) -> list[float]:
        """Return the seconds of each play."""
        return [self._play() for _ in range(self.draws)]

    def _play(self) -> float:
        outlook, chance = self._outlook, self._chance
        # Another sample of as many sets might have been seen: each counts by chance (the Bayesian bootstrap).
        weights = [chance.expovariate(1.0) * share for share in self._shares]
        errors = self._errors
        # One more set, longer than all that ended: nobody has seen the longest one yet.
        errors = [*errors, errors[-1] + self._excess + chance.expovariate(1.0) * self._tail]
        weights.append(chance.expovariate(1.0) * (1.0 + self._beyond))
        shift = chance.gauss(0.0, self._shift)
        slope = chance.gauss(1.0, outlook.doubt)
        sums = list(accumulate(weights))
        free = [(0.0, slot) for slot in outlook.idle]
        last = 0.0
        offsets = self._offsets()
        for (elapsed, log, slot), kind in zip(outlook.running, self._running_kinds, strict=True):
            end = self._rest(elapsed - outlook.delay, log + shift + offsets[kind], errors, sums)
            last = max(last, end)
            if slot is not None:
                free.append((end, slot))
        extra = outlook.waste * outlook.slack * math.exp(shift)
        if self._bulk:
            free = self._after_bulk(free, errors, weights, extra * self._bend(slope), offsets)
        heapify(free)
        drawn = chance.choices(errors, cum_weights=sums, k=len(self._singles))
        exp, delay = math.exp, outlook.delay
        factors = [one + offsets[kind] for one, kind in zip(self._singles, self._kinds, strict=True)]
        singles = list(zip(self._singles, factors, strict=True)) if outlook.until is not None else []
        for factor, error in zip(factors, drawn, strict=True):
            moment, speed = free[0]
            if singles:
                factor = singles.pop(self._place(singles, moment, speed))[1]
            end = moment + exp(factor * slope + speed + error) * extra + delay
            heapreplace(free, (end, speed))
            last = max(last, end)
        return last

    def _place(self, factors: Sequence[tuple[float, float]], moment: float, speed: float) -> int:
        """Return the place of the set that a slot takes: as LongestFirst.place_for() does."""
        until = self._outlook.until
        if until is None or speed <= self._outlook.fast:
            return 0
        if until <= moment:
            return len(factors) - 1
        most = math.log(until - moment) - speed
        return min(bisect_left(factors, -most, key=lambda one: -one[0]), len(factors) - 1)

    def _rest(self, elapsed: float, log: float, errors: Sequence[float], sums: Sequence[float]) -> float:
        """Return the seconds that a set will still run that has run for `elapsed`, which may be below 0."""
        chance = self._chance
        first = bisect_right(errors, math.log(elapsed) - log) if elapsed > 0 else 0
        if first == len(errors):
            # Longer than any that has ended: the longer it has run, the longer it will run.
            return elapsed * (math.exp(chance.expovariate(1.0) * max(0.02, self._tail)) - 1.0)
        passed = sums[first - 1] if first else 0.0
        place = bisect_right(sums, passed + chance.random() * (sums[-1] - passed))
        return max(0.0, math.exp(log + errors[min(place, len(errors) - 1)]) - elapsed)

    def _after_bulk(
        self,
        free: list[tuple[float, float]],
        errors: Sequence[float],
        weights: Sequence[float],
        extra: float,
        offsets: Sequence[float],
    ) -> list[tuple[float, float]]:
        """Return when each slot is free once all but the last sets of the queue have begun."""
        outlook, chance = self._outlook, self._chance
        total = math.fsum(weights)
        lengths = [math.exp(error) for error in errors]
        mean = math.fsum(w * x for w, x in zip(weights, lengths, strict=True)) / total
        square = math.fsum(w * x * x for w, x in zip(weights, lengths, strict=True)) / total
        factors = self._sum_of_bulk(offsets)
        work = mean * factors * extra
        work += chance.gauss(0.0, 1.0) * math.sqrt(max(0.0, square - mean * mean) / self._bulk) * factors * extra
        speeds = [math.exp(-speed) for _, speed in free]
        # `work` is in seconds of a slot of speed 1, in which a usual set takes one second.
        rate = math.fsum(speeds)
        per_set = work + outlook.delay * self._bulk * len(speeds) / rate
        done = (per_set + math.fsum(end * one for (end, _), one in zip(free, speeds, strict=True))) / rate
        ages = [chance.random() for _ in free]
        drawn = chance.choices(lengths, [w * x for w, x in zip(weights, lengths, strict=True)], k=len(free))
        usual = factors / self._bulk
        late = [age * one * usual * extra / speed for age, one, speed in zip(ages, drawn, speeds, strict=True)]
        middle = math.fsum(late) / len(late)
        return [
            (max(end, done + one - middle), speed) for (end, speed), one in zip(free, late, strict=True)
        ]

    def _bend(self, slope: float) -> float:
        """Return what a steeper effect of the parameters makes of the sets before the last ones, as a factor."""
        usual = math.log(self._sum_of_bulk([0.0] * len(self._outlook.doubts)) / self._bulk)
        return math.exp(usual * (slope - 1.0))

    def _sum_of_bulk(self, offsets: Sequence[float]) -> float:
        """Return the sum of the factors of all sets before the last ones."""
        outlook = self._outlook
        if not outlook._sums:
            known = outlook.queue[: self._bulk]
            sums = outlook._sums
            sums[0] = (self._bulk - len(known)) * outlook.usual
            for log, kind in zip(known, outlook.kinds or [0] * len(known), strict=False):
                sums[kind] = sums.get(kind, 0.0) + math.exp(log)
        return math.fsum(one * math.exp(offsets[kind]) for kind, one in outlook._sums.items())


def _quantile(ends: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, interpolated."""
    place = share * len(ends) - 0.5
    below = max(0, min(len(ends) - 1, math.floor(place)))
    above = min(len(ends) - 1, below + 1)
    part = max(0.0, min(1.0, place - below))
    return ends[below] * (1.0 - part) + ends[above] * part


def _rounded(seconds: float) -> float:
    """Round to three digits: more would claim too much, and change with every look."""
    if seconds <= 0:
        return 0.0
    digits = 2 - math.floor(math.log10(seconds))
    if digits > 0:
        return round(seconds, digits)
    return float(round(seconds / 10**-digits) * 10**-digits)
