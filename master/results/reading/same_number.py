"""Compares two cells as the numbers that they spell, exactly. Pure.

float() makes 1e400 and 2e400 the same infinity and int() refuses more than 4300 digits, so neither is
used. Nor is Fraction, which would write out all the zeros of 1e999999999: a number is its sign, its
digits and the place of the first of them.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction

from ...model import Kind
from ...record import record
from .numerals import read

# Sums and products of numbers of any length without rounding.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation])
_ZERO = Decimal(0)


@record
class _Spelled:
    """A number: `sign` * 0.`digits` * 10**`exponent`, without zeros at both ends of `digits`.

    All spellings of one number have equal fields. Zero has no sign and no digits; for infinity and
    NaN, `word` is "inf" or "nan" instead.
    """

    sign: int
    digits: str = ""
    exponent: Decimal = _ZERO  # whole; the exponent itself may have thousands of digits
    word: str = ""


_NAN = _Spelled(0, word="nan")


def same_number(then: str, now: str, tolerance: Fraction) -> bool:
    """Tell whether two cells are the same number: apart by at most `tolerance` of the larger one.

    `tolerance`: from 0 to below 1. NaN is the same as NaN, and an infinity as the one of its sign,
    however they are spelled. A cell that is no number is the same as its own text only.
    """
    if then == now:
        return True
    first, second = _spelled(then), _spelled(now)
    if first is None or second is None:
        return False
    if first == second:
        return True
    if not tolerance or first.word or second.word or first.sign != second.sign:
        # Of two signs, or with zero, the distance is at least the larger number.
        return False
    return _is_near(first, second, tolerance)


def _is_near(first: _Spelled, second: _Spelled, tolerance: Fraction) -> bool:
    """Tell whether |a - b| <= tolerance * max(|a|, |b|), for two numbers of one sign."""
    gap = _EXACT.subtract(first.exponent, second.exponent)
    if gap < 0:
        return _is_near(second, first, tolerance)
    # The smaller one is at least (1 - tolerance) of the larger one, which is 1 / denominator at the
    # least. Beyond that gap the numbers are never written below each other: it may be 1e999999999.
    if gap > tolerance.denominator.bit_length() // 3 + 2:
        return False
    one = Decimal(f"0.{first.digits}")
    other = _EXACT.scaleb(Decimal(f"0.{second.digits}"), -int(gap))
    apart = _EXACT.abs(_EXACT.subtract(one, other))
    allowed = _EXACT.multiply(Decimal(tolerance.numerator), max(one, other))
    return _EXACT.multiply(Decimal(tolerance.denominator), apart) <= allowed


def _spelled(cell: str) -> _Spelled | None:
    """Return the number that a cell spells in a form that `as: float` accepts; None for others."""
    found = read(cell.strip(), Kind.FLOAT)  # also what `as: int` accepts: its cell is written out
    if found is None:
        return None
    text = found.cell.lower()
    sign = -1 if text.startswith("-") else 1
    mantissa, _, exponent = text.lstrip("+-").partition("e")
    if text.lstrip("+-").startswith("inf"):
        return _Spelled(sign, word="inf")
    if mantissa.startswith("nan"):
        return _NAN
    return _normal(sign, mantissa, exponent)


def _normal(sign: int, mantissa: str, exponent: str) -> _Spelled:
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    if not digits:
        return _Spelled(0)
    places = len(whole) - (len(whole + part) - len(digits))
    first = _EXACT.add(Decimal(exponent or "0"), Decimal(places))
    return _Spelled(sign, digits.rstrip("0"), first)
