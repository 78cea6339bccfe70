"""Conditions: as functions of Python they mean what they mean to jinja, which reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.sweep import expression
from spe.sweep.where.condition import Condition
from spe.sweep.where.numbers import written_number

NAMES = ("x", "mesh", "host")
NUMBERS = ["0", "1", "5", "007", "7.0", "-3", "1e3", ".5", "9007199254740993", "9" * 30, "1e999", "-0.0"]
TEXTS = ["", "a", "lab01", "x5", "1,5", "nan", "inf", " 1", "1_0", "%s", "True"]
CELLS = st.sampled_from(NUMBERS + TEXTS) | st.text(max_size=3) | st.floats().map(str) | st.integers(-99, 99).map(str)
CONSTANTS = st.sampled_from(
    ["0", "1", "-3", "+5", "2.5", "1e3", "9007199254740993", "'007'", "'a'", "\"lab01\"", "''", "true", "none", "[]",
     "[1, 5]", "('a', '7.0')", "[1, 'x5']", "(1,)"]
)  # fmt: skip


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    compared = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    counted = st.sampled_from(["+", "-", "*", "/", "//", "%", "~"])  # no powers: some take hours
    either = st.sampled_from(["and", "or"])
    return (
        st.builds("{} {} {}".format, inner, compared, inner)
        | st.builds("{} {} {} {} {}".format, inner, compared, inner, compared, inner)
        | st.builds("({}) {} ({})".format, inner, counted, inner)
        | st.builds("{} {} {}".format, inner, either, inner)
        | st.builds("(not ({}))".format, inner)
        | st.builds("({})".format, inner)
        | st.builds("-({})".format, inner)
        | st.builds("({}) | string".format, inner)
        | st.builds("({} if {} else {})".format, inner, inner, inner)
    )


CONDITIONS = st.recursive(st.sampled_from(NAMES) | CONSTANTS, joined, max_leaves=6)


def by_jinja(text: str, values: Mapping[str, str]) -> bool | None:
    """What jinja tells, with all numbers as they were written; None where it cannot."""
    names, _, told = expression.condition(text)
    try:
        return bool(told({name: written_number(values[name]) for name in names}))
    except Exception:
        return None


def by_ours(condition: Condition, values: Mapping[str, str]) -> bool | None:
    try:
        return condition.holds(values)
    except ConfigError:
        return None


@settings(max_examples=300, deadline=None)
@given(CONDITIONS, st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4))
@example("x == 5 and host == 'lab01'", [("5.0", "", "lab01"), ("a", "", "lab01")])
@example("x == '007' or x < 3", [("007", "", ""), ("7", "", "")])
@example("x in [1, 5] and mesh in ('a', '7.0')", [("1.0", "7.0", ""), ("5", "7", "")])
def test_a_condition_means_what_it_means_to_jinja(text: str, rows: Sequence[tuple[str, str, str]]) -> None:
    try:
        condition = Condition(text)
    except ConfigError:
        return  # such as two comparisons of none
    sets = [dict(zip(NAMES, row, strict=True)) for row in rows]
    told = [by_jinja(text, one) for one in sets]
    assert [by_ours(condition, one) for one in sets] == told
    seen = {name: [condition.sight(name)(one[name]) for one in sets] for name in condition.names}
    places = condition.places(seen)
    if places is not None:
        assert list(places) == [place for place, one in enumerate(told) if one]
        assert None not in told


@pytest.mark.parametrize(
    "text",
    ["energy < -3 and mesh == 128", "host == 'lab01'", "x in [1, 2] or not y", "x * 2 + 1 <= y % 3", "1 < x < 5"],
)
def test_what_compares_counts_and_joins_needs_no_jinja(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    condition = Condition(text)
    monkeypatch.setattr(condition, "_holds", None)
    condition.holds(dict.fromkeys(condition.names, "1"))
    assert condition.places(dict.fromkeys(condition.names, (1, 2))) is not None


@pytest.mark.parametrize("text", ["x | int < 3", "x is even", "x.real == 1", "2 ** x > 3", "(1 if x else 2)"])
def test_all_others_are_jinjas(text: str) -> None:
    assert Condition(text).places({"x": [2]}) is None
    assert Condition(text).holds({"x": "2"}) in (True, False)


@pytest.mark.parametrize("text", ["'x'", "5", "-x", "x + 1", "x ~ 'a'", "[x]", "x > 1 or 'a'", "not 5"])
def test_a_number_or_a_text_is_no_condition(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a condition: a number or a text says nothing"):
        Condition(text)


@pytest.mark.parametrize("text", ["x", "(x)"])
def test_a_lone_name_is_no_condition(text: str) -> None:
    with pytest.raises(ConfigError, match=r"x alone says nothing\n  Compare it: `x > 5`"):
        Condition(text)


def test_true_false_tests_and_names_that_are_joined_are_conditions() -> None:
    for text in ("true", "not x", "x > 1 and y", "x is even", "x in [1]", "(x > 1) == true", "1 if x else 0"):
        assert Condition(text).text == text


@pytest.mark.parametrize("text", ["x > 'a'", "x + 'a' == 5", "1 < x < 'a'", "x | int > 'a'", "'a' + x == 'a5'"])
def test_a_number_beside_a_text_is_told_in_these_words(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Condition(text).holds({"x": "5"})
    assert "can't be told: a number and a text do not go together" in caught.value.what
    assert caught.value.todo == "Write a number without quotes, and a text with ==."


def test_a_row_that_cannot_be_told_sends_all_to_be_asked_one_by_one() -> None:
    condition = Condition("x < 3 and y")
    assert condition.places({"x": [1, 2], "y": [1, 0]}) == [0]
    assert condition.places({"x": [1, ""], "y": [1, 0]}) is None
    assert not condition.places({"x": [math.nan], "y": [1]})


def test_a_condition_without_a_name_is_asked_for_each_row() -> None:
    assert Condition("1 < 2").names == frozenset()
    assert Condition("1 < 2").places({}) is None
    assert Condition("1 < 2").holds({})
