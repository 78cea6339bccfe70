"""The options for parameters: each form, what they mean together, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spe.errors import ConfigError, SpeError, UsageError
from spe.line.one_liner import OneLiner, from_json
from spe.line.parameters import ParameterOptions, parameter_keys
from spe.sweep.sweep import from_command_line


def rows(folder: Path, *values: str, **more: Any) -> list[tuple[str, ...]]:
    """The sets of a one-liner with these -p and other options, as `spe run` would run them."""
    keys, options = parameter_keys(ParameterOptions(values, folder=folder, **more))
    kept = from_json(OneLiner(("echo",), keys).as_json())
    assert kept
    sweep = from_command_line(OneLiner(kept.words, kept.settings, options), folder)
    return [tuple(one.values.values()) for one in sweep.parameters]


def fault(folder: Path, *values: str, **more: Any) -> SpeError:
    with pytest.raises((UsageError, ConfigError)) as caught:
        rows(folder, *values, **more)
    return caught.value


def test_several_are_all_combinations_and_with_link_they_go_in_step(tmp_path: Path) -> None:
    assert rows(tmp_path, "x=1:2", "y=a,b") == [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")]
    assert rows(tmp_path, "x=1:2", "y=a,b", link=True) == [("1", "a"), ("2", "b")]
    assert rows(tmp_path, "x=1:2", repeat="2") == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    assert rows(tmp_path, "x=1:4", where="x > 2") == [("3",), ("4",)]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a b\n1:3\n*.csv\n@x\n", ["a b", "1:3", "*.csv", "@x"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\nb\n", ["a\r", "b"]),
        (b"a\r\nb", ["a", "b"]),
        (b"a\r", ["a\r"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\n", [""]),
        ("ä\n".encode(), ["ä"]),
    ],
)
def test_each_line_of_a_file_is_one_value_as_it_is(tmp_path: Path, content: bytes, values: list[str]) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    assert rows(tmp_path, "x=@list.txt") == [(value,) for value in values]


def test_values_that_end_with_a_nul_may_have_newlines(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"a\nb\0c\0")
    assert rows(tmp_path, "x=@list", nul=True) == [("a\nb",), ("c",)]


def test_values_of_a_file_are_kept_as_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a\nb\n")
    keys, _ = parameter_keys(ParameterOptions(("x=@list",), folder=tmp_path))
    (tmp_path / "list").unlink()
    kept = from_json(OneLiner(("echo",), keys).as_json())
    assert kept and [one.values["x"] for one in from_command_line(kept, tmp_path).parameters] == ["a", "b"]


def test_a_parameter_file_has_the_sets(tmp_path: Path) -> None:
    (tmp_path / "sets.csv").write_text("x,y\n1,a\n2,b\n")
    assert rows(tmp_path, file="sets.csv") == [("1", "a"), ("2", "b")]
    assert rows(tmp_path, "z=1:2", file="sets.csv")[:2] == [("1", "a", "1"), ("1", "a", "2")]


def test_files_that_match_are_values_sorted_and_inside_this_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / "data" / name).write_text(name)
    (tmp_path / "data/d.csv").mkdir()
    assert rows(tmp_path, "f=glob:data/*.csv") == [("data/a.csv",), ("data/b.csv",)]
    assert rows(tmp_path, "f=glob:./data/*.csv") == [("data/a.csv",), ("data/b.csv",)]
    assert rows(tmp_path, "f=glob:data/*.csv", "n=1:2", link=True) == [("data/a.csv", "1"), ("data/b.csv", "2")]
    assert "matches no file" in fault(tmp_path, "f=glob:none/*").what
    assert "matches folders only" in fault(tmp_path, "f=glob:dat*").what
    assert "outside this folder" in fault(tmp_path, f"f=glob:{tmp_path}/data/*.csv").what
    assert "outside this folder" in fault(tmp_path, "f=glob:../*").what


def test_an_older_one_liner_is_read_with_its_options() -> None:
    kept = from_json('[["./sim", "{{ x }}"], ["x=1:3", "y=a"]]')
    assert kept and kept.words == ("./sim", "{{ x }}")
    assert kept.settings == {"parameters": {"grid": {"x": {"range": ["1", "3"]}, "y": ["a"]}}}
    assert from_json("null") is None and from_json(None) is None


@pytest.mark.parametrize(
    ("values", "more", "where", "what"),
    [
        (["x"], {}, "-p x", "'x' is not NAME=VALUES"),
        (["x=1", "x=2"], {}, "-p x=2", "the name x is there twice"),
        (["in=1"], {}, "-p in=1", "in is a word of the pattern language"),
        (["x=1:5:0"], {}, "-p x=1:5:0", "the step is 0"),
        (["x=@none.txt"], {}, "-p x=@none.txt", "none.txt can't be read: No such file or directory"),
        (["x=@empty"], {}, "-p x=@empty", "there is no value in empty"),
        (["x=@latin"], {}, "-p x=@latin", "value 2 of latin is not UTF-8"),
        (["x=@nul"], {}, "-p x=@nul", "value 1 of nul has a NUL byte"),
        (["x=@-", "y=@-"], {}, "-p y=@-", "standard input is read twice"),
        (["x=1:2"], {"nul": True}, "-0", "-0 is for values that are read"),
        (["x=1:2"], {"link": True}, "--link", "there are fewer than two"),
        (["x=1:2", "y=1:3"], {"link": True}, "-p y=1:3", "x has 2 values, y has 3"),
        (["x=1:2"], {"repeat": "0"}, "--repeat 0", "found '0', wanted a whole number from 1"),
        (["x=1:2"], {"where": "x <"}, "--where x <", "is not an expression"),
        (["x=1:2"], {"where": "z < 1"}, "--where z < 1", "z }} is not defined"),
        ([], {"file": "none.csv"}, "--params none.csv", "the file none.csv is not there"),
        ([], {"file": "-"}, "--params -", "a parameter file is read more than once"),
        (["x=1:2"], {"sample": "sobol"}, "--sample sobol", "is not METHOD:N"),
        (["x=1:2"], {"sample": "sobol:8"}, "--sample sobol:8", "the space of the sampler has no parameter"),
        (["x=[0,1]"], {"sample": "grid:8"}, "--sample grid:8", "found 'grid', wanted one of lhs, sobol"),
        (["x=[1,0]"], {"sample": "lhs:8"}, "-p x=[1,0]", "ends at 0, before it begins"),
        (["x=log[0,1]"], {"sample": "lhs:8"}, "-p x=log[0,1]", "the logarithm of 0 is no number"),
        (["x=[a,1]"], {"sample": "lhs:8"}, "-p x=[a,1]", "found 'a', wanted a number"),
        (["x=[0,1]"], {"sample": "lhs:0"}, "--sample lhs:0", "found '0', wanted a whole number from 1"),
    ],
)
def test_a_wrong_option_is_told_as_it_was_typed(
    tmp_path: Path, values: list[str], more: dict[str, Any], where: str, what: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "latin").write_bytes(b"a\n\xe4\n")
    (tmp_path / "nul").write_bytes(b"a\0b\n")
    error = fault(tmp_path, *values, **more)
    assert error.where == where and what in error.what and error.exit_code == 2
