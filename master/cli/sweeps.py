"""Several sweeps at a glance, for `spe status`, `spe ls` and `spe rm`: state, numbers of sets, last use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..record import record
from ..text import time_of_day
from .common import table

HEAD = ("sweep", "state", "done", "failed", "all", "last used")


@record
class Glance:
    """One sweep at a glance.

    `state`: running; killed, where the last run did not come to its end; failed, where sets have failed
    or were cancelled; unfinished, where sets wait; done; unreadable.
    """

    folder: Path
    state: str
    done: int
    failed: int
    total: int
    used: float | None

    @property
    def project(self) -> Path:
        """The folder in which `spe` is called for this sweep."""
        above = self.folder.parent
        return above.parent if above.name == "runs" else above

    def facts(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "folder": str(self.project),
            "name": self.folder.name,
            "state": self.state,
            "done": self.done,
            "failed": self.failed,
            "total": self.total,
            "used": self.used,
        }

    def cells(self) -> tuple[object, ...]:
        """Return the same for people, as HEAD says."""
        numbers = (self.done, self.failed, self.total)
        return (self.folder.name, self.state, *numbers, time_of_day(self.used))


def glance(folder: Path, used: float | None = None) -> Glance:
    """Return a sweep at a glance. `used`: when it was, as far as its database does not tell."""
    from ..errors import SpeError
    from ..model import TaskState
    from ..store.reader import Reader

    try:
        with Reader(folder) as reader:
            counts = reader.counts()
            end = reader.end()
            used = float(reader.meta("used") or used or 0) or None
    except SpeError:
        return Glance(folder, "unreadable", 0, 0, 0, used)
    done = counts.get(TaskState.DONE, 0)
    failed = counts.get(TaskState.FAILED, 0) + counts.get(TaskState.CANCELLED, 0)
    total = sum(counts.values())
    state = _state(folder, end is not None, failed, total - done - failed)
    return Glance(folder, state, done, failed, total, used)


def _state(folder: Path, has_ended: bool, failed: int, left: int) -> str:
    from ..session.detached import holder_of_lock
    from ..session.living import living
    from ..session.runners import who_runs
    from ..session.waiting import waits

    if waits(folder) and not living(folder) and not holder_of_lock(folder):
        return "waiting"
    if who_runs(folder):
        return "running"
    # A run that ends removes its session, so one that is left means that the run was killed.
    if left and not has_ended and (folder / "session").is_dir():
        return "killed"
    if failed:
        return "failed"
    return "unfinished" if left else "done"


def sweeps_of(project: Path) -> list[Glance]:
    """Return all sweeps below runs/ of a folder, by name."""
    return [glance(path.parent) for path in sorted((project / "runs").glob("*/sweep.db"))]


def as_table(sweeps: Sequence[Glance]) -> str:
    """Return the sweeps of one folder, for people."""
    return table(HEAD, (one.cells() for one in sweeps))
