"""The outcome of a run, and the reasons why sets still wait after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from ..desk.desk import Desk
from ..dispatch import shortfall
from ..dispatch.shortfall import Reason
from ..record import record
from ..store.statistics import Statistics


@record
class Outcome:
    """The outcome of one run."""

    folder: Path
    statistics: Statistics
    interrupted: bool
    began: int  # sets that this run had to do
    gather_faults: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()  # hosts whose clients did not say goodbye
    waiting_because: tuple[Reason, ...] = ()
    # Host -> why it was not started any more
    benched: Mapping[str, str] = field(default_factory=dict)
    stranded: str = ""  # no host was left, and this says why
    stopped: str = ""  # sentence about a folder that was moved or removed during the run
    database: Path | None = None  # path of a sweep.db that was moved away alone

    @property
    def exit_code(self) -> int:
        """The exit code of `spe run`.

        0: all sets are done. 1: some failed, are not collected or have an empty cell. 3: no host
        was left. 130: Ctrl-C.
        """
        if self.interrupted:
            return 130
        if self.stranded and self.statistics.waiting:
            return 3
        return self.statistics.exit_code


async def explain(desk: Desk, waiting: int) -> tuple[Reason, ...]:
    """Return why `waiting` sets wait at the end, and store it for `spe status`."""
    because = desk.shortfall.explain(waiting)
    if because:
        await desk.store.set_meta(shortfall.META, shortfall.written(because))
    return because
