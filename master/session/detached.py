"""A run without a terminal: `spe run --detach` starts one, `spe attach` follows it, a closed terminal leaves one.

What it says goes to runs/<name>/run.log. Whether a run is alive is told by master.json and its process.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UsageError
from .living import Living, _is_there, living

LOG = "run.log"
HOLDER = re.compile(r"process (?P<pid>[0-9]{1,9}) on (?P<host>\S+)")  # as lock.py writes it
PAUSE = 0.1  # seconds between looks


def owner_of_hidden(folder: Path) -> str:
    """The user whose run goes on here but whose session we may not read; "" when there is no such run."""
    path = folder / "master.json"
    try:
        owner = path.stat().st_uid
        if os.access(path, os.R_OK):
            return ""
        holder = HOLDER.match((folder / "lock").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    if holder and holder["host"] == socket.gethostname() and not _is_there(int(holder["pid"])):
        return ""  # it was killed
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"user {owner}"


def nothing_runs(folder: Path, todo: str = "`spe run` starts it, `spe status` shows it.") -> UsageError:
    """Why no run in runs/<name>/ can be asked anything."""
    if owner := owner_of_hidden(folder):
        return UsageError(
            f"a run of {owner} goes on here, and only {owner} can ask it or steer it",
            where=str(folder),
            todo=f"`spe status` shows what is stored; {owner} can give you the address of its page.",
        )
    return UsageError("nothing runs here", where=str(folder), todo=todo)


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
    """The terminal is gone: what this process says from now on goes to run.log, or nowhere if that cannot be made."""
    try:
        log = _open(folder)
    except OSError:  # a full disk; the run goes on, and master.log has what can be written
        log = os.open(os.devnull, os.O_WRONLY)
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
