"""Values within expressions are texts, and an expression that counts with them says so instead of a wrong number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.sweep.pattern import Pattern

VALUES = {"x": "11", "y": "3", "s": "a b", "e": ""}


@pytest.mark.parametrize(
    "code",
    [
        "x * 2", "2 * x", "x + x", "x + y", "x + 1", "1 + x", "x - 1", "1 - x", "x / 2", "x // 2", "x ** 2", "x % 2",
        "-x", "x > y", "x < y", "x >= y", "x <= y", "x > 2", "2 < x", "x == 2", "x != 2", "2 == x", "x == true",
        "x in [1, 2]", "[x, y] | max", "[x, y] | min", "[x, y] | sort", "[x, y] | sum", "x is even", "x is gt 2",
        "x | upper * 2", "x | first * 2", "(x | list)[0] * 2", "x.replace('1', '2') * 2", "x | replace('1', '2') * 2",
        "x | stem | replace('1', '2') + '1'", "x | trim == 11", "x.upper() * 2", "x | urlencode * 2",
        "x[0] * 2", "x.split('1')[0] == 1", "x | trim + y", "s > 2", "s == 2", "x.strip() * 2", "1 if x == 11 else 2",
    ],
)  # fmt: skip
def test_counting_with_a_text_is_refused_and_the_right_form_is_told(code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pattern.parse("{{ " + code + " }}").fill(VALUES)
    assert "can't be filled in" in caught.value.what
    if code not in ("x | trim + y",):
        name = "s" if code.startswith("s") else "x or y"
        assert any(f"{one} is a text" in caught.value.what for one in name.split(" or ")), caught.value.what
        assert "| float" in caught.value.what


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("x | int * 2", "22"), ("x | float / 2", "5.5"), ("x | int > y | int", "True"), ("x ~ y", "113"),
        ("x == '11'", "True"), ("x != '3'", "True"), ("x in ['11', '12']", "True"), ("x + '_' + y", "11_3"),
        ("s + 'c'", "a bc"), ("s < 'b'", "True"), ("s * 2", "a ba b"), ("e == ''", "True"), ("x or 1", "11"),
        ("x | length", "2"), ("[s, 'c'] | max", "c"), ("x == none", "False"), ("s.split(' ')[1]", "b"),
        ("'%s-%s' % (x, y)", "11-3"), ("'%s!' % x", "11!"), ("x | round(1) if e else 'none'", "none"),
        ("[x | int, y | int] | max", "11"),
    ],
)  # fmt: skip
def test_texts_and_numbers_that_are_made_of_them_are_what_they_are(code: str, text: str) -> None:
    assert Pattern.parse("{{ " + code + " }}").fill(VALUES) == text


@pytest.mark.parametrize("deck", ["a {# note #} b", "A {#1} {{ x }} {#2}\nB #} C", "{#", "#}", "{# {{ x }} #}"])
def test_the_comments_of_jinja_are_text(deck: str) -> None:
    assert Pattern.parse(deck).fill(VALUES) == deck.replace("{{ x }}", "11")
    assert Pattern.parse(deck + "{{ x | int + 1 }}").fill(VALUES) == deck.replace("{{ x }}", "11") + "12"


@given(st.text(), st.text())
def test_no_text_that_is_no_number_is_refused_where_texts_are_joined_or_compared(one: str, other: str) -> None:
    pattern = Pattern.parse("{{ a ~ b }}{{ a == b }}{{ a | length }}")
    assert pattern.fill({"a": one, "b": other}) == f"{one}{other}{one == other}{len(one)}"
