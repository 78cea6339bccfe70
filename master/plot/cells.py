"""The columns that are drawn: which of them are numbers, which texts, and their groups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..errors import UsageError
from ..results.reading.numerals import comparable

Raw = int | float | str | None
SHOWN = 40  # characters of a text that a message quotes
LARGEST, LEAST = 1e300, 1e-300  # numbers with a place on an axis, and those on a logarithmic one
_NOT_FINITE = ("nan", "inf", "infinity")


class Cells:
    """One column of the sets that are drawn, in their order. Lives as long as the figure is made."""

    def __init__(self, name: str, raw: Sequence[Raw]) -> None:
        self.name = name
        self.raw = raw
        # None: empty, beyond what has a place, or a text.
        self.numbers = [_finite(one) for one in raw]

    def text(self, place: int) -> str:
        """Return a cell as a text: equal texts are one group."""
        cell = self.raw[place]
        # Twelve digits: in six of them two values of a parameter could be one.
        return f"{cell:.12g}" if isinstance(cell, float) else str(cell) if cell is not None else ""

    @property
    def first_text(self) -> str:
        """Return the first cell that is no number, "" where there is none."""
        pairs = zip(self.raw, self.numbers, strict=True)
        return next((str(one) for one, number in pairs if number is None and _is_word(one)), "")

    def check_numbers(self, why: str) -> None:
        """Raise UsageError if no cell is a number. `why`: what needs one."""
        if self.raw and not any(one is not None for one in self.numbers):
            found = self.first_text[:SHOWN]
            what = f"{self.name} is text, such as {found!r}" if found else f"{self.name} is empty in all sets"
            raise UsageError(f"{what}: {why} is a number", todo="Choose a column of numbers.")

    def distinct(self) -> list[str]:
        """Return the different texts of the cells: in the order of numbers if all are, else sorted."""
        texts = Counter(self.text(place) for place in range(len(self.raw)))
        if self.first_text:
            return sorted(texts)
        return sorted(texts, key=lambda one: (one == "", comparable(one) or 0.0))


def _is_word(cell: Raw) -> bool:
    """Tell whether a cell has a text that spells no number, not even an infinite one."""
    if not isinstance(cell, str):
        return False
    plain = cell.strip().lower().lstrip("+-")
    return plain not in ("", *_NOT_FINITE)


def _finite(cell: Raw) -> float | None:
    number = comparable(cell) if isinstance(cell, str) else cell
    # Beyond that, an axis that is widened to round numbers would end at infinity.
    if number is None or not math.isfinite(number) or abs(number) > LARGEST:
        return None
    return float(number)


def number_text(value: float) -> str:
    """Return a number in at most six digits."""
    return f"{value:.6g}"
