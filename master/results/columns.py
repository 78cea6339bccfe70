"""Parameters that are numbers in all of today's sets: the database compares and sorts them as numbers.

A cell counts as a number when it has a plain form that SQLite reads, spaces around it allowed: no
NaN, no infinity, no Fortran exponent, no whole number beyond 64 bits, not empty. A single other cell
makes its column a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Protocol

from .reading.numerals import is_beyond_64_bits

Cells = tuple[str, ...]
_DIGITS = 19  # digits of the first whole numbers beyond 64 bits


class _Block(Protocol):
    """Names of parameters, and cells that show what is in their columns (parameters.py)."""

    @property
    def names(self) -> Cells: ...
    def columns(self) -> Sequence[Sequence[str]] | None: ...


class NumericColumns:
    """The columns that had only numbers so far; lives for one reading of all sets."""

    def __init__(self, blocks: Sequence[_Block], filtered: bool) -> None:
        """`filtered`: a condition leaves sets out, so a value of a block need not be in any set."""
        self._names = list(chain.from_iterable(block.names for block in blocks))
        self._numeric = set(self._names)
        self._open: list[int] = []  # places of columns whose cells must be read in every row
        for block in blocks:
            self._judge_block(block, filtered)

    def _judge_block(self, block: _Block, filtered: bool) -> None:
        shown: Sequence[Sequence[str] | None] | None = block.columns()
        if shown is None:
            shown = [None] * len(block.names)
        for name, cells in zip(block.names, shown, strict=True):
            self._judge_column(name, cells, filtered)

    def _judge_column(self, name: str, cells: Sequence[str] | None, filtered: bool) -> None:
        """Decide about a column from the cells that its block shows; None: it shows none.

        A grid of a million sets shows a few cells for each column, which saves reading all rows.
        """
        if cells is not None and are_numbers(cells):
            return
        # In a filtered block a cell that is no number may belong to a set that is left out.
        if cells is None or filtered:
            self._open.append(self._names.index(name))
        else:
            self._numeric.discard(name)

    def look(self, rows: Sequence[Cells]) -> None:
        """Read the next rows. A column is given up at its first cell that is no number."""
        for at in self._open[:]:  # a copy, as columns leave the list on the way
            if not are_numbers([cells[at] for cells in rows]):
                self._open.remove(at)
                self._numeric.discard(self._names[at])

    def names(self) -> tuple[str, ...]:
        """Return the numeric parameters, in the order of the columns."""
        return tuple(name for name in self._names if name in self._numeric)


def are_numbers(cells: Sequence[str]) -> bool:
    """Return whether all cells are plain numbers; quick for many cells at once."""
    if _has_foreign_spelling("".join(cells)):
        return False
    try:
        list(map(float, cells))
    except ValueError:
        return False
    # Only cells of 19 and more digits can be beyond 64 bits, so the slow test is rare.
    if max(map(len, cells), default=0) < _DIGITS:
        return True
    return not any(map(is_beyond_64_bits, map(str.strip, cells)))


def _has_foreign_spelling(text: str) -> bool:
    """Return whether some cell may be a number for float() and none for SQLite.

    Such are digits of other scripts, 1_000, tabs and newlines, NaN and infinity (which have an n).
    On the joined text each of these tests is a single memchr, not a call for each cell.
    """
    if not text.isascii() or not text.isprintable():
        return True
    return any(map(text.__contains__, "_nN"))
