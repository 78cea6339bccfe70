"""What the master takes for a result, and the reason where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.model import Kind, ResultSpec
from spe.results.judge import Part, hooks_of, judge, needs_process, wants_files

STDOUT = ResultSpec("stdout")


def reason(data: bytes, *validators: str, spec: ResultSpec = STDOUT, exit_code: int | None = 0) -> str | None:
    return judge([spec], validators, {spec.name: Part.of(spec.name, data)}, exit_code, "files/1").reason


def test_a_missing_part_is_named() -> None:
    assert (
        judge([STDOUT, ResultSpec("x", "x.csv")], [], {"stdout": Part.of("stdout", b"")}, 0, "f").reason == "no part x"
    )


@pytest.mark.parametrize(("code", "said"), [(0, None), (None, None), (3, "exit code 3"), (-9, "exit code -9")])
def test_the_exit_code_must_be_zero_when_there_is_one(code: int | None, said: str | None) -> None:
    assert reason(b"x", exit_code=code) == said


def test_a_program_that_writes_nothing_gives_an_empty_cell() -> None:
    assert judge([STDOUT], [], {"stdout": Part.of("stdout", b"")}, 0, "files/1").outputs[0].value == ""


@pytest.mark.parametrize(("data", "good"), [(b"a", True), (b"", False), (b"\n", False), (b" \r\n", False)])
def test_non_empty_wants_more_than_blanks(data: bytes, good: bool) -> None:
    said = reason(data, "non_empty")
    assert (said is None) == good
    assert good or str(said).startswith("stdout: ")


def test_non_empty_holds_for_files_too() -> None:
    spec = ResultSpec("trace", "trace.csv", Kind.FILE)
    assert reason(b"", "non_empty", spec=spec) == "trace: empty (non_empty)"
    assert reason(b"\n", "non_empty", spec=spec) is None


@pytest.mark.parametrize(
    ("data", "good"),
    [(b"a\n", True), (b"a", True), (b"a\r\n", True), (b"\n", True), (b"", False), (b"a\nb", False), (b"a\n\n", False)],
)
def test_one_line_is_exactly_one(data: bytes, good: bool) -> None:
    assert (reason(data, "one_line") is None) == good


def test_one_line_looks_at_what_a_regex_found_and_not_around_it() -> None:
    assert reason(b"log\nx=1\n", "one_line", spec=ResultSpec("x", regex="x=(.*)")) is None
    assert reason(b"log\nx=1\n", "one_line", spec=ResultSpec("x", regex="(?s)log.*")) is not None


def test_one_line_is_not_asked_of_a_file() -> None:
    assert reason(b"a\nb\n", "one_line", spec=ResultSpec("trace", "trace.csv", Kind.FILE)) is None


def test_one_line_finds_the_second_line_of_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * 3_000_000 + b"\n")
    part = Part("stdout", None, path, 3_000_001)
    assert judge([STDOUT], ["one_line"], {"stdout": part}, 0, "files/1").reason is None
    path.write_bytes(b"x" * 2_000_000 + b"\n" + b"x" * 1_000_000)
    said = judge([STDOUT], ["one_line"], {"stdout": part}, 0, "files/1").reason
    assert said == "stdout: more than one line (one_line), 3.0 MB"


def test_the_reason_names_the_result_and_is_one_line() -> None:
    assert reason(b"abc\ndef", spec=ResultSpec("estimate", kind=Kind.FLOAT)) == r"estimate: 'abc\ndef' is not a float"
    assert reason(b"abc", spec=ResultSpec("x", regex="a\nb")) == "x: no match for regex a b in stdout"


def test_a_validation_that_is_not_there_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no built-in validation 'nonempty', there are exit_zero, non_empty, one_line"):
        reason(b"x", "nonempty")


def test_functions_are_told_from_built_in_names() -> None:
    assert hooks_of(["non_empty", "hooks.py:check", "one_line"]) == ["hooks.py:check"]


def test_only_a_regex_needs_the_process() -> None:
    assert not needs_process([STDOUT, ResultSpec("x", kind=Kind.JSON, path="a.b")])
    assert needs_process([STDOUT, ResultSpec("x", regex="a")])


@pytest.mark.parametrize(
    ("specs", "validators", "wanted"),
    [
        ([STDOUT], [], False),
        ([STDOUT, ResultSpec("data", "out.bin", Kind.FILE)], ["exit_zero"], False),
        ([STDOUT], ["non_empty"], True),
        ([STDOUT], ["hooks.py:check"], True),
        ([ResultSpec("y", kind=Kind.INT)], [], True),
        ([ResultSpec("y", regex="(.)")], [], True),
        ([ResultSpec("files", kind=Kind.INT)], ["non_empty"], False),
    ],
)
def test_what_lay_beside_a_result_is_of_interest_where_it_may_be_rejected(
    specs: list[ResultSpec], validators: list[str], wanted: bool
) -> None:
    assert wants_files(specs, validators) is wanted
