"""The seconds of a set as a product of effects: of its host, and of those of its parameters that matter. Pure.

Which parameters matter is chosen by how far they lessen the error. How good the forecast is, is then judged on samples
that took no part in the fit and in the choice (cross-validation): a parameter that fits by chance, such as a seed,
gains nothing there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import mul

from .effects import MOST_LEVELS, Effect, Levels, Shape, shapes_of
from .samples import Sample

FEWEST = 5  # samples of a model
LEAST_WALL = 1e-3  # seconds: below, a logarithm would be about the clock
MOST_PARTS = 4  # parameters in one model
MOST_PARAMETERS = 40  # parameters that are looked at
SHORT_LIST = 8  # parameters that are looked at for the second effect and the next
GAIN = 0.9  # an effect must bring the estimated error below this share
FOLDS = 6
ALL_FOLDS = 12  # up to so many samples, each is left out in turn

# A model is believed when its forecasts of left-out samples explain this share of the variance, and a correlation
# like theirs would come by chance less often than once in 100,000 times (4.5 standard deviations).
EXPLAINED = 0.4
SURE = 4.5


class Table:
    """Samples as columns."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.logs = [math.log(max(LEAST_WALL, sample.wall)) for sample in samples]
        hosts = [sample.host for sample in samples]
        self.hosts = Levels("", hosts) if len(set(hosts)) > 1 else None
        self.shapes: list[Shape] = []
        names = list(samples[0].values)[:MOST_PARAMETERS]
        for name in names:
            self.shapes += shapes_of(name, [sample.values.get(name, "") for sample in samples])


class Fit:
    """A sum of effects, fitted to some rows of a table."""

    def __init__(self, table: Table, rows: Sequence[int], shapes: Sequence[Shape]) -> None:
        """`shapes`: those that may be chosen."""
        self._rows = rows
        logs = [table.logs[row] for row in rows]
        self.mean = math.fsum(logs) / len(logs)
        self._left = [log - self.mean for log in logs]  # residuals
        self._chosen: list[Shape] = []
        self.effects: list[Effect] = []
        self.host: Effect | None = None
        if table.hosts and (effect := table.hosts.fit(rows, self._left)):
            self._add(table.hosts, effect)
        self._choose(list(shapes))
        if table.hosts and self._chosen[:1] == [table.hosts]:
            self.host = self.effects.pop(0)

    def _add(self, shape: Shape, effect: Effect) -> None:
        self._chosen.append(shape)
        self.effects.append(effect)
        self._left = [left - part for left, part in zip(self._left, effect.fitted, strict=True)]

    def _choose(self, shapes: list[Shape]) -> None:
        """Add the effect that lessens the error most, again and again."""
        for _ in range(MOST_PARTS):
            count, freedom = len(self._rows), 1.0 + sum(effect.freedom for effect in self.effects)
            before = _error(sum(map(mul, self._left, self._left)), count, freedom)
            found: list[tuple[float, int, Shape, Effect]] = []
            for place, shape in enumerate(shapes):
                effect = shape.fit(self._rows, self._left)
                if effect is None:
                    continue
                left = sum((a - b) ** 2 for a, b in zip(self._left, effect.fitted, strict=True))
                error = _error(left, count, freedom + effect.freedom) * shape.handicap
                found.append((error, place, shape, effect))
            found.sort(key=lambda one: one[:2])
            if not found or found[0][0] >= GAIN * before:
                return
            _, _, shape, effect = found[0]
            self._add(shape, effect)
            self._settle()
            names = dict.fromkeys(one[2].name for one in found if one[2].name != shape.name)
            listed = set(list(names)[:SHORT_LIST])
            shapes = [one for one in shapes if one.name in listed]

    def _settle(self) -> None:
        """Fit each effect again to what the others leave: parameters of a table hang together."""
        for _ in range(2 if len(self._chosen) > 1 else 0):
            for place, shape in enumerate(self._chosen):
                old = self.effects[place]
                left = [a + b for a, b in zip(self._left, old.fitted, strict=True)]
                effect = shape.fit(self._rows, left)
                if effect is None:
                    continue
                self.effects[place] = effect
                self._left = [a - b for a, b in zip(left, effect.fitted, strict=True)]

    @property
    def error(self) -> float:
        """The sum of the squared residuals."""
        return math.fsum(map(mul, self._left, self._left))

    def of_parameters(self, row: int) -> float:
        """Return the sum of the parameters' effects on a sample of the table."""
        return sum(effect.of_sample(row) for effect in self.effects)

    def of_host(self, row: int) -> float:
        """Return the mean and the host's effect for a sample of the table."""
        return self.mean + (self.host.of_sample(row) if self.host else 0.0)


