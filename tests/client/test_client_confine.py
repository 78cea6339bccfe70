"""What may be asked of a running task."""

from __future__ import annotations

from pathlib import Path

import pytest
from spe.client.loop.allowed import refusal

SIX = ["ls", "ps", "du", "cat", "tail", "head"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "17"
    (made / "sub").mkdir(parents=True)
    (made / "out.txt").write_text("x")
    (made / "away").symlink_to("/etc")
    (made / "near").symlink_to("sub")
    return made


@pytest.mark.parametrize(
    "words",
    [["ls"], ["ls", "-l", "sub"], ["tail", "-n", "5", "out.txt"], ["head", "-c", "10", "./sub/../out.txt"],
     ["cat", "near/new"], ["du", "--max-depth=1"], ["tail", "--bytes=5", "out.txt"]],
)  # fmt: skip
def test_the_allowed_programs_may_look_at_the_tasks_own_files(folder: Path, words: list[str]) -> None:
    assert refusal(words, SIX, str(folder)) is None


@pytest.mark.parametrize(
    "words",
    [["cat", "/etc/passwd"], ["cat", "../18/out.txt"], ["ls", "away"], ["cat", "away/passwd"], ["cat", "sub/../../x"],
     ["du", "--exclude-from=/etc/passwd"], ["du", "-X/etc/passwd"], ["du", "--files0-from=list"], ["du", "--files0=l"]],
)  # fmt: skip
def test_what_leads_out_of_the_directory_is_refused(folder: Path, words: list[str]) -> None:
    assert "leads out of the task's directory" in str(refusal(words, SIX, str(folder)))


def test_another_program_is_refused_with_what_is_allowed(folder: Path) -> None:
    assert refusal(["rm", "out.txt"], SIX, str(folder)) == (
        "'rm' is not allowed here; `ask:` in spe.yaml allows: ls ps du cat tail head"
    )
    assert refusal(["/bin/ls"], SIX, str(folder)), "also the path of an allowed one"


def test_with_any_everything_may_be_asked(folder: Path) -> None:
    assert refusal(["cat", "/etc/hostname"], ["any"], str(folder)) is None


def test_no_command_and_a_zero_byte_are_refused(folder: Path) -> None:
    assert refusal([], ["any"], str(folder))
    assert refusal(["ls", "a\0b"], ["any"], str(folder))
