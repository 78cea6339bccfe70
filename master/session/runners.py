"""Who runs a sweep now, and waiting for the end of that run.

A run is noticed at its process, at master.json and at the lock of its folder. Not by taking that lock
for good: a run that begins would be turned away.
"""

from __future__ import annotations

import fcntl
import os
import select
from pathlib import Path

from ..record import record
from .detached import holder_of_lock, owner_of_hidden
from .living import elsewhere, living
from .waiting import waits

PAUSE = 1.0  # seconds between two looks at a run whose process goes on
FAR_PAUSE = 5.0  # seconds between two looks at a run of another machine, through a shared folder


@record
class Runner:
    """Who runs a sweep now. `pid`: its process on this machine, 0 where it is another one's."""

    pid: int
    words: str


def who_runs(folder: Path) -> Runner | None:
    """Return who runs the sweep in this folder now, or waits to do so; None when nobody does."""
    run = living(folder)
    if run:
        return Runner(run.pid, f"process {run.pid}")
    if pid := holder_of_lock(folder):
        return Runner(pid, f"process {pid}")
    if waiting := waits(folder):
        return Runner(waiting.pid, waiting.words)
    if owner := owner_of_hidden(folder):
        return Runner(0, f"a run of {owner}")
    far = elsewhere(folder)
    if far and _is_locked(folder):
        return Runner(0, f"process {far[0]} on {far[1]}")
    return None


def was_killed(folder: Path) -> bool:
    """Tell whether the last run here ended without a word, so that nothing runs.

    A run that ends removes its session.
    """
    return (folder / "session").is_dir() and who_runs(folder) is None


def wait_for(runner: Runner) -> None:
    """Return when the process of a run has ended, or when it is time to look again."""
    if not runner.pid:
        select.select([], [], [], FAR_PAUSE)
        return
    try:
        # The kernel tells of the end at once. A system without this is asked each second.
        process = os.pidfd_open(runner.pid)
    except (OSError, AttributeError):
        select.select([], [], [], PAUSE)
        return
    try:
        # With a limit all the same: one process may run several sweeps, one after the other.
        select.select([process], [], [], PAUSE)
    finally:
        os.close(process)


def _is_locked(folder: Path) -> bool:
    """Tell whether somebody has locked a run's lock file, on NFS also from another machine.

    A run that was killed there leaves its files, but no lock.
    """
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it is gone, or this file system has no locks: then master.json decides
        return (folder / "lock").exists()
    return False
