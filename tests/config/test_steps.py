"""range, linspace, logspace and -p."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.config.parameters import grid
from spe.config.sequences import shortest, stepped
from spe.errors import UsageError
from spe.line.parameters import ParameterOptions, parameter_keys


@pytest.mark.parametrize(
    ("kind", "arguments", "values"),
    [
        ("range", "1 4", "1 2 3 4"),
        ("range", "01 03", "01 02 03"),
        ("range", "098 102", "098 099 100 101 102"),
        ("range", "00 10 5", "00 05 10"),
        ("range", "12 08 -2", "12 10 08"),
        ("range", "08 12 01", "08 09 10 11 12"),
        ("range", "01 3", "1 2 3"),
        ("range", "1 03", "1 2 3"),
        ("range", "-1 01", "-1 0 1"),
        ("range", "01 02 0.5", "1 1.5 2"),
        ("range", "00 00", "00"),
        ("range", "1 10 3", "1 4 7 10"),
        ("range", "1 9 3", "1 4 7"),
        ("range", "0 0.5 0.1", "0 0.1 0.2 0.3 0.4 0.5"),
        ("range", "5 1 -2", "5 3 1"),
        ("range", "3 3", "3"),
        ("range", "0.5 2.5 1", "0.5 1.5 2.5"),
        ("range", "0.5 1.5 0.5", "0.5 1 1.5"),
        ("range", "1 2 0.5", "1 1.5 2"),
        ("range", "1e16 1e16", "1e16"),
        ("range", "9999999999999999 9999999999999999", "9999999999999999"),
        ("range", "1e3 3e3 1e3", "1000 2000 3000"),
        ("range", "-1 1 0.5", "-1 -0.5 0 0.5 1"),
        ("linspace", "0 1 5", "0 0.25 0.5 0.75 1"),
        ("linspace", "0 1 4", "0 0.3333333333333333 0.6666666666666666 1"),
        ("linspace", "2 2 1", "2"),
        ("linspace", "1 0 3", "1 0.5 0"),
        ("logspace", "0.001 1 7", "0.001 0.0031622776601683794 0.01 0.03162277660168379 0.1 0.31622776601683794 1"),
        ("logspace", "1 1e6 4", "1 100 10000 1000000"),
        ("logspace", "1e-9 1e-7 3", "1e-9 1e-8 1e-7"),
    ],
)
def test_steps_are_exact_and_short(kind: str, arguments: str, values: str) -> None:
    assert list(stepped(kind, arguments.split())) == values.split()


@pytest.mark.parametrize(
    ("kind", "arguments", "complaint"),
    [
        ("range", "1 2 0", "the step is 0"),
        ("range", "5 1", "needs a negative step, such as -1"),
        ("range", "1", "wanted .first, last."),
        ("range", "1 a", "'a' is not a number"),
        ("range", "1 inf", "'inf' is not a number"),
        ("range", "0 1e12", "too many"),
        ("linspace", "0 1", "how many"),
        ("linspace", "0 1 0", "whole number from 1"),
        ("linspace", "0 1 2.5", "whole number from 1"),
        ("logspace", "0 1 5", "greater than 0"),
    ],
)
def test_steps_that_lead_nowhere_are_refused(kind: str, arguments: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        stepped(kind, arguments.split())


def test_a_million_steps_are_not_held_in_memory() -> None:
    steps = stepped("range", ["1", "50000000"])
    assert len(steps) == 50_000_000 and steps[-1] == "50000000" and list(steps[:2]) == ["1", "2"]


@given(st.integers(1, 7).flatmap(lambda width: st.tuples(st.just(width), *[st.integers(0, 10**width - 1)] * 2)))
def test_a_range_keeps_the_width_of_ends_that_have_one(ends: tuple[int, int, int]) -> None:
    width, first, last = ends[0], *sorted(ends[1:])
    values = stepped("range", [f"{first:0{width}}", f"{last:0{width}}"])
    assert values[0] == f"{first:0{width}}" and values[-1] == f"{last:0{width}}"
    assert {len(values[i]) for i in {0, len(values) // 2, len(values) - 1}} == {width}


@given(st.integers(-1000, 1000), st.integers(1, 50), st.integers(0, 6), st.integers(0, 30))
def test_the_last_value_is_in_a_range_that_hits_it(first: int, step: int, places: int, count: int) -> None:
    unit = Decimal(1).scaleb(-places)
    numbers = [first * unit, (first + step * count) * unit, step * unit]
    values = list(stepped("range", [str(number) for number in numbers]))
    assert [Decimal(value) for value in values] == [numbers[0] + i * numbers[2] for i in range(count + 1)]


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_the_shortest_form_is_the_same_number(value: float) -> None:
    assert float(shortest(Fraction(value))) == value
    assert float(shortest(Decimal(repr(value)))) == value


@pytest.mark.parametrize(
    ("option", "name", "values"),
    [
        ("x=1:3", "x", ["1", "2", "3"]),
        ("x=1:10:4", "x", ["1", "5", "9"]),
        ("x=01:03", "x", ["01", "02", "03"]),
        ("x=-05:-03", "x", ["-05", "-04", "-03"]),
        ("x=-5:-3", "x", ["-5", "-4", "-3"]),
        ("x=001:10", "x", [str(number) for number in range(1, 11)]),
        ("x=0:0.2:0.1", "x", ["0", "0.1", "0.2"]),
        ("x=5:1:-2", "x", ["5", "3", "1"]),
        ("y=a,b", "y", ["a", "b"]),
        ("y=a", "y", ["a"]),
        ("y=", "y", [""]),
        ('y="a,b",c', "y", ["a,b", "c"]),
        ('t="12:30"', "t", ["12:30"]),
        ("f=a:b", "f", ["a:b"]),
        ("f=1:b", "f", ["1:b"]),
        ('f="1:2:3:4"', "f", ["1:2:3:4"]),
        ("e=x=1,y=2", "e", ["x=1", "y=2"]),
    ],
)
def test_options_of_the_command_line(option: str, name: str, values: list[str]) -> None:
    keys, _ = parameter_keys(ParameterOptions((option,)))
    found = grid(keys["parameters"]["grid"])
    assert {one: list(steps) for one, steps in found.items()} == {name: values}


@pytest.mark.parametrize("option", ["x", "=1", "1x=3", "a b=1", "x=1:2:0", "x=5:1"])
def test_options_that_are_none_are_refused(option: str) -> None:
    with pytest.raises(UsageError):
        parameter_keys(ParameterOptions((option,)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100"), ("1e5", "100000"), ("0.0001", "0.0001"), ("0.000001", "0.000001"), ("1.2e-7", "1.2e-7"),
        ("1e15", "1000000000000000"), ("1e16", "1e16"), ("1.5e16", "1.5e16"), ("-0", "0"), ("2.50", "2.5"),
    ],
)  # fmt: skip
def test_a_number_is_written_out_from_a_millionth_to_sixteen_digits(value: str, text: str) -> None:
    assert shortest(Decimal(value)) == text


def test_numbers_of_up_to_four_hundred_digits_are_counted_with() -> None:
    assert list(stepped("range", ["1e400", "1e400"])) == ["1e400"]
    with pytest.raises(ValueError, match="'1e401' is not a number that can be counted with"):
        stepped("range", ["1", "1e401"])
