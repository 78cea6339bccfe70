"""A figure as SVG: the page, `spe plot -o` and reports show this one.

Colours are attributes, not a style sheet, so that a saved file looks like the page; the style sheet of
the page replaces those of words and lines, for dark screens. Each group has a shape or a dash of its
own beside its colour: colour is never the only sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from .asked import Form
from .cells import number_text
from .figure import Box, Figure, Point, Series
from .scales import Scale

WIDTH, HEIGHT = 1134.0, 320.0  # of a whole drawing, and between the axes: one unit is a pixel of a page
LEAST_WIDTH, MOST_WIDTH = 240.0, 4000.0
RIGHT, ABOVE, BELOW = 24.0, 14.0, 52.0
BESIDE = 36.0  # left of the labels: the axis' name, turned
LETTER = 8.5  # width of a letter, with something to spare
KEY = 22.0  # height of a line of the key
KEY_WIDTH = 180.0  # of one entry
#: Colours of groups: each is told from white and from the dark ground by 3 to 1.
COLOURS = ("#2f7ed8", "#d9730d", "#2a9d63", "#d64550", "#9467d9", "#a0703a", "#1798a8", "#d255a1")
#: From low to high: dark blue, green, yellow, equally bright steps for all eyes.
SHADES = (
    "#440154", "#481b6d", "#46327e", "#3f4788", "#365c8d", "#2e6e8e", "#277f8e", "#21918c",
    "#1fa187", "#2db27d", "#4ac16d", "#73d056", "#a0da39", "#d0e11c", "#fde725",
)  # fmt: skip
DASHES = ("", "8 4", "2 4", "10 3 2 3", "14 6", "4 2", "1 3", "12 3 3 3 3 3")


def svg(figure: Figure, saved: bool = False, width: float = 0.0) -> str:
    """Return a figure as one SVG element. `saved`: as a file of its own, on white.

    `width`: of the whole, in pixels of the page that shows it; 0 for WIDTH. So letters have their
    size on any screen, where a picture that is shrunk could not be read.
    """
    room = min(max(width, LEAST_WIDTH), MOST_WIDTH) if width else WIDTH
    return "".join(_Drawing(figure, room).element(saved))


class _Drawing:
    """One figure while it is drawn."""

    def __init__(self, figure: Figure, room: float) -> None:
        self.figure = figure
        self._x, self._y = Scale(figure.x, figure.margin), Scale(figure.y, figure.margin)
        self._shades = figure.shades
        longest = max((len(one.label) for one in self._y.marks()), default=0)
        self._left = min(BESIDE + LETTER * longest, room / 2)
        self._width = room - self._left - RIGHT
        self._key = self._entries()
        self._a_line = max(1, int(self._width // KEY_WIDTH))
        self._lines = -(-len(self._key) // self._a_line) if self._key else int(self._has_scale)

    @property
    def _has_scale(self) -> bool:
        return self._shades is not None

    def _entries(self) -> Sequence[str]:
        """Return the labels of the key; colours that stand for numbers have a scale instead."""
        return () if self._has_scale else self.figure.labels

    def element(self, saved: bool) -> Iterator[str]:
        top = ABOVE + KEY * self._lines
        box = (-self._left, -top, self._width + self._left + RIGHT, HEIGHT + top + BELOW)
        shown = " ".join(f"{one:g}" for one in box)
        name = escape(self.figure.caption())
        more = ' xmlns="http://www.w3.org/2000/svg"' if saved else ""
        size = f' width="{box[2]:g}" height="{box[3]:g}"' if saved else ""
        font = 'font-family="system-ui, DejaVu Sans, sans-serif" font-size="15"'
        yield f'<svg{more} viewBox="{shown}"{size} {font} role="img" aria-label="{name}">'
        if saved:
            yield f"<title>{name}</title>"
            yield f'<rect x="{box[0]:g}" y="{box[1]:g}" width="{box[2]:g}" height="{box[3]:g}" fill="#ffffff"/>'
        yield from self._axes()
        for box_of in self.figure.boxes:
            yield self._box(box_of)
        for place, one in enumerate(self.figure.series):
            yield from self._series(place, one)
        yield from self._scale() if self._has_scale else self._entries_drawn()
        yield "</svg>"

    # -- axes

    def _axes(self) -> Iterator[str]:
        for mark in self._y.marks(int((self._left - BESIDE) / LETTER)):
            y = HEIGHT * (1 - mark.at)
            yield f'<line class="lane" x1="0" x2="{self._width:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dcdfe3"/>'
            yield _text(-8, y + 5, mark.label, "end")
        for mark in self._x.marks_across(self._width, LETTER):
            x = self._width * mark.at
            yield f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT:g}" y2="{HEIGHT + 6:g}" stroke="#59636e"/>'
            half = LETTER * len(mark.label) / 2  # no label leaves the drawing at its ends
            middle_of = min(max(x, half - self._left), self._width + RIGHT - half)
            yield _text(middle_of, HEIGHT + 24, mark.label, "middle")
        yield _text(self._width / 2, HEIGHT + 45, _axis_name(self.figure.x.name, self.figure.x.is_log), "middle")
        # Turned, as it may be longer than there is room beside the numbers.
        name = escape(_axis_name(self.figure.y.name, self.figure.y.is_log))
        middle = f"{14 - self._left:g} {HEIGHT / 2:g}"
        yield f'<text transform="translate({middle}) rotate(-90)" text-anchor="middle" fill="#59636e">{name}</text>'

    def _place(self, x: float, y: float) -> tuple[float, float]:
        """Return a place in the drawing: SVG counts from the top, people from the bottom."""
        return round(self._width * self._x.place(x), 1), round(HEIGHT * (1 - self._y.place(y)), 1)

    # -- colours

    def _shade(self, value: float | None) -> str:
        if value is None or self._shades is None:
            return "#808080"  # the column that gives the colour has no number here
        low, high = self._shades
        share = (value - low) / (high - low) if high > low else 0.5
        return SHADES[min(int(share * len(SHADES)), len(SHADES) - 1)]

    def _colour(self, place: int) -> str:
        return COLOURS[place % len(COLOURS)]

    # -- what is drawn

    def _box(self, one: Box) -> str:
        left, low = self._place(one.x0, one.y0)
        right, high = self._place(one.x1, one.y1)
        colour = self._colour(one.group) if one.shade is None else self._shade(one.shade)
        words = f"{one.count:,} sets"
        if one.shade is not None and self.figure.asked.by:
            words = f"{number_text(one.shade)}, mean of {words}"
        # A gap between two boxes; a very narrow one is still seen.
        width = max(right - left - (1 if right - left > 3 else 0), 0.5)
        return (
            f'<rect x="{left:g}" y="{high:g}" width="{width:.1f}" height="{max(low - high, 0.5):.1f}" '
            f'fill="{colour}"><title>{escape(words)}</title></rect>'
        )

    def _series(self, place: int, one: Series) -> Iterator[str]:
        colour = self._colour(place) if one.shade is None else self._shade(one.shade)
        if self.figure.asked.form is Form.LINES:
            yield from self._band(one.points, colour)
            way = [self._place(point.x, point.y) for point in one.points]
            yield _polyline(way, colour, DASHES[place % len(DASHES)] if one.shade is None else "")
        for point in one.points:
            x, y = self._place(point.x, point.y)
            filled = colour if point.shade is None and not self._is_shaded(one) else self._shade(point.shade)
            yield _shape(place if one.shade is None else 0, x, y, filled, self._title(one, point))

    def _is_shaded(self, one: Series) -> bool:
        return self._has_scale and one.shade is None

    def _band(self, points: Sequence[Point], colour: str) -> Iterator[str]:
        if not any(one.error is not None for one in points):
            return
        upper = [self._place(one.x, one.y + (one.error or 0.0)) for one in points]
        lower = [self._place(one.x, self.figure.lower_end(one)) for one in points]
        if len(points) == 1:  # a band without a width is a bar
            (x, high), (_, low) = upper[0], lower[0]
            yield f'<line x1="{x:g}" x2="{x:g}" y1="{low:g}" y2="{high:g}" stroke="{colour}" stroke-width="2"/>'
            return
        way = " ".join(f"{x:g},{y:g}" for x, y in [*upper, *reversed(lower)])
        yield f'<polygon class="band" points="{way}" fill="{colour}" fill-opacity="0.22"/>'

    def _title(self, series: Series, point: Point) -> str:
        values = f"{number_text(point.y)}"
        words = f"task {point.number}: {values}" if point.count == 1 else f"{values}, mean of {point.count:,} sets"
        if point.error is not None:
            words += f", ± {number_text(point.error)}"
        if point.shade is not None:
            words += f"; {self.figure.asked.by} {number_text(point.shade)}"
        return f"{words}; {series.label}" if series.label else words

    # -- the key

    def _entries_drawn(self) -> Iterator[str]:
        for place, label in enumerate(self._key):
            x = KEY_WIDTH * (place % self._a_line)
            y = -KEY * (self._lines - place // self._a_line) + 8
            if self.figure.asked.form is Form.LINES:
                yield _polyline([(x, y), (x + 30, y)], self._colour(place), DASHES[place % len(DASHES)])
            yield _shape(0 if self.figure.boxes else place, x + 15, y, self._colour(place), "")
            yield _text(x + 36, y + 5, label if len(label) < 19 else f"{label[:17]}…", "start")

    def _scale(self) -> Iterator[str]:
        """Yield the scale of the colours, with the values at its ends."""
        assert self._shades is not None
        low, high = self._shades
        shown = self.figure.asked.by or "sets"
        y = -KEY - 2
        label, last = f"{shown}: {number_text(low)}", number_text(high)
        # In the middle, as long as there is room for the words beside it.
        words = LETTER * max(len(label), len(last)) + 16
        length = min(300.0, max(self._width - 2 * words, 60.0))
        first = max((self._width - length) / 2, LETTER * len(label) + 8 - self._left)
        yield _text(first - 8, y + 13, label, "end")
        step = length / len(SHADES)
        for place, colour in enumerate(SHADES):
            at = f'x="{first + place * step:.1f}" y="{y:g}" width="{step:.2f}" height="14"'
            yield f'<rect class="shade" {at} fill="{colour}"/>'
        yield _text(first + length + 8, y + 13, last, "start")


def _axis_name(name: str, is_log: bool) -> str:
    return f"{name} (logarithmic)" if is_log else name


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#59636e">{escape(words)}</text>'


def _polyline(places: Sequence[tuple[float, float]], colour: str, dash: str) -> str:
    way = " ".join(f"{x:g},{y:g}" for x, y in places)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'


def _shape(place: int, x: float, y: float, colour: str, title: str) -> str:
    """Return the dot of a group: circle, square, triangle, diamond, and so on."""
    inner = f"<title>{escape(title)}</title>" if title else ""
    paint = f'fill="{colour}" fill-opacity="0.8"'
    if place % len(COLOURS) == 0:
        return f'<circle cx="{x:g}" cy="{y:g}" r="4" {paint}>{inner}</circle>'
    corners = " ".join(f"{x + dx:g},{y + dy:g}" for dx, dy in _CORNERS[place % len(COLOURS) - 1])
    return f'<polygon points="{corners}" {paint}>{inner}</polygon>'


def _star(count: int, inner: float, turn: float) -> Sequence[tuple[float, float]]:
    """Return the corners of a star; of a regular polygon where `inner` is 1."""
    found = []
    for n in range(2 * count):
        long = 5.5 * (inner if n % 2 else 1.0)
        angle = math.pi * (n / count + turn)
        found.append((round(long * math.sin(angle), 1), round(-long * math.cos(angle), 1)))
    return found


_CORNERS = (
    ((-4, -4), (4, -4), (4, 4), (-4, 4)),
    ((0, -5.5), (5, 4), (-5, 4)),
    ((0, -6), (6, 0), (0, 6), (-6, 0)),
    ((0, 5.5), (5, -4), (-5, -4)),
    _star(4, 0.35, 0.25),
    _star(5, 0.45, 0.0),
    _star(4, 0.35, 0.0),
)

__all__ = ["COLOURS", "svg"]
