"""What a folder lies on, and the database where a write-ahead log is not safe."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from lab.mounts import mounts
from spe.store import filesystem
from spe.store.store import Store

LINES = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:9 master:2 - nfs4 server:/export/home rw,vers=4.2
31 30 0:41 / /home/me/a\040disk rw - xfs /dev/sdb1 rw
32 22 0:42 / /data rw - fuse.sshfs me@there: rw
33 22 0:43 / /both rw - nfs server:/old rw
34 22 0:44 / /both rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind", "remote"),
    [
        ("/var/tmp", "ext4", False),
        ("/home/me/runs/pi", "nfs4", True),
        ("/homely", "ext4", False),
        ("/home/me/a disk/runs", "xfs", False),
        ("/data/runs", "fuse.sshfs", True),
        ("/both/runs", "tmpfs", False),
    ],
)
def test_a_folder_is_on_the_mount_that_is_nearest_above_it(
    tmp_path: Path, folder: str, kind: str, remote: bool
) -> None:
    (tmp_path / "mountinfo").write_text(LINES)
    found = filesystem.of(Path(folder), tmp_path / "mountinfo")
    assert found and (found.kind, found.is_remote) == (kind, remote)


def test_where_the_system_tells_nothing_nothing_is_said(tmp_path: Path) -> None:
    assert filesystem.of(tmp_path, tmp_path / "no such file") is None


def journal(path: Path) -> str:
    with sqlite3.connect(path) as database:
        return str(database.execute("PRAGMA journal_mode").fetchone()[0])


def test_on_a_disk_of_this_machine_the_database_has_a_write_ahead_log(tmp_path: Path) -> None:
    Store(tmp_path / "sweep.db").close()
    assert journal(tmp_path / "sweep.db") == "wal"
    assert filesystem.warnings(tmp_path) == []


def test_a_database_that_was_moved_to_a_server_keeps_what_its_log_has_and_does_without_it(tmp_path: Path) -> None:
    served, view = tmp_path / "served", tmp_path / "view"
    served.mkdir()
    store = Store(tmp_path / "sweep.db")
    with sqlite3.connect(tmp_path / "sweep.db") as database:
        database.execute("CREATE TABLE extra (x)")
        database.execute("INSERT INTO extra VALUES (5)")
    database.close()
    for name in ("sweep.db", "sweep.db-wal"):  # as a crash leaves it
        shutil.copy(tmp_path / name, served / name)
    store.close()
    assert (served / "sweep.db-wal").stat().st_size
    with mounts(served, [view], name="sshfs"):
        (told,) = filesystem.warnings(view)
        assert "fuse.sshfs (server:/export)" in told
        Store(view / "sweep.db").close()
        assert not [path.name for path in served.iterdir() if path.name.endswith(("-wal", "-shm"))]
    assert journal(served / "sweep.db") == "delete"  # each that opens it chooses its own rollback journal
    with sqlite3.connect(served / "sweep.db") as database:
        assert database.execute("SELECT x FROM extra").fetchall() == [(5,)]
