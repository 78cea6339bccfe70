"""Which parameters are numbers in all of today's sets: those columns compare and sort as numbers in the database.

A cell counts as a number when it has a plain form that SQLite reads, spaces around it allowed: no NaN, no infinity, no
Fortran exponent, no whole number beyond 64 bits, not empty. One other cell makes its column a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .numerals import is_beyond_64_bits

Cells = tuple[str, ...]
_DIGITS = 19  # of the first whole numbers beyond 64 bits


class _Block(Protocol):
    """Names of parameters, and cells that show what is in their columns (parameters.py)."""

    @property
    def names(self) -> Cells: ...
    def columns(self) -> Sequence[Sequence[str]] | None: ...


class NumericColumns:
    """The columns that had numbers only so far. Lives for one reading of all sets."""

    def __init__(self, blocks: Sequence[_Block], filtered: bool) -> None:
        """`filtered`: a condition leaves sets out, so that a value of a block need not be in any set."""
        self._names = [name for block in blocks for name in block.names]
        self._numeric = set(self._names)
        self._open: list[int] = []  # the places of columns that all rows have to be looked at for
        for block in blocks:
            columns = block.columns()
            for at, name in enumerate(block.names):
                if columns is not None and are_numbers(columns[at]):
                    continue
                if columns is None or filtered:
                    self._open.append(self._names.index(name))
                else:
                    self._numeric.discard(name)

    def look(self, rows: Sequence[Cells]) -> None:
        """Look at the next rows. A column is given up at its first cell that is no number."""
        for at in self._open[:]:
            if not are_numbers([cells[at] for cells in rows]):
                self._open.remove(at)
                self._numeric.discard(self._names[at])

    def names(self) -> tuple[str, ...]:
        """The numeric parameters, in the order of the columns."""
        return tuple(name for name in self._names if name in self._numeric)


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether all cells are plain numbers. Many at once are quick: the looks at the joined text are a memchr each."""
    text = "".join(cells)
    # What float() takes and SQLite does not: other scripts, 1_000, tabs and newlines; NaN and infinity have an n.
    if not text.isascii() or not text.isprintable() or "_" in text or "n" in text or "N" in text:
        return False
    try:
        list(map(float, cells))
    except ValueError:
        return False
    if max(map(len, cells), default=0) < _DIGITS:
        return True
    return not any(is_beyond_64_bits(cell.strip()) for cell in cells)
