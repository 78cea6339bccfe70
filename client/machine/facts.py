"""Facts of this host: its name, its platform, its cores, its processes.

Nothing here is only for Linux: what /proc does not tell is asked of `ps`, or said to be unknown.
"""

import errno
import os
import platform
import socket
import subprocess
from typing import List

FILE_LIMIT = "the file size limit of this host's login (ulimit -f) is reached"
_called: List[str] = []
PROC = os.path.isdir("/proc/self/task")


def reason(fault: OSError) -> str:
    """Return what the system says of a fault; of a file that is too large also which limit that is."""
    text = fault.strerror or str(fault)
    if fault.errno == errno.EFBIG:
        return "%s: %s" % (text, FILE_LIMIT)
    return text


def host_name() -> str:
    """Return the name that this host has for itself."""
    return socket.gethostname() or "unnamed"


def name_for_people() -> str:
    """Return the name that the master has for this host: messages go there."""
    return _called[-1] if _called else host_name()


def be_called(name: str) -> None:
    """Note the name that the master has for this host, before there are hands: they are forks."""
    _called.append(name)


def platform_name() -> str:
    """Return what a worker is chosen by: `linux-x86_64`, `darwin-arm64`."""
    return ("%s-%s" % (platform.system(), platform.machine())).lower()


def cores() -> int:
    """Return the number of cores that this process may use, not of all that the machine has."""
    # A batch system or taskset may give this process a part of the machine only.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def process_space() -> str:
    """Return the space in which a process number means something: the host, and its pid namespace.

    Two containers on one host, or two hosts on one file system, have processes of the same number.
    """
    try:
        return "%s %s" % (socket.gethostname(), os.readlink("/proc/self/ns/pid"))
    except OSError:
        return socket.gethostname()


def is_full(path: str) -> bool:
    """Tell whether nothing more can be written there, as far as the system tells."""
    try:
        return room(path) == 0
    except OSError:
        return False


def room(path: str) -> int:
    """Return the bytes that can be written there. Raises OSError where the system does not tell."""
    disk = os.statvfs(path)
    if disk.f_blocks == 0:  # a file system without a size
        raise OSError("%s has no size" % path)
    # Root may use the blocks that are kept for it.
    return (disk.f_bavail if os.geteuid() else disk.f_bfree) * disk.f_frsize


def start_of(pid: int) -> str:
    """Return when a living process started, as the system says it; "" for a dead one or a zombie.

    Number and start together name one process: the system gives the number of a dead one to
    another.
    """
    stat = stat_of(pid)
    if stat:
        return "" if stat[0] in ("Z", "X") else stat[19]
    if PROC:
        return ""
    return _start_by_ps(pid)


def stat_of(pid: int) -> List[str]:
    """Return the fields of /proc/PID/stat behind the program's name: state, parent, group, ….

    The name itself is skipped, as it may hold anything. [] when there is no such process.
    """
    text = content("/proc/%d/stat" % pid)
    # From the last parenthesis: the name stands in parentheses and may hold some itself.
    return text[text.rfind(")") + 2 :].split()


def content(path: str) -> str:
    """Return what is in a file; "" when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _start_by_ps(pid: int) -> str:
    try:
        words = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        text = subprocess.check_output(words, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    state, _, start = text.decode("utf-8", "replace").strip().partition(" ")
    return "" if state.startswith("Z") else start.strip()
