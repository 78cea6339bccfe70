"""Numbers as locales and Fortran write them: the forms that are read, and the words for those that are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.model import Kind, ResultSpec
from spe.results.extract import Part, Refused, extract
from spe.results.reading.foreign_numbers import why_not
from spe.results.reading.numerals import read

# What gfortran writes for real(4), real(8), real(16) with list-directed output, and with F, E, D, ES, EN, G and SP
# formats: exponents without a letter where three digits need its room, a point without digits on one side.
FORTRAN = [
    "1.00000000", "100000.000", "1.00000004E+20", "-1.00000000E-20", "1.0000000000000000", "1.7976931348623157E+308",
    "2.2250738585072014E-308", "1.18973149535723176508575932662800702E+4932", "NaN", "Infinity", "-Infinity",
    "+Infinity", "Inf", "-Inf", "+Inf", "+INF", "1.", ".5", "-.5", "+.5", "0.100000E+06", ".1000E+06", "1.0D+05",
    "0.1D+06", "1.d0", ".5d0", "1d0", "1.234-105", "-1.234+105", "0.123-100", ".123-100", "1.0000E+005", "+1.0000E+05",
    "100.000E+03", "1.0Q+05", "1.0q5",
]  # fmt: skip


def refusal(text: str, kind: Kind = Kind.FLOAT) -> str:
    with pytest.raises(Refused) as refused:
        extract(Part.of("x", f"  {text}\n".encode()), ResultSpec("x", kind=kind), None)
    return str(refused.value)


@pytest.mark.parametrize("text", FORTRAN)
def test_what_fortran_writes_is_a_number_and_python_reads_the_cell(text: str) -> None:
    found = read(text, Kind.FLOAT)
    assert found is not None
    assert float(found.cell) == found.value or found.value is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*", "stars"),
        ("**********", "stars"),
        ("1,5", "decimal comma"),
        ("-0,25", "decimal comma"),
        (",5", "decimal comma"),
        ("1,5E+03", "decimal comma"),
        ("1,5D+03", "decimal comma"),
        ("1,234-105", "decimal comma"),
        ("1.234,5", "decimal comma"),
        ("1 234,5", "decimal comma"),
        ("1\u202f234,5", "decimal comma"),
        ("1.234.567,89", "decimal comma"),
        ("1,234,567", "between thousands"),
        ("1,234.5", "between thousands"),
        ("1'234.5", "between thousands"),
        ("1.0_8", "kind"),
        ("1_int64", "kind"),
        ("1.0d0_dp", "kind"),
        ("(1.0,2.0)", "complex"),
        ("( 1.00000000 , -2.0D+00)", "complex"),
        ("(1,0;2,0)", "complex"),
    ],
)
def test_what_is_no_number_for_a_known_reason_is_refused_by_it(text: str, words: str) -> None:
    for kind in (Kind.FLOAT, Kind.INT):
        said = refusal(text, kind)
        assert words in said and "\n" not in said and said.startswith(repr(text))


@pytest.mark.parametrize("text", ["abc", "1,2,3", "1, 5", "a,b", "x*", "1_", "_1", "(1)", "1;5", "", "2026-12-01"])
def test_of_other_texts_no_reason_is_made_up(text: str) -> None:
    assert why_not(text) == ""


def test_the_comma_comes_with_the_locale_that_ends_it() -> None:
    assert "env: {LC_ALL: C}" in refusal("1,5")


@given(st.text("0123456789+-.,eEdDqQ_*()'; ", max_size=12) | st.text(max_size=12))
def test_no_number_has_a_reason_not_to_be_one(text: str) -> None:
    if read(text, Kind.FLOAT) is not None:
        assert why_not(text) == ""
    assert "\n" not in why_not(text)
