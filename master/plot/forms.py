"""Makes a figure of the cells that are drawn. No I/O: one pass over the sets, whatever their number."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from ..errors import UsageError
from .asked import Asked, Form
from .cells import Cells, Raw
from .columns import BINS, Columns, Value, across_of, axis_of, edges_of, groups_of, numbers_of, range_of
from .counts import heat_map, histogram
from .figure import Figure, Point, Series

LINES = 40  # lines whose colour stands for a number
PLACES = 200  # different values of x that get a mean each; more of them are put into bins


def figure(asked: Asked, numbers: Sequence[int], raw: dict[str, Sequence[Raw]]) -> Figure:
    """Return the figure of these sets. `raw`: the cells of each column that `asked` names.

    Raises UsageError for columns that cannot be drawn like that.
    """
    columns = Columns(asked, numbers, {name: Cells(name, cells) for name, cells in raw.items()})
    makers: dict[Form, Callable[[Columns], Figure]] = {
        Form.DOTS: _dots,
        Form.LINES: _lines,
        Form.HISTOGRAM: histogram,
        Form.HEAT: heat_map,
    }
    made = makers[asked.form](columns)
    return replace(made, remarks=columns.remarks)


def _dots(columns: Columns) -> Figure:
    asked, y = columns.asked, columns.y
    y.check_numbers("what is drawn upwards")
    across, texts = across_of(columns)
    up = numbers_of(y, asked.log_y)
    group, labels, is_shaded = groups_of(columns)
    series = [Series(label, []) for label in labels]
    for place in columns.places(across, up):
        shade = columns.by.numbers[place] if is_shaded and columns.by else None
        point = Point(across(place) or 0.0, up(place) or 0.0, columns.numbers[place], shade=shade)
        series[group(place)].points.append(point)
    return _of_series(columns, series, texts)


def _of_series(columns: Columns, series: list[Series], texts: Sequence[str]) -> Figure:
    asked = columns.asked
    points = [one for some in series for one in some.points]
    ends = [one.y + sign * (one.error or 0.0) for one in points for sign in (-1, 1)]
    if asked.log_y:
        ends = [one for one in ends if one > 0]
    return Figure(
        asked,
        axis_of(asked.x, [one.x for one in points], asked.log_x, texts),
        axis_of(asked.y, ends, asked.log_y),
        sum(one.count for one in points),
        [one for one in series if one.points],
    )


def _lines(columns: Columns) -> Figure:
    asked, y = columns.asked, columns.y
    y.check_numbers("what is drawn upwards")
    across, texts = across_of(columns)
    up = numbers_of(y, asked.log_y)
    group, labels, shades = _line_groups(columns)
    places = columns.places(across, up)
    snapped = across if texts else _snapped(columns, across, places)
    found: dict[tuple[int, float], list[int]] = defaultdict(list)
    for place in places:
        found[group(place), snapped(place) or 0.0].append(place)
    series = [Series(label, [], shade) for label, shade in zip(labels, shades, strict=True)]
    for (which, x), some in sorted(found.items()):
        series[which].points.append(_mean(x, [up(one) or 0.0 for one in some], columns.numbers[some[0]]))
    return _of_series(columns, series, texts)


def _line_groups(columns: Columns) -> tuple[Callable[[int], int], list[str], list[float | None]]:
    """Return the line of a set, the labels, and the number that the colour of each stands for."""
    group, labels, is_shaded = groups_of(columns)
    by = columns.by
    if not is_shaded or by is None:
        return group, labels, [None] * len(labels)
    texts = by.distinct()
    if len(texts) > LINES:
        what = f"{by.name} has {len(texts):,} different values, and no more than {LINES} lines can be read"
        raise UsageError(what, todo="Draw dots, or fewer sets by a condition.")
    line_of = {text: n for n, text in enumerate(texts)}
    numbers = Cells(by.name, texts).numbers
    return lambda place: line_of[by.text(place)], [f"{by.name} {one}" for one in texts], numbers


def _mean(x: float, values: Sequence[float], number: int) -> Point:
    count = len(values)
    mean = math.fsum(values) / count
    error = statistics.stdev(values, mean) / math.sqrt(count) if count > 1 else None
    return Point(x, mean, number, count, error)


def _snapped(
    columns: Columns, across: Value, places: Sequence[int]
) -> Value:
    """Return the x of a set for its mean: its own, or the middle of its bin where there are very many."""
    values = [across(place) or 0.0 for place in places]
    if len(set(values)) <= PLACES:
        return across
    is_log = columns.asked.log_x
    edges = edges_of(values, is_log, BINS)
    middle = [math.sqrt(a * b) if is_log else (a + b) / 2 for a, b in pairwise(edges)]
    columns.remarks.append(f"{columns.x.name} has more than {PLACES} values: each mean is one of {BINS} equal ranges")
    return lambda place: middle[range_of(edges, across(place) or 0.0)]
