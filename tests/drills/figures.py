"""What the drills found, printed at the end of the suite: the tables of docs/drills.md are made of it.

A line travels with the report of its test, so that it also arrives from the processes of pytest-xdist.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

KEY = "drill"
HEAD = ("what was done", "how often", "sets", "lost", "doubled", "extra time", "processes left", "files left")


@dataclass(frozen=True)
class DrillFigures:
    """The figures of one drill: a row of the table."""

    what: str
    times: int
    sets: int
    lost: int
    doubled: int
    plain: float  # seconds that the sweep takes without it; 0: not comparable
    took: float  # seconds with it
    processes: int
    files: int

    @property
    def extra(self) -> str:
        if not self.plain:
            return "-"
        return f"{self.took - self.plain:+.1f} s"

    @property
    def cells(self) -> tuple[str, ...]:
        numbers = (self.times, self.sets, self.lost, self.doubled, self.extra, self.processes, self.files)
        return (self.what, *map(str, numbers))


class Figures:
    """The place where a test puts the figures of its drill."""

    def __init__(self, properties: list[tuple[str, Any]]) -> None:
        self._properties = properties

    def add(self, line: DrillFigures) -> None:
        self._properties.append((KEY, json.dumps(asdict(line))))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """All lines of all processes, as the rows of a table."""
    reports = [r for rs in terminalreporter.stats.values() for r in rs if getattr(r, "when", "") == "call"]
    lines = [DrillFigures(**json.loads(text)) for r in reports for key, text in r.user_properties if key == KEY]
    if lines:
        terminalreporter.section("drills")
        for cells in (HEAD, ("---",) * len(HEAD), *(line.cells for line in lines)):
            terminalreporter.write_line(f"| {' | '.join(cells)} |")
