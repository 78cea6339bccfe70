"""Small drawings as numbers: where the bars of a timeline, the bars of a history and the dots of a plot go. Pure.

The templates make SVG of them; nothing here knows colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ..record import record
from ..results.numerals import comparable

WIDTH = 1000.0  # of every drawing, in its own units
ROW = 14.0  # height of a slot in the timeline
HEIGHT = 300.0  # of a plot


class Lived(Protocol):
    """An attempt, as far as it is drawn."""

    @property
    def host(self) -> str:
        """Where."""

    @property
    def issued(self) -> float:
        """When it was handed out."""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""


@record
class Bar:
    """A box in drawing units, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    of: object


@record
class Lane:
    """One slot's row."""

    label: str
    y: float


@record
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@record
class Timeline:
    """Rows of slots with bars of attempts."""

    lanes: list[Lane]
    bars: list[Bar]
    height: float
    first: float
    last: float


def timeline(attempts: Iterable[Lived], slots: Mapping[str, int], now: float) -> Timeline:
    """One row a slot, one bar a task.

    What was handed out ahead began when its slot was free: so each attempt goes to the slot that was free first.
    """
    placed: dict[str, list[list[tuple[float, float, Lived]]]] = {}
    free: dict[str, list[float]] = {}
    for one in attempts:
        rows = placed.setdefault(one.host, [[] for _ in range(max(1, slots.get(one.host, 1)))])
        ends = free.setdefault(one.host, [0.0] * len(rows))
        slot = next((n for n, end in enumerate(ends) if end <= one.issued), ends.index(min(ends)))
        began = max(one.issued, ends[slot])
        ends[slot] = max(began, now) if one.seconds is None else began + one.seconds
        rows[slot].append((began, ends[slot], one))
    return _laid(placed, now)


def _laid(placed: Mapping[str, list[list[tuple[float, float, Lived]]]], now: float) -> Timeline:
    first = min((began for rows in placed.values() for row in rows for began, _, _ in row), default=now)
    last = max([now, *(end for rows in placed.values() for row in rows for _, end, _ in row)])
    unit = WIDTH / max(last - first, 1e-6)
    lanes, bars = [], []
    y = 0.0
    for host, rows in placed.items():
        for number, row in enumerate(rows):
            lanes.append(Lane(host if number == 0 else "", y))
            for began, end, one in row:
                bars.append(Bar((began - first) * unit, y, max(1.0, (end - began) * unit), ROW - 3, one))
            y += ROW
        y += ROW / 2
    return Timeline(lanes, bars, y, first, last)


def history(bars: Sequence[int], height: float = 80.0) -> list[Bar]:
    """Bars beside each other, the highest as high as there is room."""
    most = max(bars, default=0) or 1
    step = WIDTH / max(len(bars), 1)
    return [
        Bar(n * step, height * (1 - count / most), max(step - 1, 0.5), height * count / most, count)
        for n, count in enumerate(bars)
    ]


@record
class Plot:
    """Dots between two axes."""

    dots: list[tuple[float, float, int]]  # x, y, number of the task
    across: list[Tick]
    up: list[Tick]


def plot(points: Iterable[tuple[int, str, str]]) -> Plot | None:
    """Of those points whose both values are numbers; None when there is none."""
    numbers = [(n, x, y) for n, a, b in points if (x := _number(a)) is not None and (y := _number(b)) is not None]
    if not numbers:
        return None
    across, up = _Axis([x for _, x, _ in numbers], WIDTH), _Axis([y for _, _, y in numbers], HEIGHT)
    dots = [(across.place(x), HEIGHT - up.place(y), n) for n, x, y in numbers]
    return Plot(dots, across.ticks(), [Tick(HEIGHT - tick.at, tick.label) for tick in up.ticks()])


def _number(text: str | None) -> float | None:
    number = comparable(text)
    return float(number) if number is not None and math.isfinite(number) else None


class _Axis:
    """From the least to the greatest value, widened to round numbers."""

    def __init__(self, values: Sequence[float], length: float) -> None:
        low, high = min(values), max(values)
        if low == high:  # one value stands in the middle
            low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        self.step = _round_step((high - low) / 5)
        self.low = math.floor(low / self.step) * self.step
        self.high = max(math.ceil(high / self.step) * self.step, self.low + self.step)
        self._length = length

    def place(self, value: float) -> float:
        """Where a value is."""
        return round((value - self.low) / (self.high - self.low) * self._length, 1)

    def ticks(self) -> list[Tick]:
        """A few round numbers."""
        count = round((self.high - self.low) / self.step)
        values = [self.low + n * self.step for n in range(count + 1)]
        return [Tick(self.place(value), f"{0.0 if abs(value) < self.step / 1e6 else value:.6g}") for value in values]


def _round_step(raw: float) -> float:
    """The next of 1, 2, 5, 10, …"""
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    return float(next(m * power for m in (1, 2, 5, 10, 20) if m * power >= raw * 0.999))
