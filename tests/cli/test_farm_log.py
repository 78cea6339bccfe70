"""The lines that `spe farm log` prints, while the log becomes an older one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from spe.cli import farm_log
from spe.logs import numbered


def test_the_older_logs_are_printed_first(tmp_path: Path) -> None:
    path = tmp_path / "farm.log"
    for number, text in enumerate(("newest\n", "older\nold\n", "oldest\n")):
        numbered(path, number).write_text(text)
    assert list(farm_log._all_lines(path, follow=False)) == ["oldest", "older", "old", "newest"]


def test_a_log_that_becomes_an_older_one_while_it_is_followed_loses_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "farm.log"
    path.write_text("a\n")

    def replace(_: float) -> None:
        # Between two looks: a last line comes, and then a new log is begun.
        with path.open("a") as file:
            file.write("b\n")
        os.replace(path, numbered(path, 1))
        path.write_text("c\nd\n")

    monkeypatch.setattr(farm_log.time, "sleep", replace)
    lines = farm_log._all_lines(path, follow=True)
    assert [next(lines) for _ in range(4)] == ["a", "b", "c", "d"]


def test_a_line_that_is_half_written_is_printed_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "farm.log"
    path.write_text("first half, ")

    def go_on(_: float) -> None:
        with path.open("a") as file:
            file.write("second half\n")

    monkeypatch.setattr(farm_log.time, "sleep", go_on)
    assert next(farm_log._all_lines(path, follow=True)) == "first half, second half"
    path.write_text("no end of line")
    assert list(farm_log._all_lines(path, follow=False)) == ["no end of line"]
