"""Some rows of the table, as a condition and a sorting see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sweep.where.condition import Seen

_NOT_FINITE = frozenset(("inf", "infinity", "nan"))


def value(text: str, see: Callable[[str], Seen]) -> Seen:
    """Return a cell as a condition sees it: a number if it looks like one, and `inf`, too."""
    found = see(text)
    if isinstance(found, str) and text.lower().lstrip("+-") in _NOT_FINITE:
        return float(text)
    return found


class Page:
    """Rows one after another: the numbers of their sets, and the cells of some columns."""

    def __init__(self, numbers: Sequence[int], columns: Mapping[str, Sequence[str]]) -> None:
        self.numbers = numbers
        self._columns = columns

    def cells(self, name: str) -> Sequence[str]:
        """Return the cells of a column."""
        return self._columns[name]

    def values(self, name: str, see: Callable[[str], Seen], compared: bool) -> Sequence[Seen]:
        """Return them as `see` does. `compared`: with numbers alone, so that 5.0 is as good as 5."""
        return [value(text, see) for text in self._columns[name]]
