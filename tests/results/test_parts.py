"""Parts of a report, and the limits up to which they are read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from spe.model import Kind, ResultSpec
from spe.results.extract import Part, Refused, extract
from spe.results.judge import file_names, judge

KIB = 1024


def on_disk(folder: Path, data: bytes) -> Part:
    path = folder / "part"
    path.write_bytes(data)
    return Part("x", None, path, len(data))


def pretended(data: bytes, size: int) -> Part:
    """A part that says it is so large."""
    return Part("x", data, None, size)


def test_a_part_is_read_whole_or_to_a_limit_wherever_it_lies(tmp_path: Path) -> None:
    for part in (Part.of("x", b"0123456789"), on_disk(tmp_path, b"0123456789")):
        assert (part.name, part.size, part.is_there) == ("x", 10, True)
        assert [part.read(), part.read(4), part.read(0), part.read(99)] == [b"0123456789", b"0123", b"", b"0123456789"]
        assert b"".join(part.chunks()) == b"0123456789"


def test_a_large_part_is_read_in_pieces_of_a_megabyte(tmp_path: Path) -> None:
    part = on_disk(tmp_path, b"x" * (2 * KIB * KIB + 5))
    assert [len(chunk) for chunk in part.chunks()] == [KIB * KIB, KIB * KIB, 5]


def test_a_part_whose_file_was_removed_is_not_there(tmp_path: Path) -> None:
    part = on_disk(tmp_path, b"x")
    assert part.path is not None
    part.path.unlink()
    assert not part.is_there


def test_a_part_without_data_and_path_is_a_fault_that_names_it() -> None:
    part = Part("x", None, None, 3)
    assert part.is_there
    for read in (part.read, lambda: list(part.chunks())):
        with pytest.raises(ValueError, match="part x has neither data nor a path"):
            read()


@pytest.mark.parametrize(
    ("kind", "data", "most"),
    [(Kind.INT, b"5", 64 * KIB), (Kind.FLOAT, b"5", 64 * KIB), (Kind.JSON, b"5", 64 * KIB * KIB)],
)
def test_the_largest_part_of_each_kind_is_read_and_a_larger_one_is_refused(kind: Kind, data: bytes, most: int) -> None:
    assert extract(pretended(data, most), ResultSpec("x", kind=kind), None) == "5"
    with pytest.raises(Refused, match=r"in stdout: .* at most 64 "):
        extract(pretended(data, most + 1), ResultSpec("x", kind=kind), None)


def test_a_number_is_searched_in_more_than_it_may_have() -> None:
    spec = ResultSpec("x", kind=Kind.INT, regex="[0-9]")
    assert extract(pretended(b"a 5", 64 * KIB * KIB), spec, None) == "5"


def test_a_text_found_by_a_regex_is_cut_with_a_note_of_its_place() -> None:
    spec = ResultSpec("x", regex="x+")
    for length, file, note in (
        (64 * KIB, None, ""),
        (64 * KIB + 1, None, " … (67 kB in all)"),
        (64 * KIB + 1, "files/1/x.txt", " … (67 kB in all, in files/1/x.txt)"),
    ):
        part = Part.of("x", b"-" * 1000 + b"x" * length)
        assert extract(part, spec, file) == "x" * 64 * KIB + note


def test_a_file_that_was_not_kept_has_an_empty_cell() -> None:
    assert extract(Part.of("x", b"1"), ResultSpec("x", kind=Kind.FILE), None) == ""


def test_a_json_cell_has_at_most_a_million_bytes_and_its_place_is_told() -> None:
    fits = b'"' + b"x" * 999_998 + b'"'
    assert extract(Part.of("x", fits), ResultSpec("x", kind=Kind.JSON), None) == fits.decode()
    with pytest.raises(Refused, match=r"^1,000,001 bytes of JSON in stdout: a cell has at most 1 MB"):
        extract(Part.of("x", b" " + fits[:-1] + b'y"'), ResultSpec("x", kind=Kind.JSON), None)
    deep = b'{"a": {"b": [' + fits + b"]}}"
    with pytest.raises(Refused, match=r"^1,000,008 bytes of JSON at a in stdout"):
        extract(Part.of("x", deep), ResultSpec("x", path="a"), None)


def test_a_value_that_is_nested_too_deep_is_refused_and_so_is_a_document() -> None:
    depth = 100 * sys.getrecursionlimit()
    with pytest.raises(Refused, match="stdout is nested too deep to be read as JSON"):
        extract(Part.of("x", b"[" * depth + b"]" * depth), ResultSpec("x", kind=Kind.JSON), None)


@pytest.mark.parametrize("levels", [0.3, 0.45, 0.6, 0.9])
def test_at_any_depth_a_value_is_whole_or_refused(levels: float) -> None:
    depth = int(sys.getrecursionlimit() * levels)
    text = "[" * depth + "1" + "]" * depth
    try:
        cell = extract(Part.of("x", ('{"a":' + text + "}").encode()), ResultSpec("x", path="a"), None)
    except Refused as refused:
        assert "is nested too deep" in str(refused)
    else:
        assert cell == text


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        (Kind.INT, "", "empty, not an int"),
        (Kind.FLOAT, " \n", "empty, not a float"),
        (Kind.INT, "x", "x is not an int"),
        (Kind.FLOAT, "nan", "nan is not a finite number, and there is a range"),
        (Kind.INT, "0", "0 is below the minimum 1"),
        (Kind.FLOAT, "2.5", "2.5 is above the maximum 2"),
    ],
)
def test_a_wrong_number_is_refused_by_name(kind: Kind, text: str, complaint: str) -> None:
    with pytest.raises(Refused) as caught:
        extract(Part.of("x", text.encode()), ResultSpec("x", kind=kind, minimum=1.0, maximum=2.0), None)
    assert str(caught.value).replace("'", "") == complaint


@pytest.mark.parametrize(("kind", "text"), [(Kind.INT, "1"), (Kind.INT, "2"), (Kind.FLOAT, "1.0"), (Kind.FLOAT, "2.")])
def test_the_ends_of_a_range_belong_to_it(kind: Kind, text: str) -> None:
    spec = ResultSpec("x", kind=kind, minimum=1.0, maximum=2.0)
    assert extract(Part.of("x", text.encode()), spec, None) == text


@pytest.mark.parametrize(
    ("regex", "found"), [("a=(.)|b=(.)", "5"), ("b=.", "b=5"), ("(b)=(.)", "b"), ("(z)?b", None), ("z", None)]
)
def test_the_first_group_that_took_part_is_the_value(regex: str, found: str | None) -> None:
    part = Part.of("x", b"b=5\nb=6\n")
    if found is not None:
        assert extract(part, ResultSpec("x", regex=regex), None) == found
        return
    with pytest.raises(Refused, match=r"no (match for|group of) regex"):
        extract(part, ResultSpec("x", regex=regex), None)


@pytest.mark.parametrize(
    ("data", "is_one"),
    [(b"\nx", False), (b"\n\n", False), (b"x\ny", False), (b"x\n", True), (b"x", True), (b"\n", True)],
)
def test_a_line_end_counts_anywhere_but_at_the_very_end(data: bytes, is_one: bool) -> None:
    judgement = judge([ResultSpec("x")], ["one_line"], {"x": Part.of("x", data)}, 0, "files/1")
    assert (judgement.reason is None) == is_one


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("stdout", "r.txt"),
        ("a.csv", "r.csv"),
        ("a.b.csv", "r.csv"),
        ("Makefile", "r"),
        *((f"a.b.csv{packed}", f"r.csv{packed}") for packed in (".gz", ".bz2", ".xz", ".zst")),
        ("a.gz", "r.gz"),
        ("a.csv.zip", "r.zip"),
    ],
)
def test_a_file_of_a_result_keeps_the_ending_that_tells_what_is_inside(source: str, name: str) -> None:
    assert file_names([ResultSpec("r", source)]) == {"r": name}


def test_files_of_results_never_have_one_name() -> None:
    specs = [ResultSpec(name, "x.txt") for name in ("a", "a.txt", "a.txt-2", "a.txt-2.txt")]
    assert list(file_names(specs).values()) == ["a.txt", "a.txt-2.txt", "a.txt-2-2.txt", "a.txt-2.txt-2.txt"]


def test_validations_of_others_are_left_to_them() -> None:
    part = {"x": Part.of("x", b"1")}
    assert judge([ResultSpec("x")], ["exit_zero", "hooks.py:check"], part, 0, "files/1").reason is None
    with pytest.raises(ValueError, match="no built-in validation 'check'"):
        judge([ResultSpec("x")], ["check"], part, 0, "files/1")
