"""How numbers are spelled: the forms of Python and of Fortran, what the table says, what the database computes with."""

from __future__ import annotations

import csv
import math
import re
import sqlite3
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spe.model import Kind, Output, ResultSpec
from spe.results.extract import Part, Refused, extract
from spe.results.judge import judge
from spe.results.reading.numerals import as_written, comparable, read, typed, whole_number

SIGNS = st.sampled_from(["", "+", "-"])
DIGITS = st.text("0123456789", min_size=1, max_size=6)
MANTISSAS = st.one_of(DIGITS, st.builds("{}.{}".format, DIGITS, st.just("") | DIGITS), DIGITS.map(".{}".format))
POINTED = MANTISSAS.filter(lambda text: "." in text)
EXPONENTS = st.builds("{}{:02d}".format, SIGNS, st.integers(0, 330))
LETTERED = st.builds("{}{}{}{}".format, SIGNS, MANTISSAS, st.sampled_from("dDqQ"), EXPONENTS)
BARE = st.builds("{}{}{}".format, SIGNS, POINTED, EXPONENTS.filter(lambda text: text[0] in "+-"))
FORTRAN = LETTERED | BARE
USUAL = st.builds("{}{}{}".format, SIGNS, MANTISSAS, st.just("") | EXPONENTS.map("e{}".format))


def exact(text: str) -> Fraction:
    """The oracle: mantissa and exponent taken apart by hand."""
    found = re.fullmatch(r"([+-]?[0-9.]+)(?:[a-zA-Z]|(?=[+-]))?([+-]?[0-9]+)?", text)
    assert found is not None
    return Fraction(Decimal(found[1])) * Fraction(10) ** int(found[2] or 0)


@given(FORTRAN)
@example("1.0D+05")
@example("1.234-105")
@example("-.5q3")
def test_a_fortran_number_is_the_number_that_it_spells_for_every_csv_reader(text: str) -> None:
    found = read(text, Kind.FLOAT)
    assert found is not None
    mantissa = re.match(r"[+-]?[0-9.]+", text)
    assert mantissa and found.cell.startswith(f"{mantissa[0]}E"), "only the exponent's letter is another"
    (cells,) = csv.reader([found.cell])
    try:
        wanted = float(exact(text))
    except OverflowError:
        wanted = math.inf if exact(text) > 0 else -math.inf
    assert float(cells[0]) == found.value == typed(found.cell, Kind.FLOAT) == wanted
    with sqlite3.connect(":memory:") as connection:
        ((stored, kind),) = connection.execute("SELECT ?, typeof(?)", (found.value, found.value))
    assert (stored, kind) == (wanted, "real")


@given(FORTRAN | USUAL.filter(lambda text: "e" in text))
@example("1D3")
@example("1.5d1")
@example("3000d-3")
@example("0d-99")
def test_an_int_with_an_exponent_is_written_out_and_is_whole(text: str) -> None:
    found, value = read(text, Kind.INT), exact(text)
    if value.denominator != 1:
        assert found is None
        return
    assert found is not None and re.fullmatch("-?[0-9]+", found.cell)
    assert int(found.cell) == value
    assert found.value == (int(value) if -(2**63) <= value < 2**63 else found.cell)


@given(USUAL)
def test_the_usual_forms_stay_as_they_came(text: str) -> None:
    found = read(text, Kind.FLOAT)
    assert found is not None and (found.cell, found.value) == (text, float(text))
    assert comparable(text) == pytest.approx(float(text))


@given(st.text("0123456789+-.eEdDqQnafi_ x,", max_size=9) | st.text(max_size=9))
def test_only_what_csv_readers_know_or_fortran_writes_is_a_number(text: str) -> None:
    found = read(text, Kind.FLOAT)
    if found is None:
        usual = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", text, re.I | re.A)
        assert usual is None
        return
    assert found.cell == text or "E" in found.cell
    assert float(found.cell) == found.value or found.value is None
    assert read(found.cell, Kind.FLOAT) == found, "the cell is read as what it is"


