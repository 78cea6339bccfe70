"""Blocks of parameters: some names, and rows of cells for them; and the product of blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol

from ...record import record
from .parameter_file import Cells


class Block(Protocol):
    """A block: some names, and rows of cells for them, each with its line in a file or 0."""

    @property
    def names(self) -> Cells: ...
    def rows(self) -> Iterator[tuple[Cells, int]]: ...
    def has_nul(self) -> bool: ...
    def columns(self) -> Sequence[Sequence[str]] | None:
        """Return cells that show what is in each column, by name; None where only all rows show it."""

    def content(self) -> Iterator[bytes]:
        """Yield all that the rows are made of: equal content means equal rows."""


@record
class Listed:
    """Rows that stand in spe.yaml: `rows:` and `zip:`."""

    names: Cells
    cells: Sequence[Cells]
    lines: Sequence[int] = ()

    def rows(self) -> Iterator[tuple[Cells, int]]:
        return zip(self.cells, itertools.chain(self.lines, itertools.repeat(0)), strict=False)

    def has_nul(self) -> bool:
        return any("\0" in cell for row in self.cells for cell in row)

    def columns(self) -> Sequence[Sequence[str]]:
        return list(zip(*self.cells, strict=True))

    def content(self) -> Iterator[bytes]:
        yield repr((self.names, len(self.cells))).encode()
        yield from (repr(row).encode() for row in self.cells)


@record
class Grid:
    """The product of the values of each name; the first name varies slowest."""

    names: Cells
    values: Sequence[Sequence[str]]

    def rows(self) -> Iterator[tuple[Cells, int]]:
        """Yield the product. Not itertools.product alone, which would hold a range of a million in
        memory.
        """
        first = self.values[0]
        rest = self.values[1:]
        for value in first:
            for others in itertools.product(*rest):
                yield (value, *others), 0

    def has_nul(self) -> bool:
        # All other values are ranges, which have numbers.
        written = [values for values in self.values if isinstance(values, tuple)]
        return any("\0" in value for values in written for value in values)

    def columns(self) -> Sequence[Sequence[str]]:
        """Return the cells of each column.

        Of a range the first one shows it: all of them are numbers.
        """
        return [values if isinstance(values, tuple) else values[:1] for values in self.values]

    def content(self) -> Iterator[bytes]:
        yield repr((self.names, [len(values) for values in self.values])).encode()
        yield from (repr(value).encode() for values in self.values for value in values)


def product(blocks: Sequence[Block]) -> Iterator[tuple[Cells, int]]:
    """Return the rows of all blocks combined; without a block there is one set without parameters."""
    if not blocks:
        return iter([((), 0)])
    # As the block gives them: most sweeps have one, and a million rows go through no further hand.
    if len(blocks) == 1:
        return blocks[0].rows()
    return _combined(blocks[0], blocks[1:])


def _combined(first: Block, rest: Sequence[Block]) -> Iterator[tuple[Cells, int]]:
    for cells, line in first.rows():
        for others, other in product(rest):
            yield cells + others, line or other
