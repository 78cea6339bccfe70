"""Forecasts for sets with a value of a parameter that no ended set had. Pure.

A grid in rising order begins with all sets of its first value. They tell nothing of the next value, so a forecast from
them alone is precise and wrong. Each unseen value gets an effect that follows from those of the seen ones, and a
standard deviation of it. Of a parameter of which one value was seen, nothing can be said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .effects import MOST_LEVELS, as_number
from .model import LEAST_WALL, MOST_PARAMETERS, Model
from .samples import Sample

ROUNDS = 6  # of fitting each parameter to what the others leave
TREND = 3.0  # standard deviations from chance, of a trend over a number that no two sets share
OF_TWO = 0.6  # standard deviation of a slope that two values tell, as a share of it
OF_MORE = 0.25  # of one that more values tell
FLOOR = 0.06  # standard deviation of an effect that two values tell; of one that more tell, less
FARTHEST = 3.0  # a trend is followed so many times the span of the seen values beyond them
MOST_DOUBT = 1.5  # standard deviation: nine of ten times within a factor of 12


class Unknown(NamedTuple):
    """The effect of one set's unseen values on the logarithm of its forecast."""

    shift: float
    doubts: tuple[tuple[str, float], ...]  # (source of the doubt, standard deviation): equal sources are wrong together


KNOWN = Unknown(0.0, ())


class Unseen:
    """The unseen values of one sweep at one moment. `is_blind`: nothing can be said of some of them."""

    def __init__(
        self, samples: Sequence[Sample], model: Model | None, others: Sequence[Mapping[str, str]]
    ) -> None:
        """`samples`: sets that ended. `model`: a useful one, or None. `others`: parameters of sets that did not."""
        self._model = model
        self.is_blind = False
        self._levels: dict[str, dict[str, float]] = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._found: dict[tuple[str, str], Unknown] = {}
        self._names = list(samples[0].values)[:MOST_PARAMETERS] if samples else []
        new = {name: self._new(name, samples, others) for name in self._names}
        if not any(new.values()):
            return
        total = len(samples) + len(others)
        grouped = [
            name
            for name in self._names
            if len(new[name] | {one.values.get(name, "") for one in samples}) <= MOST_LEVELS * total
        ]
        self._fit(samples, grouped)
        for name, texts in new.items():
            for text in texts:
                if name not in grouped:
                    found = self._beyond(name, text, samples)
                elif text in self._levels[name]:
                    found = self._since(name, text)
                elif len(self._levels[name]) < 2:
                    self.is_blind = True
                    return
                else:
                    found = self._of_level(name, text)
                if found.doubts:
                    self._found[name, text] = found

    def __bool__(self) -> bool:
        return bool(self._found)

    def of(self, values: Mapping[str, str]) -> Unknown:
        """Return what the unseen values of a set add to its forecast."""
        parts = [
            found
            for name in self._names
            if (found := self._found.get((name, values.get(name, "")))) is not None
        ]
        if not parts:
            return KNOWN
        doubts = tuple(doubt for part in parts for doubt in part.doubts)
        return Unknown(sum(part.shift for part in parts), doubts)

    def _new(self, name: str, samples: Iterable[Sample], others: Iterable[Mapping[str, str]]) -> set[str]:
        coming = {one.get(name, "") for one in others}
        if self._model and name in self._model.seen:
            return coming - self._model.seen[name]
        return coming - {one.values.get(name, "") for one in samples}

    def _effect(self, name: str, text: str) -> float:
        return self._model.of_parameter(name, text) if self._model else 0.0

    def _fit(self, samples: Sequence[Sample], grouped: Sequence[str]) -> None:
        """Fit an effect to each seen value of these parameters; the rest goes to `_noise`."""
        model = self._model
        logs = [math.log(max(LEAST_WALL, sample.wall)) for sample in samples]
        if model:
            others = [name for name in self._names if name not in grouped]
            logs = [
                log
                - model.of_host(sample.host)
                - sum(model.of_parameter(name, sample.values.get(name, "")) for name in others)
                for log, sample in zip(logs, samples, strict=True)
            ]
        mean = math.fsum(logs) / len(logs)
        self._left = [log - mean for log in logs]
        for name in grouped:
            self._levels[name] = dict.fromkeys((one.values.get(name, "") for one in samples), 0.0)
        for _ in range(ROUNDS):
            for name in grouped:
                self._refit(name, [one.values.get(name, "") for one in samples])
        freedom = 1 + sum(len(found) - 1 for found in self._levels.values())
        squares = math.fsum(left * left for left in self._left)
        self._noise = math.sqrt(squares / max(1, len(samples) - freedom))

    def _refit(self, name: str, texts: Sequence[str]) -> None:
        levels = self._levels[name]
        groups: defaultdict[str, list[float]] = defaultdict(list)
        for text, left in zip(texts, self._left, strict=True):
            groups[text].append(left + levels[text])
        new = {text: math.fsum(found) / len(found) for text, found in groups.items()}
        self._left = [left + levels[text] - new[text] for text, left in zip(texts, self._left, strict=True)]
        self._levels[name] = new
        self._counts[name] = {text: len(found) for text, found in groups.items()}

    def _of_level(self, name: str, text: str) -> Unknown:
        levels, counts = self._levels[name], self._counts[name]
        number = as_number(text)
        seen = [(as_number(one), level, counts[one]) for one, level in levels.items()]
        points = [(one, level, count) for one, level, count in seen if one is not None]
        if number is None or len(points) < len(seen):
            middle, doubt = _of_word(list(levels.values()), self._noise)
            source = f"{name}={text}"
        else:
            middle, doubt = _of_number(number, sorted(points), self._noise)
            source = name
        return Unknown(middle - self._effect(name, text), ((source, min(MOST_DOUBT, doubt)),))

    def _since(self, name: str, text: str) -> Unknown:
        """Return what a value adds that has been seen since the model was learned."""
        doubt = self._noise / math.sqrt(self._counts[name][text]) + FLOOR / len(self._levels[name])
        shift = self._levels[name][text] - self._effect(name, text)
        return Unknown(shift, ((f"{name}={text}", min(MOST_DOUBT, doubt)),))

    def _beyond(self, name: str, text: str, samples: Sequence[Sample]) -> Unknown:
        """Return what a number beyond the seen ones adds, where hardly two sets have the same."""
        number = as_number(text)
        seen = [as_number(one.values.get(name, "")) for one in samples]
        points = [one for one in seen if one is not None]
        if number is None or len(points) < len(seen) or min(points) <= number <= max(points):
            return KNOWN
        known = self._effect(name, text)
        edge = max(points) if number > max(points) else min(points)
        if known:
            beyond = known - self._effect(name, f"{edge!r}")
            return Unknown(0.0, ((name, min(MOST_DOUBT, OF_MORE * abs(beyond))),))
        place = math.log if min(*points, number) > 0 else float
        xs = [place(one) for one in points]
        slope, sureness = _slope(xs, self._left)
        if sureness < TREND:
            return KNOWN
        far = min(abs(place(number) - place(edge)), FARTHEST * (max(xs) - min(xs)))
        middle = slope * (place(edge) - math.fsum(xs) / len(xs) + math.copysign(far, number - edge))
        return Unknown(middle, ((name, min(MOST_DOUBT, OF_TWO * abs(slope) * far)),))


