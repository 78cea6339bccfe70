"""The live picture on a terminal: a line for the sweep, one for each host, the last failures.

The words are those of lines.py. This file alone uses rich, which takes 0.05 s to load, so a run
without a terminal does not load it.
"""

from __future__ import annotations

import io
import time
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from . import lines

FAILURES = 5  # the newest ones that are shown
GAP = 2  # blanks between two columns of the table of hosts
LEAST = 8  # columns for the reason why a host is not up, however narrow the terminal
AROUND = 5  # lines that are neither hosts nor failures
STYLES = {
    "up": "green",
    "starting": "dim",
    "fault": "red",
    "gone": "red",
    "benched": "yellow",
    "drained": "yellow",
    "suspect": "yellow",
}


class Screen:
    """A live picture, from when it is made until `stop`. Lines come above it."""

    def __init__(self, file: TextIO) -> None:
        self._console = Console(file=file, highlight=False)
        # Only `show` draws. rich's own thread would draw four times a second, also when nothing has
        # changed.
        self._live = Live(
            Text("starting"),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def line(self, text: str) -> None:
        """Print a line above the picture. It stays there."""
        self._console.print(text, markup=False, emoji=False, soft_wrap=True)

    def show(self, document: lines.Document, activity: str = "") -> None:
        """Show how the sweep stands now. `activity`: what goes on before tasks run."""
        size = self._console.size
        shown = picture(document, time.time(), size.width, size.height, activity)
        self._live.update(shown, refresh=True)

    def text(self, text: str) -> None:
        """Show a text in place of the picture, of which as much is seen as there is room."""
        self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def stop(self, terminal: bool = True) -> None:
        """Leave the terminal as it was before.

        `terminal` False: it is gone, and cannot be written to.
        """
        if not terminal:
            self._console.file = io.StringIO()  # `Live.stop` draws once more
        self._live.stop()


def picture(
    document: lines.Document, now: float, width: int, height: int, activity: str = ""
) -> RenderableType:
    """Return the picture of a document, for a terminal of `width` columns and `height` lines."""
    failures = lines.failure_lines(document, FAILURES)
    room = height - len(failures) - AROUND
    parts: list[RenderableType] = [_sweep(document, now, width)]
    if activity:
        room -= 1
        parts.append(Text(activity, no_wrap=True, overflow="ellipsis"))
    if document["hosts"]:
        parts.append(_hosts(lines.host_rows(document, now, max(2, room)), width))
    parts += [Text(line, style="red", no_wrap=True, overflow="ellipsis") for line in failures]
    return Group(*parts)


def _sweep(document: lines.Document, now: float, width: int) -> RenderableType:
    sweep = document["sweep"]
    pace = lines.pace(document, now)
    long = max(10, min(40, width // 4))
    bar = ProgressBar(total=sweep["total"] or None, completed=lines.ended(document), width=long)
    row = Table.grid(*[Column(no_wrap=True, overflow="ellipsis") for _ in range(3)], padding=(0, 1))
    row.add_row(Text(sweep["name"], style="bold"), bar, Text(lines.counts(document)))
    if not pace:
        return row
    return Group(row, Text(pace, no_wrap=True, overflow="ellipsis"))


def _hosts(rows: list[tuple[str, ...]], width: int) -> Table:
    table = _empty_table()
    room = _room_for_reasons(rows, width)
    for row in rows:
        # `Text`, as a plain string would be read as rich's markup: a host may be called [bold].
        cells = [Text(cell) for cell in row]
        cells[1].stylize(STYLES.get(row[1], ""))
        cells[-1].truncate(room, overflow="ellipsis")
        table.add_row(*cells)
    return table


def _room_for_reasons(rows: list[tuple[str, ...]], width: int) -> int:
    """Return the columns of the terminal that are left for the last column.

    rich would take the room for one long reason from all columns, down to nothing.
    """
    others = zip(*(row[:-1] for row in (lines.HEAD, *rows)), strict=True)
    taken = sum(max(map(cell_len, column)) + GAP for column in others)
    return max(LEAST, width - taken)


def _empty_table() -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for place, title in enumerate(lines.HEAD):
        right = 2 <= place <= 6  # the columns of numbers
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis")
    return table
