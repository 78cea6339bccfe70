"""Open folders of clients: opening one without following links, its files, and its holder.

A client holds its folder by a lock file that names it. All goes by the open folder, whose name may
be another folder's by now.
"""

import fcntl
import os
import time
from typing import Callable, List, Optional

from ..machine import facts
from .anchor import SAME_FOLDER

LOCK = "client.lock"


class NotOurs(Exception):
    """Raised when the path of a client's folder is taken by another user, or by what is no folder."""


def opened(above: int, name: str) -> Optional[int]:
    """Open a folder of ours in an open folder; None when there is none. Raises NotOurs."""
    try:
        folder = os.open(name, SAME_FOLDER, dir_fd=above)
    except FileNotFoundError:
        return None
    except OSError:  # a link or a file, or a folder that we may not look into
        raise NotOurs()
    if os.fstat(folder).st_uid != os.getuid():
        os.close(folder)
        raise NotOurs()
    return folder


def content(folder: int, name: str) -> str:
    """Return what stands in a file of an open folder; "" when it can't be read."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        with os.fdopen(file, "rb") as opened_file:
            return opened_file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def write(folder: int, name: str, text: str, flags: int = os.O_TRUNC) -> None:
    """Write a file in an open folder; `flags` may say that it is to be appended."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600, dir_fd=folder)
    with os.fdopen(file, "wb") as opened_file:
        opened_file.write(os.fsencode(text))


def hold(folder: int) -> int:
    """Make a folder ours. Return its lock file, which is to be kept open."""
    pid = os.getpid()
    file = os.open(LOCK, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=folder)
    # Two locks: the kernel's goes by itself, the names in the file hold where NFS has no flock.
    _flock(file)
    os.write(file, ("%s\n%d\n%s\n" % (facts.process_space(), pid, facts.start_of(pid))).encode())
    return file


def holder(folder: int) -> List[str]:
    """Return who holds a folder: (space of process numbers, process, when that started), or less."""
    return content(folder, LOCK).split("\n")[:-1]


def is_held(folder: int, patience: float = 2.0) -> bool:
    """Tell whether a living client has this folder.

    A client that has not written its lock gets a moment.
    """
    if not _until(lambda: len(holder(folder)) >= 3, patience):
        return False
    where, pid, start = (holder(folder) + ["", "0", ""])[:3]
    if where == facts.process_space() and start and pid.isdigit():
        return facts.start_of(int(pid)) == start
    # In another container, or from before a restart of the host, a process number says nothing.
    return _is_flocked(folder)


def _flock(file: int) -> bool:
    """Take the kernel's own lock, which goes when the process dies.

    False when another process has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without such locks
        return True
    return True


def _is_flocked(folder: int) -> bool:
    try:
        file = os.open(LOCK, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return False
    try:
        return not _flock(file)
    finally:
        os.close(file)


def _until(condition: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
