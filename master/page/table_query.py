"""What somebody wants of a table, read from the address of the page, and what is found for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..model import TaskState
from ..store.conditions import Condition, parse
from ..store.listing import Found, Listing, Wanted
from . import drawing

ROWS = 50
MOST = 10**15


def whole(text: str) -> int:
    """A number from 0; anything else counts as 0."""
    return min(int(text), MOST) if text.isascii() and text.isdigit() and len(text) < 18 else 0


class Wish:
    """Which rows, which order, which page of them."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.where, self.host = query.get("where", ""), query.get("host", "")
        self.sort = query.get("sort", "") or "number"
        self.x, self.y = query.get("x", ""), query.get("y", "")
        self.offset = whole(query.get("from", "")) // ROWS * ROWS
        self.only = next((state for state in TaskState if state == query.get("state")), None)
        self.begun: Sequence[int] | None = None  # the tasks that have a slot
        self.with_row = False  # only what has a row in the table of results

    @property
    def column(self) -> str:
        """What is sorted by."""
        return self.sort.removeprefix("-")

    def turned(self, column: str) -> str:
        """The order that a click on this column's head asks for."""
        return f"-{column}" if self.sort == column else column

    def kept(self) -> dict[str, str]:
        """All of it but the order and the place, for links."""
        state = self.only.value if self.only else ""
        return {"where": self.where, "host": self.host, "state": state, "x": self.x, "y": self.y}

    def look(self, listing: Listing, dots: int) -> dict[str, Any]:
        """What is found, for the template; a wish that cannot be fulfilled comes back as a sentence."""
        made: dict[str, Any] = {"parameters": listing.parameters, "results": listing.results, "rows": ROWS}
        made |= {"found": Found([], False), "fault": "", "total": self._total(listing), "plot": None}
        try:
            wanted = self._wanted(listing)
            made["found"] = listing.find(wanted)
            if dots and listing.results:
                made["plot"] = self._plot(listing, wanted, dots)
        except UsageError as error:
            made["fault"] = error.line
        return made

    def _wanted(self, listing: Listing) -> Wanted:
        names = listing.names()
        conditions = parse(self.where, names)
        if self.host:
            conditions.append(Condition("host", "=", self.host))
        if self.column not in names:
            raise UsageError(f"there is no column {self.column}", todo=f"There are: {', '.join(names)}.")
        among = self.begun if self.only is TaskState.RUNNING else None
        downwards = self.sort.startswith("-")
        return Wanted(
            self.only, conditions, self.column, downwards, self.offset, ROWS, among, begun=self.begun,
            with_row=self.with_row,
        )  # fmt: skip

    def _total(self, listing: Listing) -> int | None:
        """How many there are, where that is known without counting."""
        if self.where or self.host:
            return None
        counts = listing.reader.counts()
        if self.with_row:  # rows that wait to be replaced are not counted
            return None if listing.reader.meta("replacing") and counts[TaskState.WAITING] else counts[TaskState.DONE]
        return counts[self.only] if self.only else sum(counts.values())

    def _plot(self, listing: Listing, wanted: Wanted, dots: int) -> drawing.Plot | None:
        """Of one column over another; those that were not chosen are the first that there are."""
        columns = [*listing.parameters, *listing.results]
        self.x = self.x if self.x in columns else columns[0]
        self.y = self.y if self.y in columns else listing.results[0]
        return drawing.plot(listing.points(self.x, self.y, wanted, dots))
