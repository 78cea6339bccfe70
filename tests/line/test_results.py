"""--result: each form, and how a wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest
from spe.errors import UsageError
from spe.line.results import result_key


@pytest.mark.parametrize(
    ("text", "name", "entry"),
    [
        ("energy=out.json:energy.total:float", "energy", {"from": "out.json", "path": "energy.total", "as": "float"}),
        ("energy=out.json:energy.total", "energy", {"from": "out.json", "path": "energy.total", "as": "text"}),
        ("n=stdout:int", "n", {"from": "stdout", "as": "int"}),
        ("trace.csv", "trace", "trace.csv"),
        ("out/trace.tar.gz", "trace", "out/trace.tar.gz"),
        ("frames=frames/*.png:files", "frames", {"from": "frames/*.png", "as": "files"}),
        ("all=out/:folder", "all", {"from": "out/", "as": "folder"}),
        ("png={{ f | stem }}.png", "png", "{{ f | stem }}.png"),
        ("png={{ 'a:b' }}.png:text", "png", {"from": "{{ 'a:b' }}.png", "as": "text"}),
        (
            r"slope={from: stdout, regex: 'slope = (\S+)', as: float, min: 0}",
            "slope",
            {"from": "stdout", "regex": r"slope = (\S+)", "as": "float", "min": "0"},
        ),
        ("a b=x.txt", "a b", "x.txt"),
    ],
)
def test_a_result_is_an_entry_of_spe_yaml(text: str, name: str, entry: Any) -> None:
    assert result_key(text) == (name, entry)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a result has no source"),
        ("x=", "a result has no source"),
        ("{from: stdout}", "a result has no name"),
        ("{{ f }}.png", "a result has no name"),
        ("x=out.json:a:b", "'b' is no kind of a result"),
        ("x=stdout:flaot", "'flaot' is no kind of a result"),
        ("x=out.json:a:flaot", "'flaot' is no kind of a result"),
        ("x={from: stdout", "not readable as YAML"),
        ("x={from: &a stdout}", "anchors and aliases (&a) are not used here"),
    ],
)
def test_a_wrong_result_is_told_with_the_option(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        result_key(text)
    assert what in caught.value.what and caught.value.where == f"--result {text}" and caught.value.todo
