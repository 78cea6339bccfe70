"""A database that the reader may not write to: all that was committed is read, and nothing is left beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need_root
from spe.errors import StoreError
from spe.store import schema
from spe.store.database import OpenForReading
from spe.store.reader import Reader
from spe.store.store import NewSet, Store

HERE = Path(__file__).parent
NOBODY = 65534
READ = """
import json, os, shutil, sys, tempfile
from pathlib import Path
from spe.store.reader import Reader
from spe.errors import SpeError
os.setgroups([]); os.setgid({user}); os.setuid({user})
try:
    with Reader(Path(sys.argv[1])) as reader:
        print(json.dumps([reader.task(1).values, reader.last_ticket(), sum(reader.counts().values())]))
except SpeError as error:
    print(json.dumps(str(error)))
"""


def fill(folder: Path, sets: int = 3) -> Store:
    """A store that is still open, as that of a living run."""
    store = Store(folder / "sweep.db")

    async def work() -> None:
        await store.begin_plan(["n"], [])
        await store.add_sets([NewSet(b"%d" % n, n, {"n": str(n)}) for n in range(sets)])

    asyncio.run(work())
    return store


def listed(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The folder by a mount that nobody can write through, root included."""
    need_root()
    seen = folder.with_name(f"{folder.name}-ro")
    seen.mkdir()
    subprocess.run(["mount", "--bind", str(folder), str(seen)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(seen)], check=True)
        yield seen
    finally:
        subprocess.run(["umount", "-l", str(seen)], check=True)


def total(folder: Path) -> int:
    with Reader(folder) as reader:
        return sum(reader.counts().values())


def as_another_user(folder: Path, user: int = NOBODY) -> object:
    """What a reader with another uid sees."""
    need_root()
    words = [sys.executable, "-c", READ.format(user=user), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run?x"
    made.mkdir()
    return made


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users can reach; tmp_path lies in one that they cannot."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="spe-test-") as name:
        os.chmod(name, 0o755)
        made = Path(name, "run")
        made.mkdir(mode=0o755)
        yield made


def test_a_finished_run_on_a_read_only_disk_is_read(folder: Path) -> None:
    fill(folder).close()
    with read_only(folder) as seen:
        assert total(seen) == 3
    assert list(listed(folder)) == ["sweep.db"]


def test_a_killed_run_on_a_read_only_disk_is_read_with_its_log(folder: Path, tmp_path: Path) -> None:
    store = fill(folder)
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)  # as it lies on the disk at that moment
    store.close()
    assert (killed / "sweep.db-wal").stat().st_size > 0
    before = listed(killed)
    with read_only(killed) as seen:
        assert total(seen) == 3
        assert listed(killed) == before


def test_a_snapshot_without_its_shared_memory_is_read_with_its_log(folder: Path, tmp_path: Path) -> None:
    store = fill(folder)
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed, ignore=shutil.ignore_patterns("*-shm"))
    store.close()
    temporary = set(Path("/tmp").glob("spe-read-*"))
    with read_only(killed) as seen:
        assert total(seen) == 3
    assert sorted(listed(killed)) == ["sweep.db", "sweep.db-wal"]
    assert set(Path("/tmp").glob("spe-read-*")) <= temporary


def test_a_living_run_is_read_through_a_read_only_mount_as_it_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryDirectory", None)  # one that writes all the time could not be copied
    store = fill(folder)
    try:
        with read_only(folder) as seen:
            assert total(seen) == 3
            asyncio.run(store.add_sets([NewSet(b"more", 9, {"n": "9"})]))
            assert total(seen) == 4
    finally:
        store.close()


def test_a_rollback_journal_that_a_kill_left_is_rolled_back_in_a_copy(folder: Path, tmp_path: Path) -> None:
    fill(folder).close()
    writer = sqlite3.connect(folder / "sweep.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode=DELETE")
    writer.execute("PRAGMA cache_size=1")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE counts SET sets = 99")
    writer.executemany("INSERT INTO meta VALUES (?, ?)", ((f"k{n}", "x" * 3000) for n in range(100)))
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)
    writer.close()
    assert (killed / "sweep.db-journal").stat().st_size > 0
    before = listed(killed)
    with read_only(killed) as seen:
        assert total(seen) == 3
        assert listed(killed) == before


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_databases_of_older_schemas_are_read_on_a_read_only_disk(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(HERE / "samples" / f"schema-{version}.db", folder / "sweep.db")
    with read_only(folder) as seen, Reader(seen) as reader, Reader(folder) as writable:
        assert reader.counts() == writable.counts() and sum(reader.counts().values()) > 0
        assert [row.number for row in reader.rows()] == [row.number for row in writable.rows()]
        assert reader.statistics().hosts == writable.statistics().hosts
        assert reader.task(1) == writable.task(1)


def test_a_colleague_reads_a_finished_a_living_and_a_killed_run(shared: Path) -> None:
    store = fill(shared)
    assert as_another_user(shared) == [{"n": "0"}, 0, 3]
    asyncio.run(store.add_sets([NewSet(b"more", 9, {"n": "9"})]))
    assert as_another_user(shared) == [{"n": "0"}, 0, 4]
    killed = shared.with_name("killed")
    shutil.copytree(shared, killed)
    store.close()
    before = listed(killed)
    assert as_another_user(killed) == [{"n": "0"}, 0, 4]
    (killed / "sweep.db-shm").unlink()
    assert as_another_user(killed) == [{"n": "0"}, 0, 4]
    assert listed(killed).keys() == before.keys() - {"sweep.db-shm"}
    assert as_another_user(shared) == [{"n": "0"}, 0, 4]
    assert list(listed(shared)) == ["sweep.db"]


def test_a_colleague_who_may_write_the_folder_and_not_the_database_leaves_nothing_in_it(shared: Path) -> None:
    """A -shm of theirs would keep the owner from writing."""
    fill(shared).close()
    shared.chmod(0o777)
    assert as_another_user(shared) == [{"n": "0"}, 0, 3]
    assert list(listed(shared)) == ["sweep.db"]


def test_a_colleague_who_may_not_read_is_told_so(shared: Path) -> None:
    fill(shared).close()
    (shared / "sweep.db").chmod(0o600)
    assert "cannot be read: Permission denied" in str(as_another_user(shared))
    shared.chmod(0o700)
    assert "cannot be read: Permission denied" in str(as_another_user(shared))


def test_a_run_that_begins_while_it_is_read_without_locks_is_noticed(shared: Path) -> None:
    fill(shared).close()
    with read_only(shared) as seen:
        with pytest.raises(StoreError, match="two moments"), Reader(seen) as reader:
            assert sum(reader.counts().values()) == 3
            fill(shared, 4).close()
        assert total(seen) == 4


def test_a_reader_in_a_folder_of_its_own_leaves_nothing_either(folder: Path) -> None:
    fill(folder).close()
    assert total(folder) == 3
    assert list(listed(folder)) == ["sweep.db"]
    opened = OpenForReading(folder / "sweep.db")
    (folder / "sweep.db").unlink()
    opened.close()
    with pytest.raises(FileNotFoundError):
        OpenForReading(folder / "sweep.db")
    assert not list(folder.glob("sweep.db"))
