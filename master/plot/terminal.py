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
    return picture(figure, width, height, with_colours)[0]


def picture(figure: Figure, width: int, height: int, with_colours: bool) -> tuple[str, str]:
    """Return a figure in so many columns and lines, and a sentence about what it hides, or "".

    Raises UsageError without plotext.
    """
    plotext = library("plotext", "a plot in the terminal")
    drawing = _Drawing(plotext, figure)
    made = drawing.made(max(width, LEAST[0]), max(height, LEAST[1]))
    return made if with_colours else str(plotext.uncolorize(made)), drawing.hidden


class _Drawing:
    """One figure while plotext draws it."""

    def __init__(self, plotext: Any, figure: Figure) -> None:
        self._plotext, self._figure = plotext, figure
        is_histogram = figure.asked.form is Form.HISTOGRAM
        # Bars are equally wide only where the ends of the axis are those of the bars.
        self._x = Scale(figure.x, figure.margin, is_exact=is_histogram)
        self._y = Scale(figure.y, figure.margin)
        self._canvas = plotext.figure
        self._key: list[str] = []
        self._room = (1, 1)  # columns and lines inside of the frame
        self.hidden = ""

    def made(self, width: int, height: int) -> str:
        """Return the lines."""
        height -= 1  # the name of the axis upwards stands above it
        self._frame(width, height)
        empty = self._plotext.uncolorize(str(self._canvas.build()))
        self._room = _inside(empty)
        if self._figure.asked.form is Form.HISTOGRAM:
            bars = self._bar_count()
            spare = self._room[0] % bars if bars <= self._room[0] else 0
            # Not `width`: plotext makes nothing wider than the terminal.
            self._frame(max(map(len, empty.splitlines())) - spare, height)
            self._room = (self._room[0] - spare, self._room[1])
        # All errors first: what is drawn later covers them, so that no mean is hidden.
        for place, series in enumerate(self._figure.series):
            self._errors(place, series.points)
        for place, series in enumerate(self._figure.series):
            self._series(place, series)
        if self._figure.asked.form is Form.HISTOGRAM:
            self._bars()
        else:
            self._shaded([((one.x0 + one.x1) / 2, (one.y0 + one.y1) / 2, one.shade) for one in self._figure.boxes])
        self._count_hidden()
        # Below the picture: plotext's own key hides what is drawn behind it.
        key = f"{'   '.join(self._key)}\n" if self._key else ""
        name = f"{self._figure.y.name[:width]}\n"
        return f"{name}{self._canvas.build()!s}{key}".rstrip("\n")

    def _frame(self, width: int, height: int) -> None:
        """Begin an empty picture of this size, with its axes."""
        self._canvas.clear()
        self._canvas.theme("colorless")
        self._canvas.plot_size(width, height)
        for axis, scale in (("x", self._x), ("y", self._y)):
            ruler = self._canvas.ruler(axis)
            ruler.lim(0, 1)
            marks = scale.marks_across(0.8 * width, 1.0) if axis == "x" else scale.marks()
            ruler.ticks([one.at for one in marks], [one.label for one in marks])
        self._canvas.label(self._figure.x.name, "x")

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        """Return the column and the line of a place inside of the frame."""
        across, up = self._place(x, y)
        columns, lines = self._room
        return round(across * (columns - 1)), round(up * (lines - 1))

    def _count_hidden(self) -> None:
        """Note how many points share the place of a letter with a later one."""
        cells = [self._cell(one.x, one.y) for series in self._figure.series for one in series.points]
        hidden = len(cells) - len(set(cells))
        if hidden:
            noun = "point is" if hidden == 1 else "points are"
            self.hidden = f"{hidden:,} {noun} hidden behind others."

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

    def _bar_count(self) -> int:
        """Return how many bars there is room for, the empty ones too: all are equally wide."""
        one = self._figure.boxes[0]
        return max(1, round(1 / (self._x.place(one.x1) - self._x.place(one.x0))))

    def _bars(self) -> None:
        """Draw each bar letter by letter: plotext's own bars are rounded to different widths."""
        columns, lines = self._room
        across, up = max(columns - 1, 1), max(lines - 1, 1)
        bars = self._bar_count()
        groups: dict[int, list[Box]] = {}
        for one in self._figure.boxes:
            groups.setdefault(one.group, []).append(one)
        for group, boxes in sorted(groups.items()):
            places: list[tuple[float, float]] = []
            for one in boxes:
                (left, low), (_, high) = self._place(one.x0, one.y0), self._place(one.x1, one.y1)
                nth = round(left * bars)
                some = range(nth * columns // bars, (nth + 1) * columns // bars)
                first, last = round(low * lines), max(round(high * lines), round(low * lines) + 1)
                places += [(column / across, line / up) for column in some for line in range(first, min(last, lines))]
            label = self._figure.groups[group] if self._figure.groups else ""
            self._signal(places, SIGNS[group % len(SIGNS)] if group else "█", group, label, is_line=False)


def _inside(drawn: str) -> tuple[int, int]:
    """Return how many columns and lines there are inside of the frame of a picture."""
    lines = drawn.splitlines()
    top = next(n for n, line in enumerate(lines) if "┌" in line)
    end = next(n for n, line in enumerate(lines) if "└" in line)
    return lines[top].rindex("┐") - lines[top].index("┌") - 1, end - top - 1
