"""A figure in the values of its axes. svg.py, terminal.py and csv_lines.py draw it; nothing here knows units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from ..record import record
from .asked import Asked

MARGIN = 0.02


@record
class Axis:
    """An axis: its name, and the range of its values.

    `categories`: the labels of the values 0, 1, 2, … where these stand for texts; empty for numbers.
    `edges`: the borders of the ranges that the values were put into; empty where they were not.
    """

    name: str
    low: float
    high: float
    is_log: bool = False
    categories: Sequence[str] = ()
    edges: Sequence[float] = ()


@record
class Point:
    """A dot, or a place on a line. `count`: sets that it stands for, `number`: the first of them."""

    x: float
    y: float
    number: int
    count: int = 1
    error: float | None = None  # standard error of a mean of several sets
    shade: float | None = None  # the value that its colour stands for


@record
class Series:
    """Points of one group, or of all sets (`label` is "" then)."""

    label: str
    points: list[Point]
    shade: float | None = None  # of a whole line, where colours stand for numbers


@record
class Box:
    """A bar of a histogram, or a cell of a heat map. `group`: the place of its series."""

    x0: float
    x1: float
    y0: float
    y1: float
    count: int
    group: int = 0
    shade: float | None = None


@record
class Figure:
    """What is drawn, with the words below it. Lives for one answer."""

    asked: Asked
    x: Axis
    y: Axis
    count: int  # sets that are drawn
    series: list[Series] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)  # labels of the groups of boxes
    remarks: list[str] = field(default_factory=list)
    scale: tuple[float, float] | None = None  # of the colours, where another figure has the same

    @property
    def shades(self) -> tuple[float, float] | None:
        """Return the least and the greatest value that a colour stands for; None without any."""
        if self.scale is not None:
            return self.scale
        found = [one.shade for one in self.boxes]
        for series in self.series:
            found += [series.shade, *(point.shade for point in series.points)]
        known = [one for one in found if one is not None]
        return (min(known), max(known)) if known else None

    @property
    def margin(self) -> float:
        """Return the share of each axis that stays free at its ends: boxes fill theirs, dots would be cut."""
        return 0.0 if self.boxes else MARGIN

    @property
    def has_errors(self) -> bool:
        """Tell whether a mean has an error band."""
        return any(one.error is not None for series in self.series for one in series.points)

    def lower_end(self, point: Point) -> float:
        """Return the low end of a mean's error; on a logarithmic axis not below the axis itself."""
        low = point.y - (point.error or 0.0)
        return max(low, self.y.low) if self.y.is_log else low

    @property
    def labels(self) -> list[str]:
        """Return the names of the groups, for the key; empty without groups."""
        return self.groups or [one.label for one in self.series if one.label]

    def caption(self, error: str = "band is") -> str:
        """Return what is drawn, in a sentence or more. `error`: what shows the errors, and its verb."""
        sets = "1 set" if self.count == 1 else f"{self.count:,} sets"
        parts = [f"{self.asked.title[:1].upper()}{self.asked.title[1:]}, {sets}."]
        if self.has_errors:
            parts.append(f"The {error} the standard error of the mean.")
        return " ".join(parts + [f"{one[:1].upper()}{one[1:]}." for one in self.remarks])
