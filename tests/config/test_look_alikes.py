"""Values of -p and of a grid that look like a range, a list or a glob, and are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.config.look_alikes import look_alike
from spe.errors import ConfigError, UsageError
from spe.line.parameters import ParameterOptions, parameter_keys
from spe.sweep.sweep import load


@pytest.mark.parametrize(
    ("option", "right"),
    [
        ("x=1..10", "-p x=1:10"),
        ("x=1..10..2", "-p x=1:10:2"),
        ("x={1..10}", "-p x=1:10"),
        ("x=1-10", "-p x=1:10"),
        ("x=[1:10]", "-p x=1:10"),
        ("x=1:10:", "-p x=1:10"),
        ("x=1:10:2:4", "-p x=1:10"),
        ("x=range(1,10)", "-p x=1:10"),
        ("x=linspace(0,1,5)", "-p x=1:10"),
        ("x=[1,2,3]", "-p x=1,2,3"),
        ("x=(1, 2, 3)", "-p x=1,2,3"),
        ("x={a,b}", "-p x=a,b"),
        ("x=a;b;c", "-p x=a,b,c"),
        ("x=a|b", "-p x=a,b"),
        ("x=1 2 3", "-p x=1,2,3"),
        ("f=*.csv", "-p 'f=glob:*.csv'"),
        ("f=data/*", "-p 'f=glob:data/*'"),
        ("f=run_*_a.txt", "-p 'f=glob:run_*_a.txt'"),
        ("f=run?.txt", "-p 'f=glob:run?.txt'"),
        ("f=run[0-9].txt", "-p 'f=glob:run[0-9].txt'"),
    ],
)
def test_a_value_that_looks_like_several_and_stands_alone_is_told_the_right_form(option: str, right: str) -> None:
    with pytest.raises(UsageError) as caught:
        values_of(option)
    name, _, value = option.partition("=")
    assert right in caught.value.todo and caught.value.where == f"-p {option}"
    assert f"'{name}=\"{value}\"'" in caught.value.todo, "and how it is written as the text that it is"
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize(
    "text", ["@f", "glob:a", "*.csv", "1..10", "1-10", "[1,2]", "a;b", "1 2 3", "12:30", "range(1,2)"]
)
def test_in_quotes_it_is_a_text(text: str) -> None:
    assert values_of(f'x="{text}"') == {"x": [text]}


@pytest.mark.parametrize(
    "option",
    ["x=a:b", "x=1:b", "x=-1", "x=1e-3", "x=2*y", "x=x**2", "x=a b", "x=run-1", "x=2026-12-01", "x=1.5", "x=v1.2.3",
     "x=", "x=http://a/b?c=d", "x=why?", "x=user@host", "x=../data", "x=...", "x=a/b/c", "x=127.0.0.1:80", "x=::1",
     "x=[::1]", 'x={"a": 1}', "x=*.csv,b", "x=1..3,7", "x=f(1)", "x=C:\\a", "x=-1:5", "x=1;"],
)  # fmt: skip
def test_what_only_one_value_can_mean_stays_what_it_is(option: str) -> None:
    assert len(values_of(option)) == 1


@given(st.text(max_size=30) | st.text("01.:-,;|[](){}*?@ ab/", max_size=12))
def test_any_text_in_quotes_is_itself_and_without_them_told_or_taken(text: str) -> None:
    quoted = text.replace('"', '""')
    assert values_of(f'x="{quoted}"') == {"x": [text]}
    found = look_alike(text)
    assert found is None or (found.kind and text)


def values_of(option: str) -> Any:
    keys, _ = parameter_keys(ParameterOptions((option,)))
    return keys["parameters"]["grid"]


def grid(folder: Path, value: str) -> object:
    (folder / "spe.yaml").write_text(f"command: echo {{{{ x }}}}\nparameters:\n  grid:\n    x: {value}\n")
    return [one.values["x"] for one in load(folder).parameters]


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("1:10", "{range: [1, 10]}"),
        ("1:10:2", "{range: [1, 10, 2]}"),
        ("1..10", "{range: [1, 10]}"),
        ("a;b", "[a, b]"),
        ("a,b", "[a, b]"),
        ("data/*.csv", '{glob: "data/*.csv"}'),
        ("abc", "[abc]"),
        ("[1:10]", "{range: [1, 10]}"),
        ("[1:10:2]", "{range: [1, 10, 2]}"),
        ("[1..10]", "{range: [1, 10]}"),
        ("[1 2 3]", "[1, 2, 3]"),
        ("[a;b]", "[a, b]"),
        ("[data/*.csv]", '{glob: "data/*.csv"}'),
    ],
)
def test_a_grid_of_one_look_alike_is_told_the_right_form(tmp_path: Path, value: str, right: str) -> None:
    with pytest.raises(ConfigError) as caught:
        grid(tmp_path, value)
    assert right in caught.value.todo and caught.value.where.startswith("spe.yaml:4")


def test_a_grid_of_one_text_in_quotes_is_that_text(tmp_path: Path) -> None:
    for text in ("1:10", "1..10", "*.csv", "a;b", "@f", "1 2 3"):
        assert grid(tmp_path, f'["{text}"]') == [text]
    assert grid(tmp_path, "[1:10, 2]") == ["1:10", "2"]
    assert grid(tmp_path, "['12:30']") == ["12:30"]