class Model:
    """What a run knows about the seconds of its sets. It lives until the next one is learned."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        """Learn from at least FEWEST samples."""
        table = Table(samples)
        rows = range(len(samples))
        self.samples = len(samples)
        names = list(samples[0].values)[:MOST_PARAMETERS]
        self.seen = {name: {sample.values.get(name, "") for sample in samples} for name in names}
        self.explained = 0.0  # share of the variance that is left by hosts alone, on left-out samples
        self.sureness = 0.0  # standard deviations from a correlation by chance
        self.widening = 1.0  # error on left-out samples, as a multiple of that on the samples of the fit
        forecast, plain = _left_out(table, rows)
        fit = Fit(table, rows, table.shapes)
        self._judge(table, fit, forecast, plain)
        if not self.is_useful:
            fit = Fit(table, rows, ())
        outside = sum((log - sum(pair)) ** 2 for log, pair in zip(table.logs, forecast, strict=True))
        if not self.is_useful:
            outside = sum((log - one) ** 2 for log, one in zip(table.logs, plain, strict=True))
        if fit.error > 0:
            self.widening = max(1.0, min(3.0, math.sqrt(outside / fit.error)))
        self.freedom = sum(effect.freedom for effect in fit.effects)
        self._mean, self._effects, self._host = fit.mean, fit.effects, fit.host
        #: Errors of the forecast in logarithms, as wide as they are on sets that are yet to come.
        self.errors = [
            (table.logs[row] - fit.of_host(row) - fit.of_parameters(row)) * self.widening for row in rows
        ]
        square = math.fsum(error * error for error in self.errors) / len(rows)
        self.spread = math.sqrt(square)
        #: Standard error of the forecasts' mean: what they may be wrong together.
        self.shift = math.sqrt(square * (1.0 + self.freedom) / len(rows))

    def _judge(
        self, table: Table, fit: Fit, forecast: Sequence[tuple[float, float]], plain: Sequence[float]
    ) -> None:
        left = [log - one for log, one in zip(table.logs, plain, strict=True)]
        whole = sum(map(mul, left, left))
        error = sum((log - sum(pair)) ** 2 for log, pair in zip(table.logs, forecast, strict=True))
        if whole > 0:
            self.explained = 1.0 - error / whole
        # Each value that was free in the fit makes a good correlation by chance more likely.
        free = sum(effect.freedom for effect in fit.effects)
        self.sureness = _sureness([pair[1] for pair in forecast], left, free)

    @property
    def is_useful(self) -> bool:
        """True when the parameters foretell the seconds better than the mean does."""
        return self.explained >= EXPLAINED and self.sureness >= SURE

    def of_parameters(self, values: Mapping[str, str]) -> float:
        """Return the logarithm of the factor by which these parameters lengthen a set; 0 where nothing is known."""
        return sum(effect.of(values.get(effect.name, "")) for effect in self._effects)

    def of_parameter(self, name: str, text: str) -> float:
        """Return the part of one parameter in `of_parameters`."""
        return sum(effect.of(text) for effect in self._effects if effect.name == name)

    def has_seen(self, values: Mapping[str, str]) -> bool:
        """Tell whether each value of these parameters was in the samples, but for those that hardly two sets share."""
        most = MOST_LEVELS * self.samples
        return all(len(seen) > most or values.get(name, "") in seen for name, seen in self.seen.items())

    def is_new(self, values: Mapping[str, str]) -> bool:
        """Tell whether one of the parameters that matter has a value of which nothing is known."""
        return not all(effect.knows(values.get(effect.name, "")) for effect in self._effects)

    def of_host(self, host: str) -> float:
        """Return the logarithm of the seconds that a usual set takes on a host."""
        return self._mean + (self._host.of(host) if self._host else 0.0)


def _left_out(table: Table, rows: Sequence[int]) -> tuple[list[tuple[float, float]], list[float]]:
    """Return forecasts of each sample from the others: (host, parameters) of the whole model, and hosts alone."""
    count = len(rows)
    folds = count if count <= ALL_FOLDS else FOLDS
    forecast, plain = [(0.0, 0.0)] * count, [0.0] * count
    for fold in range(folds):
        inside = [row for row in rows if row % folds != fold]
        whole = Fit(table, inside, table.shapes)
        bare = Fit(table, inside, ()) if whole.effects else whole
        for row in range(fold, count, folds):
            forecast[row] = whole.of_host(row), whole.of_parameters(row)
            plain[row] = bare.of_host(row)
    return forecast, plain


def _error(squares: float, count: int, freedom: float) -> float:
    """Return the expected squared error of a new sample (generalized cross-validation)."""
    left = count - freedom
    return squares * count / (left * left) if left > 0.5 else math.inf


def _sureness(one: Sequence[float], other: Sequence[float], free: float) -> float:
    """Return how many standard deviations a correlation is away from chance, by Fisher's transformation."""
    count = len(one)
    if count - 2.0 - free <= 0:
        return 0.0
    mean_one, mean_other = math.fsum(one) / count, math.fsum(other) / count
    a, b = [x - mean_one for x in one], [x - mean_other for x in other]
    size = math.sqrt(sum(map(mul, a, a)) * sum(map(mul, b, b)))
    if size <= 0:
        return 0.0
    correlation = min(1.0 - 1e-12, sum(map(mul, a, b)) / size)
    return math.atanh(correlation) * math.sqrt(count - 2.0 - free) if correlation > 0 else 0.0
