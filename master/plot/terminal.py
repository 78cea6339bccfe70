"""A figure as lines of text for a terminal, by plotext (the extra `plot`).

Places and marks are those of scales.py, so that the picture has the axes of the SVG. Each group has a
sign of its own beside its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..table.extras import library
from .asked import Form
from .cells import number_text
from .figure import Box, Figure, Point, Series
from .scales import Scale

SIGNS = "•+x*o#@%"
COLOURS = ("blue", "orange", "green", "red", "magenta", "yellow", "cyan", "white")
STEPS = "0123456789"  # of a colour that stands for a number: from the least to the greatest
ERROR = "│"  # from the mean less its standard error to the mean plus it
LEAST = (30, 8)  # columns and lines: in fewer of them nothing can be read


def text(figure: Figure, width: int, height: int, with_colours: bool) -> str:
    """Return a figure in so many columns and lines. Raises UsageError without plotext."""
    plotext = library("plotext", "a plot in the terminal")
    drawing = _Drawing(plotext, figure)
    made = drawing.made(max(width, LEAST[0]), max(height, LEAST[1]))
    return made if with_colours else str(plotext.uncolorize(made))


class _Drawing:
    """One figure while plotext draws it."""

    def __init__(self, plotext: Any, figure: Figure) -> None:
        self._plotext, self._figure = plotext, figure
        self._x, self._y = Scale(figure.x), Scale(figure.y)
        self._canvas = plotext.figure
        self._canvas.clear()
        self._canvas.theme("colorless")
        self._key: list[str] = []

    def made(self, width: int, height: int) -> str:
        """Return the lines."""
        self._canvas.plot_size(width, height)
        # All errors first: what is drawn later covers them, so that no mean is hidden.
        for place, series in enumerate(self._figure.series):
            self._errors(place, series.points)
        for place, series in enumerate(self._figure.series):
            self._series(place, series)
        if self._figure.asked.form is Form.HISTOGRAM:
            self._bars()
        else:
            self._shaded([((one.x0 + one.x1) / 2, (one.y0 + one.y1) / 2, one.shade) for one in self._figure.boxes])
        for axis, scale in (("x", self._x), ("y", self._y)):
            ruler = self._canvas.ruler(axis)
            ruler.lim(0, 1)
            marks = scale.marks()
            ruler.ticks([one.at for one in marks], [one.label for one in marks])
        self._canvas.label(self._figure.x.name, "x")
        self._canvas.label(self._figure.y.name, "y")
        # Below the picture: plotext's own key hides what is drawn behind it.
        key = f"{'   '.join(self._key)}\n" if self._key else ""
        return f"{self._canvas.build()!s}{key}".rstrip("\n")

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return self._x.place(x), self._y.place(y)

    def _signal(self, places: list[tuple[float, float]], sign: str, colour: int, label: str, is_line: bool) -> None:
        if not places:
            return
        marker = self._plotext.colorize(sign, COLOURS[colour % len(COLOURS)])
        across, up = zip(*places, strict=True)
        signal = self._canvas.signal(list(across), list(up), marker=marker)
        if is_line:
            signal = signal.lines()
        self._canvas.draw(signal)
        if label:
            self._key.append(f"{marker} {label}")

    def _series(self, place: int, series: Series) -> None:
        if any(one.shade is not None for one in series.points):
            self._shaded([(one.x, one.y, one.shade) for one in series.points])
            return
        places = [self._place(one.x, one.y) for one in series.points]
        is_line = self._figure.asked.form is Form.LINES and len(places) > 1
        self._signal(places, SIGNS[place % len(SIGNS)], place, series.label, is_line)

    def _errors(self, place: int, points: Sequence[Point]) -> None:
        """Draw a bar for the error of each mean: a filled band would hide the lines of other groups."""
        for one in points:
            if one.error is not None:
                low = self._place(one.x, self._figure.lower_end(one))
                high = self._place(one.x, one.y + one.error)
                self._signal([low, high], ERROR, place, "", is_line=True)

    def _shaded(self, places: list[tuple[float, float, float | None]]) -> None:
        """Draw digits for what has a colour that stands for a number."""
        shades = self._figure.shades
        if shades is None:
            return
        low, high = shades
        width = (high - low) / len(STEPS)
        for n, sign in enumerate(STEPS):
            some = [
                self._place(x, y) for x, y, shade in places
                if shade is not None and n == (min(int((shade - low) / width), len(STEPS) - 1) if width else 0)
            ]  # fmt: skip
            ends = n in (0, len(STEPS) - 1)
            shown = self._figure.asked.by or "sets"
            label = f"{shown} {number_text(low + n * width)} to {number_text(low + (n + 1) * width)}" if ends else ""
            self._signal(some, sign, n, label, is_line=False)

    def _bars(self) -> None:
        groups: dict[int, list[Box]] = {}
        for one in self._figure.boxes:
            groups.setdefault(one.group, []).append(one)
        for group, boxes in sorted(groups.items()):
            ends = [(self._place(one.x0, one.y0), self._place(one.x1, one.y1)) for one in boxes]
            # The width is the first bar's: all are equally wide, on a logarithmic axis too.
            (left, _), (right, _) = ends[0]
            marker = self._plotext.colorize(SIGNS[group % len(SIGNS)] if group else "█", COLOURS[group])
            bar = self._canvas.bar(
                [(a[0] + b[0]) / 2 for a, b in ends],
                [a[1] for a, _ in ends],
                [b[1] for _, b in ends],
                width=right - left,
                marker=marker,
            )
            self._canvas.draw(bar)
            if labels := self._figure.groups:
                self._key.append(f"{marker} {labels[group]}")
