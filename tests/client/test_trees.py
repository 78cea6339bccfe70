"""Results of several files, as the client finds them in the directory of a task."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from spe.client.task import trees
from spe.client.task.attempt import Attempt
from spe.client.task.report import NoResult, pack, results
from spe.client.task.settings import Settings
from spe.client.task.trees import CannotTake, find
from spe.client.wire.multipart import Body, BodyGone
from spe.client.wire.task_record import Result, Task, parse_tasks


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def files(folder: Path, pattern: str) -> list[str]:
    return find(str(folder), Result("r", pattern, "files"))


def below(folder: Path, name: str) -> list[str]:
    return find(str(folder), Result("r", name, "folder"))


def attempt(base: Path, *wanted: Result) -> Attempt:
    found = Attempt(Task(1, "1", 0.0, [b"true"], {}, [], list(wanted)), str(base))
    Path(found.folder).mkdir(parents=True)
    return found


def test_a_record_tells_kinds_and_older_ones_have_none() -> None:
    text = b"Ticket=1\nCommandLine=x\n[Result]\nName=f\nFile=f/*\nKind=files\n[Result]\nName=y\nFile=stdout\n"
    (task,) = parse_tasks(text)
    assert task.results == [Result("f", "f/*", "files"), Result("y", "stdout", "")]


def test_a_pattern_finds_its_files_in_one_order_whatever_the_disk_says(tmp_path: Path) -> None:
    made(tmp_path, "f/b.png", "f/a.png", "f/c.txt", "f/.d.png", "f/sub/e.png", "g.png")
    assert files(tmp_path, "f/*.png") == ["f/a.png", "f/b.png"]
    assert files(tmp_path, "**/*.png") == ["f/a.png", "f/b.png", "f/sub/e.png", "g.png"]
    assert files(tmp_path, "f/**") == ["f/a.png", "f/b.png", "f/c.txt", "f/sub/e.png"]
    assert files(tmp_path, "*/*/e.png") == ["f/sub/e.png"]
    assert files(tmp_path, "f/[ab].png") == ["f/a.png", "f/b.png"]
    assert files(tmp_path, "g.png") == ["g.png"]
    assert files(tmp_path, "*") == ["g.png"], "a folder is no file"
    assert files(tmp_path, "no/*") == files(tmp_path, "g.png/*") == []


def test_a_folder_has_all_its_files_and_an_empty_one_has_none(tmp_path: Path) -> None:
    made(tmp_path, "f/b", "f/.a", "f/.h/c", "g")
    (tmp_path / "empty/deep").mkdir(parents=True)
    assert below(tmp_path, "f") == ["f/.a", "f/.h/c", "f/b"]
    assert below(tmp_path, "empty") == below(tmp_path, "none") == below(tmp_path, "g") == []


def test_links_are_followed_as_those_of_single_results_and_rings_come_to_an_end(tmp_path: Path) -> None:
    made(tmp_path / "outside", "x/1.png", "2.png")
    made(tmp_path / "task", "f/3.png")
    (tmp_path / "task/f/x").symlink_to(tmp_path / "outside/x")
    (tmp_path / "task/f/2.png").symlink_to(tmp_path / "outside/2.png")
    (tmp_path / "task/f/ring").symlink_to(tmp_path / "task/f")
    assert below(tmp_path / "task", "f") == ["f/2.png", "f/3.png", "f/x/1.png"]
    assert files(tmp_path / "task", "f/**/*.png") == ["f/2.png", "f/3.png", "f/x/1.png"]


@pytest.mark.parametrize("what", ["fifo", "socket", "dangling"])
def test_what_is_no_file_is_never_opened(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = attempt(tmp_path, Result("frames", "f/*", "files"))
    place = Path(one.folder) / "f"
    made(place, "a")
    if what == "fifo":
        os.mkfifo(place / "b")
    elif what == "socket":
        monkeypatch.chdir(place)  # the path of a socket is short
        socket.socket(socket.AF_UNIX).bind("b")
    else:
        (place / "b").symlink_to("nowhere")
    with pytest.raises(NoResult, match=r"result file f/b is (not a regular file|a link to a file that is not there)"):
        results(one, 0)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Result("f", "f/*.png", "files"), "result files f/*.png were not written: none matches"),
        (Result("f", "f", "folder"), "result folder f was not written, or has no file"),
    ],
)
def test_no_file_at_all_is_a_failure_that_says_so(tmp_path: Path, wanted: Result, said: str) -> None:
    one = attempt(tmp_path, wanted)
    with pytest.raises(NoResult) as caught:
        results(one, 0)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", [b"a\nb", b"\xff", b"x" * 250])
def test_a_name_that_cannot_be_kept_is_a_failure_and_not_left_out(tmp_path: Path, name: bytes) -> None:
    one = attempt(tmp_path, Result("f", "f", "folder"))
    place = os.fsencode(one.folder) + b"/f"
    os.mkdir(place)
    with open(place + b"/" + name, "wb"):
        pass
    with pytest.raises(NoResult, match="result f: a file cannot be kept under its name") as caught:
        results(one, 0)
    str(caught.value).encode()


def test_thousands_of_files_are_found_and_too_many_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, *(f"f/{number}" for number in range(3000)))
    assert len(files(tmp_path, "f/*")) == len(below(tmp_path, "f")) == 3000
    monkeypatch.setattr(trees, "MOST_FILES", 2999)
    with pytest.raises(CannotTake, match="more than 2999 files"):
        files(tmp_path, "f/*")
    monkeypatch.setattr(trees, "MOST_SEEN", 100)
    with pytest.raises(CannotTake, match="more than 100 files to look through"):
        below(tmp_path, "f")


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "f/a")

    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(CannotTake, match="f cannot be read: Permission denied"):
        below(tmp_path, "f")


def test_the_limit_of_a_result_holds_for_all_its_files_together(tmp_path: Path) -> None:
    one = attempt(tmp_path, Result("f", "f", "folder"))
    for name in ("a", "b"):
        (made(Path(one.folder), f"f/{name}") / "f" / name).write_bytes(b"x" * 60)
    assert [(part.filename, part.size) for _, part in results(one, 120)] == [("f/a", 60), ("f/b", 60)]
    with pytest.raises(NoResult, match="result f is 120 bytes, more than max_result"):
        results(one, 119)


def test_small_ones_go_alone_and_not_with_a_batch(tmp_path: Path) -> None:
    one = attempt(tmp_path, Result("f", "f/*", "files"))
    made(Path(one.folder), "f/a")
    pack(one, Settings(str(tmp_path), {}, None, True, 0, False))
    assert one.packed is None


def test_a_file_that_changes_while_it_is_sent_breaks_the_body_off(tmp_path: Path) -> None:
    one = attempt(tmp_path, Result("f", "f/*", "files"))
    made(Path(one.folder), "f/a", "f/b")
    (Path(one.folder) / "f/b").write_bytes(b"x" * 100_000)
    body = Body(list(results(one, 0)))
    (Path(one.folder) / "f/b").write_bytes(b"x")
    with pytest.raises(BodyGone, match="b became shorter"):
        b"".join(body.content())


def test_names_that_could_be_read_in_two_ways_are_written_in_full(tmp_path: Path) -> None:
    one = attempt(tmp_path, Result("f", "f/*", "files"))
    made(Path(one.folder), 'f/a%22"\\b', "f/ü")
    content = Body(list(results(one, 0))).content()
    assert isinstance(content, bytes)
    assert b"filename*=UTF-8''f/a%2522%22%5Cb\r\n" in content
    assert 'filename="f/ü"\r\n'.encode() in content
