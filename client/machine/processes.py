"""The processes of the running tasks, as a person wants to see them: trees with time and memory."""

import os
from typing import Dict, Iterator, List, NamedTuple, Tuple

from . import facts, process_tree

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
MOST_COMMAND = 200  # characters


class Process(NamedTuple):
    """A process of a task, as it is at this moment."""

    ticket: int
    depth: int  # below the first process of the task
    pid: int
    state: str  # R runs, S waits, D waits for a disk, T is stopped, Z has ended
    cpu: float  # seconds so far
    memory: int  # bytes in use
    command: str


def of_tasks(hands: List[int]) -> List[Process]:
    """Return the processes of all tasks below these hands, each tree from its top."""
    found: List[Process] = []
    for hand in hands:
        for pid in process_tree.children(hand):
            text = process_tree.variable_of(pid, "SPE_TICKET")
            found += _below(pid, int(text) if text.isdecimal() else 0, 0)
    return found


def _below(pid: int, ticket: int, depth: int) -> Iterator[Process]:
    known = facts.stat_of(pid)
    if known:
        yield Process(ticket, depth, pid, *_numbers(known), command=_command(pid, known))
        for child in process_tree.children(pid):
            yield from _below(child, ticket, depth + 1)


def _numbers(known: List[str]) -> Tuple[str, float, int]:
    """Return state, seconds and bytes, from the fields of /proc/PID/stat behind the name."""
    return known[0], (int(known[11]) + int(known[12])) / TICK, int(known[21]) * PAGE


def _command(pid: int, known: List[str]) -> str:
    words = facts.content("/proc/%d/cmdline" % pid).replace("\0", " ").strip()
    return words.encode("utf-8", "replace").decode()[:MOST_COMMAND] or "(ended)"


def as_text(processes: List[Process]) -> str:
    """Return a table for people."""
    lines = ["    PID  S      CPU    MEMORY  COMMAND"]
    for one in processes:
        indent = "  " * one.depth
        columns = (one.pid, one.state, one.cpu, _size(one.memory), indent + one.command)
        lines.append("%7d  %s %7.1fs %8s  %s" % columns)
    return "\n".join(lines) + "\n"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return "%.0f %s" % (size, unit)
        size /= 1000
    return "%.1f GB" % size


def as_rows(processes: List[Process]) -> List[Dict[str, object]]:
    """Return the processes as dictionaries, for programs."""
    return [dict(one._asdict()) for one in processes]
