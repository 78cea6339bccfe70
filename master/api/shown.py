"""Short texts with which the objects of this room show themselves at a prompt or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice

from ..table.columns import Cell
from ..text import counted, printable

ROWS = 10  # of a table
CELL = 40  # characters of a cell
LARGE = 2000  # bits of a whole number: str() refuses more than 4300 digits

Row = Mapping[str, Cell]


def counts_text(counts: Mapping[str, int]) -> str:
    """Return `12 done, 1 failed`: the states that some sets have."""
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no sets"


def table_text(head: Sequence[str], rows: Iterable[Row], count: int) -> str:
    """Return the first rows below their columns, and how many there are. `count`: of all rows."""
    lines = [list(head)] + [[_cell(row[name]) for name in head] for row in islice(rows, ROWS)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([_size(count, head), *shown])


def table_html(head: Sequence[str], rows: Iterable[Row], count: int) -> str:
    """Return the same as HTML, in which no cell can be anything but text."""
    cells = "".join(f"<th>{escape(printable(name))}</th>" for name in head)
    lines = [f"<tr>{cells}</tr>"]
    for row in islice(rows, ROWS):
        cells = "".join(f"<td>{escape(_cell(row[name]))}</td>" for name in head)
        lines.append(f"<tr>{cells}</tr>")
    return f"<p>{escape(_size(count, head))}</p><table>{''.join(lines)}</table>"


def _size(count: int, head: Sequence[str]) -> str:
    more = f", the first {ROWS}:" if count > ROWS else ""
    return f"{counted(count, 'row')}, {counted(len(head), 'column')}{more}"


def _cell(value: Cell) -> str:
    text = "" if value is None else printable(_text(value))
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _text(value: int | float | str) -> str:
    if not isinstance(value, int) or value.bit_length() <= LARGE:
        return str(value)
    # The first digits, more than a cell shows; 0.30102 is a little less than the logarithm of 2.
    behind = value.bit_length() * 30_102 // 100_000 - 2 * CELL
    return ("-" if value < 0 else "") + str(abs(value) // 10**behind)
