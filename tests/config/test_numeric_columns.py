"""Which parameters are numbers in all sets of today, and that SQLite reads these as Python does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spe.config.sequences import stepped
from spe.results.columns import are_numbers
from spe.results.reading.numerals import comparable
from spe.sweep.parameters import Parameters
from spe.sweep.sources.blocks import Grid, Listed
from spe.sweep.sources.parameter_file import ParameterFile
from spe.sweep.where.condition import Condition

CELLS = st.text("0123456789+-.eE ", max_size=8) | st.text("0123456789+-.eEdDnaif_,x\t\n\0٣", max_size=6) | st.text()


def from_file(folder: Path, text: str, where: str = "") -> tuple[str, ...]:
    (folder / "p.csv").write_text(text, encoding="utf-8")
    file = ParameterFile(folder / "p.csv", "p.csv")
    return Parameters([file], Condition(where) if where else None, source="p.csv").check().numeric


@given(CELLS)
@example("9" * 19)
@example("-9223372036854775808")
@example("1e999")
@example(" 5. ")
def test_a_cell_of_a_numeric_column_is_the_same_number_to_sqlite(cell: str) -> None:
    if not are_numbers([cell]):
        return
    with sqlite3.connect(":memory:") as connection:
        ((found, kind),) = connection.execute("SELECT ? + 0, typeof(? + 0)", (cell, cell))
    number = comparable(cell)
    assert found == pytest.approx(number, rel=1e-14) and kind == ("integer" if isinstance(number, int) else "real")


@given(st.lists(st.integers(-(2**70), 2**70).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(str)))
def test_plain_numbers_are_numbers_unless_one_is_an_int_beyond_64_bits(cells: list[str]) -> None:
    beyond = any("." not in cell and "e" not in cell and not -(2**63) <= int(cell) < 2**63 for cell in cells)
    assert are_numbers(cells) is not beyond


@pytest.mark.parametrize(
    "cell", ["", " ", "abc", "nan", "-inf", "Infinity", "1.0D+05", "1_000", "٣", "0x10", "1\n", "9" * 20]
)
def test_one_other_cell_makes_the_column_a_text(tmp_path: Path, cell: str) -> None:
    lines = "".join(f"{n},{n}\n" for n in range(2500))
    assert from_file(tmp_path, f"x,y\n{lines}") == ("x", "y")
    assert from_file(tmp_path, f'x,y\n{lines}"{cell}",7\n') == ("y",)
    assert from_file(tmp_path, f'x,y\n7,"{cell}"\n{lines}') == ("x",)


def test_what_where_leaves_out_does_not_count(tmp_path: Path) -> None:
    text = "x,y\n1,a\nnone,b\n2,c\n"
    assert from_file(tmp_path, text) == ()
    assert from_file(tmp_path, text, "x != 'none'") == ("x",)
    grid = Grid(("x", "y"), (("1", "2", "none"), ("3", "4")))
    assert Parameters([grid]).check().numeric == ("y",)
    assert Parameters([grid], Condition("x != 'none'")).check().numeric == ("x", "y")


def test_each_kind_of_block_tells_its_columns() -> None:
    blocks = [
        Listed(("a", "b"), [("1", "x"), ("2", "3")]),
        Grid(("c", "d"), (stepped("range", ["1", "3"]), ("0.5", "1e-3"))),
        Grid(("e",), (stepped("logspace", ["0.001", "1", "4"]),)),
    ]
    assert Parameters(blocks).check().numeric == ("a", "c", "d", "e")
    assert Parameters([]).check().numeric == ()


def test_the_steps_of_a_range_are_not_made_to_look_at_them() -> None:
    made: list[int] = []

    class Watched(type(stepped("range", ["1", "2"]))):  # type: ignore[misc]
        def __iter__(self):  # type: ignore[no-untyped-def]
            made.append(len(self))
            return super().__iter__()

    steps = Watched(1000, str)
    assert Grid(("x",), (steps,)).columns() == [["0"]] and not made


def test_a_long_number_within_64_bits_is_a_number() -> None:
    assert are_numbers(["0.12345678901234567890", "-9223372036854775808", " 1 "])
    assert not are_numbers(["1", "9223372036854775808"]) and are_numbers([])
