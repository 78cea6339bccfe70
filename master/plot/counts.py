"""Figures of boxes: histograms, and heat maps of a grid."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from ..errors import UsageError
from .cells import Cells, number_text
from .columns import (
    BINS,
    CATEGORIES,
    GROUPS,
    Columns,
    Value,
    edges_of,
    groups_of,
    numbers_of,
    range_of,
    values_of,
)
from .figure import Axis, Box, Figure


def histogram(columns: Columns) -> Figure:
    asked, y = columns.asked, columns.y
    y.check_numbers("what is counted in ranges")
    value = numbers_of(y, asked.log_x)
    group, labels, is_shaded = groups_of(columns)
    if is_shaded:
        what = f"{asked.by} has more than {GROUPS} different values, and {GROUPS} colours can be told apart"
        raise UsageError(what, todo="Choose another column, or fewer sets by a condition.")
    places = columns.places(value)
    values = [value(place) or 0.0 for place in places]
    edges = edges_of(values, asked.log_x, _bins(values))
    counts = [[0] * len(labels) for _ in edges[1:]]
    for place, one in zip(places, values, strict=True):
        counts[range_of(edges, one)][group(place)] += 1
    low = 0.5 if asked.log_y else 0.0  # a logarithmic axis has no 0, and a bar of one set is seen
    boxes = []
    for n, some in enumerate(counts):
        below = 0
        for which, count in enumerate(some):
            if count:
                ends = (max(below, low), below + count)
                boxes.append(Box(edges[n], edges[n + 1], *ends, count, which))
            below += count
    highest = float(max(sum(some) for some in counts))
    return Figure(
        asked,
        Axis(asked.y, edges[0], edges[-1], asked.log_x),
        Axis("sets", low, highest, asked.log_y),
        len(values),
        boxes=boxes,
        groups=[one for one in labels if one],
    )


def _bins(values: Sequence[float]) -> int:
    """Return how many ranges a histogram has: the root of the number of sets, from 5 to BINS."""
    return max(5, min(BINS, math.isqrt(len(values)), len(set(values))))


def heat_map(columns: Columns) -> Figure:
    asked, by = columns.asked, columns.by
    if by is not None:
        by.check_numbers("the colour of a heat map")
    across, x_of = _cells_of(columns.x, asked.log_x)
    up, y_of = _cells_of(columns.y, asked.log_y)
    needed = [across, up] if by is None else [across, up, by.numbers.__getitem__]
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in columns.places(*needed):
        found[int(across(place) or 0), int(up(place) or 0)].append(place)
    boxes = []
    for (column, row), some in sorted(found.items()):
        shade = float(len(some))
        if by is not None:
            shade = math.fsum(by.numbers[one] or 0.0 for one in some) / len(some)
        boxes.append(Box(*_range(x_of, column), *_range(y_of, row), len(some), shade=shade))
    count = sum(one.count for one in boxes)
    return Figure(asked, x_of, y_of, count, boxes=boxes)


def _cells_of(cells: Cells, is_log: bool) -> tuple[Value, Axis]:
    """Return the row or column of a heat map that a set belongs to, and its axis.

    Each value has one of its own, as in a grid; very many numbers are put into ranges.
    """
    value, texts = values_of(cells, is_log)
    if not texts:
        known = sorted({one for place in range(len(cells.raw)) if (one := value(place)) is not None})
        if not known:
            return value, Axis(cells.name, 0.0, 1.0)
        if len(known) > CATEGORIES:
            return _in_ranges(cells, value, known, is_log)
        place_of = {one: float(n) for n, one in enumerate(known)}
        axis = Axis(cells.name, -0.5, len(known) - 0.5, categories=[number_text(one) for one in known])
        return lambda place: None if (one := value(place)) is None else place_of[one], axis
    return value, Axis(cells.name, -0.5, len(texts) - 0.5, categories=texts)


def _in_ranges(
    cells: Cells, value: Value, known: Sequence[float], is_log: bool
) -> tuple[Value, Axis]:
    edges = edges_of(known, is_log, BINS)
    axis = Axis(cells.name, known[0], known[-1], is_log, edges=edges)

    def row(place: int) -> float | None:
        one = value(place)
        return None if one is None else float(range_of(edges, one))

    return row, axis


def _range(axis: Axis, place: int) -> tuple[float, float]:
    """Return the borders of a row or column of a heat map."""
    if axis.edges:
        return axis.edges[place], axis.edges[place + 1]
    return place - 0.5, place + 0.5
