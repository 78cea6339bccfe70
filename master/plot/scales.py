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
LONGEST = 17  # characters of a label


@record
class Mark:
    """A value that is named on an axis: its place from 0 to 1, and its label."""

    at: float
    label: str


class Scale:
    """The values of an axis, widened to round numbers."""

    def __init__(self, axis: Axis, margin: float = 0.0, is_exact: bool = False) -> None:
        """`margin`: share of the axis that is left free at each end, so that no dot lies on the frame.

        `is_exact`: the axis ends at its own values, not at the next round ones.
        """
        self._axis, self._margin = axis, margin
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
        if is_exact and axis.low < axis.high:
            self._low, self._high = (math.log10(one) if axis.is_log else one for one in (axis.low, axis.high))
            slack = 1e-9 * (self._high - self._low)
            self._labels = [one for one in self._labels if self._low - slack <= one[0] <= self._high + slack]
            if len(self._labels) < 2:  # between 3 and 4 a logarithmic axis has no round number
                ends = ((self._low, axis.low), (self._high, axis.high))
                self._labels = [(place, number_text(value)) for place, value in ends]

    def place(self, value: float) -> float:
        """Return the place of a value: 0 at the low end, 1 at the high one. Raises ValueError.

        A logarithmic axis has no place for 0 and less.
        """
        if self._axis.is_log:
            value = math.log10(value)
        return self._between(value)

    def _between(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return self._margin + share * (1 - 2 * self._margin)

    def marks(self, longest: int = LONGEST) -> list[Mark]:
        """Return the marks, from low to high, with labels of at most `longest` characters."""
        labels = _shortened([label for _, label in self._labels], longest)
        return [Mark(self._between(value), label) for (value, _), label in zip(self._labels, labels, strict=True)]

    def marks_across(self, length: float, letter: float) -> list[Mark]:
        """Return the marks whose labels fit beside each other: each second one, or third, and so on.

        `length` of the axis, and width of a `letter`, in the same unit.
        """
        marks = self.marks()
        if not marks:
            return []
        needed = (max(len(one.label) for one in marks) + 1.5) * letter
        between = length * (marks[1].at - marks[0].at) if len(marks) > 1 else length
        step = max(1, math.ceil(needed / max(between, letter) - 1e-9))
        return marks[::step]


def _label(value: float, step: float) -> str:
    """Return a number in as many digits as tell it from the next mark, at least six."""
    digits = math.ceil(math.log10(abs(value) / step)) + 1 if value else 6
    return f"{value:.{min(max(digits, 6), 16)}g}"


def _shortened(labels: Sequence[str], longest: int) -> list[str]:
    """Return the labels in at most `longest` characters: their ends where the beginnings are alike."""
    kept = max(longest - 1, 1)
    starts = [one if len(one) <= longest else f"{one[:kept]}…" for one in labels]
    if len(set(starts)) == len(set(labels)):
        return starts
    return [one if len(one) <= longest else f"…{one[-kept:]}" for one in labels]


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
