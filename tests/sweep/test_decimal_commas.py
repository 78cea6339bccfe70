"""A number with a decimal comma is a text for spe: who takes it for a number is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.errors import ConfigError
from spe.sweep.pattern import Pattern
from spe.sweep.sweep import Sweep, load
from spe.sweep.where.condition import Condition


def sweep(folder: Path, where: str, cells: str = "0,5\n1,5\n") -> Sweep:
    (folder / "p.txt").write_text("x\n" + cells)
    text = f'command: echo {{{{ x }}}}\nparameters: {{rows: p.txt, where: "{where}"}}\n'
    (folder / "spe.yaml").write_text(text)
    return load(folder)


def test_a_where_that_compares_it_with_a_number_names_the_comma(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(tmp_path, "x < 1").parameters.check()
    assert caught.value.where == "p.txt:2" and "x is '0,5', a text: write numbers with a point" in caught.value.todo


def test_a_where_that_is_silently_untrue_for_it_is_a_warning_once(tmp_path: Path) -> None:
    warnings = sweep(tmp_path, "x == 0.5 or x != 7").parameters.check().warnings
    assert [one for one in warnings if "point" in one] == [
        "p.txt: x is '0,5' in a set, which is a text for `where`: numbers are written with a point, not a comma"
    ]


@pytest.mark.parametrize(("where", "cells"), [("x != '0,5'", "0,5\n1\n"), ("x != 3", "1.5\na,b\n1,2,3\n")])
def test_a_text_that_the_expression_names_or_that_is_no_number_is_none(tmp_path: Path, where: str, cells: str) -> None:
    assert sweep(tmp_path, where, cells).parameters.check().warnings == ()


@pytest.mark.parametrize("text", ["{{ x | float }}", "{{ x | int }}", "{{ (x | float) * 2 }}", "{{ x | round }}"])
def test_a_filter_makes_no_zero_of_it(text: str) -> None:
    with pytest.raises(ConfigError, match="'1,5' has a decimal comma, and numbers have a point"):
        Pattern.parse(text).fill({"x": "1,5"})
    text = "{{ x | float(7) }} {{ x | int(default=8) }} {{ y | float }}"
    assert Pattern.parse(text).fill({"x": "1,5", "y": "2"}) == "7 8 2.0"


def test_one_in_the_expression_itself_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Condition("x <= 1,5")
    assert "A number has a point, not a comma" in caught.value.todo
    assert Condition("x in (1,5)").holds({"x": "5"})
