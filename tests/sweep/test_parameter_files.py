"""Parameter files: what is read, and what each wrong one is told."""

from __future__ import annotations

import csv
import io
import tempfile
import tracemalloc
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.sweep.parameters import Inspector, Parameters
from spe.sweep.sources.parameter_file import ParameterFile

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)


def read(path: Path, content: str | bytes) -> list[tuple[tuple[str, ...], int]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(ParameterFile(path, path.name).rows())


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1)),
       st.sampled_from([("p.txt", "|"), ("p.csv", ","), ("p.tsv", "\t")]), st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_what_a_csv_writer_wrote_is_read_back(rows: list[list[str]], form: tuple[str, str], end: str) -> None:
    name, separator = form
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    writer.writerows([[f"n{i}" for i in range(len(rows[0]))], *rows])
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = [cells for cells, _ in read(Path(folder, name), text.getvalue())]
        except ConfigError as error:
            assert error.what == "this line is empty"
            assert any(is_no_set(a) and not is_no_set(b) for a, b in pairwise(rows))
            return
    while rows and is_no_set(rows[-1]):
        rows.pop()
    assert found == [tuple(row) for row in rows]


def is_no_set(row: list[str]) -> bool:
    return len(row) > 1 and row == [""] * len(row)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("p.txt", "x|y\n1|2\n", [("1", "2")]),
        ("p.txt", "x|y\r\n1|2\r\n", [("1", "2")]),
        ("p.txt", "x|y\n1|2", [("1", "2")]),
        ("p.txt", "\ufeffx|y\n1|2\n", [("1", "2")]),
        ("p.txt", "x|y\n1|2\n\n\n", [("1", "2")]),
        ("p.txt", "x|y\n 1 | 2\n", [(" 1 ", " 2")]),
        ("p.txt", 'x|y\n"a|b"|"c ""d"""\n', [("a|b", 'c "d"')]),
        ("p.txt", 'x|y\n5" disk|"two\nlines"\n', [('5" disk', "two\nlines")]),
        ("p.txt", 'x\n""\n1\n', [("",), ("1",)]),
        ("p.txt", 'x\n1\n""\n', [("1",), ("",)]),
        ("p.txt", "x|y\n|1\n1|\n", [("", "1"), ("1", "")]),
        ("p.txt", "x|y\n1|2\n|\n", [("1", "2")]),
        ("p.csv", "x,y,z\n1,,2\n,,\n,,\n", [("1", "", "2")]),
        ("p.csv", "x,y,z\r\n1,2,3\r\n,,\r\n\r\n,,,,,\r\n", [("1", "2", "3")]),
        ("p.csv", 'x,y\n1,2\n"",""\n""\n', [("1", "2")]),
        ("p.csv", "x\n1\n,,\n", [("1",)]),
        ("p.tsv", "x\ty\n1\t2\n\t", [("1", "2")]),
        ("p.csv", "x,y\n , \n", [(" ", " ")]),
        ("p.txt", "x|y\n1,5|0.10\n", [("1,5", "0.10")]),
        ("p.csv", "x,y\n1|5,2\n", [("1|5", "2")]),
        ("p.csv", "x|y\n1|2\n", [("1", "2")]),
        ("p.CSV", "x\n1\n", [("1",)]),
        ("p.tsv", "x\ty\n1 2\t3|4\n", [("1 2", "3|4")]),
        ("p.txt", "größe|x\nübel|é\n", [("übel", "é")]),
    ],
)
def test_cells_are_kept_exactly_as_written(tmp_path: Path, name: str, content: str, rows: list[object]) -> None:
    assert [cells for cells, _ in read(tmp_path / name, content)] == rows


def test_a_line_number_is_that_of_the_first_line_of_a_set(tmp_path: Path) -> None:
    assert [line for _, line in read(tmp_path / "p.txt", 'x|y\n1|"a\nb\nc"\n2|d\n3|e\n')] == [2, 5, 6]


def test_a_cell_of_a_megabyte_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "p.txt", "x|y\n" + "a" * 1_000_000 + "|b\n")[0][0] == ("a" * 1_000_000, "b")


