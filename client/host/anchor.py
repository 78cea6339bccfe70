"""The folder in which the client and its hands stand: their paths are relative to it.

A working directory is an open folder: if somebody renames it, or puts another one under its name,
the client does not follow. Rejected: /proc/self/fd/N as the start of each path, which only Linux
has and which costs more for each path; and dir_fd, which posix_spawn does not take.
"""

import os

from ..machine import facts

HERE = "."
# O_PATH would do with fewer rights, but only Linux has it, and fchdir refused it until 3.5.
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
SAME_FOLDER = FOLDER | os.O_NOFOLLOW
_folder = -1


def stand_in(folder: int) -> None:
    """Make this open folder the working directory, to which `step_back` returns."""
    global _folder
    _folder = folder
    os.fchdir(folder)


def step_back() -> None:
    """Return from the directory of a task to the anchor. Does nothing in a process that has none."""
    if _folder >= 0:
        os.fchdir(_folder)


def shown(path: str) -> str:
    """Return a whole path as it is now, for people."""
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory itself is gone
        return path


def words(fault: OSError) -> str:
    """Return a fault in words, with the whole path."""
    path = shown(fault.filename) + ": " if isinstance(fault.filename, str) else ""
    return path + facts.reason(fault)


def for_others(name: str) -> str:
    """Return a path of a file in our folder that another process of this account can open.

    It holds whoever renames folders meanwhile.
    """
    folder = "/proc/%d/cwd" % os.getpid()
    try:
        os.readlink(folder)
    except OSError:  # a system without /proc
        return shown(name)
    return os.path.join(folder, name)


def path_of(folder: int, otherwise: str) -> str:
    """Return where an open folder is now, as far as the system tells."""
    try:
        return os.readlink("/proc/self/fd/%d" % folder)
    except OSError:
        return otherwise


def is_same(info: os.stat_result, other: os.stat_result) -> bool:
    """Tell whether both are of one file."""
    return (info.st_dev, info.st_ino) == (other.st_dev, other.st_ino)
