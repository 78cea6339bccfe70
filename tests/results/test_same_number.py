"""Two cells are compared as the numbers that they spell: exactly, in all spellings, at any size."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spe.model import Kind
from spe.results.reading.numerals import read
from spe.results.reading.same_number import same_number

SIGNS = st.sampled_from(["", "+", "-"])
DIGITS = st.text("019", min_size=1, max_size=5)
ZEROS = st.text("0", max_size=3)
MANTISSAS = st.one_of(
    st.builds("{}{}".format, ZEROS, DIGITS),
    st.builds("{}{}.{}{}".format, ZEROS, DIGITS, st.text("019", max_size=4), ZEROS),
    DIGITS.map(".{}".format),
)
# Few different ones, so that two numbers are often near each other, and beyond what a float can hold.
EXPONENTS = st.sampled_from(["", "e0", "E+1", "e-01", "d2", "Q-3", "e400", "E401", "D-0400", "e-401"])
FINITE = st.builds("{}{}{}".format, SIGNS, MANTISSAS, EXPONENTS)
WORDS = st.builds(
    "{}{}".format, SIGNS, st.sampled_from(["inf", "Inf", "INF", "infinity", "Infinity", "nan", "NaN", "NAN"])
)
CELLS = st.one_of(FINITE, WORDS, st.sampled_from(["", "x", "1e", "1_0", "--1", "1,5"]))
TOLERANCES = st.sampled_from(["0", "1e-9", "0.1", "0.3", "0.5", "0.9", "0.99999"]).map(Fraction)
HUGE = "e" + "9" * 5000


def exact(text: str) -> Fraction:
    """The oracle: each digit counts."""
    return Fraction(Decimal(re.sub("[dDqQ]", "e", text)))


@given(FINITE, FINITE, TOLERANCES)
@example("1", "0.7", Fraction("0.3"))
@example("0.1", "0.10000000000000001", Fraction(0))
@example("100e-1", "1.0E+1", Fraction(0))
@example("-0", "0e5", Fraction(0))
@example("9.99", "10.0", Fraction("0.001"))
def test_finite_numbers_are_compared_as_fractions_are(then: str, now: str, tolerance: Fraction) -> None:
    first, second = exact(then), exact(now)
    wanted = abs(first - second) <= tolerance * max(abs(first), abs(second))
    assert same_number(then, now, tolerance) is wanted


@given(CELLS, CELLS, TOLERANCES)
@example("inf", "+Infinity", Fraction(0))
@example("1e400", "inf", Fraction("0.9"))
def test_comparing_is_reflexive_and_symmetric(then: str, now: str, tolerance: Fraction) -> None:
    assert same_number(then, then, tolerance)
    assert same_number(then, now, tolerance) is same_number(now, then, tolerance)


@given(WORDS, CELLS, TOLERANCES)
def test_infinities_and_nan_are_the_same_as_their_other_spellings_only(
    word: str, other: str, tolerance: Fraction
) -> None:
    assert read(word, Kind.FLOAT) is not None, "a spelling that `as: float` accepts"

    def family(text: str) -> str:
        found = re.fullmatch(r"([+-]?)(?:(nan)|inf(?:inity)?)", text.lower())
        return text if found is None else found[2] or f"{found[1].strip('+')}inf"

    assert same_number(word, other, tolerance) is (family(word) == family(other))


@pytest.mark.parametrize(
    ("then", "now", "tolerance", "is_same"),
    [
        ("1.0", "1.00", "0", True),
        ("1.0", "1.0000001", "0", False),
        ("1.0", "1.0000001", "1e-6", True),
        ("-1.0", "1.0", "0.9", False),
        ("0", "1e-300", "0.5", False),
        ("nan", "NaN", "0", True),
        ("nan", "-nan", "0", True),
        ("nan", "1", "0.5", False),
        ("inf", "inf", "0", True),
        ("inf", "Infinity", "0", True),
        ("inf", "-inf", "0.9", False),
        ("inf", "1e308", "0.99", False),
        ("inf", "1e400", "0.99", False),
        ("1.0D+05", "100000", "0", True),
        ("12345678901234567890123", "12345678901234567890124", "0", False),
        ("12345678901234567890123", "12345678901234567890124", "1e-9", True),
        ("1" * 4400, "2" * 4400, "0", False),
        ("1" * 4400, "2" * 4400, "0.4", False),
        ("1" * 4400, "2" * 4400, "0.6", True),
        ("1" * 4400, "1" * 4399 + "2", "1e-9", True),
        ("1" * 4400, "1" * 4399 + "2", "0", False),
        ("1" * 4400, "0" * 4400 + "1" * 4400, "0", True),
        ("1e400", "2e400", "0", False),
        ("1e-400", "2e-400", "0", False),
        ("1e-400", "0", "0.9", False),
        (f"1{HUGE}", f"2{HUGE}", "0.4", False),
        (f"1{HUGE}", f"2{HUGE}", "0.5", True),
        (f"10{HUGE}", f"1{HUGE}", "0.8", False),
        (f"1{HUGE}", "1", "0.99999999999999999999", False),
        (f"1{HUGE}", f"01.0{HUGE}", "0", True),
        ("", "", "0", True),
        ("", "0", "0", False),
        ("x", "y", "0.9", False),
    ],
)
def test_numbers_are_compared_by_what_they_are(then: str, now: str, tolerance: str, is_same: bool) -> None:
    assert same_number(then, now, Fraction(tolerance)) is is_same
    assert same_number(now, then, Fraction(tolerance)) is is_same
