"""Computes small drawings as numbers: the bars of a timeline and of a history.

The templates make SVG of them; nothing here knows colours. No I/O.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ..record import record

WIDTH = 1000.0  # width of a drawing that has no other, in its own units
ROW = 14.0  # height of a slot in the timeline
IDLE = 0.1  # share of the working time from which on a gap is cut
LEAST_IDLE = 5.0  # seconds of a gap that is cut
CUT = 24.0  # width of a gap that is cut
NEAREST, NEAREST_DATES = 76.0, 150.0  # between two marks of time; of those with a date
LABELS = (130.0, 80.0)  # beside the bars: names of hosts; in a drawing that is narrow
NARROW = 600.0
RIGHT = 20.0  # right of the bars
LEAST_WIDTH, MOST_WIDTH = 240.0, 4000.0
#: Seconds between two marks.
STEPS = (1, 2, 5, 10, 15, 30, *(60 * n for n in (1, 2, 5, 10, 15, 30)), *(3600 * n for n in (1, 2, 3, 6, 12)))
DAY = 86_400


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
class Timeline:
    """The timeline: a row a slot, with bars of attempts.

    `moments`: (place, seconds since 1970) of marks. `cuts`: (place, seconds) of idle gaps that are
    left out.
    """

    lanes: list[Lane]
    bars: list[Bar]
    height: float
    first: float
    last: float
    moments: list[tuple[float, float]]
    cuts: list[tuple[float, float]]
    width: float  # of the bars
    beside: float  # left of the bars: room for the hosts' names


@record
class Window:
    """The part of the timeline that is shown, in seconds since 1970."""

    begin: float
    end: float

    def zoomed(self, factor: float) -> Window:
        """Return the window around the same middle that is `factor` times as long."""
        middle, half = (self.begin + self.end) / 2, (self.end - self.begin) / 2 * factor
        return Window(middle - half, middle + half)

    def moved(self, share: float) -> Window:
        """Return the window `share` of its length later."""
        step = (self.end - self.begin) * share
        return Window(self.begin + step, self.end + step)

    @property
    def words(self) -> dict[str, str]:
        """Return the window for an address."""
        return {"begin": f"{self.begin:.3f}", "end": f"{self.end:.3f}"}


Placed = dict[str, list[list[tuple[float, float, Lived]]]]


def timeline(
    attempts: Iterable[Lived],
    slots: Mapping[str, int],
    now: float,
    order: Sequence[str] = (),
    window: Window | None = None,
    room: float = 0.0,
) -> Timeline:
    """`room`: width of the whole in pixels of the page, 0 where it is not known.

    Return one row a slot and one bar a task, the hosts in this order, others behind them.

    A prefetched task begins when a slot of its host is free, and the store knows only when it was
    handed out. So each attempt is drawn in the slot that was free first, from that moment on.
    """
    placed: Placed = {}
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
    known = {host: place for place, host in enumerate(order)}
    hosts = sorted(placed, key=lambda host: known.get(host, len(known)))
    beside = LABELS[0 < room < NARROW]
    width = min(max(room, LEAST_WIDTH), MOST_WIDTH) - beside - RIGHT if room else WIDTH
    return _laid({host: placed[host] for host in hosts}, window, now, (width, beside))


def _laid(placed: Placed, window: Window | None, now: float, sizes: tuple[float, float]) -> Timeline:
    """Return the timeline with its rows laid out, those of one host together. `sizes`: bars, labels."""
    whole, beside = sizes
    spans = [
        (max(began, window.begin), min(end, window.end)) if window else (began, end)
        for rows in placed.values() for row in rows for began, end, _ in row
    ]  # fmt: skip
    clock = _Clock([span for span in spans if span[0] <= span[1]] or [(now, now)], whole)
    lanes: list[Lane] = []
    bars: list[Bar] = []
    y = 0.0
    for host, rows in placed.items():
        for number, row in enumerate(rows):
            lanes.append(Lane(host if number == 0 else "", y))
            for began, end, one in row:
                if window and (end < window.begin or began > window.end):
                    continue
                left, right = clock.place(began), clock.place(end)
                width = max(1.0, right - left)  # a short task is still seen
                bars.append(Bar(min(left, whole - width), y, width, ROW - 3, one))
            y += ROW
        y += ROW / 2
    return Timeline(lanes, bars, y, clock.first, clock.last, clock.marks(now), clock.cuts, whole, beside)


class _Clock:
    """The axis of the timeline: moments in drawing units, without long gaps in which nothing ran."""

    def __init__(self, spans: Sequence[tuple[float, float]], width: float) -> None:
        busy: list[list[float]] = []
        for began, end in sorted(spans):
            if busy and began <= busy[-1][1]:
                busy[-1][1] = max(busy[-1][1], end)
            else:
                busy.append([began, end])
        worked = sum(end - began for began, end in busy)
        pieces = [busy[0]]
        for began, end in busy[1:]:
            if began - pieces[-1][1] > max(worked * IDLE, LEAST_IDLE):
                pieces.append([began, end])
            else:
                pieces[-1][1] = end
        self.first, self.last = pieces[0][0], pieces[-1][1]
        shown = max(sum(end - began for began, end in pieces), 1e-6)
        # At most half of the drawing is for gaps, also where there are a hundred of them.
        cut = min(CUT, width / 2 / len(pieces))
        self._unit = (width - cut * (len(pieces) - 1)) / shown
        self._pieces: list[tuple[float, float, float]] = []  # began, end, place
        self.cuts: list[tuple[float, float]] = []
        x = 0.0
        for place, (began, end) in enumerate(pieces):
            if place:
                self.cuts.append((x + cut / 2, began - pieces[place - 1][1]))
                x += cut
            self._pieces.append((began, end, x))
            x += (end - began) * self._unit

    def place(self, moment: float) -> float:
        """Return where a moment is drawn; one in a gap, or outside, at the nearest end."""
        at = 0.0
        for began, end, x in self._pieces:
            if moment < began:
                return at
            at = x + (min(moment, end) - began) * self._unit
        return at

    def marks(self, now: float) -> list[tuple[float, float]]:
        """Return (place, moment) of round moments, such as each 15 s.

        In a part that has none, its beginning has a mark where no other one is near.
        """
        is_today = time.localtime(self.first)[:3] == time.localtime(self.last)[:3] == time.localtime(now)[:3]
        nearest = NEAREST if is_today else NEAREST_DATES
        found: list[tuple[float, float]] = []
        for moment in self._round_moments(nearest):
            at = self.place(moment)
            if all(abs(at - other) >= nearest for other, _ in found):
                found.append((at, moment))
        return sorted(found)

    def _round_moments(self, nearest: float) -> list[float]:
        """Return the moments of the shown parts that are round on a clock here, as close as there is room;
        behind them, the beginnings of parts that have none.
        """
        least = nearest / self._unit
        days = (DAY * n for n in itertools.count(1))
        step = next(one for one in itertools.chain(STEPS, days) if one >= least)
        found: list[float] = []
        others: list[float] = []
        for began, end, _ in self._pieces:
            zone = time.localtime(began).tm_gmtoff
            first = math.ceil((began + zone) / step) * step - zone
            if first <= end:
                found += [first + n * step for n in range(int((end - first) // step) + 1)]
            else:
                others.append(began)
        return found + others


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