@pytest.mark.parametrize(
    "text", ["", "D5", ".D5", "1D", "1D+", "1.0DD5", "1.0D5.0", "1-5", "2026-05", "1.0+", "1.0 D5", "0x1D5", "1_0D5",
             "1.0+-5", "1.0D5 m", "٣D5", "*****"],
)  # fmt: skip
def test_what_is_only_like_fortran_is_no_number(text: str) -> None:
    assert read(text, Kind.FLOAT) is None and read(text, Kind.INT) is None and comparable(text) is None


@pytest.mark.parametrize("text", ["\u0131nf", "\u0130nf", "na\uff4e"])
def test_a_word_with_a_letter_that_only_looks_like_ours_is_no_number(text: str) -> None:
    assert read(text, Kind.FLOAT) is None


def test_an_int_that_would_be_a_page_of_zeros_is_refused() -> None:
    assert read("1D4999", Kind.INT) is not None
    assert read("1D5000", Kind.INT) is None and read("1D" + "9" * 60_000, Kind.INT) is None
    assert read("0D999999", Kind.INT) is not None


@pytest.mark.parametrize(
    ("kind", "text", "number"),
    [
        (Kind.INT, "7", 7),
        (Kind.INT, "+007", 7),
        (Kind.INT, "-0", 0),
        (Kind.INT, "9223372036854775807", 2**63 - 1),
        (Kind.INT, "-9223372036854775808", -(2**63)),
        (Kind.INT, "9223372036854775808", "9223372036854775808"),
        (Kind.INT, "-9223372036854775809", "-9223372036854775809"),
        (Kind.INT, "0" * 5000 + "1", 1),
        (Kind.INT, "9" * 5000, "9" * 5000),
        (Kind.FLOAT, "3", 3.0),
        (Kind.FLOAT, "nan", None),
        (Kind.FLOAT, "-NaN", None),
        (Kind.FLOAT, "inf", math.inf),
        (Kind.FLOAT, "-Infinity", -math.inf),
        (Kind.FLOAT, "1e999", math.inf),
        (Kind.FLOAT, "1q+4000", math.inf),
        (Kind.FLOAT, "abc", None),
        (Kind.TEXT, "7", None),
        (Kind.JSON, "7", None),
        (Kind.FILE, "7", None),
    ],
)
def test_the_value_is_what_sqlite_computes_with(kind: Kind, text: str, number: object) -> None:
    assert typed(text, kind) == number and type(typed(text, kind)) is type(number)
    with sqlite3.connect(":memory:") as connection:
        assert connection.execute("SELECT ?", (typed(text, kind),)).fetchone() == (number,)


@pytest.mark.parametrize(
    ("data", "spec", "output"),
    [
        (b" 1.0D+05\n", {"kind": Kind.FLOAT}, Output("x", "1.0E+05", b" 1.0D+05\n", None, 9, 1e5)),
        (b"1.0E+05\n", {"kind": Kind.FLOAT}, Output("x", "1.0E+05", None, None, 8, 1e5)),
        (b"1D3\n", {"kind": Kind.INT}, Output("x", "1000", b"1D3\n", None, 4, 1000)),
        (b"E = 1.234-105 eV\n", {"kind": Kind.FLOAT, "regex": r"E = (\S+)"},
         Output("x", "1.234E-105", b"E = 1.234-105 eV\n", None, 17, 1.234e-105)),
        (b'{"e": "1d5"}\n', {"kind": Kind.FLOAT, "path": "e"}, Output("x", "1E5", b'{"e": "1d5"}\n', None, 13, 1e5)),
        (b"nan\n", {"kind": Kind.FLOAT}, Output("x", "nan", None, None, 4, None)),
        (b"5\n", {"kind": Kind.TEXT}, Output("x", "5", None, None, 2, None)),
    ],
)  # fmt: skip
def test_a_judged_number_has_its_cell_its_value_and_its_bytes(data: bytes, spec: dict, output: Output) -> None:
    judgement = judge([ResultSpec("x", **spec)], [], {"x": Part.of("x", data)}, 0, "files/1")
    assert (judgement.reason, judgement.outputs) == (None, (output,))


