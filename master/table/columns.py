"""The columns of a sweep's table, and the types of their cells.

A result has the type that `as:` says, a parameter is a number if it is one in all sets of today. A
column of whole numbers of which one is beyond 64 bits is text for programs that know no larger ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from ..model import Kind
from ..record import record
from ..results.reading.numerals import whole_number
from ..store.tables import column_types

if TYPE_CHECKING:
    from ..store.reader import Reader

Cell = int | float | str | None


class Type(StrEnum):
    """What the cells of a column are."""

    WHOLE = "whole numbers"
    LARGE = "whole numbers beyond 64 bits"
    NUMBER = "numbers"
    TEXT = "texts"


_OWN = {"number": Type.WHOLE, "host": Type.TEXT, "seconds": Type.NUMBER, "attempts": Type.WHOLE}


@record
class Column:
    """A column of the table."""

    name: str
    type: Type

    def value(self, cell: str) -> Cell:
        """Return a cell as a value; None for an empty cell of a number. Raises ValueError."""
        if self.type is Type.TEXT:
            return cell
        if not cell:
            return None
        return float(cell) if self.type is Type.NUMBER else whole_number(cell)


def columns_of(reader: Reader, names: Sequence[str]) -> list[Column]:
    """Return these columns of a sweep's table."""
    results = set(reader.results)
    numeric = [name for name in reader.numeric if name in names]
    whole = column_types.whole_parameters(reader.connection, reader.plan, numeric)
    large = column_types.results_beyond_64_bits(reader.connection)
    found = []
    for name in names:
        if name in results:
            found.append(Column(name, _of_result(reader.kinds.get(name), name in large)))
        elif name in reader.parameters:
            number = Type.WHOLE if name in whole else Type.NUMBER
            found.append(Column(name, number if name in numeric else Type.TEXT))
        else:
            found.append(Column(name, _OWN[name]))
    return found


def _of_result(kind: str | None, is_large: bool) -> Type:
    if kind == Kind.INT:
        return Type.LARGE if is_large else Type.WHOLE
    return Type.NUMBER if kind == Kind.FLOAT else Type.TEXT
