"""Reports of clients about tickets, as they come, and with the verdict about them."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Output, Usage
from ..record import record
from ..results.extract import Part
from .judging import Verdict

Key = tuple[int, bool]


@record
class Report:
    """A client's report about one ticket: its results or, with a `reason`, that its program failed."""

    ticket: int
    parts: Mapping[str, Part]
    reason: str | None = None

    @property
    def key(self) -> Key:
        """Ticket and kind of the report; a report that is sent again has the same key."""
        return self.ticket, self.reason is None


@record
class Judged:
    """A report whose ticket counts, and the verdict about its results (None: it reports a failure)."""

    report: Report
    verdict: Verdict | None
    usage: Usage
    redone: bool = False  # the set has an earlier result, which this one is to replace
    whole: tuple[Output, ...] = ()  # all that the program printed, with `keep_output: all`

    @property
    def keeps_files(self) -> bool:
        """Tell whether files have to be kept or replaced for this report."""
        return bool(self.outputs) and (self.redone or any(output.file for output in self.outputs))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs to store.

        They are the results and, with `keep_output: all`, everything that the program printed.
        """
        if self.verdict is None or (self.verdict.reason is not None and not self.verdict.fault):
            return ()
        return self.verdict.outputs + self.whole
