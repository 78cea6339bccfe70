"""Reads from the address of the page what somebody wants of a table, and finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..model import TaskState
from ..plot.asked import Asked, Form
from ..plot.figure import Figure
from ..plot.reading import filled_in, read_figure
from ..store.conditions import ColumnCondition
from ..store.listing import Found, Listing, TaskFilter
from ..table.asked_for import Chosen, chosen

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
        form = next((one for one in Form if one == query.get("form")), Form.DOTS)
        columns = (query.get("y", ""), query.get("x", ""), query.get("by", ""))
        # What is drawn; the columns that were not named are filled in when the table is read.
        self.beside = query.get("beside", "")  # another run that is drawn beside this one
        self.asked = Asked(*columns, form, bool(query.get("logx")), bool(query.get("logy")))
        self.offset = whole(query.get("from", "")) // ROWS * ROWS
        self.only = next((state for state in TaskState if state == query.get("state")), None)
        self.begun: Sequence[int] | None = None  # the tasks that have a slot
        self.with_row = False  # only what has a row in the table of results
        self._met: dict[str, Chosen] = {}  # by folder: table, plot and count ask for the same

    @classmethod
    def of_results(cls, query: Mapping[str, str]) -> Wish:
        """Return the wish for the table of results, which has no row for what is not done."""
        made = cls(query)
        made.with_row = True
        return made

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
        return {"where": self.where, "host": self.host, "state": state, **self.drawn()}

    def drawn(self) -> dict[str, str]:
        """Return what is drawn, for links."""
        asked = self.asked
        logs = {"logx": "1" if asked.log_x else "", "logy": "1" if asked.log_y else ""}
        form = "" if asked.form is Form.DOTS else asked.form.value
        return {"x": asked.x, "y": asked.y, "by": asked.by, "form": form, **logs, "beside": self.beside}

    def look(self, listing: Listing, draws: bool) -> dict[str, Any]:
        """Return what is found, for the template. `draws`: a plot, too.

        A wish that cannot be fulfilled comes back as a sentence.
        """
        made: dict[str, Any] = {
            "parameters": listing.parameters,
            "results": listing.results,
            "columns": listing.names(),
            "rows": ROWS,
            "found": Found([], False),
            "fault": "",
            "total": self._total(listing),
            "plot": None,
            "undrawn": "",
        }
        try:
            made["found"] = listing.find(self.filter(listing))
        except UsageError as error:
            return {**made, "fault": error.line}
        if draws:
            try:
                made["plot"] = self.figure(listing)
            except UsageError as error:  # the table is there all the same
                made["undrawn"] = error.line
        return made

    def figure(self, listing: Listing) -> Figure | None:
        """Return what is to be drawn; None where no set has a row. Raises UsageError."""
        self.asked = filled_in(self.asked, listing)
        return read_figure(listing, self.asked, self.filter(listing))

    def filter(self, listing: Listing) -> TaskFilter:
        """Return the wish as the store understands it. Raises UsageError for an unknown column."""
        names = listing.names()
        conditions, among = self._chosen(listing)
        conditions = list(conditions)
        if self.host:
            conditions.append(ColumnCondition("host", "=", self.host))
        if self.column not in names:
            raise UsageError(
                f"there is no column {self.column}", todo=f"There are: {', '.join(names)}."
            )
        if self.only is TaskState.RUNNING and self.begun is not None:
            # A prefetched task is running for the store, but it has no slot yet.
            begun = set(self.begun)
            among = self.begun if among is None else [one for one in among if one in begun]
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

    def _chosen(self, listing: Listing) -> Chosen:
        place = str(listing.reader.folder)
        if place not in self._met:
            self._met[place] = chosen(listing, self.where, self.with_row)
        return self._met[place]

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
