"""The live picture on a terminal: a line for the sweep, one for each host, the last failures.

And pages of the documentation, set for a terminal.

The words are those of lines.py. This file alone uses rich, which takes 0.05 s to load, so a run
without a terminal does not load it.
"""

from __future__ import annotations

import io
import re
import time
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.control import strip_control_codes
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from . import lines

FAILURES = 5  # the newest ones that are shown
GAP = 2  # blanks between two columns of the table of hosts; 1 on a narrow terminal
NARROW = 80  # columns
DISPENSABLE = ("last word", "load", "lost")  # columns that are left out first where room is short
LEAST = 8  # columns for the reason why a host is not up, however narrow the terminal
AROUND = 6  # lines that are neither hosts nor failures
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
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
    """A live picture, from when it is made until `stop`. Lines come above it.

    Not rich's `Live`: after a change of the window's width it erases as many lines as it has drawn,
    although the terminal has wrapped them to more, and what is left of the old picture stays.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._console = Console(file=file, highlight=False)
        self._shown: list[str] = []  # the lines of the picture, with their control sequences
        self._write(_HIDE_CURSOR)
        self._draw(Text("starting"))

    def line(self, text: str) -> None:
        """Print a line above the picture. It stays there."""
        self._write(f"{self._erase()}{strip_control_codes(text)}\n" + "\n".join(self._shown))

    def show(self, document: lines.Document, activity: str = "") -> None:
        """Show how the sweep stands now. `activity`: what goes on before tasks run."""
        size = self._console.size
        self._draw(picture(document, time.time(), size.width - 1, size.height, activity))

    def text(self, text: str) -> None:
        """Show a text in place of the picture, of which as much is seen as there is room."""
        self._draw(Text(text, no_wrap=True, overflow="ellipsis"))

    def stop(self, terminal: bool = True) -> None:
        """Leave the terminal as it was before.

        `terminal` False: it is gone, and cannot be written to.
        """
        if terminal:
            self._write(self._erase() + _SHOW_CURSOR)

    def _draw(self, shown: RenderableType) -> None:
        """Put a picture in place of the one before."""
        erase = self._erase()
        size = self._console.size
        # One column less than there are: in the last one, terminals differ in where the cursor is.
        with self._console.capture() as capture:
            self._console.print(shown, width=size.width - 1)
        # Blanks at the end would wrap as other text does when the window gets narrower.
        drawn = [line.rstrip() for line in capture.get().rstrip("\n").splitlines()]
        self._shown = drawn[: size.height - 1]
        self._write(erase + "\n".join(self._shown))

    def _erase(self) -> str:
        """Return what erases the picture, as the terminal shows it in its width of now."""
        width = self._console.size.width
        taken = [max(1, -(-cell_len(_CONTROL.sub("", line)) // width)) for line in self._shown]
        up = sum(taken) - 1
        return f"\r\x1b[{up}A\x1b[J" if up > 0 else "\r\x1b[J"

    def _write(self, text: str) -> None:
        """Write at once, so that no half of a picture is seen."""
        self._file.write(text)
        self._file.flush()


def picture(document: lines.Document, now: float, width: int, height: int, activity: str = "") -> RenderableType:
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
    counts = Text(lines.counts(document), no_wrap=True, overflow="ellipsis")
    name = Text(sweep["name"], style="bold")
    row = Table.grid(*[Column(no_wrap=True, overflow="ellipsis") for _ in range(3)], padding=(0, 1))
    parts: list[RenderableType] = [row]
    # The counts get a line of their own where they would be cut.
    if cell_len(sweep["name"]) + long + cell_len(counts.plain) + 3 <= width:
        row.add_row(name, bar, counts)
    else:
        row.add_row(name, bar)
        parts.append(counts)
    if pace:
        parts.append(Text(pace, no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _hosts(rows: list[tuple[str, ...]], width: int) -> Table:
    gap = GAP if width >= NARROW else 1
    places = _columns(rows, width, gap)
    table = _empty_table(places, gap)
    room = max(LEAST, width - _taken(rows, places, gap))
    for row in rows:
        # `Text`, as a plain string would be read as rich's markup: a host may be called [bold].
        cells = [Text(cell) for cell in row]
        cells[1].stylize(STYLES.get(row[1], ""))
        # Cut here: rich would take the room for one long reason from all columns, down to nothing.
        cells[-1].truncate(room, overflow="ellipsis")
        table.add_row(*(cells[place] for place in places))
    return table


def _columns(rows: list[tuple[str, ...]], width: int, gap: int) -> list[int]:
    """Return the places of the columns for which a terminal has room, the reason always."""
    places = list(range(len(lines.HEAD)))
    least = LEAST if any(row[-1] for row in rows) else 0
    for title in DISPENSABLE:
        if _taken(rows, places, gap) + least <= width:
            break
        places.remove(lines.HEAD.index(title))
    return places


def _taken(rows: list[tuple[str, ...]], places: list[int], gap: int) -> int:
    """Return the columns of the terminal that these columns take, without the reason."""
    widths = (max(cell_len(row[place]) for row in (lines.HEAD, *rows)) for place in places[:-1])
    return sum(one + gap for one in widths)


def _empty_table(places: list[int], gap: int) -> Table:
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for place in places:
        right = 2 <= place <= 6  # the columns of numbers
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(lines.HEAD[place], justify=justify, no_wrap=True, overflow="ellipsis")
    return table


def markdown_as_text(markdown: str, width: int) -> str:
    """Return Markdown as a terminal shows it, in lines of this width."""
    from rich.markdown import Markdown  # late: the live picture needs none of it

    page = io.StringIO()
    console = Console(file=page, width=width, force_terminal=True, legacy_windows=False)
    console.print(Markdown(markdown))
    return page.getvalue()
