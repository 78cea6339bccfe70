"""A run without a terminal.

`spe run --detach` starts one, `spe attach` follows it, a closed terminal leaves one.

Its output goes to runs/<name>/run.log. Whether it is alive is told by master.json and its process.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UsageError
from .folder_identity import same_folder
from .living import Living, elsewhere, is_process, living
from .waiting import waits

LOG = "run.log"
HOLDER = re.compile(r"process (?P<pid>[0-9]{1,9}) on (?P<host>\S+)")  # as lock.py writes it
PAUSE = 0.1  # seconds between looks
DYING = 2.0  # seconds for a process that was killed to be gone


def owner_of_hidden(folder: Path) -> str:
    """Return the user whose run goes on here but whose session we may not read.

    Return "" when there is no such run.
    """
    path = folder / "master.json"
    try:
        owner = path.stat().st_uid  # may be told of a file that we may not read
        if os.access(path, os.R_OK):
            return ""
        holder = HOLDER.match((folder / "lock").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    if holder and holder["host"] == socket.gethostname() and not is_process(int(holder["pid"])):
        return ""  # the run was killed
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"user {owner}"


def nothing_runs(
    folder: Path, todo: str = "`spe run` starts it, `spe status` shows it."
) -> UsageError:
    """Return the error for a folder in which no run can be asked anything."""
    owner = owner_of_hidden(folder)
    if owner:
        return UsageError(
            f"a run of {owner} goes on here, and only {owner} can ask it or steer it",
            where=str(folder),
            todo=f"`spe status` shows what is stored; {owner} can give you the address of its page.",
        )
    holder = holder_of_lock(folder)
    if holder:
        what = f"process {holder} is only just beginning a run here, or ending one"
        return UsageError(what, where=str(folder), todo="Try again in a moment.")
    if waiting := waits(folder):
        todo = f"`kill {waiting.pid}` ends the wait."
        return UsageError(f"nothing runs here yet, but for {waiting.words}", where=str(folder), todo=todo)
    return UsageError("nothing runs here", where=str(folder), todo=todo)


def holder_of_lock(folder: Path) -> int:
    """Return the process of ours that holds the lock of a run; 0 for none, or where no /proc tells.

    Not asked of the lock itself: to take it for a moment would turn away a run that begins.
    """
    path = folder / "lock"
    try:
        named = HOLDER.match(path.read_text(encoding="utf-8", errors="replace"))
        if named is None:
            return 0
        opened = Path("/proc", named["pid"], "fd").iterdir()
        return int(named["pid"]) if any(map(path.samefile, opened)) else 0
    except OSError:
        return 0


def killed(folder: Path) -> UsageError | None:
    """Return the error for a run whose master was killed: it has left its master.json.

    None when it has ended.
    """
    if not (folder / "master.json").exists():
        return None
    todo = "`spe run` goes on where it stopped."
    return UsageError(
        "the master was killed, or its machine went down", where=str(folder), todo=todo
    )


def left_by_killed(folder: Path) -> UsageError | None:
    """Return the error for a folder whose master was killed; None where a run may go on, or nothing ran.

    A run of another user, one on another machine, and that of which this folder is a copy are not looked into.
    """
    if living(folder) or elsewhere(folder) or owner_of_hidden(folder) or holder_of_lock(folder):
        return None
    try:
        facts = json.loads((folder / "master.json").read_text(encoding="utf-8"))
        if not same_folder(facts, folder):
            return None
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return killed(folder)


def is_dying(folder: Path) -> bool:
    """Tell whether the process of a master that does not answer ends within a moment.

    A process that was killed is there until the system has taken its memory back.
    """
    end = time.monotonic() + DYING
    while living(folder):
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True


def start(
    arguments: Sequence[str], folder: Path, given: bytes = b""
) -> tuple[Living | None, int, str]:
    """Start `spe ARGUMENTS` in a session of its own, and wait until its run has begun.

    `given`: its standard input. Return the run, or the exit code and the output of a process that
    has ended before.
    """
    process = begin(arguments, folder, given)
    while process.poll() is None:
        run = living(folder)
        if run and run.pid == process.pid:
            return run, 0, ""
        time.sleep(PAUSE)
    words = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    return None, process.returncode, words


def begin(
    arguments: Sequence[str], folder: Path, given: bytes = b"", cwd: str | None = None
) -> subprocess.Popen[bytes]:
    """Start `spe ARGUMENTS` in a session of its own, with its output in run.log; do not wait.

    `cwd`: the folder in which it is started, None for the current one.
    """
    if living(folder) is None:  # else that run still writes into its log
        (folder / LOG).unlink(missing_ok=True)
    # A file and no pipe: nobody is left to write into one.
    with os.fdopen(_open(folder), "wb") as log, tempfile.TemporaryFile() as standard_input:
        standard_input.write(given)
        standard_input.seek(0)
        # -P: a file spe.py in the current folder must not be taken for this package.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "spe", *arguments],
            stdin=standard_input if given else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=cwd,
        )


def says_into_log(folder: Path) -> bool:
    """Tell whether the output of this process goes to run.log.

    A log is no place for a token or a session ID: people send logs to others."""
    try:
        return any(os.path.samestat(os.fstat(number), os.stat(folder / LOG)) for number in (1, 2))
    except OSError:  # there is no such file, or nothing is open there
        return False


def _open(folder: Path) -> int:
    # 0600: what a run says is for its user alone.
    return os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def leave_terminal(folder: Path) -> None:
    """Send the output of this process to run.log from now on: the terminal is gone.

    Where run.log cannot be made, the output goes nowhere.
    """
    try:
        log = _open(folder)
    except OSError:  # a full disk; the run goes on, and master.log has what can be written
        log = os.open(os.devnull, os.O_WRONLY)
    # Closed descriptors would be taken by the next files that are opened
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)


def follow(folder: Path, show: Callable[[], None], pause: float = 1.0) -> None:
    """Call `show` again and again until the run has ended, well or killed."""
    run = living(folder)
    while run:
        show()
        time.sleep(pause)
        run = living(folder)
