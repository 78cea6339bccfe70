"""Where files of results lie, for names that are easily taken for something else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from spe.model import Kind, ResultSpec
from spe.results import kept_files
from spe.results.trees import folder_of


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("frames/*.png", "frames"),
        ("q/*.dat", "q"),
        ("[[]ab]/*.dat", "[ab]"),
        ("a[*]b/[?]/*.dat", "a*b/?"),
        ("a[0-9]/b/*.dat", ""),
        ("a/b*/c/*.dat", "a"),
    ],
)
def test_a_sign_of_a_value_is_a_letter_of_the_folder(source: str, folder: str) -> None:
    """`[*]` is how the `*` of a parameter's value stands in a pattern."""
    assert folder_of(ResultSpec("r", source, Kind.FILES)) == folder


def test_a_file_that_is_not_yet_whole_has_a_name_that_no_result_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """files/ may be a link to another disk: then each file is copied beside its place first."""
    replace = os.replace

    def across(source: str | Path, target: str | Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "another disk")
        replace(source, target)

    monkeypatch.setattr(kept_files.os, "replace", across)
    (tmp_path / "spool").mkdir()
    (tmp_path / "files").mkdir()
    for name in ("a.dat.part", "a.dat"):
        (tmp_path / "spool" / name).write_text(name)
        kept_files._place_one(tmp_path / "spool" / name, tmp_path / "files" / name)
    assert {path.name: path.read_text() for path in (tmp_path / "files").iterdir()} == {
        "a.dat.part": "a.dat.part",
        "a.dat": "a.dat",
    }
