"""`runs/` on NFS: the master's own files, with a master that is killed over and over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.mounts import mounts
from waiting import wait_out, wait_until

from .kit import Drill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
KILLS, FULL = 3, 8
Maker = Callable[..., Drill]


def test_with_runs_on_nfs_nothing_is_lost_when_the_master_is_killed(make_drill: Maker, tmp_path: Path) -> None:
    drill = make_drill(yaml="ping: 0.5\ngrace: 30\n")
    served = tmp_path / "export"
    served.mkdir()
    with mounts(served, [drill.folder / "runs"]):
        for kill in range(KILLS):
            drill.open_gate(10 * kill + 15)
            drill.start_run()
            drill.wait_done(10 * kill + 10)
            drill.kill_master()
        drill.open_gate()
        drill.start_run()
        drill.end()
        told = drill.said.read_text()
        assert f"warning: {drill.runs('drill')} lies on fuse.stale (server:/export): the database goes without" in told
        assert not [name for name in os.listdir(drill.runs("drill")) if name.endswith(("-wal", "-shm", "-journal"))]
        drill.five_checks("runs/ on NFS, master killed with -9", KILLS)


def test_with_runs_on_nfs_a_full_disk_that_is_told_only_by_fsync_costs_no_attempt(
    make_drill: Maker, tmp_path: Path
) -> None:
    drill = make_drill()
    drill.open_gate(10)
    served = tmp_path / "export"
    served.mkdir()
    with mounts(served, [drill.folder / "runs"]) as (mount,):
        drill.start_run()
        drill.wait_done(10)
        drill.wait_at_gate()
        mount.fill()
        drill.open_gate()
        full = time.monotonic()
        log = drill.runs("drill") / "master.log"
        wait_until(lambda: "a result waits: No space left" in log.read_text(), "the user is told")
        wait_out(FULL, full)
        assert drill.done == 10, "nothing is done while nothing can be kept"
        mount.make_room()
        drill.end()
        assert not drill.failed_attempts
        assert not drill.lost
        drill.five_checks(f"runs/ on NFS, its disk full for {FULL} s as only fsync tells")
