"""The drawings of a report: which columns are drawn. plot/ makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..model import Kind, ResultSpec
from ..page import drawing
from ..page.drawing import Bar
from ..plot.asked import Asked
from ..plot.reading import read_figure
from ..plot.svg import svg
from ..record import record
from ..results.reading.numerals import comparable
from ..results.table_files import ResultRow
from ..store.history import provenance
from ..store.listing import Listing, TaskFilter
from ..text import seconds
from .facts import Facts

if TYPE_CHECKING:
    from ..store.reader import Reader

MOST = 6  # plots of results


@record
class ResultPlot:
    """One result over one parameter."""

    x: str
    y: str
    svg: str
    caption: str


@record
class Distribution:
    """How long sets took: bars from `least` to `most`, the highest of `highest` sets."""

    bars: Sequence[Bar]
    least: str
    most: str
    highest: int


def result_plots(
    reader: Reader, facts: Facts, first: Sequence[ResultRow]
) -> tuple[list[ResultPlot], list[str]]:
    """Return the plots of results, and sentences about what is not drawn.

    `first`: some rows, which show what texts are numbers.
    """
    drawable = [one for one in facts.results if _is_drawable(one, first)]
    x = _across(facts, reader)
    found: list[ResultPlot] = []
    notes: list[str] = []
    for one in drawable[:MOST]:
        try:
            figure = read_figure(Listing(reader), Asked(one.name, x), TaskFilter(with_row=True))
        except UsageError as error:
            notes.append(f"{one.name} over {x} is not drawn: {error.what}.")
            continue
        if figure is not None:
            found.append(ResultPlot(x, one.name, svg(figure), figure.caption()))
    if len(drawable) > MOST:
        notes.append(f"Of {len(drawable)} results that are numbers, the first {MOST} are drawn.")
    return found, notes


def _is_drawable(spec: ResultSpec, first: Sequence[ResultRow]) -> bool:
    if spec.kind in (Kind.INT, Kind.FLOAT):
        return True
    cells = [row.outputs[spec.name].value for row in first if spec.name in row.outputs]
    return spec.kind is Kind.TEXT and bool(cells) and all(comparable(one) is not None for one in cells)


def _across(facts: Facts, reader: Reader) -> str:
    """Return the parameter to draw over: of the numbers the one with most values, else the set's number."""
    numeric = [one for one in facts.parameters if one.name in reader.numeric and one.different > 1]
    return max(numeric, key=lambda one: one.different).name if numeric else "number"


def distribution(reader: Reader) -> Distribution | None:
    """Return how long sets took; None where all took the same time, as far as that was measured."""
    least, most, bars = provenance.durations(reader)
    if most <= least:
        return None
    return Distribution(drawing.history(bars), seconds(least), seconds(most), max(bars))


