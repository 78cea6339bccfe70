"""How numbers are spelled: what `as: int` and `as: float` accept, the cell that they give, and the value of a cell.

Pure. Beside the usual forms the Fortran ones count: `1.0D+05`, `1q5`, and `1.234-105`, which is how Fortran writes
1.234E-105 when the letter has no room. Nothing else that Python's float() takes is a number here: no `1_000`, no digits
of other scripts. extract.py says which text is to be a number, columns.py which parameters are.
"""

from __future__ import annotations

import math
import re

from ..model import Kind, Number
from ..record import record

_MANTISSA = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_INT = re.compile(r"[+-]?[0-9]+")
_PLAIN = re.compile(_MANTISSA + r"(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[+-]?(?i:nan|inf|infinity)")
# Without a letter there must be a point: `10-5` is a range or half a date, and Fortran never writes it.
_FORTRAN = re.compile(rf"({_MANTISSA})[dDqQ]([+-]?[0-9]+)|([+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+))([+-][0-9]+)")
_WITH_EXPONENT = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)[eE]([+-]?[0-9]{1,6})")
# The same as _FORTRAN in the middle of other text: not a part of a longer word or number.
_FORTRAN_INSIDE = re.compile(rf"(?<![\w.+-])(?:{_FORTRAN.pattern})(?![\w.+-])")

_LEAST, _MOST = -(2**63), 2**63 - 1  # SQLite's integers
_MOST_DIGITS = 5000  # of an int that is written with an exponent: 1D999999 would be a megabyte of zeros


@record
class Numeral:
    """A number that was read: `cell` for the table, `value` for the database (see `typed`)."""

    cell: str
    value: Number


def read(text: str, kind: Kind) -> Numeral | None:
    """Return the number that `text` spells, or None when it spells none of this kind.

    The cell is the text as it came wherever CSV readers know its form. Only a Fortran exponent gets the letter E, and
    an int with an exponent is written out: `1.0D+05` is 1.0E+05 as a float and 100000 as an int.
    """
    if kind is Kind.INT:
        cell = _whole(text)
        return None if cell is None else Numeral(cell, _within_64_bits(cell))
    if _PLAIN.fullmatch(text) is None and _WORD.fullmatch(text) is None:
        fortran = with_letter(text)
        if fortran is None:
            return None
        text = fortran
    value = float(text)
    return Numeral(text, None if math.isnan(value) else value)


def typed(text: str, kind: Kind) -> Number:
    """Return the value that SQLite computes with: an int, a float, the text of an int beyond 64 bits.

    None (NULL) for NaN, for a text that is no number of this kind, and for a kind that is no number.
    """
    if kind not in (Kind.INT, Kind.FLOAT):
        return None
    found = read(text.strip(), kind)
    return None if found is None else found.value


def comparable(text: str | None) -> int | float | None:
    """Return the number that any text stands for when tables are sorted and filtered; None when it is none.

    An int beyond 64 bits becomes a float here: its order counts, not its last digit.
    """
    text = (text or "").strip()
    if len(text) < 19 and text.isascii() and text.isdigit():  # a million times where a page is sorted by such texts
        return int(text)
    if _INT.fullmatch(text):
        value = _within_64_bits(text)
        return float(text) if isinstance(value, str) else value
    plain = text if _PLAIN.fullmatch(text) else with_letter(text)
    return None if plain is None else float(plain)


def with_letter(text: str) -> str | None:
    """Return a number with a Fortran exponent as others write it, with the letter E; None when it is none."""
    found = _FORTRAN.fullmatch(text)
    return _joined(found) if found else None


def as_written(cell: str, raw: bytes | None) -> str:
    """Return the spelling that the program used for the number in a cell: the cell's own unless it was Fortran's.

    `raw`: the stored bytes that it was found in, maybe in the middle.
    """
    if raw is None:
        return cell
    for found in _FORTRAN_INSIDE.finditer(raw.decode("utf-8", "replace")):
        spelled = _joined(found)
        if cell in (spelled, _whole(spelled)):
            return found[0]
    return cell


def is_beyond_64_bits(text: str) -> bool:
    """Whether this is a whole number that SQLite cannot hold as one."""
    return _INT.fullmatch(text) is not None and isinstance(_within_64_bits(text), str)


def _joined(found: re.Match[str]) -> str:
    return f"{found[1] or found[3]}E{found[2] or found[4]}"


def _whole(text: str) -> str | None:
    """A whole number as it came, or written out when it has an exponent. `3.0` has none and is a float."""
    if _INT.fullmatch(text):
        return text
    found = _WITH_EXPONENT.fullmatch(with_letter(text) or text)
    if found is None or not found[2] + found[3]:
        return None
    digits, zeros = found[2] + found[3], int(found[4]) - len(found[3])
    if not digits.strip("0"):
        return "0"
    if zeros >= 0:
        digits = digits.lstrip("0")
        return None if len(digits) + zeros > _MOST_DIGITS else found[1].strip("+") + digits + "0" * zeros
    if digits[zeros:].strip("0"):  # something is left behind the point
        return None
    return found[1].strip("+") + digits[:zeros].lstrip("0")


def _within_64_bits(text: str) -> int | str:
    digits = text.lstrip("+-0") or "0"
    if len(digits) > 19:  # int() refuses more than 4300 digits, and 20 are too many already
        return text
    value = -int(digits) if text.startswith("-") else int(digits)
    return value if _LEAST <= value <= _MOST else text
