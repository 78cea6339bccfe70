"""Trees of processes: which are below which, and how to end all of them.

Those that left their group are ended, too. On Linux a client adopts what its tasks leave behind
(PR_SET_CHILD_SUBREAPER), and /proc tells the children of each process. Elsewhere `ps` is asked.
"""

import os
import signal
import struct
import subprocess
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from . import facts

_SUBREAPER, _PDEATHSIG = 36, 1
MARK = "SPE_CLIENT"  # the variable that tells of which client a process is
MOST_ROUNDS = 100  # looks for what was started meanwhile
MANY = 65536  # bytes of a list of processes that are read at once
SIGNAL = 128  # bytes of one signal in a file of signals
_CHILDREN = "/proc/%d/task/%d/children"
LINKS = ("cwd", "fd/1", "fd/2", "exe")  # of a process in /proc: they lead into the place of its task


def adopt_orphans() -> bool:
    """Become the parent of every orphan below this process.

    False where the system has no such thing.
    """
    return _call("prctl", _SUBREAPER, 1, 0, 0, 0) == 0


def hear_when_orphaned() -> bool:
    """Have SIGTERM sent to this process when its parent ends.

    False where the system has no such thing.
    """
    return _call("prctl", _PDEATHSIG, signal.SIGTERM, 0, 0, 0) == 0


# Loaded once, before all forks: they copy the loader, which a thread that ends may be using.
@lru_cache(maxsize=1)
def _library() -> Any:
    import ctypes

    return ctypes.CDLL(None)


def file_of_signals(numbers: Sequence[int]) -> List[int]:
    """Block these signals and return a file from which they are read instead; [] but on Linux."""
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
    """Call a function of the C library and return its result; -1 where there is no such thing."""
    try:
        return int(getattr(_library(), name)(*arguments))
    except (ImportError, OSError, AttributeError, TypeError):
        return -1


def children(pid: int) -> List[int]:
    """Return the direct children of a process, zombies too."""
    try:
        found: List[int] = []
        for thread in os.listdir("/proc/%d/task" % pid):
            with open(_CHILDREN % (pid, int(thread))) as file:
                found += map(int, file.read().split())
        return found
    except OSError:  # no /proc, or a kernel without these files, or the process is gone
        return _parents_table().get(pid, [])


def own_children() -> List[int]:
    """Return the direct children of this process, with three system calls.

    All hang on the main thread, which starts and adopts them.
    """
    pid = os.getpid()
    try:
        # Not open(), which makes more system calls: this is asked after every task.
        file = os.open(_CHILDREN % (pid, pid), os.O_RDONLY)
    except OSError:
        return children(pid)
    try:
        found = os.read(file, MANY)
        if len(found) >= MANY:  # there may be more, and the last number may be cut
            return children(pid)
        return [int(word) for word in found.split()]
    finally:
        os.close(file)


def descendants(pid: int) -> List[int]:
    """Return all processes below a process, itself not."""
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
    """Return every process that /proc shows; [] where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def signal_name(number: int) -> str:
    """Return the name of a signal: SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return "SIG%d" % number


def send(pid: int, number: int) -> bool:
    """Send a signal to one process. False when it is gone, or (setuid) not ours to end."""
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def send_group(group: int, number: int) -> None:
    """Send a signal to a group of processes, if there is one.

    Never to ours, nor (0, -1) to everybody.
    """
    if group <= 1 or group == os.getpgrp():
        return
    try:
        os.killpg(group, number)
    except OSError:  # no process is left in the group
        return


def send_tree(pid: int, number: int) -> None:
    """Send a signal to a program, its group, and all below it that left the group."""
    # The program itself, too: an orphan that was adopted may lead no group of its own.
    everyone = [pid] + descendants(pid)
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
    """Return the session of a process: for what a task started, the task's process, unless it left."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def variable_of(pid: int, name: str) -> str:
    """Return a variable that a process was started with; "" if there is none, or it is unknown."""
    entries = facts.content("/proc/%d/environ" % pid).split("\0")
    found = [entry[len(name) + 1 :] for entry in entries if entry.startswith(name + "=")]
    return found[0] if found else ""


def link_of(pid: int, name: str) -> str:
    """Return where a link of /proc leads, such as "cwd", the working directory; "" if unknown."""
    try:
        return os.readlink("/proc/%d/%s" % (pid, name))
    except OSError:
        return ""


def kill_inside(folder: str, mark: str) -> int:
    """Kill what works inside a folder, or has this mark in its environment, and all below that.

    What prints into it, or is a program in it, works inside, wherever it stands. Return how many
    processes those were. They are stopped first, as a stopped process starts nothing more. Outside
    the folder only processes of our own account count.
    """
    inside, spared = os.path.realpath(folder).rstrip("/") + "/", {os.getpid(), os.getppid()}
    found: List[int] = []
    for _ in range(MOST_ROUNDS):
        top = [pid for pid in all_processes() if _is_inside(pid, inside) or _has(pid, mark)]
        below = [one for pid in top for one in descendants(pid) if _is_ours(one)]
        new = {*top, *below} - spared
        if not new:
            break
        found += [pid for pid in new if send(pid, signal.SIGSTOP)]
        spared |= new
    return sum(send(pid, signal.SIGKILL) for pid in found)


def _is_inside(pid: int, folder: str) -> bool:
    return any((link_of(pid, name) + "/").startswith(folder) for name in LINKS)


def _has(pid: int, mark: str) -> bool:
    return bool(mark) and _is_ours(pid) and variable_of(pid, MARK) == mark


def _is_ours(pid: int) -> bool:
    return user_of(pid) == os.geteuid()


def user_of(pid: int) -> Optional[int]:
    """Return the user number of a process; None when it is gone."""
    try:
        return os.stat("/proc/%d" % pid).st_uid
    except OSError:
        return None
