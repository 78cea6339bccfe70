"""What is promised to be kept has come to the disk: bytes before their name, names before the promise."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from desk.test_desk import office
from spe.desk import result_files
from spe.full_disk import FullDisk
from spe.model import Output
from spe.results.extract import HEAD, Part
from spe.results.kept_files import clear_incoming, keep_files, place_staged, stage_files
from spe.session.run_folder import private_write
from spe.wire.intake import Intake, spool
from spe.wire.multipart import Begin, End
from syncs import Syncs
from waiting import wait_in_loop
from wire.test_body import END, Post, part


@pytest.mark.parametrize("name", ["out", "file"])
def test_a_large_result_is_on_disk_before_anybody_looks_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    syncs, looked_at = Syncs(monkeypatch), list[bool]()

    class Looking(Post):
        def _look(self, parts: dict[str, Part]) -> None:
            path = parts[name].path
            assert path is not None
            looked_at.append(bool(syncs.whole(path)))
            super()._look(parts)

    assert asyncio.run(Looking(tmp_path / "incoming").send(part(name, b"x" * 1_000_001), END)) == 200
    assert looked_at == [True]


def test_what_comes_after_the_last_sync_of_a_large_result_is_synced_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spe.wire.intake.SYNC_EVERY", 300_000)
    syncs = Syncs(monkeypatch)

    async def run() -> None:
        with spool(tmp_path / "incoming", FullDisk()) as into:
            intake = Intake({"out": False}, 0, into, lambda: False)
            for event in (Begin("out"), b"x" * 400_000):
                await intake.take(event)
            await wait_in_loop(lambda: syncs.seen, "the disk writes while more comes")
            await intake.take(b"the end")
            await intake.take(End())
            path = intake.parts["out"].path
            assert path and path.stat().st_size == 400_007
            assert [one.size for one in syncs.seen] == [400_000, 400_007] and len(syncs.whole(path)) == 1

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, HEAD + 1])
def test_a_small_body_whose_result_is_a_file_is_on_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    syncs, looked_at = Syncs(monkeypatch), list[bool]()

    class Looking(Post):
        def _look(self, parts: dict[str, Part]) -> None:
            looked_at.extend(bool(syncs.whole(one.path)) for one in parts.values() if one.path)

    assert asyncio.run(Looking(tmp_path / "incoming").send(part("file", b"x" * size), END)) == 200
    assert looked_at == [True]


def test_files_are_kept_when_their_bytes_their_names_and_their_folders_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    spooled = tmp_path / "spooled"
    spooled.write_bytes(b"large")
    outputs = (Output("a", "", file="files/3/a.txt"), Output("b", "", file="files/3/b.txt"))
    keep_files(tmp_path, [(outputs, {"a": Part("a", None, spooled, 5), "b": Part.of("b", b"small")})])
    assert (tmp_path / "files/3/a.txt").read_bytes() == b"large"  # synced as it was received
    syncs.assert_content_came_before_the_name(tmp_path / "files/3/b.txt")
    for path in ("files/3/a.txt", "files/3/b.txt", "files/3", "files"):
        syncs.assert_the_name_is_on_disk(tmp_path / path)


@pytest.mark.parametrize("spooled", [False, True])
def test_files_of_a_second_result_are_on_disk_before_they_replace_the_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spooled: bool
) -> None:
    (tmp_path / "files/3").mkdir(parents=True)
    (tmp_path / "files/3/a.txt").write_bytes(b"of the first one")
    part = Part.of("a", b"new")
    if spooled:
        (tmp_path / "incoming").mkdir()
        (tmp_path / "incoming/x").write_bytes(b"new")
        part = Part("a", None, tmp_path / "incoming/x", 3)
    syncs = Syncs(monkeypatch)
    moves = stage_files(tmp_path, 3, [Output("a", "", file="files/3/a.txt")], {"a": part}, 7)
    assert moves
    staged = tmp_path / moves["files/3/a.txt"]
    assert (tmp_path / "files/3/a.txt").read_bytes() == b"of the first one"
    assert spooled or syncs.whole(staged)  # one in the spool was synced as it was received
    for path in (staged, tmp_path / "incoming"):
        syncs.assert_the_name_is_on_disk(path)
    place_staged(tmp_path, 3, moves)
    assert (tmp_path / "files/3/a.txt").read_bytes() == b"new"
    syncs.assert_the_name_is_on_disk(tmp_path / "files/3/a.txt")


def test_a_second_result_is_the_first_one_with_files_and_its_folders_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = stage_files(tmp_path, 3, [Output("a", "", file="files/3/a.txt")], {"a": Part.of("a", b"new")}, 7)
    assert moves
    syncs = Syncs(monkeypatch)
    place_staged(tmp_path, 3, moves)
    for path in ("files/3/a.txt", "files/3", "files"):
        syncs.assert_the_name_is_on_disk(tmp_path / path)


def test_the_store_speaks_of_files_only_when_they_are_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the two would leave a row without its file."""
    order: list[str] = []
    keep = result_files.keep_files

    def noted(*words: Any) -> Any:
        lost = keep(*words)
        order.append("kept")
        return lost

    monkeypatch.setattr(result_files, "keep_files", noted)

    async def run() -> None:
        async with office(tmp_path, "a") as at:
            (ticket,) = await at.take(await at.client("h"))
            commit = at.store.commit

            async def committed(changes: Any) -> None:
                await commit(changes)
                order.extend(["stored"] if at.stored("SELECT 1 FROM results") else [])

            monkeypatch.setattr(at.store, "commit", committed)
            assert await at.bring(ticket) == "accepted"

    asyncio.run(run())
    assert order == ["kept", "stored"]


def test_the_secrets_of_a_session_are_on_disk_before_they_have_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A master that comes back after a power cut knows its clients by them."""
    syncs = Syncs(monkeypatch)
    private_write(tmp_path / "secret", "new")
    syncs.assert_content_came_before_the_name(tmp_path / "secret")
    assert os.listdir(tmp_path) == ["secret"]


def test_a_staged_file_outlives_the_request_that_brought_it_and_the_end_of_a_run_on_a_full_disk(tmp_path: Path) -> None:
    """The database may speak of it already: only then it is given its place."""
    outputs = [Output("a", "", file="files/3/a.txt")]
    with spool(tmp_path / "incoming", FullDisk()) as into:
        with into.new() as file:
            file.write(b"new")
        into.new().close()
        parts = {"a": Part("a", None, into.made[0], 3)}
        moves = stage_files(tmp_path, 3, outputs, parts, 7)
        assert moves and stage_files(tmp_path, 3, outputs, parts, 7) == moves, "a try may be repeated"
        clear_incoming(tmp_path, keep_staged=True)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == [Path(moves["files/3/a.txt"]).name]
    (tmp_path / "files").mkdir()
    place_staged(tmp_path, 3, moves)
    assert (tmp_path / "files/3/a.txt").read_bytes() == b"new"
