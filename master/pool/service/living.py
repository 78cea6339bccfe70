"""Whether a farm of this account runs on this host: its address, its process, and its end."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import select
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...record import record
from ..gate.public_folder import ADDRESS, LOCK, default_folder

LOG = "farm.log"


@record
class Living:
    """A farm that runs. address: as in farm.json, {} while it does not listen yet."""

    pid: int
    address: Mapping[str, Any]


def home() -> Path:
    """Return the folder of the farm's own files."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "spe" / "farm"


def own_account() -> str:
    """Return the name of the account that runs this process."""
    return pwd.getpwuid(os.getuid()).pw_name


def public_folder(given: str = "") -> Path:
    """Return the folder in which users find the farm of this account."""
    return Path(given) if given else default_folder(own_account())


def living(public: str = "") -> Living | None:
    """Return the farm of this account that runs here; None where none does.

    Not asked of its process number alone, which may be another's by now: the kernel gives the lock
    of its folder back when a farm ends, however it ends.
    """
    folder = public_folder(public)
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, and given back at once: a farm that starts in this moment tries once more.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        text = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
    finally:
        os.close(lock)
    pid = int(text) if text.isdecimal() else 0
    return Living(pid, _address(folder, pid))


def _address(folder: Path, pid: int) -> Mapping[str, Any]:
    """Return what farm.json says, if it is of this process."""
    try:
        found = json.loads((folder / ADDRESS).read_text(encoding="utf-8"))
        return found if found["pid"] == pid else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def find_living(public: str = "") -> Living:
    """Return the farm of this account that runs and listens here. Raises UsageError."""
    found = living(public)
    where = str(public_folder(public))
    if found is None:
        todo = f"Start it: spe farm start --hosts FILE. Its last words: {home() / LOG}"
        what = f"no farm of the account {own_account()} runs on this host"
        raise UsageError(what, where=where, todo=todo)
    if not found.address:
        raise UsageError("the farm is just beginning", where=where, todo="Try again in a moment.")
    return found


def _has_open(pid: int, path: Path) -> bool:
    """Tell whether a process of ours has this file open; True where the system does not tell."""
    try:
        return any(map(path.samefile, Path("/proc", str(pid), "fd").iterdir()))
    except PermissionError:
        return True
    except OSError:
        return False


def end_farm(public: str, seconds: float) -> int:
    """End the farm and wait until its process is gone; return its number. Raises UsageError."""
    found = living(public)
    if found is None or not found.pid:
        find_living(public)
        raise UsageError("the farm is just beginning", todo="Try again in a moment.")
    try:
        process = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return found.pid  # it has ended by itself in this moment
    try:
        # Asked once more: the number may have become another's before the descriptor was open, or
        # be that of an earlier farm, where one begins in this moment.
        if living(public) != found or not _has_open(found.pid, public_folder(public) / LOCK):
            raise UsageError("the farm is beginning or ending", todo="Try again in a moment.")
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], seconds)[0]:
            what = f"the farm has not ended within {seconds:.0f} s: process {found.pid}"
            todo = f"See what it waits for: {home() / LOG}. `kill -9 {found.pid}` loses no job."
            raise UsageError(what, todo=todo)
    finally:
        os.close(process)
    return found.pid
