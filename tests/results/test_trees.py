"""Results of several files: which names are taken, what matches a pattern, what is kept of them and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spe.client.task import trees as clients
from spe.client.wire.task_record import Result
from spe.model import Kind, Output, ResultSpec
from spe.results.extract import Part
from spe.results.judge import file_names, judge
from spe.results.kept_files import keep_files, place_staged, stage_files
from spe.results.trees import Member, belongs, clash, files_of, folder_of, read_list, refusal

FRAMES = ResultSpec("frames", "frames/*.png", Kind.FILES)
ALL = ResultSpec("all", "data", Kind.FOLDER)
NAMES = st.text("ab.*?[]-!\\/", min_size=1, max_size=12)
PATHS = st.lists(st.sampled_from(["a", "..", ".", "", "ü", ".kept"])).map("/".join)
ANY = st.one_of(NAMES, st.text(max_size=30), PATHS)


def tree(folder: Path, name: str, files: dict[str, bytes]) -> Part:
    """A part as it was received: files with names that say nothing."""
    members = []
    for number, (path, content) in enumerate(sorted(files.items())):
        received = folder / f"{name}-{number}"
        received.write_bytes(content)
        members.append(Member(path, received, len(content)))
    return Part(name, None, None, sum(map(len, files.values())), tuple(members))


@given(ANY)
@example("../x")
@example("/etc/passwd")
@example("a//b")
@example("a/./b")
@example("x" * 241)
@example("a/" * 60 + "b")
def test_a_name_that_is_taken_leads_below_its_folder_and_makes_no_trouble(name: str) -> None:
    if refusal(name):
        return
    path = Path("/folder") / name
    assert path.resolve().is_relative_to("/folder") and str(path) == f"/folder/{name}"
    assert all(one not in ("", ".", "..", "/") and len(one.encode()) <= 240 for one in name.split("/"))
    assert name.encode() and not any(ord(letter) < 32 or ord(letter) == 127 for letter in name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "no path below"), ("/etc/passwd", "no path below"), ("../x", "no path below"), ("a/../b", "no path below"),
        ("a/", "no path below"), ("./a", "no path below"), ("a\nb", "not printable"), ("a\x00", "not printable"),
        ("\udcff", "not UTF-8"), ("x" * 241, "longer than 240"), ("x/" * 600 + "y", "longer than 1000"),
        ("a/" * 50 + "b", "more than 50 folders"), (".kept/x", "spe uses itself"),
    ],
)  # fmt: skip
def test_a_name_is_refused_for_a_reason(name: str, why: str) -> None:
    assert why in refusal(name)


@pytest.mark.parametrize(
    ("pattern", "name", "is_good"),
    [
        ("frames/*.png", "frames/1.png", True), ("frames/*.png", "frames/a/1.png", False),
        ("frames/*.png", "frames/.1.png", False), ("frames/*.png", "other/1.png", False),
        ("**/*.log", "x.log", True), ("**/*.log", "a/b/x.log", True), ("**/*.log", "a/.b/x.log", False),
        ("a/**", "a/b/c", True), ("a/**", "a", False), ("a/**/b", "a/b", True), ("a/**/**/b", "a/x/y/b", True),
        ("out.dat", "out.dat", True), ("out.dat", "out1dat", False), ("[*].dat", "*.dat", True),
        ("[*].dat", "x.dat", False), ("?.dat", "x.dat", True), ("?.dat", "/.dat", False), (".*", ".x", True),
    ],
)  # fmt: skip
def test_a_pattern_means_what_a_shell_makes_of_it(pattern: str, name: str, is_good: bool) -> None:
    assert belongs(ResultSpec("r", pattern, Kind.FILES), name) == is_good


@given(st.one_of(NAMES, st.sampled_from(["**/*", "a/**", "*/b"])), NAMES)
def test_master_and_client_agree_on_what_matches(pattern: str, name: str) -> None:
    for kind in (Kind.FILES, Kind.FOLDER):
        ours = belongs(ResultSpec("r", pattern, kind), name)
        assert ours == clients.is_part(Result("r", pattern, kind.value), name)


@given(ANY)
def test_client_sends_no_name_that_the_master_refuses(name: str) -> None:
    if refusal(name) and not clients.is_odd(name):
        assert "no path below" in refusal(name), "no file that lies in a folder has such a name"


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("frames/*.png", "frames"), ("*.png", ""), ("a/b/**/*.c", "a/b"), ("a/*/b/c", "a"), ("a/b.txt", "a"),
        ("**", ""),
    ],
)  # fmt: skip
def test_the_folder_of_a_pattern_is_what_stands_before_the_first_wildcard(source: str, folder: str) -> None:
    assert folder_of(ResultSpec("r", source, Kind.FILES)) == folder


def test_a_file_that_is_a_folder_of_others_is_found() -> None:
    assert clash(["a/b", "a/c", "ab"]) is None
    assert clash(["a/b", "a"]) == "a"
    assert clash(["a/b/c", "a"]) == "a"


def test_the_cell_is_the_folder_and_the_list_tells_the_files(tmp_path: Path) -> None:
    parts = {"frames": tree(tmp_path, "frames", {"frames/2.png": b"22", "frames/1.png": b"1"})}
    (output,) = judge([FRAMES], ["non_empty", "one_line"], parts, 0, "files/7").outputs
    assert (output.value, output.file, output.size) == ("files/7/frames", "files/7/frames", 3)
    assert read_list(output.raw or b"") == [("1.png", 1), ("2.png", 2)]
    assert files_of(output) == [("files/7/frames/1.png", 1), ("files/7/frames/2.png", 2)]
    assert json.loads(output.raw or b"") == [["1.png", 1], ["2.png", 2]]


def test_files_of_the_directory_itself_lie_in_the_folder_of_the_set(tmp_path: Path) -> None:
    parts = {"logs": tree(tmp_path, "logs", {"a.log": b"1"})}
    (output,) = judge([ResultSpec("logs", "*.log", Kind.FILES)], [], parts, 0, "files/7").outputs
    assert (output.value, files_of(output)) == ("files/7", [("files/7/a.log", 1)])


def test_files_that_do_not_match_or_are_folders_of_others_are_rejected(tmp_path: Path) -> None:
    parts = {"frames": tree(tmp_path, "frames", {"frames/1.txt": b""})}
    assert judge([FRAMES], [], parts, 0, "files/7").reason == "frames: frames/1.txt does not match frames/*.png"
    parts = {"all": tree(tmp_path, "all", {"data/x/y": b"", "data/x": b""})}
    assert judge([ALL], [], parts, 0, "files/7").reason == "data/x is a file and a folder"


def test_an_empty_one_of_several_files_is_no_fault_but_all_empty_are(tmp_path: Path) -> None:
    parts = {"all": tree(tmp_path, "all", {"data/x": b"", "data/y": b"1"})}
    assert judge([ALL], ["non_empty"], parts, 0, "f").reason is None
    parts = {"all": tree(tmp_path, "all", {"data/x": b""})}
    assert judge([ALL], ["non_empty"], parts, 0, "f").reason == "all: empty (non_empty)"


def test_a_large_text_never_takes_the_name_of_a_file() -> None:
    specs = [ResultSpec("log"), ResultSpec("f", "log.txt", Kind.FILE), ResultSpec("g", "g", Kind.TEXT)]
    assert file_names(specs, ["log-2.txt", "g/x"]) == {"f": "log.txt", "log": "log-3.txt", "g": "g-2"}


def test_files_lie_under_their_own_paths_and_two_results_may_share_one(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_bytes(b"1")
    parts = {
        "frames": tree(tmp_path, "frames", {"frames/1.png": b"1", "frames/2.png": b"2"}),
        "first": Part("first", None, one, 1),
    }
    specs = [FRAMES, ResultSpec("first", "frames/1.png", Kind.FILE)]
    judgement = judge(specs, [], parts, 0, "files/7")
    (tmp_path / "files").mkdir()
    assert keep_files(tmp_path, [(judgement.outputs, parts)]) == []
    found = {str(path.relative_to(tmp_path)) for path in (tmp_path / "files").rglob("*") if path.is_file()}
    assert found == {"files/7/frames/1.png", "files/7/frames/2.png"}


def test_a_file_of_several_that_is_removed_on_its_way_is_told(tmp_path: Path) -> None:
    parts = {"frames": tree(tmp_path, "frames", {"frames/1.png": b"1", "frames/2.png": b"2"})}
    judgement = judge([FRAMES], [], parts, 0, "files/7")
    assert parts["frames"].is_there
    (tmp_path / "frames-1").unlink()
    assert not parts["frames"].is_there
    (tmp_path / "files").mkdir()
    assert keep_files(tmp_path, [(judgement.outputs, parts)]) == ["files/7/frames/2.png"]


def test_a_new_result_replaces_all_files_of_the_old_one_also_where_a_file_becomes_a_folder(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()

    def received(files: dict[str, bytes]) -> tuple[tuple[Output, ...], dict[str, Part]]:
        parts = {"all": tree(tmp_path, "all", files)}
        return judge([ALL], [], parts, 0, "files/7").outputs, parts

    def there() -> dict[str, bytes]:
        root = tmp_path / "files/7"
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    keep_files(tmp_path, [received({"data/a": b"1", "data/b/c": b"2", "data/old/x": b"3"})])
    moves = stage_files(tmp_path, 7, *received({"data/a/b": b"4", "data/b": b"5"}), ticket=9)
    assert there() == {"data/a": b"1", "data/b/c": b"2", "data/old/x": b"3"}, "until the database speaks of the new one"
    for _ in range(2):  # a master that was killed does it once more
        place_staged(tmp_path, 7, moves or {})
        assert there() == {"data/a/b": b"4", "data/b": b"5"}
    assert not (tmp_path / "files/7/data/old").exists()


def test_two_results_that_share_a_file_are_staged_without_mixing_it_up(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_bytes(b"1")
    parts = {
        "first": Part("first", None, one, 1),
        "frames": tree(tmp_path, "frames", {"frames/1.png": b"1", "frames/2.png": b"2", "frames/3.png": b"3"}),
    }
    specs = [ResultSpec("first", "frames/1.png", Kind.FILE), FRAMES]
    moves = stage_files(tmp_path, 7, judge(specs, [], parts, 0, "files/7").outputs, parts, 9)
    (tmp_path / "files").mkdir()
    place_staged(tmp_path, 7, moves or {})
    found = {path.name: path.read_bytes() for path in (tmp_path / "files/7/frames").iterdir()}
    assert found == {"1.png": b"1", "2.png": b"2", "3.png": b"3"}
