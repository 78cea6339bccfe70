"""What is shown live on a terminal: a line for the sweep, one for each host, the last failures. Only here is rich.

The words are lines.py's.
"""

from __future__ import annotations

import io
import time
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from . import lines

FAILURES = 5
STYLES = {"up": "green", "starting": "dim", "fault": "red", "gone": "red", "benched": "yellow", "drained": "yellow",
          "suspect": "yellow"}  # fmt: skip


class Screen:
    """Shown from when it is made until `stop`; lines come above it."""

    def __init__(self, file: TextIO) -> None:
        self._console = Console(file=file, highlight=False)
        self._live = Live(
            Text("starting"), console=self._console, auto_refresh=False, transient=True, redirect_stdout=False,
            redirect_stderr=False, vertical_overflow="crop",
        )  # fmt: skip
        self._live.start()

    def line(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, markup=False, emoji=False, soft_wrap=True)

    def show(self, document: lines.Document) -> None:
        """How the sweep stands now."""
        self._live.update(picture(document, time.time(), self._console.width, self._console.height), refresh=True)

    def text(self, text: str) -> None:
        """Any text, of which as much is seen as there is room."""
        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def stop(self, terminal: bool = True) -> None:
        """The terminal is as before; one that is gone cannot be written to."""
        if not terminal:
            self._console.file = io.StringIO()
        self._live.stop()


def picture(document: lines.Document, now: float, width: int, height: int) -> RenderableType:
    """All of it, in so much room."""
    failures = lines.failure_lines(document, FAILURES)
    room = height - len(failures) - 5
    parts: list[RenderableType] = [_sweep(document, now, width)]
    if document["hosts"]:
        parts.append(_hosts(lines.host_rows(document, now, max(2, room))))
    parts += [Text(line, style="red", no_wrap=True, overflow="ellipsis") for line in failures]
    return Group(*parts)


def _sweep(document: lines.Document, now: float, width: int) -> RenderableType:
    sweep = document["sweep"]
    pace = lines.pace(document, now)
    long = max(10, min(40, width // 4))
    bar = ProgressBar(total=sweep["total"] or None, completed=lines.ended(document), width=long)
    row = Table.grid(*[Column(no_wrap=True, overflow="ellipsis") for _ in range(3)], padding=(0, 1))
    row.add_row(Text(sweep["name"], style="bold"), bar, Text(lines.counts(document)))
    return Group(row, Text(pace, no_wrap=True, overflow="ellipsis")) if pace else row


def _hosts(rows: list[tuple[str, ...]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for place, title in enumerate(lines.HEAD):
        right = 2 <= place <= 6
        table.add_column(title, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [Text(cell) for cell in row]
        cells[1].stylize(STYLES.get(row[1], ""))
        table.add_row(*cells)
    return table
