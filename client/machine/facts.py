"""What this host is: its name, platform, cores; and who a process here is.

Nothing here is only for Linux: what /proc does not tell is asked of `ps`, or said to be unknown.
"""

import errno
import os
import platform
import socket
import subprocess
from typing import List

FILE_LIMIT = "the file size limit of this host's login (ulimit -f) is reached"
PROC = os.path.isdir("/proc/self/task")


def reason(fault: OSError) -> str:
    """Return what the system says; of a file that is too large also which limit that is."""
    text = fault.strerror or str(fault)
    return "%s: %s" % (text, FILE_LIMIT) if fault.errno == errno.EFBIG else text


def host_name() -> str:
    """The name that this host has for itself."""
    return socket.gethostname() or "unnamed"


def platform_name() -> str:
    """`linux-x86_64`, `darwin-arm64`: what a worker is chosen by."""
    return ("%s-%s" % (platform.system(), platform.machine())).lower()


def cores() -> int:
    """The cores that this process may use, not all that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def here() -> str:
    """Names the space in which our process ids mean something: the host, and on Linux the pid namespace."""
    try:
        return "%s %s" % (socket.gethostname(), os.readlink("/proc/self/ns/pid"))
    except OSError:
        return socket.gethostname()


def start_of(pid: int) -> str:
    """When a living process started, in whatever words the system has; "" when it is dead or a zombie."""
    stat = stat_of(pid)
    if stat:
        return "" if stat[0] in ("Z", "X") else stat[19]
    return "" if PROC else _start_by_ps(pid)


def stat_of(pid: int) -> List[str]:
    """The fields of /proc/PID/stat after the program's name (which may hold anything): state, parent, group, ..."""
    text = content("/proc/%d/stat" % pid)
    return text[text.rfind(")") + 2 :].split()


def content(path: str) -> str:
    """Of a file; "" when it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _start_by_ps(pid: int) -> str:
    try:
        text = subprocess.check_output(["ps", "-o", "stat=,lstart=", "-p", str(pid)], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    state, _, start = text.decode("utf-8", "replace").strip().partition(" ")
    return "" if state.startswith("Z") else start.strip()
