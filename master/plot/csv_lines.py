"""A figure as CSV: the numbers that are drawn, for who wants to draw them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from ..results.table_files import csv_line
from .asked import Form
from .figure import Axis, Figure


def csv_lines(figure: Figure) -> Iterator[bytes]:
    """Yield the lines: a row for each dot, mean, bar or cell, with the columns' own names."""
    makers = {Form.DOTS: _dots, Form.LINES: _means, Form.HISTOGRAM: _bars, Form.HEAT: _cells}
    for row in makers[figure.asked.form](figure):
        yield csv_line([_cell(one) for one in row])


Row = list[float | int | str | None]


def _cell(value: float | int | str | None) -> str:
    if value is None:
        return ""
    # repr: all digits, so that the number that is read is the one that was drawn.
    return value if isinstance(value, str) else repr(value)


def _value(axis: Axis, value: float) -> float | str:
    """Return a value of an axis as the table has it."""
    return axis.categories[int(value)] if axis.categories else value


def _dots(figure: Figure) -> Iterator[Row]:
    asked = figure.asked
    yield ["number", asked.x, asked.y, *([asked.by] if asked.by else [])]
    for series in figure.series:
        for one in series.points:
            by: Row = []
            if asked.by:
                by = [_group(figure, series.label) if one.shade is None else one.shade]
            yield [one.number, _value(figure.x, one.x), one.y, *by]


def _group(figure: Figure, label: str) -> str:
    """Return the cell that a group has in common."""
    name = figure.asked.by
    return label.removeprefix(f"{name} ") if label != f"no {name}" else ""


def _means(figure: Figure) -> Iterator[Row]:
    asked = figure.asked
    by = [asked.by] if asked.by else []
    yield [*by, asked.x, f"mean of {asked.y}", "standard error", "sets"]
    for series in figure.series:
        group: Row = [_group(figure, series.label)] if by else []
        for one in series.points:
            yield [*group, _value(figure.x, one.x), one.y, one.error, one.count]


def _bars(figure: Figure) -> Iterator[Row]:
    asked = figure.asked
    by = [asked.by] if asked.by else []
    yield [*by, f"{asked.y} from", "to", "sets"]
    for one in figure.boxes:
        group: Row = [_group(figure, figure.groups[one.group])] if by else []
        yield [*group, one.x0, one.x1, one.count]


def _cells(figure: Figure) -> Iterator[Row]:
    asked = figure.asked
    axes = [asked.x, *([f"{asked.x} to"] if figure.x.edges else []), asked.y]
    mean = [f"mean of {asked.by}"] if asked.by else []
    yield [*axes, *([f"{asked.y} to"] if figure.y.edges else []), *mean, "sets"]
    for one in figure.boxes:
        found: Row = [*_ends(figure.x, one.x0, one.x1), *_ends(figure.y, one.y0, one.y1)]
        yield [*found, *([one.shade] if mean else []), one.count]


def _ends(axis: Axis, low: float, high: float) -> Row:
    return [low, high] if axis.edges else [_value(axis, (low + high) / 2)]
