"""Texts as numbers, for conditions: a number may know how it was written."""

from __future__ import annotations

import re


class _Written:
    """A number that knows how it was written, for comparisons with texts."""

    text: str

    def __eq__(self, other: object) -> bool:
        return self.text == other if isinstance(other, str) else super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __contains__(self, part: object) -> bool:
        if not isinstance(part, str):
            raise TypeError("unsupported operand: only a text is in a text")
        return part in self.text

    def __str__(self) -> str:
        return self.text


class Whole(_Written, int):
    """A whole number as it was written."""

    __hash__ = int.__hash__

    def __new__(cls, value: int, text: str) -> Whole:
        made = super().__new__(cls, value)
        made.text = text
        return made


class Real(_Written, float):
    """A number with a point or an exponent, `nan` or `inf`, as it was written."""

    __hash__ = float.__hash__

    def __new__(cls, value: float, text: str) -> Real:
        made = super().__new__(cls, value)
        made.text = text
        return made


_INT = re.compile(r"[-+]?[0-9]{1,300}\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
# ASCII: without it, IGNORECASE also takes a dotless i, which float() refuses.
_NOT_FINITE = re.compile(r"[-+]?(?:inf|infinity|nan)\Z", re.ASCII | re.IGNORECASE)


def number(text: str) -> int | float | str:
    """Return a value as `where` sees it: a number if it looks like one."""
    # Not float for all: whole numbers above 2**53 would be equal to their neighbours.
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def written_number(text: str) -> int | float | str:
    """Return the same, but a number that equals a text if it was written so: `x == '007'`."""
    found = number(text)
    if isinstance(found, str):
        return found
    return Whole(found, text) if isinstance(found, int) else Real(found, text)


def not_finite(text: str) -> Real | None:
    """Return `nan` and `inf` as a number that equals the text as it was written; None for others."""
    return Real(float(text), text) if _NOT_FINITE.match(text) else None
