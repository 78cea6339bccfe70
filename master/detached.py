"""A run without a terminal: `spe run --detach` starts one, `spe attach` follows it, a closed terminal leaves one.

What it says goes to runs/<name>/run.log. Whether a run is alive is told by master.json and its process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import UsageError
from .process import began
from .record import record

LOG = "run.log"
PAUSE = 0.1  # seconds between looks


@record
class Living:
    """A run that is going on."""

    pid: int
    page: str


def living(folder: Path) -> Living | None:
    """The run that works in runs/<name>/ now; None when there is none."""
    try:
        facts = json.loads((folder / "master.json").read_text(encoding="utf-8"))
        run = Living(int(facts["pid"]), str(facts["page"]))
        os.kill(run.pid, 0)
        if facts.get("began", "") != began(run.pid):
            return None  # the number is somebody else's by now
    except (OSError, ValueError, KeyError):
        return None
    return run


def start(arguments: Sequence[str], folder: Path) -> tuple[Living | None, int, str]:
    """Start `spe ARGUMENTS` in a session of its own; its run, or its exit code and words when it ended at once."""
    path = folder / LOG
    path.unlink(missing_ok=True)
    with os.fdopen(_open(folder), "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "spe", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while process.poll() is None:
        run = living(folder)
        if run and run.pid == process.pid:
            return run, 0, ""
        time.sleep(PAUSE)
    return None, process.returncode, path.read_text(encoding="utf-8", errors="replace")


def says_into_log(folder: Path) -> bool:
    """Whether what this process says goes to run.log, which is no place for a token or a session ID."""
    try:
        return any(os.path.samestat(os.fstat(number), os.stat(folder / LOG)) for number in (1, 2))
    except OSError:  # there is no such file, or nothing is open there
        return False


def _open(folder: Path) -> int:
    """What a run says is for its user alone."""
    return os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def leave_terminal(folder: Path) -> None:
    """The terminal is gone: what this process says from now on goes to run.log."""
    log = _open(folder)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)


def follow(folder: Path, show: Callable[[], None], pause: float = 1.0) -> None:
    """Call `show` again and again until the run has ended. Raises UsageError when it was killed."""
    run = living(folder)
    while run:
        show()
        time.sleep(pause)
        run = living(folder)
    if (folder / "master.json").exists():
        raise UsageError(
            "the master is gone without a word", where=str(folder), todo="`spe run` goes on where it stopped."
        )
