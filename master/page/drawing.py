"""Computes small drawings as numbers: the bars of a timeline, of a history, and the dots of a plot.

The templates make SVG of them; nothing here knows colours. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ..record import record
from ..results.reading.numerals import comparable

WIDTH = 1000.0  # width of every drawing, in its own units
ROW = 14.0  # height of a slot in the timeline
HEIGHT = 300.0  # height of a plot


class Lived(Protocol):
    """An attempt, as far as it is drawn."""

    @property
    def host(self) -> str:
        """Return the name of its host."""

    @property
    def issued(self) -> float:
        """Return when it was handed out, in seconds since 1970."""

    @property
    def seconds(self) -> float | None:
        """Return how long it took; None while it runs."""


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
    """The row of one slot."""

    label: str
    y: float


@record
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@record
class Timeline:
    """The timeline: a row a slot, with bars of attempts."""

    lanes: list[Lane]
    bars: list[Bar]
    height: float
    first: float
    last: float


def timeline(attempts: Iterable[Lived], slots: Mapping[str, int], now: float) -> Timeline:
    """Return one row a slot and one bar a task.

    A prefetched task begins when a slot of its host is free, and the store knows only when it was
    handed out. So each attempt is drawn in the slot that was free first, from that moment on.
    """
    placed: dict[str, list[list[tuple[float, float, Lived]]]] = {}
    free: dict[str, list[float]] = {}
    for one in attempts:
        rows = placed.setdefault(one.host, [[] for _ in range(max(1, slots.get(one.host, 1)))])
        ends = free.setdefault(one.host, [0.0] * len(rows))
        earliest = ends.index(min(ends))
        slot = next((n for n, end in enumerate(ends) if end <= one.issued), earliest)
        began = max(one.issued, ends[slot])
        if one.seconds is None:
            ends[slot] = max(began, now)
        else:
            ends[slot] = began + one.seconds
        rows[slot].append((began, ends[slot], one))
    return _laid(placed, now)


def _laid(placed: Mapping[str, list[list[tuple[float, float, Lived]]]], now: float) -> Timeline:
    """Return the timeline with its rows laid out, those of one host together."""
    spans = [span for rows in placed.values() for row in rows for span in row]
    first = min((began for began, _, _ in spans), default=now)
    last = max((end for _, end, _ in spans), default=now)
    last = max(now, last)
    unit = WIDTH / max(last - first, 1e-6)
    lanes: list[Lane] = []
    bars: list[Bar] = []
    y = 0.0
    for host, rows in placed.items():
        for number, row in enumerate(rows):
            lanes.append(Lane(host if number == 0 else "", y))
            for began, end, one in row:
                width = max(1.0, (end - began) * unit)  # a short task is still seen
                bars.append(Bar((began - first) * unit, y, width, ROW - 3, one))
            y += ROW
        y += ROW / 2
    return Timeline(lanes, bars, y, first, last)


def history(bars: Sequence[int], height: float = 80.0) -> list[Bar]:
    """Return bars beside each other, the highest as high as there is room."""
    most = max(bars, default=0) or 1
    step = WIDTH / max(len(bars), 1)
    width = max(step - 1, 0.5)
    found = []
    for n, count in enumerate(bars):
        tall = height * count / most
        found.append(Bar(n * step, height - tall, width, tall, count))
    return found


@record
class Plot:
    """Dots between two axes."""

    dots: list[tuple[float, float, int]]  # x, y, number of the task
    across: list[Tick]
    up: list[Tick]


def plot(points: Iterable[tuple[int, str, str]]) -> Plot | None:
    """Return a plot of the points whose both values are numbers; None when there is none."""
    numbers = []
    for n, first, second in points:
        x = _number(first)
        y = _number(second)
        if x is not None and y is not None:
            numbers.append((n, x, y))
    if not numbers:
        return None
    across = _Axis([x for _, x, _ in numbers], WIDTH)
    up = _Axis([y for _, _, y in numbers], HEIGHT)
    # SVG counts from the top, people from the bottom.
    dots = [(across.place(x), HEIGHT - up.place(y), n) for n, x, y in numbers]
    marks = [Tick(HEIGHT - tick.at, tick.label) for tick in up.ticks()]
    return Plot(dots, across.ticks(), marks)


def _number(text: str | None) -> float | None:
    """Return a finite number; None for anything else."""
    number = comparable(text)
    if number is None or not math.isfinite(number):
        return None
    return float(number)


class _Axis:
    """An axis from the least to the greatest value, widened to round numbers."""

    def __init__(self, values: Sequence[float], length: float) -> None:
        low = min(values)
        high = max(values)
        if low == high:  # a single value stands in the middle
            half = (abs(low) or 1.0) / 2
            low -= half
            high += half
        self.step = _round_step((high - low) / 5)  # about five marks: more would touch each other
        self.low = math.floor(low / self.step) * self.step
        self.high = max(math.ceil(high / self.step) * self.step, self.low + self.step)
        self._length = length

    def place(self, value: float) -> float:
        """Return the place of a value in drawing units."""
        return round((value - self.low) / (self.high - self.low) * self._length, 1)

    def ticks(self) -> list[Tick]:
        """Return a few round numbers with their places."""
        count = round((self.high - self.low) / self.step)
        found = []
        for n in range(count + 1):
            value = self.low + n * self.step
            if abs(value) < self.step / 1e6:
                value = 0.0  # not 1e-17, which is a rounding error
            found.append(Tick(self.place(value), f"{value:.6g}"))
        return found


def _round_step(raw: float) -> float:
    """Return the next of 1, 2, 5, 10, … times a power of ten."""
    power = 1.0
    if raw > 0:
        power = 10.0 ** math.floor(math.log10(raw))
    return float(next(m * power for m in (1, 2, 5, 10, 20) if m * power >= raw * 0.999))
