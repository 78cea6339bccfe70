"""Blocks of parameters by themselves, and what jinja's part of a pattern says when it fails."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.config.sequences import stepped
from spe.errors import ConfigError
from spe.sweep.pattern import Pattern, split
from spe.sweep.sources.blocks import Grid, Listed, product

CELLS = st.text("ab\0", max_size=2)
GRIDS = st.lists(st.lists(CELLS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3)


def distinct(values: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each value once: a product in which values are repeated may be that of other values, too."""
    return [tuple(dict.fromkeys(cells)) for cells in values]


def test_without_a_block_there_is_one_set_without_parameters() -> None:
    assert list(product([])) == [((), 0)]


@given(GRIDS)
def test_a_grid_is_the_product_of_its_values_and_the_first_name_varies_slowest(values: list[tuple[str, ...]]) -> None:
    grid = Grid(tuple("xyz"[: len(values)]), values)
    assert list(grid.rows()) == [(cells, 0) for cells in itertools.product(*values)]
    assert grid.has_nul() == any("\0" in cell for cells in values for cell in cells)
    assert grid.columns() == values


def test_of_a_range_the_first_number_shows_what_is_in_its_column() -> None:
    grid = Grid(("x", "y"), [stepped("range", ["1", "50000000"]), ("a", "b")])
    assert grid.columns() == [["1"], ("a", "b")] and not grid.has_nul()


@pytest.mark.parametrize(
    ("lines", "others", "told"), [((3, 4), (7,), [3, 4]), ((), (7,), [7, 7]), ((3,), (), [3, 0]), ((), (), [0, 0])]
)
def test_a_combined_row_has_the_line_of_the_first_block_that_is_in_a_file(
    lines: tuple[int, ...], others: tuple[int, ...], told: list[int]
) -> None:
    blocks = [Listed(("x",), [("1",), ("2",)], lines), Listed(("y",), [("a",)], others)]
    assert list(product(blocks)) == [(("1", "a"), told[0]), (("2", "a"), told[1])]


def test_three_blocks_are_combined_in_their_order() -> None:
    blocks = [Listed((name,), [(name + "1",), (name + "2",)]) for name in "xyz"]
    expected = [(cells, 0) for cells in itertools.product(("x1", "x2"), ("y1", "y2"), ("z1", "z2"))]
    assert list(product(blocks)) == expected


def test_rows_that_are_listed_show_their_columns_and_a_nul() -> None:
    listed = Listed(("x", "y"), [("1", "a"), ("2", "b")])
    assert listed.columns() == [("1", "2"), ("a", "b")] and not listed.has_nul()
    assert Listed(("x",), [("1",), ("a\0",)]).has_nul()


@given(GRIDS.map(distinct), GRIDS.map(distinct))
def test_grids_with_equal_content_have_equal_rows(some: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> None:
    one, other = (Grid(tuple("xyz"[: len(values)]), values) for values in (some, others))
    equal = list(one.content()) == list(other.content())
    assert equal == ((one.names, list(one.rows())) == (other.names, list(other.rows())))
    listed = Listed(one.names, [cells for cells, _ in one.rows()])
    again = Listed(other.names, [cells for cells, _ in other.rows()])
    assert equal == (list(listed.content()) == list(again.content()))


# -- patterns that jinja fills


@pytest.mark.parametrize("literal", ["a\n", "\n\n", "a\n{b", "\\{\n\"'}", "\r\n", "{\\n", "a%}b{c", "\r{a"])
def test_literal_text_beside_an_expression_stays_as_it_is(literal: str) -> None:
    for text in (literal + "{{ x|int }}", "{{ x|int }}" + literal):
        assert Pattern.parse(text).fill({"x": "7"}) == text.replace("{{ x|int }}", "7")


@pytest.mark.parametrize(
    ("command", "word"), [("'{'{{ x|int }}", "{7"), ("'{'{{ x|int }}'}'", "{7}"), ("'{{'{{ x|int }}", None)]
)
def test_a_quoted_brace_before_an_expression_is_none_of_its_own(command: str, word: str | None) -> None:
    if word is None:
        with pytest.raises(ConfigError, match="is not closed"):
            split(command)
        return
    (pattern,) = split(command)
    assert pattern.fill({"x": "7"}) == word


def test_a_pattern_that_cannot_be_filled_is_shown_whole_or_by_its_first_eighty_characters() -> None:
    with pytest.raises(ConfigError, match=r"^'a \{\{ 1 // \(x\|int\) \}\} b' can't be filled in: "):
        Pattern.parse("a {{ 1 // (x|int) }} b").fill({"x": "0"})
    for length, shown in ((80, "x" * 60 + "{{ 1 // (x|int) }}yy"), (81, "x" * 60 + "{{ 1 // (x|int) }}y…")):
        text = ("x" * 60 + "{{ 1 // (x|int) }}" + "y" * 9)[:length]
        with pytest.raises(ConfigError) as caught:
            Pattern.parse(text).fill({"x": "0"})
        assert caught.value.what.startswith(f"{shown!r} can't be filled in: "), length


def test_a_broken_pattern_says_how_to_mend_it_by_what_is_in_it() -> None:
    for text, todo in (("{{ x + }}", "Mend the expression."), ("{% if x %}", "A {% … %} has to begin and to end")):
        with pytest.raises(ConfigError) as caught:
            Pattern.parse(text)
        assert caught.value.todo.startswith(todo)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        (r"{{ '\'' ~ x }}", "'7"),
        (r"{{ '\\' ~ x }}", "\\7"),
        (r"{{ '}}' ~ x ~ '\'}}' }}", "}}7'}}"),
        (r"{{ ''~x }}", "7"),
    ],
)
def test_a_string_in_an_expression_ends_at_its_own_quote(text: str, filled: str) -> None:
    assert Pattern.parse(text).fill({"x": "7"}) == filled


def test_the_weight_of_a_name_is_how_often_its_value_goes_into_the_text() -> None:
    pattern = Pattern.parse("x {{ x }}{{ y }} {{ x }}")
    assert [pattern.weight(name) for name in ("x", "y", "z")] == [2, 1, 0]