@pytest.mark.parametrize(
    ("name", "content", "where", "what"),
    [
        ("p.txt", "x|y\n1|2\n1|2|3\n", "p.txt:3", "this line has 3 cells, the header has 2 cells ('x|y')"),
        ("p.txt", "x|y\n1\n", "p.txt:2", "this line has 1 cell, the header has 2 cells"),
        ("p.csv", "x,y\n1,2\n3;4\n", "p.csv:3", "this line has 1 cell, the header has 2 cells"),
        ("p.txt", 'x|y\n1|"a\nb"\n1|2|3\n', "p.txt:4", "3 cells"),
        ("p.txt", "", "p.txt:1", "the file is empty"),
        ("p.txt", "\n\n", "p.txt:1", "the header line is empty"),
        ("p.txt", "x|y|x\n", "p.txt:1", "the name x is there twice, as column 1 and 3"),
        ("p.txt", "x||y\n", "p.txt:1", "column 2 of the header: the name is empty"),
        ("p.txt", "x | y\n", "p.txt:1", "column 1 of the header: the name 'x ' has spaces around it"),
        ("p.txt", "x-y|z\n", "p.txt:1", "'x-y' can't be used in {{ … }}"),
        ("p.txt", "in|z\n", "p.txt:1", "in is a word of the pattern language"),
        ("p.txt", "x|y\n1|2\n\n3|4\n", "p.txt:3", "this line is empty"),
        ("p.txt", "x\n1\n\n2\n", "p.txt:3", "this line is empty"),
        ("p.csv", "x,y\n1,2\n,\n3,4\n", "p.csv:3", "this line is empty"),
        ("p.csv", "x,y\n,\n\n1,2\n", "p.csv:2", "this line is empty"),
        ("p.csv", 'x,y\n1,2\n"",""\n3;4\n', "p.csv:3", "this line is empty"),
        ("p.txt", 'x\n1\n\n""\n', "p.txt:3", "this line is empty"),
        ("p.txt", 'x|y\n1|2\n1|"a\n3|4\n', "p.txt:3", "a quoted cell that begins here has no end"),
        ("p.txt", 'x|y\n1|"a"b\n', "p.txt:2", "wrong quoting"),
        ("p.txt", "x|y\n1|a\rb\n", "p.txt:2", "a carriage return"),
        ("p.txt", b"x|y\n1|2\n1|\xff\n", "p.txt:3", "this line is not UTF-8"),
        ("p.txt", "x|y\n".encode("utf-16"), "p.txt:1", "this line is not UTF-8"),
    ],
)
def test_a_wrong_file_is_told_line_and_fault(
    tmp_path: Path, name: str, content: str | bytes, where: str, what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / name, content)
    assert caught.value.where == where
    assert what in caught.value.what
    assert caught.value.todo


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"p\.csv: can't be read: No such file"):
        ParameterFile(tmp_path / "p.csv", "p.csv")
    with pytest.raises(ConfigError, match="Is a directory"):
        ParameterFile(tmp_path, "p.csv")


def test_a_header_without_sets_is_an_error(tmp_path: Path) -> None:
    for nothing in ("\n", "|\n|\n"):
        (tmp_path / "p.txt").write_text("x|y\n" + nothing)
        with pytest.raises(ConfigError, match=r"p\.txt: there is a header but no set"):
            Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")], source="p.txt").check()


def test_the_first_of_several_faults_of_a_file_is_the_one_that_is_told(tmp_path: Path) -> None:
    def inspect(values: Mapping[str, str]) -> None:
        if values["x"] == "5":
            raise ConfigError("five is wrong")

    (tmp_path / "p.txt").write_text("x|y\n" + "".join(f"{i}|2\n" for i in range(20)) + "1|2|3\n")
    parameters = Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")], source="p.txt")
    parameters.inspector = Inspector(quick=inspect)
    with pytest.raises(ConfigError, match=r"p\.txt:7: five is wrong"):
        parameters.check()


def test_equal_lines_are_one_set_and_a_warning_names_both(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("x|y\n1|2\n3|4\n1|2\n5|6\n3|4\n")
    parameters = Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")], source="p.txt")
    census = parameters.check()
    assert census.count == 3
    assert [warning[:41] for warning in census.warnings] == [
        "p.txt: lines 2 and 4 are equal: one set (",
        "p.txt: lines 3 and 6 are equal: one set (",
    ]
    assert [dict(one.values) for one in parameters] == [
        {"x": "1", "y": "2"},
        {"x": "3", "y": "4"},
        {"x": "5", "y": "6"},
    ]
    assert [one.line for one in parameters] == [2, 3, 5]
    assert census.first.line == 2 and census.last.line == 5


def test_the_warnings_about_many_equal_lines_are_few(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("x\n" + "1\n" * 1000)
    census = Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")], source="p.txt").check()
    assert census.count == 1 and len(census.warnings) == 6
    assert census.warnings[-1] == "p.txt: 994 more sets are there already"


def test_sets_of_two_cells_are_not_mixed_up(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("x|y\n1|23\n12|3\n")
    assert Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")]).check().count == 2


def test_a_wrong_line_at_the_end_of_many_is_found_before_any_set_is_given(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("x|y\n" + "".join(f"{i}|2\n" for i in range(50_000)) + "1|2|3\n")
    parameters = Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")], source="p.txt")
    with pytest.raises(ConfigError, match=r"p\.txt:50002: this line has 3 cells"):
        next(iter(parameters))


def test_a_long_file_is_streamed_and_never_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("x|y\n" + "".join(f"{i}|some text of thirty characters\n" for i in range(100_000)))
    parameters = Parameters([ParameterFile(tmp_path / "p.txt", "p.txt")], source="p.txt")
    tracemalloc.start()
    try:
        assert parameters.check().count == 100_000
        assert sum(1 for _ in parameters) == 100_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000, peak  # the sets as Python objects would be more than 20 MB
