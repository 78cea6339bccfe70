"""The columns of a figure: which sets have a place, the values of an axis, and the groups of a colour."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from ..errors import UsageError
from .asked import Asked, Form
from .cells import LEAST, Cells
from .figure import Axis

GROUPS = 8  # groups that colours and shapes tell apart
CATEGORIES = 60  # different texts on an axis, rows or columns of a heat map
BINS = 40  # ranges of numbers
Value = Callable[[int], float | None]  # place of a set -> its value; None: it has no place


class Columns:
    """The columns of the sets that a figure is made of."""

    def __init__(self, asked: Asked, numbers: Sequence[int], columns: dict[str, Cells]) -> None:
        self.asked, self.numbers, self.columns = asked, numbers, columns
        self.remarks: list[str] = []
        self.y = columns[asked.y]
        self.by = columns[asked.by] if asked.by else None

    @property
    def x(self) -> Cells:
        """Return the column across."""
        return self.columns[self.asked.x]

    def places(self, *needed: Value) -> list[int]:
        """Return the sets for which all these values are there, and remark how many are left out."""
        every = range(len(self.numbers))
        found = [place for place in every if all(one(place) is not None for one in needed)]
        if not found:
            raise self._nothing()
        left = len(self.numbers) - len(found)
        if left:
            noun = "set is" if left == 1 else "sets are"
            self.remarks.append(f"{left:,} {noun} left out: a value is missing, or has no place here")
        return found

    def _nothing(self) -> UsageError:
        """Return why no set has a place, named by the column that is to blame."""
        asked = self.asked
        if asked.form is Form.HISTOGRAM:
            axes = [(self.y, asked.log_x)]
        else:
            axes = [(self.x, asked.log_x), (self.y, asked.log_y)]
        for cells, is_log in axes:
            if not cells.first_text and not any(one is not None for one in cells.numbers):
                what = f"{cells.name} has no number in any set: nothing can be drawn"
                return UsageError(what, todo="Choose another column.")
            if is_log and not any(one is not None and one >= LEAST for one in cells.numbers):
                what = f"{cells.name} has no value greater than 0, and only these have a place on a logarithmic axis"
                todo = f"Leave the logarithm of {cells.name} out, or choose another column."
                return UsageError(f"{what}: nothing can be drawn", todo=todo)
        names = [cells.name for cells, _ in axes]
        if self.by is not None and asked.form is Form.HEAT:
            names.append(self.by.name)
        what = f"no set has a value of each of {', '.join(names)}"
        if asked.log_x or asked.log_y:
            what += " that has a place on the axes (on a logarithmic one only what is greater than 0)"
        return UsageError(f"{what}: nothing can be drawn", todo="Choose other columns.")


def across_of(columns: Columns) -> tuple[Value, Sequence[str]]:
    """Return the value of x of a set, and the texts that the values stand for."""
    return values_of(columns.x, columns.asked.log_x)


def values_of(cells: Cells, is_log: bool) -> tuple[Value, Sequence[str]]:
    if not cells.first_text:
        return numbers_of(cells, is_log), ()
    if is_log:
        what = f"{cells.name} is text, such as {cells.first_text!r}: a logarithmic axis is one of numbers"
        raise UsageError(what, todo="Leave the logarithm out.")
    texts = cells.distinct()
    if len(texts) > CATEGORIES:
        what = f"{cells.name} has {len(texts):,} different texts, and an axis has room for {CATEGORIES}"
        raise UsageError(what, todo="Choose another column, or fewer sets by a condition.")
    place_of = {text: float(n) for n, text in enumerate(texts)}
    return lambda place: place_of[cells.text(place)], texts


def numbers_of(cells: Cells, is_log: bool) -> Value:
    numbers = cells.numbers
    if not is_log:
        return numbers.__getitem__

    def positive(place: int) -> float | None:
        value = numbers[place]
        return value if value is not None and value >= LEAST else None

    return positive


def axis_of(name: str, values: Sequence[float], is_log: bool, texts: Sequence[str] = ()) -> Axis:
    if texts:
        return Axis(name, -0.5, len(texts) - 0.5, categories=texts)
    return Axis(name, min(values), max(values), is_log)


def groups_of(columns: Columns) -> tuple[Callable[[int], int], list[str], bool]:
    """Return the group of a set, the labels, and whether colours stand for numbers instead."""
    by = columns.by
    if by is None:
        return lambda place: 0, [""], False
    texts = by.distinct()
    if len(texts) > GROUPS and not by.first_text:
        return lambda place: 0, [""], True
    if len(texts) > GROUPS:
        what = f"{by.name} has {len(texts):,} different texts, and {GROUPS} colours can be told apart"
        raise UsageError(what, todo="Choose another column, or fewer sets by a condition.")
    group_of = {text: n for n, text in enumerate(texts)}
    labels = [f"{by.name} {text}" if text else f"no {by.name}" for text in texts]
    return lambda place: group_of[by.text(place)], labels, False


def edges_of(values: Sequence[float], is_log: bool, bins: int) -> list[float]:
    """Return the borders of equal ranges."""
    low, high = min(values), max(values)
    if low == high:
        half = (abs(low) or 1.0) / 2
        low, high = (low / 2, low * 2) if is_log else (low - half, high + half)
    if is_log:
        first, last = math.log10(low), math.log10(high)
        inner = [10 ** (first + (last - first) * n / bins) for n in range(1, bins)]
    else:
        inner = [low + (high / bins - low / bins) * n for n in range(1, bins)]
    return [low, *inner, high]


def range_of(edges: Sequence[float], value: float) -> int:
    return min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)
