"""Names and paths of spe.yaml: which are taken, and what is wanted in place of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.config import names
from spe.config.keys import Faults
from spe.config.parameter_names import name_fault
from spe.config.parameters import rows
from spe.config.results import sensible
from spe.config.values import WrongValue
from spe.config.yaml_file import parse
from spe.model import Kind
from spe.text import clean_name


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a.csv", ""),
        ("out/a b/c.csv", ""),
        ("..a", ""),
        ("x" * 200, ""),
        ("", "a file name"),
        ("/etc/passwd", "a relative path"),
        ("../a", "a path without .., which stays in the task's directory"),
        ("a/..", "a path without .., which stays in the task's directory"),
        ("a//b", "the path of a file in its shortest form"),
        ("a/", "the path of a file in its shortest form"),
        ("a/./b", "the path of a file in its shortest form"),
        (".", "the path of a file in its shortest form"),
        ("a\nb", "a path of at most 200 bytes without control characters"),
        ("é" * 101, "a path of at most 200 bytes without control characters"),
    ],
)
def test_a_path_of_a_task_stays_in_its_directory_and_is_short_and_plain(name: str, fault: str) -> None:
    assert names.safe(name) == fault
    if fault:
        with pytest.raises(WrongValue, match="wanted " + fault.replace(".", r"\.")):
            names.file_path(name)
    else:
        assert names.file_path(name) == names.file_path("./" + name) == name


@given(st.text(max_size=20))
def test_only_the_name_that_a_folder_can_have_is_a_folders_name_and_others_are_mended(name: str) -> None:
    if name == clean_name(name):
        assert names.folder_name(name) == name
    else:
        with pytest.raises(WrongValue) as caught:
            names.folder_name(name)
        assert caught.value.todo == f"{clean_name(name)} would do."


GOOD: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (names.file_name, "a-b.csv", "a-b.csv"),
    (names.path, "../a b", "../a b"),
    (names.hosts, "hosts.txt", "hosts.txt"),
    (names.hosts, ["a", "b:4"], ("a", "b:4")),
    (names.by_platform, "gcc", {"any": "gcc"}),
    (names.by_platform, {"linux": "gcc", "darwin-arm64": "clang"}, {"linux": "gcc", "darwin-arm64": "clang"}),
    (names.env, {"A_1": "x", "_b": ""}, {"A_1": "x", "_b": ""}),
    (names.worker, "sim", {"files": {"any": "sim"}}),
    (names.worker, {"linux": "sim"}, {"files": {"linux": "sim"}}),
    (names.worker, {"linux-x86_64": "a", "any": "b", "name": "sim"},
     {"name": "sim", "files": {"linux-x86_64": "a", "any": "b"}}),
]  # fmt: skip
BAD: list[tuple[Callable[[Any], Any], Any, str]] = [
    (names.folder_name, "", "found nothing, wanted a name that a folder can have"),
    (names.file_name, "a/b", "wanted a file name, without / and not beginning with -"),
    (names.file_name, "-a", "wanted a file name, without / and not beginning with -"),
    (names.file_name, "..", "wanted a file name, without / and not beginning with -"),
    (names.path, "", "found nothing, wanted a path"),
    (names.path, "a\0b", "wanted a path"),
    (names.hosts, "", "found nothing, wanted a hosts file or a list of hosts"),
    (names.hosts, {"a": "b"}, "found a mapping, wanted a hosts file or a list of hosts"),
    (names.by_platform, ["gcc"], "found a list, wanted a text, or one by platform"),
    (names.by_platform, {"Linux": "gcc"}, "'Linux' is not a platform such as linux-x86_64, linux or any"),
    (names.env, {"1A": "x"}, "'1A' is not the name of a variable"),
    (names.env, {"A=B": "x"}, "'A=B' is not the name of a variable"),
    (names.env, {"SPE_A": "x"}, "names that begin with SPE_ are given by spe"),
    (names.env, {"A": ["x"]}, "found a list, wanted a text"),
    (names.worker, {}, "found a mapping, wanted a path, or a path by platform such as linux-x86_64: PATH"),
    (names.worker, {"name": "sim"}, "wanted a path, or a path by platform such as linux-x86_64: PATH"),
    (names.worker, {"linux": ""}, "found nothing, wanted a path"),
    (names.worker, {"linux": ["a"]}, "found a list, wanted a path"),
    (names.worker, ["a"], "found a list, wanted a path, or a path by platform"),
]


@pytest.mark.parametrize(("check", "value", "found"), GOOD)
def test_a_name_is_taken_as_it_is(check: Callable[[Any], Any], value: object, found: object) -> None:
    assert check(value) == found


@pytest.mark.parametrize(("check", "value", "complaint"), BAD)
def test_a_wrong_name_is_refused_with_what_is_wanted(
    check: Callable[[Any], Any], value: object, complaint: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        check(value)
    assert complaint in str(caught.value)


def test_a_platform_in_capitals_is_mended_and_one_that_is_none_is_not() -> None:
    with pytest.raises(WrongValue) as caught:
        names.platform("Linux-x86_64")
    assert caught.value.todo == "Did you mean linux-x86_64?" and caught.value.path == ("Linux-x86_64",)
    for name in ("anything else", "linux-x86-64", "any-x", ""):
        if name == "any-x":
            assert names.platform(name) == name
            continue
        with pytest.raises(WrongValue) as caught:
            names.platform(name)
        assert caught.value.todo == ""


def test_the_nearest_platform_wins() -> None:
    table = {"linux-x86_64": "a", "linux": "b", "any": "c"}
    assert [names.for_platform(table, one) for one in ("linux-x86_64", "linux-arm64", "darwin-arm64")] == [
        "a",
        "b",
        "c",
    ]
    assert names.for_platform({"linux": "b"}, "darwin-arm64") is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("x", ""),
        ("_x1é", ""),
        ("inn", ""),
        ("", "the name is empty"),
        (" x", "the name ' x' has spaces around it, which cells would have too"),
        ("x ", "the name 'x ' has spaces around it, which cells would have too"),
        ("1x", "'1x' can't be used in {{ … }}: letters, digits and _ make a name"),
        ("a-b", "'a-b' can't be used in {{ … }}: letters, digits and _ make a name"),
        *((word, f"{word} is a word of the pattern language") for word in (
            "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"
        )),
    ],
)  # fmt: skip
def test_a_parameter_has_a_name_that_a_pattern_can_hold(name: str, fault: str) -> None:
    assert name_fault(name) == fault


# -- where it stands


def test_a_place_is_as_deep_as_the_file_goes() -> None:
    document = parse("command: x\nparameters:\n  rows:\n    - [1, 2]\n    - [3]\n", "spe.yaml")
    assert document.where() == "spe.yaml"
    assert document.where("command") == "spe.yaml:1: command"
    assert document.where("parameters", "rows", 1) == "spe.yaml:5: parameters.rows.1"
    assert document.where("parameters", "rows", 2) == "spe.yaml:3: parameters.rows.2"
    assert document.where("parameters", "rows", "x") == "spe.yaml:3: parameters.rows.x"
    assert document.where("name") == "spe.yaml: name"
    document.overridden.add("command")
    assert document.where("command") == "command line: command"
    assert document.line("parameters", "rows", 0, 7) == 4 and document.line("name") == 0


def test_the_faults_of_a_block_are_one_text() -> None:
    assert str(Faults([WrongValue("a is wrong"), WrongValue("b is wrong")])) == "a is wrong; b is wrong"


@pytest.mark.parametrize(
    ("arguments", "complaint", "place"),
    [
        ((Kind.FILE, "x", None, None, None), "regex and as: file don't go together", "regex"),
        ((Kind.FILE, None, "a.b", None, None), "path and as: file don't go together", "path"),
        ((Kind.TEXT, "x", "a.b", None, None), "regex and path don't go together", "path"),
        ((Kind.TEXT, None, None, 1.0, None), "min is for numbers, this is text", "min"),
        ((Kind.JSON, None, None, None, 1.0), "max is for numbers, this is json", "max"),
        ((Kind.INT, None, None, 2.0, 1.0), "min is greater than max", "min"),
    ],
)
def test_keys_of_a_result_that_exclude_each_other_are_told_at_the_key(
    arguments: Any, complaint: str, place: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        sensible("out.txt", *arguments)
    assert (caught.value.what, caught.value.path) == (complaint, (place,))


def test_keys_of_a_result_that_go_together_are_taken() -> None:
    for kind, regex, path, low, high in (
        (Kind.FILE, None, None, None, None),
        (Kind.TEXT, "x", None, None, None),
        (Kind.JSON, None, "a.b", None, None),
        (Kind.INT, "x", None, 1.0, 1.0),
        (Kind.FLOAT, None, "a", None, 0.0),
    ):
        sensible("out.txt", kind, regex, path, low, high)


def test_rows_are_a_file_or_stand_in_spe_yaml() -> None:
    assert rows("p.csv") == "p.csv"
    assert rows([{"x": "1"}, {"x": "2"}]) == ({"x": "1"}, {"x": "2"})
    for value in ("", [], {"x": "1"}, None):
        with pytest.raises(WrongValue, match="wanted a parameter file, or a list of mappings"):
            rows(value)
