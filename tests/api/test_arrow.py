"""Tables of Arrow: whole columns at once mean what cell by cell means, in the order of the parameters."""

from __future__ import annotations

import pyarrow
import pytest
import spe
from cli.kit import Bench
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spe.sweep.where.condition import Condition
from spe.sweep.where.numbers import number, written_number
from spe.table.arrow_pages import as_list, pages, text_table
from spe.table.pages import Page

from .test_open import make_stale

CELLS = (
    st.integers().map(str)
    | st.floats().map(str)
    | st.sampled_from(["", "007", "+5", "0x1f", "1e999", "1e-999", "5.", ".5", ".", "1e5", "1_0", " 1", "nan", "-inf"])
    | st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,20})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
    | st.text(max_size=3)
)
#: Mostly columns of one kind: these are the ones that are read at once.
COLUMNS = st.lists(CELLS, min_size=1, max_size=8) | st.lists(st.floats(allow_nan=False).map(str), min_size=1)


@settings(max_examples=500, deadline=None)
@given(COLUMNS, st.integers(1, 4))
@example(["1", "2.5"], 9)
@example(["0x1f", "1"], 9)
@example(["123456789012345", "1234567890123456"], 9)
def test_a_column_is_what_its_cells_are(cells: list[str], size: int) -> None:
    if any("\ud800" <= one <= "\udfff" for cell in cells for one in cell):
        return  # no text of a table is that
    numbers = pyarrow.array(range(len(cells)), pyarrow.int64())
    table = text_table(numbers, {"x": pyarrow.array(cells, pyarrow.string())})
    expected = Page(range(len(cells)), {"x": cells})
    at_once = list(pages(table, size))
    assert [one for page in at_once for one in page.numbers] == list(range(len(cells)))
    assert [one for page in at_once for one in page.cells("x")] == cells
    for see in (number, written_number):
        found = [one for page in at_once for one in page.values("x", see, False)]
        wanted = expected.values("x", see, False)
        assert list(map(repr, found)) == list(map(repr, wanted))
        assert [getattr(one, "text", "") for one in found] == [getattr(one, "text", "") for one in wanted]
    compared = [one for page in at_once for one in page.values("x", number, True)]
    for found_one, wanted_one in zip(compared, expected.values("x", number, True), strict=True):
        assert found_one == wanted_one or (found_one != found_one and wanted_one != wanted_one)


def test_a_part_of_an_array_is_that_part() -> None:
    assert as_list(pyarrow.array([1, 2, 3, 4], pyarrow.int64())[1:3]) == [2, 3]
    assert as_list(pyarrow.array([], pyarrow.float64())) == []


def test_names_that_are_compared_with_numbers_alone_are_known() -> None:
    assert Condition("x < 3 and host == 'a' and -1 <= y").compared == {"x", "y"}
    assert Condition("x < 3 and x == '3'").compared == frozenset()
    assert Condition("x + 1 < 3 or y < x").compared == frozenset()
    assert Condition("mesh in [1, 2]").compared == {"mesh"}


@pytest.mark.parametrize("is_stale", [False, True], ids=["results.csv", "the database"])
def test_sets_that_came_later_stand_where_the_parameters_have_them(bench: Bench, is_stale: bool) -> None:
    text = "name: t\ncommand: echo {{ x }}\nparameters: {grid: {x: %s}}\nresults: {y: {from: stdout, as: int}}\n"
    bench.write("spe.yaml", text % "[1, 3]")
    bench.ok("run", "-q")
    bench.write("spe.yaml", text % "[1, 2, 3]")
    bench.ok("run", "-q")
    if is_stale:
        make_stale(bench)
    run = spe.open("t")
    assert run.results().arrow()["number"].to_pylist() == [1, 3, 2]
    assert run.results().arrow()["x"].to_pylist() == [1, 2, 3]
    assert run.results("x >= 2", columns=["y"]).arrow().to_pydict() == {"y": [2, 3]}
    assert run.results("x > 5").arrow().num_rows == 0
    assert run.results("x != 2", sort="-x").arrow()["number"].to_pylist() == [2, 1]
    assert run.results("1 < 2", columns=["x"]).arrow()["x"].to_pylist() == [1, 2, 3]


def test_a_condition_about_seconds_and_host_sees_what_the_table_says(ran: Bench) -> None:
    run = spe.open("t")
    expected = run.results("seconds < 100 and host == 'localhost'", sort="-seconds").arrow()
    make_stale(ran)
    assert run.results("seconds < 100 and host == 'localhost'", sort="-seconds").arrow() == expected
    assert expected.num_rows == 15
