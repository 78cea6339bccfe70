"""Effects of one parameter, or of the host, on the time of a set. All are added up in logarithms. Pure.

An effect is fitted to residuals: what the logarithms of the seconds have left once all other effects are taken off.
Plain Python and no numpy, which the plain installation has not: 200 samples take some 30 microseconds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from operator import mul
from typing import Protocol

BEYOND_LINE = 3.0  # half-widths of the sample beyond its middle: a line is followed that far, and a bend 1.2
BEYOND_BEND = 1.2
MOST_LEVELS = 0.5  # share of the samples: with more values than that, each says nothing of the next set


class Effect(Protocol):
    """A fitted effect. It lives as long as its model."""

    name: str
    freedom: float  # number of values that were free in the fit
    fitted: list[float]  # of the samples of the fit, in their order

    def of_sample(self, index: int) -> float:
        """Return the effect on a sample of the table, which may be none of the fit."""

    def of(self, text: str) -> float:
        """Return the effect of a parameter's value; 0 for one of which nothing is known."""

    def knows(self, text: str) -> bool:
        """Tell whether the samples say anything of a parameter's value."""


class Shape(Protocol):
    """A form that the effect of one parameter may have, over the samples of one table."""

    name: str
    handicap: float  # factor on its error where shapes are compared

    def fit(self, rows: Sequence[int], residuals: Sequence[float]) -> Effect | None:
        """Return the effect that comes nearest to the residuals of these samples; None where there is none."""


class Curve:
    """A line or a parabola over a number or its logarithm."""

    def __init__(self, name: str, points: Sequence[float], is_log: bool, is_bent: bool) -> None:
        """`points`: the numbers of all samples, all above 0 with `is_log`."""
        self.name, self.is_log, self.is_bent = name, is_log, is_bent
        # Times grow with a power of a number far more often than exponentially.
        self.handicap = 1.0 if is_log or min(points) <= 0 else 1.3
        raw = [math.log(point) for point in points] if is_log else points
        low, high = min(raw), max(raw)
        self.middle, self.half = (low + high) / 2, (high - low) / 2 or 1.0
        self.points = [(point - self.middle) / self.half for point in raw]  # from -1 to 1
        self.squares = list(map(mul, self.points, self.points))

    def fit(self, rows: Sequence[int], residuals: Sequence[float]) -> CurveEffect | None:
        """Return the curve of least squares; None where all points are one, or two for a parabola."""
        points = [self.points[row] for row in rows]
        count, total = len(points), sum(points)
        mean = total / count
        squares = [self.squares[row] for row in rows]
        spread = sum(squares) - total * mean
        if spread <= 1e-9 * count:
            return None
        level = sum(residuals) / count
        slope = (sum(map(mul, points, residuals)) - mean * level * count) / spread
        bend = tilt = lift = 0.0
        if self.is_bent:
            # The part of the square that is neither constant nor a line, so that both are fitted apart.
            lift_all = sum(squares) / count
            tilt = (sum(map(mul, squares, points)) - lift_all * total) / spread
            lift = lift_all - tilt * mean
            rest = [square - tilt * point - lift for square, point in zip(squares, points, strict=True)]
            width = sum(map(mul, rest, rest))
            if width <= 1e-9 * count:
                return None
            bend = sum(map(mul, rest, residuals)) / width
        effect = CurveEffect(self, mean, slope, bend, tilt, lift)
        effect.fitted = [effect.at(point) for point in points]
        return effect


