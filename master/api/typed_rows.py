"""Rows that come one by one as JSON: their cells as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..model import Kind
from ..results.reading.numerals import whole_number
from ..sweep.where.numbers import number
from ..table.columns import Cell

if TYPE_CHECKING:
    from ..sweep.sweep import Sweep


class TypedRows:
    """Types as in the table: results by `as:`, parameters as numbers if all sets have numbers there."""

    def __init__(self, sweep: Sweep) -> None:
        """Raise ConfigError where a set cannot be read."""
        self._kinds = {one.name: one.kind for one in sweep.results}
        self._numbers = {*sweep.parameters.check().numeric, "number", "seconds", "attempts"}

    def row(self, cells: Mapping[str, str]) -> dict[str, Cell]:
        """Return a row of the table, by column."""
        return {name: self._value(name, cell) for name, cell in cells.items()}

    def _value(self, name: str, cell: str) -> Cell:
        kind = self._kinds.get(name)
        if kind is Kind.INT or kind is Kind.FLOAT:
            if not cell:
                return None
            return whole_number(cell) if kind is Kind.INT else float(cell)
        if kind is None and name in self._numbers:
            return number(cell) if cell else None
        return cell
