"""Reads what is drawn from the store: so many sets as one look bears, whatever their number."""

from __future__ import annotations

from dataclasses import replace

from ..store.listing import Listing, TaskFilter
from ..store.schema import is_number
from .asked import Asked, Form, check
from .figure import Figure
from .forms import figure

DOTS = 1500  # dots that are drawn: more of them hide each other
SETS = 100_000  # sets that means and counts are made of: under a second


def filled_in(asked: Asked, listing: Listing) -> Asked:
    """Return what is asked with the columns that were not named.

    Upwards the first result that is a number; across the first parameter.
    """
    results = listing.results
    numeric = [name for name in results if is_number(listing.reader.kinds.get(name))]
    columns = [*listing.parameters, *results, "number"]
    y = asked.y or next(iter([*numeric, *results, "seconds"]))
    x = asked.x or next((name for name in columns if name != y), "number")
    return replace(asked, y=y, x=x)


def read_figure(listing: Listing, asked: Asked, wanted: TaskFilter) -> Figure | None:
    """Return the figure of the sets that `wanted` names; None where there are none.

    Raises UsageError for unknown columns, for those that cannot be drawn like that, and for
    conditions that take too long.
    """
    check(asked, listing.names())
    is_whole = not wanted.conditions and wanted.among is None
    draws_all = asked.form is Form.DOTS
    # How many sets meet a condition is known only when they are read.
    sample = listing.sample(asked.names, wanted, DOTS if draws_all and is_whole else SETS)
    if draws_all:
        sample = sample.thinned(DOTS)
    if not sample.rows:
        return None
    numbers, *columns = zip(*sample.rows, strict=True)
    made = figure(asked, numbers, dict(zip(asked.names, columns, strict=True)))
    if sample.share is not None:
        one_in = round(1 / sample.share)
        note = f"an even selection: about one set in {one_in:,}" if one_in > 1 else "an even selection of the sets"
        made.remarks.append(note)
    return made
