"""What separates the cells of a parameter file: by its name, by its header, by `separator:`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError
from spe.sweep.sources.parameter_file import ParameterFile
from spe.sweep.sweep import load


def rows(folder: Path, name: str, content: str, line: str = "") -> list[tuple[str, ...]]:
    (folder / name).write_bytes(content.encode())
    (folder / "spe.yaml").write_text(f"command: echo 1\nparameters: {name}\n{line}")
    return [tuple(one.values.values()) for one in load(folder).parameters]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", "x;y\n1,5;2\n"),
        ("p.CSV", "\ufeffx;y\r\n1,5;2\r\n"),
        ("p.csv", '"x";"y"\n"1,5";2\n'),
    ],
)
def test_a_csv_file_whose_header_has_semicolons_is_separated_by_them(tmp_path: Path, name: str, content: str) -> None:
    assert rows(tmp_path, name, content) == [("1,5", "2")]


@pytest.mark.parametrize(
    ("written", "content"),
    [
        ('";"', "x;y\n1|5;2\n"),
        ('":"', "x:y\n1|5:2\n"),
        ('" "', "x y\n1|5 2\n"),
        ('"\\t"', "x\ty\n1|5\t2\n"),
        ("tab", "x\ty\n1|5\t2\n"),
        ('","', "x,y\n1|5,2\n"),
        ("§", "x§y\n1|5§2\n"),
    ],
)
def test_separator_names_any_other_sign(tmp_path: Path, written: str, content: str) -> None:
    for name in ("p.txt", "p.csv", "p.tsv"):
        assert rows(tmp_path, name, content, f"separator: {written}\n") == [("1|5", "2")]


@given(
    st.characters(exclude_categories=["L", "N", "Cs", "Cc"], exclude_characters='_"').filter(lambda c: not c.isalnum())
)
def test_a_separator_that_is_no_part_of_a_name_reads_back_what_it_separates(sign: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p.txt")
        path.write_bytes(f"x{sign}y\n1{sign}2\n".encode())
        assert [cells for cells, _ in ParameterFile(path, "p.txt", sign).rows()] == [("1", "2")]


@pytest.mark.parametrize("written", ['""', '";;"', "a", "5", "_", "'\"'", '"\\n"', "[a]", '"\\r"', '"\\0"'])
def test_what_is_no_separator_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match="wanted one sign") as caught:
        rows(tmp_path, "p.txt", "x|y\n1|2\n", f"separator: {written}\n")
    assert caught.value.where == "spe.yaml:3: separator"


def test_a_separator_without_a_parameter_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "spe.yaml").write_text('command: echo 1\nparameters: {grid: {x: [1]}}\nseparator: ";"\n')
    with pytest.raises(ConfigError, match="there is no parameter file") as caught:
        load(tmp_path)
    assert caught.value.where == "spe.yaml:3: separator"


@pytest.mark.parametrize(
    ("name", "header", "todo"),
    [
        ("p.txt", "x;y", 'separator: ";"'),
        ("p.txt", "x,y", 'separator: ","'),
        ("p.dat", "x\ty", 'separator: "\\t"'),
        ("p.dat", "x y", 'separator: " "'),
        ("p.csv", "x:y", 'separator: ":"'),
        ("p.csv", "x\ty", 'separator: "\\t"'),
        ("p.csv", "x;y,z", 'separator: ";"'),
    ],
)
def test_a_header_with_another_separator_names_the_key(tmp_path: Path, name: str, header: str, todo: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rows(tmp_path, name, f"{header}\n1\n")
    assert caught.value.where == f"{name}:1" and todo in caught.value.todo


@pytest.mark.parametrize(
    ("name", "header", "todo"),
    [
        ("p.csv", "Last [kN];E", "Call it Last_kN."),
        ("p.txt", "seed|Last [kN]", "Call it Last_kN."),
        ("p.csv", "Last [kN]", "Call it Last_kN."),
        ("p.csv", "x,[%]", "Mend the header line."),
        ("p.csv", "x,2nd try", "Call it _2nd_try."),
        ("p.txt", "Last [kN];E", 'separator: ";"'),
        ("p.txt", " x|y", "Mend the header line."),
    ],
)
def test_a_name_that_cannot_be_used_is_told_a_name_that_can(
    tmp_path: Path, name: str, header: str, todo: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        rows(tmp_path, name, f"{header}\n1\n")
    assert todo in caught.value.todo
    assert ("separator" in caught.value.todo) == ("separator" in todo)


def test_a_line_of_other_width_names_the_separator_that_counts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        rows(tmp_path, "p.csv", "x;y\n1;2;3\n")
    assert "('x;y')" in caught.value.what and "Separate cells by ;" in caught.value.todo


def test_the_same_file_read_with_another_separator_is_another_plan(tmp_path: Path) -> None:
    rows(tmp_path, "p.txt", "x;y\n1;2\n", 'separator: ";"\n')
    one = load(tmp_path).plan_digest()
    rows(tmp_path, "p.txt", "x:y\n1:2\n", 'separator: ":"\n')
    assert one != load(tmp_path).plan_digest()
