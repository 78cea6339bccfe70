"""Some rows of the table, as a condition and a sorting see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..sweep.where.numbers import not_finite

if TYPE_CHECKING:
    from ..sweep.where.condition import Seen


def value(text: str, see: Callable[[str], Seen]) -> Seen:
    """Return a cell as a condition sees it: a number if it looks like one, and `inf`, too.

    Compared with a text, also such a number is the text that was written.
    """
    found = see(text)
    if isinstance(found, str) and text:
        number = not_finite(text)
        return found if number is None else number
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
