"""`runs/` on NFS: the master's own files, with a master that is killed over and over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from drills.drill_kit import Drill
from lab.mounts import mounts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
KILLS = 5
Maker = Callable[..., Drill]


def test_with_runs_on_nfs_nothing_is_lost_when_the_master_is_killed(make_drill: Maker, tmp_path: Path) -> None:
    drill = make_drill(yaml="ping: 0.5\ngrace: 30\n")
    served = tmp_path / "export"
    served.mkdir()
    with mounts(served, [drill.folder / "runs"]):
        for kill in range(KILLS):
            drill.start_run()
            drill.wait_done(5 + 5 * kill)
            drill.kill_master()
        drill.start_run()
        drill.end()
        told = drill.said.read_text()
        assert f"warning: {drill.runs('drill')} lies on fuse.stale (server:/export): the database goes without" in told
        assert not [name for name in os.listdir(drill.runs("drill")) if name.endswith(("-wal", "-shm", "-journal"))]
        drill.five_checks("runs/ on NFS, master killed with -9", KILLS)
