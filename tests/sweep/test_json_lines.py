"""Parameter files of JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.sweep.sweep import load


def rows(folder: Path, content: str | bytes, more: str = "") -> list[tuple[str, ...]]:
    (folder / "sets.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "spe.yaml").write_text(f"command: echo\nparameters: sets.jsonl\n{more}")
    return [tuple(one.values.values()) for one in load(folder).parameters]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ('{"x": 1, "y": "a"}\n{"y": "b", "x": 2}\n', [("1", "a"), ("2", "b")]),
        ('{"x": 1e-3}\n{"x": 0.10}\n{"x": -5}', [("1e-3",), ("0.10",), ("-5",)]),
        ('{"x": true}\n\n{"x": false}\n   \n', [("true",), ("false",)]),
        ('\ufeff{"x": "ä \\u00e4 \\" , |"}\r\n', [('ä ä " , |',)]),
        ('{"x": ""}\n', [("",)]),
        ('{"x": NaN}\n', [("NaN",)]),
    ],
)
def test_each_object_is_a_set_as_it_is_written(tmp_path: Path, content: str, values: list[tuple[str, ...]]) -> None:
    assert rows(tmp_path, content) == values


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        ("", "sets.jsonl", "the file has no set"),
        ("{}\n", "sets.jsonl:1", "no JSON object with names"),
        ("[1]\n", "sets.jsonl:1", "no JSON object with names"),
        ('{"x": 1}\n{"x": 1\n', "sets.jsonl:2", "this line is no JSON"),
        ('{"x": 1}\n{"y": 1}\n', "sets.jsonl:2", "this line has no x; the first one has x"),
        ('{"x": 1}\n{"x": 1, "z": 2}\n', "sets.jsonl:2", "this line has z, too; the first one has x"),
        ('{"x": null}\n', "sets.jsonl:1", "x is null"),
        ('{"x": [1]}\n', "sets.jsonl:1", "x is a list"),
        ('{"x": {"a": 1}}\n', "sets.jsonl:1", "x is an object"),
        ('{"x": 1, "x": 2}\n', "sets.jsonl:1", "the name x is there twice"),
        ('{"in": 1}\n', "sets.jsonl:1", "in is a word of the pattern language"),
        (b'{"x": 1}\n{"x": "\xe4"}\n', "sets.jsonl:2", "this line is not UTF-8"),
        ('{"x": "a\\u0000b"}\n', "sets.jsonl:1", "NUL"),
        ('{"x": "a"}\n{"x": "\\ud800"}\n', "sets.jsonl:2", "half a character"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, content: str | bytes, where: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        (tmp_path / "sets.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
        (tmp_path / "spe.yaml").write_text("command: echo {{ x }}\nparameters: sets.jsonl\n")
        load(tmp_path).parameters.check()
    assert caught.value.where == where and what in caught.value.what and caught.value.todo


def test_a_separator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="JSON lines have no separator"):
        rows(tmp_path, '{"x": 1}\n', 'separator: ";"\n')


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))), min_size=1, unique=True))
def test_any_text_is_itself(values: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        content = "".join(json.dumps({"x": value}, ensure_ascii=len(value) % 2 == 0) + "\n" for value in values)
        assert rows(Path(name), content) == [(value,) for value in values]
