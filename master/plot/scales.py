"""An axis as a scale: where a value lies between 0 and 1, and which values get a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..record import record
from .cells import number_text
from .figure import Axis

_MARKS = 5  # about as many: more of them would touch each other
_MOST_CATEGORIES = 12  # labels of texts
_SLACK = 1 + 1e-9
_LONGEST = 17  # characters of a label


@record
class Mark:
    """A value that is named on an axis: its place from 0 to 1, and its label."""

    at: float
    label: str


class Scale:
    """The values of an axis, widened to round numbers."""

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        if axis.categories:
            self._low, self._high = axis.low, axis.high
            self._labels = [(float(n), one) for n, one in enumerate(axis.categories)]
            step = -(-len(self._labels) // _MOST_CATEGORIES)
            self._labels = self._labels[::step]
        elif axis.is_log:
            self._low, self._high, values = _decades(axis.low, axis.high)
            self._labels = [(math.log10(one), number_text(one)) for one in values]
        else:
            self._low, self._high, values = _round_numbers(axis.low, axis.high)
            self._labels = [(one, _label(one, values[1] - values[0])) for one in values]

    def place(self, value: float) -> float:
        """Return the place of a value: 0 at the low end, 1 at the high one. Raises ValueError.

        A logarithmic axis has no place for 0 and less.
        """
        if self._axis.is_log:
            value = math.log10(value)
        return self._between(value)

    def _between(self, value: float) -> float:
        return (value - self._low) / (self._high - self._low)

    def marks(self) -> list[Mark]:
        """Return the marks, from low to high."""
        return [Mark(self._between(value), _short(label)) for value, label in self._labels]


def _label(value: float, step: float) -> str:
    """Return a number in as many digits as tell it from the next mark, at least six."""
    digits = math.ceil(math.log10(abs(value) / step)) + 1 if value else 6
    return f"{value:.{min(max(digits, 6), 16)}g}"


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


def _round_numbers(low: float, high: float) -> tuple[float, float, Sequence[float]]:
    """Return a range of round numbers around these two, and a few of them."""
    if low == high:  # a single value stands in the middle
        half = (abs(low) or 1.0) / 2
        low, high = low - half, high + half
    step = round_step(high / _MARKS - low / _MARKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    # n * step and not a running sum, which would end in 0.30000000000000004.
    return first * step, last * step, [n * step for n in range(first, last + 1)]


def round_step(raw: float) -> float:
    """Return the next of 1, 2, 5, 10, … times a power of ten."""
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    return float(next(m * power for m in (1, 2, 5, 10, 20) if m * power >= raw * 0.999))


def _decades(low: float, high: float) -> tuple[float, float, Sequence[float]]:
    """Return the logarithms of a range of round numbers, and values in it that get a mark."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    rounds = [m * 10.0**n for n in powers for m in (1, 2, 5)]
    # A little slack: 10**-1 is not exactly 0.1.
    first = max((one for one in rounds if one <= low * _SLACK), default=low)
    last = min((one for one in rounds if one >= high / _SLACK and one > first), default=high)
    within = [one for one in rounds if first / _SLACK <= one <= last * _SLACK]
    if math.log10(last / first) > 2.5:
        tens = [one for one in within if f"{one:e}".startswith("1.0")]
        within = tens[:: -(-len(tens) // (_MARKS + 1))]
    return math.log10(first), math.log10(last), within
