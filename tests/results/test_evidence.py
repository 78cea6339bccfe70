"""What clients report beside results is read with suspicion; and result files on their way to their place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.model import Output, Usage
from spe.results import kept_files
from spe.results.evidence import KEPT, exit_code_of, failure_of, files_of, tail_of, usage_of
from spe.results.extract import Part
from spe.results.kept_files import keep_files


def parts(**given: bytes) -> dict[str, Part]:
    return {name.replace("_", "-"): Part.of(name, data) for name, data in given.items()}


def test_usage_is_read() -> None:
    told = b'{"wall": 2.5, "user": 1, "system": 0.25, "memory": 1048576}'
    assert usage_of(parts(usage=told), 9.0) == Usage(2.5, 1.0, 0.25, 1048576), "a client of before says no more"
    told = told[:-1] + b', "read": 4096, "written": 0}'
    assert usage_of(parts(usage=told), 9.0) == Usage(2.5, 1.0, 0.25, 1048576, 4096, 0)


def test_without_word_the_masters_own_measure_counts() -> None:
    assert usage_of({}, 9.0) == Usage(9.0)
    assert usage_of(parts(usage=b'{"user": 1}'), 9.0) == Usage(9.0, 1.0)


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"{", b"null", b"[]", b"[1,2]", b"7", b'"x"', b"\xff", b'{"wall": NaN}', b'{"wall": -1}',
     b'{"wall": Infinity}',
     b'{"wall": [1]}', b'{"wall": {}}', b'{"wall": "soon"}', b'{"wall": null}', b'{"memory": 1e300}', b'{"user": 1e19}',
     b'{"wall": 1, "read": -1}', b'{"wall": 1, "written": "x"}', b'{"read": 1e300}', b'{"written": NaN}',
     b'{"wall": 1e10}', b'{"wall": true}', b'{"user": "5"}', b'{"system": "1_0"}',
     b'{"wall": ' + b"9" * 4000 + b"}", b"[" * 4000, b'{"wall": ' + b"[" * 4000, b" " * 5000 + b'{"wall": 1}'],
)  # fmt: skip
def test_nonsense_about_usage_is_as_if_nothing_had_been_said(nonsense: bytes) -> None:
    assert usage_of(parts(usage=nonsense), 9.0) == Usage(9.0)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_a_fault_of_the_masters(data: bytes) -> None:
    usage = usage_of(parts(usage=data), 1.0)
    assert usage.wall >= 0
    code = exit_code_of(parts(exit_code=data))
    assert code is None or abs(code) < 2**32
    files = files_of(parts(files=data))
    assert files is None or len(str(files).encode()) < 1000


@pytest.mark.parametrize(
    ("text", "code"),
    [(b"0", 0), (b"75\n", 75), (b"-9", -9), (b"", None), (b"zero", None), (b"1.5", None),
     (b"9" * 20, None), (b"9" * 99, None),
     (b"3221225477", 3221225477)],
)  # fmt: skip
def test_an_exit_code_is_a_number_that_fits(text: bytes, code: int | None) -> None:
    assert exit_code_of(parts(exit_code=text)) == code


def test_of_long_output_the_end_is_kept(tmp_path: Path) -> None:
    data = b"begin" + b"x" * KEPT + b"end"
    (tmp_path / "f").write_bytes(data)
    there = {"a": Part.of("a", data), "b": Part("b", None, tmp_path / "f", len(data))}
    assert tail_of(there, "a") == tail_of(there, "b") == data[-KEPT:]
    assert tail_of(there, "c") == b""


@pytest.mark.parametrize(
    ("reason", "code", "kind"),
    [("timeout after 5 s", None, "timeout"), ("timeout", 143, "timeout"), ("", 75, "exit:75"),
     ("exit code 3", None, "exit:3"),
     ("killed by signal 9 (SIGKILL)", None, "signal:9"), ("no file out.txt", 0, "other"), ("", None, "other"),
     ("result file a b.txt was not written", 0, "missing"), ("result file d is not a regular file", 0, "missing"),
     ("result file d cannot be read: Permission denied", 0, "missing"),
     ("program 'nosuch' not found on host h", None, "start"),
     ("program './w': the interpreter that its first line names is not found on host h", None, "start"),
     ("program './w' is not executable on host h (its mode, or a noexec file system)", None, "start"),
     ("program 'w' cannot be started on host h: Exec format error", None, "start"),
     ("cannot make 'a' in the task's directory on host h: No space left on device", None, "start")],
)  # fmt: skip
def test_a_failure_has_a_class_for_retry(reason: str, code: int | None, kind: str) -> None:
    assert failure_of(reason, code, b"").kind == kind


def test_a_failure_is_told_with_the_last_line_of_stderr() -> None:
    failure = failure_of("", 1, b"Traceback\n  ...\nValueError: caf\xff\n\n")
    assert failure.reason == "exit code 1: ValueError: caf\ufffd"
    assert len(failure_of("exit code 1", 1, b"x" * 10_000).reason) < 400
    assert failure_of("", None, b"").reason == "the client gave no reason"


def test_a_failure_keeps_the_files_that_were_there_or_that_nobody_told() -> None:
    assert failure_of("", 1, b"", files_of(parts(files=b"3 a\xff\n"))).files == "3 a\ufffd\n+0\n"
    assert failure_of("", 1, b"", files_of({})).files is None


# -- keep


def test_files_go_to_their_place_and_nothing_else_stays(tmp_path: Path) -> None:
    spooled = tmp_path / "incoming"
    spooled.write_bytes(b"large")
    outputs = [Output("a", "", file="files/7/a.bin"), Output("b", "", file="files/7/b.bin"), Output("c", "text")]
    keep_files(tmp_path, [(outputs, {"a": Part("a", None, spooled, 5), "b": Part.of("b", b"small")})])
    found = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"files/7/a.bin": b"large", "files/7/b.bin": b"small"}


def test_keeping_files_can_be_tried_again_after_half_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tmp_path / "incoming"
    first.write_bytes(b"A")
    second = tmp_path / "second"
    second.write_bytes(b"B")
    given = {"a": Part("a", None, first, 1), "b": Part("b", None, second, 1)}
    outputs = [Output("a", "", file="files/1/a"), Output("b", "", file="files/1/b")]
    (tmp_path / "files/1/b").mkdir(parents=True)  # of an earlier attempt: it makes way
    moved = set[str]()

    def full(source: Path, target: Path, temporary: Path) -> None:
        if target.name == "b":
            raise OSError(errno.ENOSPC, "full")
        source.replace(target)

    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(kept_files, "_move", full)
        keep_files(tmp_path, [(outputs, given)], moved)
    assert keep_files(tmp_path, [(outputs, given)], moved) == []
    assert [(tmp_path / "files/1" / n).read_bytes() for n in "ab"] == [b"A", b"B"]


def test_a_file_that_was_removed_on_its_way_is_lost_and_an_older_one_does_not_pass_for_it(tmp_path: Path) -> None:
    (tmp_path / "files/1").mkdir(parents=True)
    (tmp_path / "files/1/a").write_bytes(b"of before")
    given = {"a": Part("a", None, tmp_path / "removed", 1), "b": Part.of("b", b"B")}
    outputs = [Output("a", "", file="files/1/a"), Output("b", "", file="files/1/b")]
    assert keep_files(tmp_path, [(outputs, given)]) == ["files/1/a"]
    assert [path.name for path in (tmp_path / "files/1").iterdir()] == ["b"]


def test_files_are_never_kept_in_a_folder_that_is_not_there_any_more(tmp_path: Path) -> None:
    gone = tmp_path / "runs" / "sweep"
    with pytest.raises(FileNotFoundError):
        keep_files(gone, [([Output("a", "", file="files/1/a")], {"a": Part.of("a", b"A")})])
    assert not (tmp_path / "runs").exists()


def test_a_result_file_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "files/1").mkdir(parents=True)
    (tmp_path / "files/1/a").write_bytes(b"old and longer")
    keep_files(tmp_path, [([Output("a", "", file="files/1/a")], {"a": Part.of("a", b"new")})])
    assert os.listdir(tmp_path / "files/1") == ["a"]
    assert (tmp_path / "files/1/a").read_bytes() == b"new"