def test_a_range_looks_at_the_number_that_fortran_means() -> None:
    def cell(data: bytes, kind: Kind, **limits: float) -> str:
        return extract(Part.of("x", data), ResultSpec("x", kind=kind, **limits), None)  # type: ignore[arg-type]

    assert cell(b"1.0D+05", Kind.FLOAT, minimum=1e5, maximum=1e5) == "1.0E+05"
    assert cell(b"1.0D+05", Kind.INT, minimum=1e5, maximum=1e5) == "100000"
    with pytest.raises(Refused, match=re.escape("'1.0D-05' is below the minimum 1")):
        cell(b"1.0D-05", Kind.FLOAT, minimum=1)
    with pytest.raises(Refused, match=re.escape("'1.0+05' is above the maximum 9")):
        cell(b"1.0+05", Kind.INT, maximum=9)
    with pytest.raises(Refused, match="not a finite number"):
        cell(b"1D999", Kind.FLOAT, minimum=0)


@pytest.mark.parametrize(
    ("cell", "raw", "written"),
    [
        ("1.0E+05", b"1.0D+05\n", "1.0D+05"),
        ("100000", b"1.0D+05\n", "1.0D+05"),
        ("1.234E-105", b"a 9.9D1 b=1.234-105, c\n", "1.234-105"),
        ("1.0E+05", b"1.0E+05\n", "1.0E+05"),
        ("1.0E+05", b"x1.0D+05 71.0D+05\n", "1.0E+05"),
        ("nan", b"NaN 1D5\xff\n", "nan"),
        ("3.5", None, "3.5"),
    ],
)
def test_the_spelling_of_the_program_is_found_in_its_bytes(cell: str, raw: bytes | None, written: str) -> None:
    assert as_written(cell, raw) == written


@pytest.mark.parametrize(
    ("text", "number"),
    [("abc", None), ("", None), (None, None), ("nan", None), ("inf", None), ("1_0", None), ("1.0D+05", 1e5), (" 7 ", 7),
     ("10", 10), ("99999999999999999999", 1e20), ("-1.5e-3", -0.0015)],
)  # fmt: skip
def test_any_text_is_compared_by_the_number_that_it_is_or_by_none(text: str | None, number: object) -> None:
    assert comparable(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("9" * 18, 10**18 - 1), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", 2.0**63), ("9" * 19, 1e19)],
)
def test_an_int_beyond_64_bits_is_compared_as_a_float(text: str, number: int | float) -> None:
    assert comparable(text) == number and type(comparable(text)) is type(number)
    assert comparable("-" + text) == -number


def test_zero_is_an_int_however_it_is_written() -> None:
    assert [typed(text, Kind.INT) for text in ("0", "-0", "+00", "0e5")] == [0, 0, 0, 0]


def test_an_int_that_is_written_out_has_no_zeros_before_it_and_they_do_not_count_for_its_length() -> None:
    found = read("007d1", Kind.INT)
    assert found is not None and (found.cell, found.value) == ("70", 70)
    long = read("0" * 10 + "1e4999", Kind.INT)
    assert long is not None and long.cell == "1" + "0" * 4999
    assert read("1e5000", Kind.INT) is None


@given(st.text("0123456789", min_size=1, max_size=4000), st.sampled_from(["", "-", "+"]))
@example("1" + "0" * 1279, "-")
def test_a_whole_number_read_by_halves_is_the_one_that_int_reads(digits: str, sign: str) -> None:
    assert whole_number(sign + digits) == int(sign + digits)


@pytest.mark.parametrize("text", ["", "a", "1" * 700 + "a", "1_" * 700 + "0", "--" + "1" * 700])
def test_what_is_no_whole_number_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|is no whole number"):
        whole_number(text)
