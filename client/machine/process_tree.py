"""Trees of processes: who is below whom, and how to end them all, also those that left their group.

On Linux a client adopts what its tasks leave behind (PR_SET_CHILD_SUBREAPER), and /proc tells who is whose
child. Elsewhere `ps` is asked.
"""

import os
import signal
import struct
import subprocess
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from . import facts

_SUBREAPER, _PDEATHSIG = 36, 1
MANY = 65536  # bytes of numbers of processes
MARK = "SPE_CLIENT"  # the variable that tells of which client a process is
MOST_ROUNDS = 100  # looks for what was started meanwhile
SIGNAL = 128  # bytes of one in a file of signals
_CHILDREN = "/proc/%d/task/%d/children"


def adopt_orphans() -> bool:
    """Become the parent of every orphan below us; False where the system has no such thing."""
    return _call("prctl", _SUBREAPER, 1, 0, 0, 0) == 0


def hear_when_orphaned() -> bool:
    """A SIGTERM for us as soon as our parent is no more; False where the system has no such thing."""
    return _call("prctl", _PDEATHSIG, signal.SIGTERM, 0, 0, 0) == 0


@lru_cache(maxsize=1)  # before all forks: they copy the loader, which a thread that ends may be using
def _library() -> Any:
    import ctypes

    return ctypes.CDLL(None)


def file_of_signals(numbers: Sequence[int]) -> List[int]:
    """Return a file from which these signals are read, as they are blocked from now on; none but on Linux."""
    wanted = struct.pack("L", sum(1 << (number - 1) for number in numbers)) + bytes(124)
    file = _call("signalfd", -1, wanted, os.O_NONBLOCK | os.O_CLOEXEC)
    if file < 0:
        return []
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    return [file]


def signals_in(content: bytes) -> Iterator[Tuple[int, int]]:
    """Yield (number, process that sent it) of each signal in what was read of such a file."""
    for at in range(0, len(content), SIGNAL):
        number, _, _, sender = struct.unpack_from("=Iiii", content, at)
        yield number, sender


def _call(name: str, *arguments: Any) -> int:
    """A function of the C library; -1 where there is no such thing."""
    try:
        return int(getattr(_library(), name)(*arguments))
    except (ImportError, OSError, AttributeError, TypeError):
        return -1


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


def variable_of(pid: int, name: str) -> str:
    """A variable of the environment that a process was started with, where the system tells; else ""."""
    entries = facts.content("/proc/%d/environ" % pid).split("\0")
    found = [entry[len(name) + 1 :] for entry in entries if entry.startswith(name + "=")]
    return found[0] if found else ""


def link_of(pid: int, name: str) -> str:
    """Return where a link of /proc leads, such as "cwd", the working directory; "" where the system does not tell."""
    try:
        return os.readlink("/proc/%d/%s" % (pid, name))
    except OSError:
        return ""


def kill_inside(folder: str, mark: str) -> int:
    """Kill what works inside a folder or has this mark in its environment, and all below; how many those were.

    They are stopped first: who is stopped starts nothing more. Of what is elsewhere, only our own account's counts.
    """
    inside, spared = os.path.realpath(folder).rstrip("/") + "/", {os.getpid(), os.getppid()}
    found: List[int] = []
    for _ in range(MOST_ROUNDS):
        top = [pid for pid in all_processes() if (link_of(pid, "cwd") + "/").startswith(inside) or _has(pid, mark)]
        below = [one for pid in top for one in descendants(pid) if _is_ours(one)]
        new = {*top, *below} - spared
        if not new:
            break
        found += [pid for pid in new if send(pid, signal.SIGSTOP)]
        spared |= new
    return sum(send(pid, signal.SIGKILL) for pid in found)


def _has(pid: int, mark: str) -> bool:
    return bool(mark) and _is_ours(pid) and variable_of(pid, MARK) == mark


def _is_ours(pid: int) -> bool:
    try:
        return os.stat("/proc/%d" % pid).st_uid == os.geteuid()
    except OSError:  # gone
        return False