class CurveEffect:
    """A fitted curve."""

    def __init__(self, curve: Curve, mean: float, slope: float, bend: float, tilt: float, lift: float) -> None:
        self.name = curve.name
        self.freedom = 2.0 if bend else 1.0
        self.fitted: list[float] = []
        self._curve, self._mean, self._slope = curve, mean, slope
        self._bend, self._tilt, self._lift = bend, tilt, lift
        self._beyond = BEYOND_BEND if bend else BEYOND_LINE

    def at(self, point: float) -> float:
        """Return the effect at a point, which is from -1 to 1 within the samples."""
        found = self._slope * (point - self._mean)
        if self._bend:
            found += self._bend * (point * point - self._tilt * point - self._lift)
        return found

    def of_sample(self, index: int) -> float:
        """Return the effect on a sample of the table."""
        return self.at(self._curve.points[index])

    def of(self, text: str) -> float:
        """Return the effect of a value; far beyond the samples it no longer grows."""
        number = as_number(text)
        if number is None or (self._curve.is_log and number <= 0):
            return 0.0
        raw = math.log(number) if self._curve.is_log else number
        point = (raw - self._curve.middle) / self._curve.half
        return self.at(max(-self._beyond, min(self._beyond, point)))

    def knows(self, text: str) -> bool:
        """Tell whether the value is a number that the curve has."""
        number = as_number(text)
        return number is not None and (number > 0 or not self._curve.is_log)


class Levels:
    """A value of its own for each text: a word, one of few numbers, or the host."""

    def __init__(self, name: str, texts: Sequence[str]) -> None:
        self.name, self.texts, self.handicap = name, texts, 1.0

    def fit(self, rows: Sequence[int], residuals: Sequence[float]) -> LevelsEffect | None:
        """Return the means of each text, shrunk as far as chance alone would spread them; None for no spread."""
        groups: defaultdict[str, list[float]] = defaultdict(list)
        for row, residual in zip(rows, residuals, strict=True):
            groups[self.texts[row]].append(residual)
        count = len(rows)
        if not 1 < len(groups) <= max(2.0, MOST_LEVELS * count) or count <= len(groups):
            return None
        level = sum(residuals) / count
        means = {text: sum(found) / len(found) - level for text, found in groups.items()}
        between = sum(len(groups[text]) * mean * mean for text, mean in means.items())
        whole = sum(map(mul, residuals, residuals)) - count * level * level
        noise = max(0.0, whole - between) / (count - len(groups))
        # The variance of the true means, by moments: the means of pure chance shrink to nothing.
        usual = count - sum(len(found) ** 2 for found in groups.values()) / count
        true = (between - (len(groups) - 1) * noise) / usual
        if true <= 0:
            return None
        shrink = noise / true
        weights = {text: len(found) / (len(found) + shrink) for text, found in groups.items()}
        effect = LevelsEffect(self, {text: mean * weights[text] for text, mean in means.items()})
        effect.freedom = sum(weights.values()) - 1.0 + 1e-9
        effect.fitted = [effect.by_text[self.texts[row]] for row in rows]
        return effect


class LevelsEffect:
    """Fitted means of the texts."""

    def __init__(self, levels: Levels, by_text: dict[str, float]) -> None:
        self.name, self.by_text = levels.name, by_text
        self.freedom = 0.0
        self.fitted: list[float] = []
        self._texts = levels.texts

    def of_sample(self, index: int) -> float:
        """Return the effect on a sample of the table."""
        return self.by_text.get(self._texts[index], 0.0)

    def of(self, text: str) -> float:
        """Return the effect of a text; 0 for one that was never seen."""
        return self.by_text.get(text, 0.0)

    def knows(self, text: str) -> bool:
        """Tell whether the text was seen."""
        return text in self.by_text


def as_number(text: str) -> float | None:
    """Return a finite number as people write it, None for other texts."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def shapes_of(name: str, texts: Sequence[str]) -> list[Shape]:
    """Return the forms that the effect of a parameter may have, the simplest first; none for a constant."""
    distinct = set(texts)
    if len(distinct) < 2:
        return []
    shapes: list[Shape] = []
    numbers = [as_number(text) for text in texts]
    points = [number for number in numbers if number is not None]
    if len(points) == len(texts) and max(points) > min(points):
        bends = (False, True) if len(distinct) > 2 else (False,)
        for is_bent in bends:
            if min(points) > 0:
                shapes.append(Curve(name, points, is_log=True, is_bent=is_bent))
            shapes.append(Curve(name, points, is_log=False, is_bent=is_bent))
    if len(distinct) <= MOST_LEVELS * len(texts):
        shapes.append(Levels(name, texts))
    return shapes
