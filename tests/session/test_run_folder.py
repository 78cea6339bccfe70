"""The folder of a run by itself: where it is after it was moved, what is written through it, who may work in it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from spe.errors import BusyError
from spe.full_disk import FullDisk
from spe.model import Output
from spe.results.extract import Part
from spe.results.kept_files import keep_files
from spe.session.anchors import Anchor
from spe.session.lock import Lock
from spe.session.run_folder import RunFolder, result_file
from spe.session.session import Session
from spe.wire.intake import Intake, Spool


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Held, with nothing in it."""
    made = RunFolder(tmp_path / "runs" / "sweep")
    made.last.mkdir(parents=True)
    made.hold()
    return made


def keep(folder: RunFolder, file: str) -> list[str]:
    return keep_files(folder, [([Output("a", "", file=file)], {"a": Part.of("a", b"A")})])


def test_what_is_written_after_a_move_goes_where_the_folder_is(tmp_path: Path, folder: RunFolder) -> None:
    keep(folder, "files/1/a")
    new = tmp_path / "elsewhere"
    (tmp_path / "runs").rename(new)
    keep(folder, "files/2/a")
    (folder.anchor / "note").write_text("x")
    assert folder.path == new / "sweep" and not folder.stands
    assert folder / "note" == new / "sweep" / "note"
    assert result_file(folder, "files/2/a") == new / "sweep" / "files" / "2" / "a"
    assert sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file()) == [
        "sweep/files/1/a", "sweep/files/2/a", "sweep/note",
    ]  # fmt: skip
    assert not (tmp_path / "runs").exists()


def test_another_folder_at_the_old_path_is_not_touched(tmp_path: Path, folder: RunFolder) -> None:
    folder.last.rename(tmp_path / "moved")
    (tmp_path / "runs" / "sweep").mkdir()
    keep(folder, "files/1/a")
    assert os.listdir(tmp_path / "runs" / "sweep") == []
    assert folder.path == tmp_path / "moved"


def test_a_folder_that_was_removed_has_no_name_and_takes_nothing_until_there_is_a_new_one(
    tmp_path: Path, folder: RunFolder
) -> None:
    keep(folder, "files/1/a")
    shutil.rmtree(tmp_path / "runs")
    assert folder.where() is None and str(folder) == str(tmp_path / "runs" / "sweep")
    with pytest.raises(FileNotFoundError):
        assert folder / "x"
    with pytest.raises(FileNotFoundError):
        keep(folder, "files/2/a")
    assert not (tmp_path / "runs").exists()
    new = tmp_path / "new"
    new.mkdir()
    through = folder.anchor
    folder.settle_at(new)
    assert folder.anchor == through  # those who have it write to the new one
    keep(folder, "files/2/a")
    assert (new / "files" / "2" / "a").read_bytes() == b"A"


def test_files_moved_alone_get_what_follows_and_a_link_to_them_is_as_good(tmp_path: Path, folder: RunFolder) -> None:
    keep(folder, "files/1/a")
    (folder / "files").rename(tmp_path / "large")
    keep(folder, "files/2/a")
    assert sorted(os.listdir(tmp_path / "large")) == ["1", "2"]
    (folder / "files").symlink_to(tmp_path / "large")
    assert folder.held_files and folder.held_files.is_at(folder / "files")


def test_a_path_through_a_link_stays_as_people_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    folder = RunFolder(tmp_path / "link")
    folder.hold()
    assert folder.path == tmp_path / "link"


@pytest.mark.parametrize("name", ["plain (deleted)", "what?x", "a b", "100%41", "ü"])
def test_a_folder_may_have_any_name(tmp_path: Path, folder: RunFolder, name: str) -> None:
    folder.last.rename(tmp_path / name)
    assert folder.path == tmp_path / name


def test_a_removed_file_has_no_name_though_another_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1")
    anchor = Anchor(path)
    path.unlink()
    path.write_text("2")
    assert anchor.where() is None and not anchor.is_at(path)


def test_what_nfs_keeps_of_a_removed_open_file_is_no_name(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1")
    anchor = Anchor(path)
    path.rename(tmp_path / ".nfs000000000000abcd")
    assert anchor.where() is None


# -- who may work in it


def test_a_lock_holds_after_its_file_was_removed(tmp_path: Path) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    first.acquire()
    first.path.unlink()
    assert not first.stands
    with pytest.raises(BusyError):
        second.acquire()
    first.renew()
    assert first.stands
    with pytest.raises(BusyError, match=f"is being run by process {os.getpid()} on "):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    assert os.listdir(tmp_path) == []


def test_a_lock_that_is_somebody_elses_by_now_is_not_removed(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    lock.acquire()
    lock.path.unlink()
    lock.path.write_text("process 1 on elsewhere")
    lock.release()
    assert lock.path.read_text() == "process 1 on elsewhere"


def test_what_was_removed_of_a_session_is_written_again_as_it_was(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.tls()
    session.announce("https://127.0.0.1:1", "", "F")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    shutil.rmtree(session.folder)
    (tmp_path / "master.json").unlink()
    assert not session.is_whole
    session.mend()
    assert session.is_whole
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert session.folder.stat().st_mode & 0o777 == 0o700


# -- what arrives meanwhile


def test_a_result_that_comes_while_the_folder_is_gone_waits_until_it_is_there_again(
    tmp_path: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spe.full_disk.PAUSE", 0.02)
    intake = Intake({"a": True}, 0, Spool(folder.anchor / "incoming", FullDisk()), lambda: False)
    shutil.rmtree(tmp_path / "runs")

    async def come_and_mend() -> None:
        coming = asyncio.ensure_future(intake.all({"a": b"A"}))
        done, _ = await asyncio.wait([coming], timeout=0.1)
        assert not done
        folder.last.mkdir(parents=True)
        folder.settle_at(folder.last)
        await asyncio.wait_for(coming, 60)

    asyncio.run(come_and_mend())
    assert intake.parts["a"].read() == b"A"
    assert not list(folder.path.rglob("files"))
