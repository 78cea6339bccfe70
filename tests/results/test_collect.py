"""The files that a sweep leaves."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.errors import ConfigError, StoreError
from spe.model import Kind, Output, ResultSpec
from spe.results.table_files import (
    FailedRow,
    Mode,
    ResultRow,
    csv_line,
    text_mode,
    write_all,
    write_failed_csv,
    write_results_csv,
    write_text,
)
from syncs import Syncs

OUT = ResultSpec("out")


def row(number: int, output: Output, **values: str) -> ResultRow:
    return ResultRow(number, values, {output.name: output}, "lab01", 1.25, 1)


def text(tmp_path: Path, mode: Mode, *rows: ResultRow, spec: ResultSpec = OUT) -> bytes:
    path = tmp_path / "out.txt"
    assert write_text(path, mode, spec, tmp_path, rows) == len(rows)
    return path.read_bytes()


# The csv module takes no lone surrogates to UTF-8, and neither does a file that a cell came from.
CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=5)


@given(st.lists(CELLS, max_size=5))
def test_a_csv_reader_gets_every_cell_back(rows: list[list[str]]) -> None:
    written = b"".join(map(csv_line, rows)).decode()
    assert list(csv.reader(io.StringIO(written, newline=""), strict=True)) == rows


def test_results_csv_has_number_parameters_results_host_seconds_attempts(tmp_path: Path) -> None:
    rows = [row(2, Output("out", "a,b"), x="1", y='say "hi"'), row(1, Output("out", "Größe\n2"), x=" 2 ")]
    assert write_results_csv(tmp_path / "results.csv", ["x", "y"], ["out", "new"], rows) == 2
    assert (tmp_path / "results.csv").read_bytes() == (
        "number,x,y,out,new,host,seconds,attempts\n"
        '2,1,"say ""hi""","a,b",,lab01,1.250,1\n'
        '1, 2 ,,"Größe\n2",,lab01,1.250,1\n'
    ).encode()


def test_failed_csv_has_number_parameters_reason(tmp_path: Path) -> None:
    assert write_failed_csv(tmp_path / "failed.csv", ["x"], [FailedRow(7, {"x": "1"}, "exit code 3, 3 attempts")]) == 1
    assert (tmp_path / "failed.csv").read_text() == 'number,x,reason\n7,1,"exit code 3, 3 attempts"\n'


def test_concat_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"\x00\xff" * 10)
    rows = [
        row(1, Output("out", "a")),
        row(2, Output("out", "b", raw=b"b")),
        row(3, Output("out", "", raw=b"")),
        row(4, Output("out", "…", file="big", size=20)),
    ]
    assert text(tmp_path, Mode.CONCAT, *rows) == b"a\nb" + b"\x00\xff" * 10


def test_concat_numbered_puts_the_number_and_a_tab_before_each_line(tmp_path: Path) -> None:
    rows = [
        row(17, Output("out", "a\n\nb")),
        row(18, Output("out", "c", raw=b"c")),
        row(19, Output("out", "", raw=b"")),
    ]
    assert text(tmp_path, Mode.CONCAT_NUMBERED, *rows) == b"17\ta\n17\t\n17\tb\n18\tc\n"


def test_lines_are_numbered_right_across_the_pieces_of_a_large_file(tmp_path: Path) -> None:
    line = b"x" * (1024 * 1024 - 1) + b"\n"
    (tmp_path / "big").write_bytes(line * 3 + b"end")
    written = text(tmp_path, Mode.CONCAT_NUMBERED, row(5, Output("out", "…", file="big")))
    assert written == (b"5\t" + line) * 3 + b"5\tend\n"


def test_blocks_are_headed_by_number_names_and_values(tmp_path: Path) -> None:
    rows = [
        row(1, Output("out", "a"), x="1", y="two words", z="line\nbreak"),
        row(2, Output("out", "b", raw=b"b"), x="", y='"', z="-1.5e3"),
        row(3, Output("out", "", raw=b""), x="ä"),
    ]
    assert text(tmp_path, Mode.BLOCKS, *rows).decode() == (
        '# 1 x=1 y="two words" z="line\\nbreak"\na\n\n# 2 x="" y="\\"" z=-1.5e3\nb\n\n# 3 x=ä\n'
    )


def test_of_a_result_found_by_regex_the_value_is_collected(tmp_path: Path) -> None:
    spec = ResultSpec("out", regex="x=(.*)")
    assert text(tmp_path, Mode.CONCAT, row(1, Output("out", "1", raw=b"log x=1")), spec=spec) == b"1\n"


def test_a_row_older_than_the_result_has_nothing_to_collect(tmp_path: Path) -> None:
    assert text(tmp_path, Mode.CONCAT, row(1, Output("other", "1")), row(2, Output("out", "2"))) == b"2\n"


def test_memory_does_not_grow_with_the_rows_or_the_results(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as stream:
        stream.truncate(50_000_000)

    def rows() -> Iterator[ResultRow]:
        for number in range(20_000):
            yield row(number, Output("out", "v" * 100), x=str(number))
        yield row(20_000, Output("out", "…", file="big"))

    tracemalloc.start()
    write_results_csv(tmp_path / "results.csv", ["x"], ["out"], rows())
    write_text(tmp_path / "out.txt", Mode.CONCAT_NUMBERED, OUT, tmp_path, rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_broken_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("old")

    def rows() -> Iterator[ResultRow]:
        yield row(1, Output("out", "a"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_results_csv(path, [], ["out"], rows())
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("results.csv", "old")]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"files/1/out\.txt: out\.txt cannot be made: No such file or directory"):
        text(tmp_path, Mode.CONCAT, row(1, Output("out", "…", file="files/1/out.txt")))


def test_two_modes_for_one_file_are_refused() -> None:
    assert text_mode(["table", "hooks.py:gather"]) is None
    assert text_mode(["blocks", "hooks.py:gather", "blocks"]) is Mode.BLOCKS
    with pytest.raises(ConfigError, match="concat, blocks would all write the same"):
        text_mode(["concat", "blocks"])


def test_all_files_are_made_at_once(tmp_path: Path) -> None:
    specs = [OUT, ResultSpec("n", kind=Kind.INT)]
    rows = [ResultRow(1, {"x": "1"}, {"out": Output("out", "a"), "n": Output("n", "1")}, "h", 0.0, 1)]
    assert write_all(tmp_path, ["x"], specs, ["table", "concat"], lambda: rows, []) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["failed.csv", "out.txt", "results.csv"]
    assert (tmp_path / "failed.csv").read_text() == "number,x,reason\n"


def test_a_power_cut_finds_each_file_as_it_was_or_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [ResultRow(n, {"x": str(n)}, {"out": Output("out", "a" * 50)}, "h", 0.0, 1) for n in range(1, 5000)]
    failed = [FailedRow(7, {"x": "7"}, "exit code 3")]
    names = ["results.csv", "failed.csv", "out.txt"]
    for name in names:
        (tmp_path / name).write_text("old")
    syncs = Syncs(monkeypatch)
    write_all(tmp_path, ["x"], [OUT], ["concat"], lambda: rows, failed)
    for name in names:
        syncs.assert_content_came_before_the_name(tmp_path / name)
        syncs.assert_the_name_is_on_disk(tmp_path / name)
