"""The run that goes on in a folder, if one does.

It is told by its process: master.json has the number and the start time.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from ..record import record
from .folder_identity import same_folder


def began(pid: int) -> str:
    """Return when the process with this number began, in clock ticks since boot.

    Return "" when there is none, or where the system does not tell (outside Linux).
    """
    try:
        # Behind the last ")": the second field is the program's name, which may have blanks and
        # brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


@record
class Living:
    """A run that is going on."""

    pid: int
    page: str


def living(folder: Path) -> Living | None:
    """Return the run that works in runs/<name>/ now; None when there is none."""
    try:
        facts = json.loads((folder / "master.json").read_text(encoding="utf-8"))
        run = Living(int(facts["pid"]), str(facts["page"]))
        if not is_process(run.pid):
            return None
        if facts.get("began", "") != began(run.pid):
            return None  # the number is somebody else's by now
        if not same_folder(facts, folder):
            return None  # the folder is a copy: the run is that of the original
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return run


def elsewhere(folder: Path) -> tuple[int, str] | None:
    """Return process and host of a run that was begun in runs/<name>/ on another host.

    Return None when there is none.

    Whether it lives cannot be seen from here.
    """
    try:
        facts = json.loads((folder / "master.json").read_text(encoding="utf-8"))
        pid, host = int(facts["pid"]), str(facts.get("host", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if host in ("", socket.gethostname()):
        return None
    return pid, host


def is_process(pid: int) -> bool:
    """Tell whether there is a process with this number."""
    if _is_zombie(pid):
        return False
    try:
        os.kill(pid, 0)  # sends nothing
    except PermissionError:  # another user's, so it is there
        return True
    except (OSError, OverflowError):
        return False
    return True


def _is_zombie(pid: int) -> bool:
    """Tell whether this process is dead and only waits for its parent to read its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):  # there is no such process, or no /proc
        return False
