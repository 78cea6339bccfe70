"""The spelling of numbers: texts that `as: int` and `as: float` accept, and the values of cells.

Pure. Beside the usual forms the Fortran ones count: `1.0D+05`, `1q5`, and `1.234-105`, which is how
Fortran writes 1.234E-105 when the letter has no room. Nothing else that Python's float() accepts is a
number here: no `1_000`, no digits of other scripts. extract.py decides which text is to be a number,
columns.py which parameters are.
"""

from __future__ import annotations

import math
import re

from ...model import Kind, Number
from ...record import record

_MANTISSA = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_INT = re.compile(r"[+-]?[0-9]+")
_PLAIN = re.compile(_MANTISSA + r"(?:[eE][+-]?[0-9]+)?")
# ASCII: without it, IGNORECASE also takes a dotless i, which float() refuses.
_WORD = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
# Without a letter there must be a point: `10-5` is a range or half a date, and Fortran never writes it.
_FORTRAN = re.compile(
    rf"({_MANTISSA})[dDqQ]([+-]?[0-9]+)|([+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+))([+-][0-9]+)"
)
_WITH_EXPONENT = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)[eE]([+-]?[0-9]{1,6})")
# The same as _FORTRAN in the middle of other text: not a part of a longer word or number.
_FORTRAN_INSIDE = re.compile(rf"(?<![\w.+-])(?:{_FORTRAN.pattern})(?![\w.+-])")

_LEAST, _MOST = -(2**63), 2**63 - 1  # SQLite's integers
_INT_DIGITS = 19  # digits of _MOST
# Digits of an int that is written with an exponent: 1D999999 would be a megabyte of zeros.
_MOST_DIGITS = 5000
_DIGITS_AT_ONCE = 640  # int() takes these, whatever its limit is


@record
class Numeral:
    """A number that was read: `cell` is for the table, `value` for the database (see `typed`)."""

    cell: str
    value: Number


def read(text: str, kind: Kind) -> Numeral | None:
    """Return the number that `text` spells, or None when it spells none of this kind.

    The cell is the text as it came wherever CSV readers know its form. Only a Fortran exponent gets
    the letter E, and an int with an exponent is written out: `1.0D+05` is 1.0E+05 as a float and
    100000 as an int.
    """
    if kind is Kind.INT:
        return _read_int(text)
    return _read_float(text)


def _read_int(text: str) -> Numeral | None:
    cell = _whole(text)
    if cell is None:
        return None
    return Numeral(cell, _within_64_bits(cell))


def _read_float(text: str) -> Numeral | None:
    if _PLAIN.fullmatch(text) or _WORD.fullmatch(text):
        cell: str | None = text
    else:
        cell = with_letter(text)
    if cell is None:
        return None
    value = float(cell)
    if math.isnan(value):  # SQLite stores NaN as NULL
        return Numeral(cell, None)
    return Numeral(cell, value)


def typed(text: str, kind: Kind) -> Number:
    """Return the value that SQLite computes with: an int, a float, the text of an int beyond 64 bits.

    None (NULL) for NaN, for a text that is no number of this kind, and for kinds without numbers.
    """
    if kind not in (Kind.INT, Kind.FLOAT):
        return None
    found = read(text.strip(), kind)
    if found is None:
        return None
    return found.value


def comparable(text: str | None) -> int | float | None:
    """Return the number that a text stands for in sorting and filtering; None when it is none.

    An int beyond 64 bits becomes a float here: its order counts, not its last digit.
    """
    text = (text or "").strip()
    # The common case first: a page that is sorted by such texts comes here a million times.
    if len(text) < _INT_DIGITS and text.isascii() and text.isdigit():
        return int(text)
    if _INT.fullmatch(text):
        return _comparable_int(text)
    return _plain_float(text)


def _comparable_int(text: str) -> int | float:
    value = _within_64_bits(text)
    if isinstance(value, str):
        return float(value)
    return value


def _plain_float(text: str) -> float | None:
    """Return the float of a plain or a Fortran number; None for all else, also for NaN."""
    if _PLAIN.fullmatch(text):
        return float(text)
    spelled = with_letter(text)
    return None if spelled is None else float(spelled)


def with_letter(text: str) -> str | None:
    """Return a number with a Fortran exponent in its usual form, with E; None when it is none."""
    found = _FORTRAN.fullmatch(text)
    return _joined(found) if found else None


def whole_number(text: str) -> int:
    """Return the int that a text of decimal digits spells, however many there are.

    int() refuses more than 4300 digits, or fewer where the environment says so, and to raise that
    limit would change it for the whole program. Raises ValueError for other texts.
    """
    if len(text) <= _DIGITS_AT_ONCE:
        return int(text)
    if not _INT.fullmatch(text.strip()):
        raise ValueError(f"{text[:40]!r} is no whole number")
    value = _by_halves(text.strip().lstrip("+-"))
    return -value if text.lstrip().startswith("-") else value


def _by_halves(digits: str) -> int:
    if len(digits) <= _DIGITS_AT_ONCE:
        return int(digits)
    right = len(digits) // 2
    shift: int = 10**right
    return _by_halves(digits[:-right]) * shift + _by_halves(digits[-right:])


def as_written(cell: str, raw: bytes | None) -> str:
    """Return the program's own spelling of the number in a cell; only Fortran's differs from it.

    `raw`: the stored bytes that the number was found in, maybe in the middle.
    """
    if raw is None:
        return cell
    # The first spelling that gives this cell: a regex may have found it anywhere in the text.
    for found in _FORTRAN_INSIDE.finditer(raw.decode("utf-8", "replace")):
        spelled = _joined(found)
        if cell in (spelled, _whole(spelled)):
            return found[0]
    return cell


def is_beyond_64_bits(text: str) -> bool:
    """Return whether this is a whole number that SQLite cannot hold as one."""
    return _INT.fullmatch(text) is not None and isinstance(_within_64_bits(text), str)


def _joined(found: re.Match[str]) -> str:
    # Groups 1 and 2 with a letter, 3 and 4 without one.
    return f"{found[1] or found[3]}E{found[2] or found[4]}"


def _whole(text: str) -> str | None:
    """Return a whole number as it came, or written out when it has an exponent; None for others.

    `3.0` has no exponent and is a float.
    """
    if _INT.fullmatch(text):
        return text
    found = _WITH_EXPONENT.fullmatch(with_letter(text) or text)
    if found is None:
        return None
    return _written_out(found)


def _written_out(found: re.Match[str]) -> str | None:
    """Return a number with an exponent as a whole number; None when it is none, or too long."""
    digits = found[2] + found[3]
    if not digits.strip("0"):
        return "0" if digits else None
    written = _shifted(digits, int(found[4]) - len(found[3]))
    if written is None:
        return None
    return found[1].strip("+") + written


def _shifted(digits: str, zeros: int) -> str | None:
    """Return the digits with zeros behind them, or without as many (`zeros` < 0); None when too long.

    Also None when something is left behind the point.
    """
    if zeros >= 0:
        digits = digits.lstrip("0")
        return None if len(digits) + zeros > _MOST_DIGITS else digits + "0" * zeros
    if digits[zeros:].strip("0"):
        return None
    return digits[:zeros].lstrip("0")


def _within_64_bits(text: str) -> int | str:
    """Return the value of a whole number, or the text itself when SQLite cannot hold the value."""
    digits = text.lstrip("+-0") or "0"
    # int() refuses more than 4300 digits, and 20 are too many already.
    if len(digits) > _INT_DIGITS:
        return text
    value = int(digits)
    if text.startswith("-"):
        value = -value
    return value if _LEAST <= value <= _MOST else text
