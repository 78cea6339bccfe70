"""Waiting for programs, and for what they left behind.

What a task started and left is adopted by the client (tree.adopt_orphans). It belongs to the task whose session,
environment or directory it has, and goes when that task has ended.
"""

import os
import signal
import time
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from . import tree
from .slot import Attempt

KILL_TIME = 2.0


def ended_children() -> Iterator[Tuple[int, int, Any]]:
    """(pid, status, resource usage) of each child that has ended, its process group killed while its number holds."""
    while True:
        try:
            pid = _next_ended()
            if not pid:
                return
            tree.send_group(pid, signal.SIGKILL)
            yield os.wait4(pid, 0)
        except ChildProcessError:
            return


def _next_ended() -> int:
    """A child that has ended; not yet waited for, so that nobody else can get its number."""
    if hasattr(os, "waitid"):
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found.si_pid if found else 0
    for pid in tree.own_children():
        if tree.is_zombie(pid):
            return pid
    return 0


class Strays:
    """Children of ours that we did not start."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._owner: Dict[int, Optional[int]] = {}  # process -> ticket

    def forget(self, pid: int) -> None:
        """It is no more; its number may come again."""
        self._owner.pop(pid, None)

    def kill(self, running: Dict[int, Attempt], ending: List[Attempt]) -> Set[int]:
        """Kill those whose task has ended; the tickets of which some are not dead yet."""
        alive: Set[int] = set()
        sessions = {one.pid: one.task.ticket for one in [*running.values(), *ending]}
        current = {one.task.ticket for one in running.values()}
        for pid in tree.own_children():
            if pid in running:
                continue
            ticket = self._owner_of(pid, sessions)
            if ticket not in current and (ticket is not None or not running):
                tree.send(pid, signal.SIGKILL)
                alive.add(ticket or 0)
        return alive

    def kill_all(self, running: Dict[int, Attempt]) -> None:
        """At the end of the client: nothing below us stays."""
        end = time.monotonic() + KILL_TIME
        while time.monotonic() < end:
            left = tree.own_children()
            if not left:
                return
            for pid in left:
                tree.send(pid, signal.SIGKILL)
            for pid, _, _ in ended_children():
                running.pop(pid, None)
            time.sleep(0.01)

    def _owner_of(self, pid: int, sessions: Dict[int, int]) -> Optional[int]:
        if pid not in self._owner:
            self._owner[pid] = self._find_owner(pid, sessions)
        return self._owner[pid]

    def _find_owner(self, pid: int, sessions: Dict[int, int]) -> Optional[int]:
        session = tree.session_of(pid)
        if session in sessions:
            return sessions[session]
        variable = tree.variable_of(pid, b"SPE_TICKET")
        if variable and variable.isdigit():
            return int(variable)
        folder = tree.folder_of(pid)
        below = folder[len(self._base) + 1 :].split("/")[0] if folder.startswith(self._base + "/") else ""
        return int(below) if below.isdigit() else None
