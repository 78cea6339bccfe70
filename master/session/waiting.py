"""The mark of a process that waits to run a sweep (`spe run --after`): so others can wait for it in turn.

`waiting.json` in runs/<name>/ names the process, and the sweep that it waits for.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ..record import record
from .living import began, is_process

MARK = "waiting.json"


@record
class Waiting:
    """A process that waits to run a sweep, and the name of the sweep that it waits for."""

    pid: int
    after: str

    @property
    def words(self) -> str:
        """Return what messages call it."""
        return f"process {self.pid}, which waits for the end of runs/{self.after}/"


def mark(folder: Path, pid: int, after: str) -> None:
    """Mark the sweep of this folder as one that a process waits to run."""
    facts = {"pid": pid, "began": began(pid), "after": after}
    (folder / MARK).write_text(json.dumps(facts), encoding="utf-8")


def unmark(folder: Path, pid: int) -> None:
    """Remove the mark of this process: it waits no longer."""
    found = waits(folder)
    if found and found.pid == pid:
        (folder / MARK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a sweep has run there
            folder.rmdir()


def waits(folder: Path) -> Waiting | None:
    """Return the process that waits to run the sweep of this folder; None where none does."""
    try:
        facts = json.loads((folder / MARK).read_text(encoding="utf-8"))
        found = Waiting(int(facts["pid"]), str(facts["after"]))
        is_alive = is_process(found.pid) and facts["began"] == began(found.pid)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if is_alive else None