def _of_word(levels: Sequence[float], noise: float) -> tuple[float, float]:
    """Return effect and doubt of a word, from the effects of at least two others."""
    count = len(levels)
    mean = math.fsum(levels) / count
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in levels) / (count - 1))
    return mean, spread * math.sqrt(1 + 1 / count) * (1 + 1 / (count - 1)) + FLOOR / (count - 1)


def _of_number(
    number: float, points: Sequence[tuple[float, float, int]], noise: float
) -> tuple[float, float]:
    """Return effect and doubt of a number, from sorted (number, effect, sets that ended) of at least two others."""
    place = math.log if min(points[0][0], number) > 0 else float
    seen = [(place(one), level, count) for one, level, count in points]
    x = place(number)
    floor = FLOOR / (len(seen) - 1)
    after = next((at for at, one in enumerate(seen) if one[0] > x), len(seen))
    if 0 < after < len(seen):
        (x1, low, n1), (x2, high, n2) = seen[after - 1], seen[after]
        share = (x - x1) / (x2 - x1)
        error = noise * math.sqrt(1 / n1 + 1 / n2)
        return low + share * (high - low), floor + OF_MORE * abs(high - low) + error
    if not after:
        seen.reverse()
    (far_x, far, far_n), (near_x, near, _), (edge_x, edge, edge_n) = seen[0], seen[-2], seen[-1]
    overall = (edge - far) / (edge_x - far_x)
    last = (edge - near) / (edge_x - near_x)
    span = abs(edge_x - far_x)
    distance = abs(x - edge_x)
    error = noise * math.sqrt(1 / far_n + 1 / edge_n) / span
    doubt = OF_TWO * abs(overall)
    if len(seen) > 2:
        doubt = max(OF_MORE * abs(overall + last) / 2, abs(last - overall))
    steps = distance / abs(edge_x - near_x)
    way = math.copysign(min(distance, FARTHEST * span), x - edge_x)
    middle = edge + way * (overall + last) / 2
    return middle, (doubt + error) * distance + floor * steps + noise / math.sqrt(edge_n)


def _slope(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Return the slope of least squares, and how many standard deviations it is away from chance."""
    count = len(xs)
    mean_x, mean_y = math.fsum(xs) / count, math.fsum(ys) / count
    square = math.fsum((x - mean_x) ** 2 for x in xs)
    other = math.fsum((y - mean_y) ** 2 for y in ys)
    both = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    if count < 4 or square <= 0 or other <= 0:
        return 0.0, 0.0
    correlation = min(1 - 1e-12, abs(both) / math.sqrt(square * other))
    return both / square, math.atanh(correlation) * math.sqrt(count - 3)
