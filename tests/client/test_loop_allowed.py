"""The rules for programs that people may run: their exact bounds, and their sentences. See also test_confine.py."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from spe.client.loop import allowed as module
from spe.client.loop.allowed import MOST_LINKS, MOST_SHOWN, MOST_TAILS, is_ps, narrowed, refusal

SIX = ["ls", "ps", "du", "cat", "tail", "head"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "17"
    made.mkdir()
    return made


def test_forty_links_in_one_path_are_followed_as_the_system_does_and_no_more(folder: Path) -> None:
    (folder / "out.txt").write_text("x")
    (folder / "link0").symlink_to("out.txt")
    for number in range(1, MOST_LINKS + 1):
        (folder / f"link{number}").symlink_to(f"link{number - 1}")
    last = folder / f"link{MOST_LINKS - 1}"
    assert last.read_text() == "x"
    assert refusal(["cat", last.name], SIX, str(folder)) is None
    one_more = folder / f"link{MOST_LINKS}"
    with pytest.raises(OSError, match="symbolic links"):
        one_more.read_text()
    assert refusal(["cat", one_more.name], SIX, str(folder)) == (
        f"cannot see where '{one_more.name}' leads: {os.strerror(errno.ELOOP)}"
    )


def test_a_long_word_is_shortened_in_a_sentence_and_one_of_eighty_characters_is_not(folder: Path) -> None:
    for count, shown in ((MOST_SHOWN, "x" * 80), (MOST_SHOWN + 1, "x" * 80 + "…")):
        said = refusal(["x" * count], SIX, str(folder))
        assert said == f"'{shown}' is not allowed here; `ask:` in spe.yaml allows: ls ps du cat tail head"


def test_where_nothing_is_allowed_the_sentence_says_so(folder: Path) -> None:
    assert refusal(["ls"], [], str(folder)) == "'ls' is not allowed here; `ask:` in spe.yaml allows: nothing"


def test_an_option_of_an_unknown_program_may_have_255_characters(folder: Path) -> None:
    assert refusal(["sed", "-" + "x" * (MOST_TAILS - 1)], ["sed"], str(folder)) is None
    said = refusal(["sed", "-" + "x" * MOST_TAILS], ["sed"], str(folder))
    assert said == "'-" + "x" * 79 + "…' is too long for an option"
    assert MOST_TAILS == 255
    assert refusal(["sed", "x" * 200 + "/" + "x" * 200], ["sed"], str(folder)) is None, "no option, but a file"


def test_no_command_is_told_so_and_a_zero_byte_makes_none(folder: Path) -> None:
    assert refusal([], SIX, str(folder)) == refusal(["ls", "a\0b"], SIX, str(folder)) == "there is no command"
    assert refusal(["ls", "0"], ["any"], str(folder)) is None


def test_only_ps_is_narrowed_to_processes() -> None:
    words = ["ls", "-l"]
    assert narrowed(words, [1]) == ["ls", "-l"]
    assert narrowed(["/bin/ps"], [1, 2]) == ["/bin/ps", "-p", "1,2"]
    assert is_ps(["/bin/ps"]) and not is_ps(["ls", "ps"])


def test_an_option_that_is_refused_is_told_with_those_that_are_not(folder: Path) -> None:
    assert refusal(["cat", "--x"], SIX, str(folder)) == (
        "'--x' may not be asked of cat; these options may, spelled out, values in words of their own: "
        "-AbeEnstTuv --number --show-all; a file of that name is './--x'"
    )
    assert refusal(["ps", "e"], SIX, str(folder)) == (
        "'e' may not be asked of ps; these options may, spelled out, values in words of their own: "
        "-fFHjlLw --forest --no-headers -o FIELDS"
    )
    assert refusal(["ps", "-o"], SIX, str(folder)) == refusal(["ps", "-o"], SIX, str(folder))
    assert str(refusal(["ps", "-o"], SIX, str(folder))).startswith("'-o' may not be asked of ps")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("ls --color", ""),  # a value may be a word of its own
        ("ls --color=never", ""),
        ("ls --all=x", "may not be asked"),
        ("ls --all", ""),
        ("ls --version", ""),
        ("ls --help=x", "may not be asked"),
        ("ls -", ""),
        ("tail -5k", ""),
        ("tail -1.5", ""),
        ("tail --", ""),
        ("tail -5x", "may not be asked"),
        ("ps -", "may not be asked"),
        ("ps -f5", "may not be asked"),
        ("ps -o pid", ""),
        ("ps -o pid=", ""),
        ("ps -o PID", "may not be asked"),
        ("ps -o pid -f -o args", ""),
        ("ps -o pid args", "may not be asked"),
        ("sed --", ""),
        ("sed -", ""),
        ("sed --f", "names more files"),
        ("sed --f=x", "names more files"),
        ("sed --files-from", "names more files"),
        ("sed --from-file-of", "names more files"),
        ("sed --in-place", ""),
        ("sed @x", "names more files"),
        ("sed x@", ""),
        ("sed -fx", ""),
        ("sed -f/etc", "leads out"),
        ("sed -/etc", "leads out"),
        ("sed f/etc", ""),
        ("sed x=/etc", "leads out"),
        ("cat x=/etc", "leads out"),
        ("cat x", ""),
        ("cat ..", "leads out"),
        ("cat /", "leads out"),
        ("cat .", ""),
        ("cat ./../17/x", ""),
        ("cat ../17", ""),
        ("cat ../170", "leads out"),
    ],
)  # fmt: skip
def test_a_word_is_refused_for_its_own_reason_or_allowed(folder: Path, words: str, why: str) -> None:
    said = refusal(words.split(), [*SIX, "sed"], str(folder))
    assert why in (said or "") and bool(said) == bool(why), said


def test_a_word_that_may_name_a_list_is_told_so(folder: Path) -> None:
    assert refusal(["sed", "@x"], ["sed"], str(folder)) == (
        "'@x' may be a file that names more files; these are not looked at"
    )


def test_links_are_followed_from_where_they_stand(folder: Path) -> None:
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/up").symlink_to("../../a")
    (folder / "a/b/away").symlink_to("../../..")
    (folder / "a/b/whole").symlink_to(folder / "a")
    (folder / "a/b/root").symlink_to("/")
    assert module._end_of(str(folder), "a/b/up/b") == str(folder / "a/b")
    assert module._end_of(str(folder), "a/b/whole/x/y") == str(folder / "a/x/y")
    assert module._end_of(str(folder), "a/b/away") == str(folder.parent)
    assert module._end_of(str(folder), "a//./b/../c") == str(folder / "a/c")
    assert module._end_of(str(folder), "/a/../b") == "/b"
    assert module._end_of(str(folder), f"a/b/root{folder}/a") == str(folder / "a")
    assert module._end_of(str(folder), "") == str(folder)


def test_what_is_there_and_is_no_link_leads_to_itself_and_what_cannot_be_looked_at_is_told(folder: Path) -> None:
    (folder / "out.txt").write_text("x")
    for name in ("out.txt", "nowhere", "out.txt/below"):
        assert module._target(str(folder / name)) is None
    with pytest.raises(OSError, match="too long"):
        module._target(str(folder / ("x" * 300)))
    assert refusal(["cat", "x" * 300], SIX, str(folder)) == (
        f"cannot see where '{'x' * 80}…' leads: {os.strerror(errno.ENAMETOOLONG)}"
    )


def test_the_directory_may_be_named_by_a_path_with_links_above_it_but_not_relatively(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "here").symlink_to(folder.parent)
    assert refusal(["ls", "x"], SIX, str(folder.parent / "here" / "17")) is None
    monkeypatch.chdir(folder.parent)
    assert refusal(["ls", "x"], SIX, "17") is None
    assert refusal(["ls", "x"], SIX, "here/17") == "the task has put a link in place of its directory"
