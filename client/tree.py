"""Trees of processes: who is below whom, and how to end them all, also those that left their group.

On Linux a client adopts what its tasks leave behind (PR_SET_CHILD_SUBREAPER), and /proc tells who is whose
child. Elsewhere `ps` is asked.
"""

import os
import signal
import subprocess
from functools import lru_cache
from typing import Any, Dict, List, Optional

from . import facts

_SUBREAPER, _PDEATHSIG = 36, 1
MANY = 65536  # bytes of numbers of processes
_CHILDREN = "/proc/%d/task/%d/children"


def adopt_orphans() -> bool:
    """Become the parent of every orphan below us; False where the system has no such thing."""
    return _prctl(_SUBREAPER, 1)


def hear_when_orphaned() -> bool:
    """A SIGTERM for us as soon as our parent is no more; False where the system has no such thing."""
    return _prctl(_PDEATHSIG, signal.SIGTERM)


@lru_cache(maxsize=1)  # before all forks: they copy the loader, which a thread that ends may be using
def _library() -> Any:
    import ctypes

    return ctypes.CDLL(None)


def _prctl(what: int, value: int) -> bool:
    try:
        return bool(_library().prctl(what, value, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError, TypeError):
        return False


def children(pid: int) -> List[int]:
    """The direct children of a process, zombies too."""
    try:
        found: List[int] = []
        for thread in os.listdir("/proc/%d/task" % pid):
            with open(_CHILDREN % (pid, int(thread))) as file:
                found += map(int, file.read().split())
        return found
    except OSError:  # no /proc, or a kernel without these files, or the process is gone
        return _parents_table().get(pid, [])


def own_children() -> List[int]:
    """Ours, quickly: all of them hang on the main thread, which starts and adopts them."""
    if _has_none():
        return []
    pid = os.getpid()
    try:
        file = os.open(_CHILDREN % (pid, pid), os.O_RDONLY)  # not open(): this is asked after every task
    except OSError:
        return children(pid)
    try:
        found = os.read(file, MANY)
        return [int(word) for word in found.split()] if len(found) < MANY else children(pid)
    finally:
        os.close(file)


def _has_none() -> bool:
    """Whether there is no child at all, as far as the system tells at once; zombies are children."""
    try:
        if hasattr(os, "waitid"):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def descendants(pid: int) -> List[int]:
    """All below a process, itself not."""
    found: List[int] = []
    ask = [pid]
    while ask:
        below = [one for one in children(ask.pop()) if one not in found]
        found += below
        ask += below
    return found


def _parents_table() -> Dict[int, List[int]]:
    table: Dict[int, List[int]] = {}
    for child, parent in _pairs():
        table.setdefault(parent, []).append(child)
    return table


def _pairs() -> List[List[int]]:
    if facts.PROC:
        stats = [(pid, facts.stat_of(pid)) for pid in all_processes()]
        return [[pid, int(stat[1])] for pid, stat in stats if stat]
    try:
        text = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [[int(word) for word in line.split()] for line in text.decode().splitlines()]


def all_processes() -> List[int]:
    """Every process that /proc shows; none where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def send(pid: int, number: int) -> bool:
    """A signal to one process; False when it is gone."""
    try:
        os.kill(pid, number)
    except OSError:  # gone, or (setuid) not ours to end
        return False
    return True


def send_group(group: int, number: int) -> None:
    """A signal to a group of processes, if there is one. Never to ours, nor (0, -1) to everybody."""
    if group <= 1 or group == os.getpgrp():
        return
    try:
        os.killpg(group, number)
    except OSError:  # nobody is left in it
        return


def send_tree(pid: int, number: int) -> None:
    """A signal to a program, its group, and all below it that left the group."""
    everyone = [pid] + descendants(pid)  # an orphan that we adopted may lead no group of its own
    send_group(pid, number)
    for one in everyone:
        if _group_of(one) != pid:
            send(one, number)


def _group_of(pid: int) -> Optional[int]:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def session_of(pid: int) -> Optional[int]:
    """The session that a process is in: for what a task started, the task's process, unless it left."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def variable_of(pid: int, name: bytes) -> Optional[bytes]:
    """A variable of the environment that a process was started with, where the system tells."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return None
    found = [entry[len(name) + 1 :] for entry in entries if entry.startswith(name + b"=")]
    return found[0] if found else None


def folder_of(pid: int) -> str:
    """The working directory of a process, where the system tells."""
    try:
        return os.readlink("/proc/%d/cwd" % pid)
    except OSError:
        return ""


def kill_inside(folder: str) -> int:
    """Kill what works inside a folder; how many those were."""
    inside = folder.rstrip("/") + "/"
    found = [pid for pid in all_processes() if (folder_of(pid) + "/").startswith(inside) and pid != os.getpid()]
    return sum(send(pid, signal.SIGKILL) for pid in found)
