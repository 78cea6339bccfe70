"""Reads from the address of the page what somebody wants of a table, and finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..model import TaskState
from ..store.conditions import ColumnCondition, parse
from ..store.listing import Found, Listing, TaskFilter
from . import drawing

ROWS = 50  # rows of a table on one page
MOST = 10**15  # largest number in an address


def whole(text: str) -> int:
    """Return a number from 0; anything else counts as 0, because people edit addresses by hand."""
    if text.isascii() and text.isdigit() and len(text) < 18:
        return min(int(text), MOST)
    return 0


class Wish:
    """The rows that somebody wants, their order, and the page of them."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.where = query.get("where", "")
        self.host = query.get("host", "")
        self.sort = query.get("sort", "") or "number"
        self.x = query.get("x", "")
        self.y = query.get("y", "")
        self.offset = whole(query.get("from", "")) // ROWS * ROWS
        self.only = next((state for state in TaskState if state == query.get("state")), None)
        self.begun: Sequence[int] | None = None  # the tasks that have a slot
        self.with_row = False  # only what has a row in the table of results

    @property
    def column(self) -> str:
        """Return the column that the rows are sorted by."""
        return self.sort.removeprefix("-")

    def turned(self, column: str) -> str:
        """Return the order that a click on this column's head asks for."""
        if self.sort == column:
            return f"-{column}"
        return column

    def kept(self) -> dict[str, str]:
        """Return all of the wish but the order and the page, for links."""
        state = self.only.value if self.only else ""
        return {"where": self.where, "host": self.host, "state": state, "x": self.x, "y": self.y}

    def look(self, listing: Listing, dots: int) -> dict[str, Any]:
        """Return what is found, for the template.

        A wish that cannot be fulfilled comes back as a sentence.
        """
        made: dict[str, Any] = {
            "parameters": listing.parameters,
            "results": listing.results,
            "rows": ROWS,
            "found": Found([], False),
            "fault": "",
            "total": self._total(listing),
            "plot": None,
        }
        try:
            wanted = self._wanted(listing)
            made["found"] = listing.find(wanted)
            if dots and listing.results:
                made["plot"] = self._plot(listing, wanted, dots)
        except UsageError as error:
            made["fault"] = error.line
        return made

    def _wanted(self, listing: Listing) -> TaskFilter:
        """Return the wish as the store understands it. Raises UsageError for an unknown column."""
        names = listing.names()
        conditions = parse(self.where, names)
        if self.host:
            conditions.append(ColumnCondition("host", "=", self.host))
        if self.column not in names:
            raise UsageError(
                f"there is no column {self.column}", todo=f"There are: {', '.join(names)}."
            )
        among = None
        if self.only is TaskState.RUNNING:
            # A prefetched task is running for the store, but it has no slot yet.
            among = self.begun
        return TaskFilter(
            self.only,
            conditions,
            self.column,
            self.sort.startswith("-"),
            self.offset,
            ROWS,
            among,
            begun=self.begun,
            with_row=self.with_row,
        )

    def _total(self, listing: Listing) -> int | None:
        """Return the number of rows where it is known without counting; None elsewhere."""
        if self.where or self.host:
            return None
        counts = listing.reader.counts()
        if self.with_row:
            if listing.reader.meta("replacing") and counts[TaskState.WAITING]:
                return None  # waiting tasks may still have a row, and the store does not count these
            return counts[TaskState.DONE]
        if self.only:
            return counts[self.only]
        return sum(counts.values())

    def _plot(self, listing: Listing, wanted: TaskFilter, dots: int) -> drawing.Plot | None:
        """Return the plot of one column over another.

        The first columns stand for those that were not chosen.
        """
        columns = [*listing.parameters, *listing.results]
        if self.x not in columns:
            self.x = columns[0]
        if self.y not in columns:
            self.y = listing.results[0]
        return drawing.plot(listing.points(self.x, self.y, wanted, dots))
