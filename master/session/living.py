"""Whether a run of a folder lives: its process, by number and start time, as master.json tells them."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from ..record import record
from .folder_identity import same_folder


def began(pid: int) -> str:
    """When the process of this number began, in the system's own count; "" when there is none, or it is not told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


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
        if not _is_there(run.pid):
            return None
        if facts.get("began", "") != began(run.pid):
            return None  # the number is somebody else's by now
        if not same_folder(facts, folder):
            return None  # the folder is a copy: the run is that of the original
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return run


def elsewhere(folder: Path) -> tuple[int, str] | None:
    """The process and the host of a run that was begun in runs/<name>/ on another host; None: there is no such word.

    Whether it lives cannot be seen from here.
    """
    try:
        facts = json.loads((folder / "master.json").read_text(encoding="utf-8"))
        pid, host = int(facts["pid"]), str(facts.get("host", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return (pid, host) if host not in ("", socket.gethostname()) else None


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's, so it is there
        return True
    except (OSError, OverflowError):
        return False
    return True
