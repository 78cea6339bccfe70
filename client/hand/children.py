"""Waiting for programs, and for what they left behind.

What a task started and left is adopted by the client (tree.adopt_orphans). It belongs to the task whose session,
environment, directory or output it has, and goes when that task has ended.
"""

import os
import signal
import time
from typing import Any, Container, Dict, Iterator, List, Optional, Set, Tuple

from ..host import anchor
from ..machine import process_tree
from ..task.attempt import Attempt

KILL_TIME = 2.0
LINKS = ("cwd", "fd/1", "fd/2")  # of a process, into the place that it belongs to


def _wait_for_one(programs: Container[int]) -> Tuple[int, int, Any]:
    if hasattr(os, "waitid"):
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if not found:
            return 0, 0, None
        if found.si_pid in programs:
            process_tree.send_group(found.si_pid, signal.SIGKILL)
        return os.wait4(found.si_pid, 0)
    ended = os.wait4(-1, os.WNOHANG)  # some Pythons of macOS: the number is free a moment before its group is killed
    if ended[0] in programs:
        process_tree.send_group(ended[0], signal.SIGKILL)
    return ended


class Children:
    """Those of this process: its programs, and strays, which it did not start."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._owner: Dict[int, Optional[int]] = {}  # process -> ticket
        self._unknown: Dict[int, Set[int]] = {}  # process of unknown owner -> tickets that may be its owner
        self._are_none = False  # when we last waited for one

    def ended(self, programs: Container[int]) -> Iterator[Tuple[int, int, Any]]:
        """(pid, status, resource usage) of each that has ended.

        What is left of the process group of one of our programs is killed while its number still holds.
        """
        while True:
            try:
                ended = _wait_for_one(programs)
            except ChildProcessError:
                self._are_none = True
                return
            self._are_none = False
            if not ended[0]:
                return
            self._owner.pop(ended[0], None)  # the number may come again
            self._unknown.pop(ended[0], None)
            yield ended

    def kill_strays(self, running: Dict[int, Attempt], ending: List[Attempt]) -> Set[int]:
        """Kill those whose task `ended` has told of; the tickets of which some are not dead yet.

        All that a program leaves is our child before we hear of its end. So what hides its owner belongs to one of the
        tickets that are here when it is seen first, and goes when the programs of all of these have ended.
        """
        alive: Set[int] = set()
        children = [] if self._are_none else process_tree.own_children()
        if not children:
            return alive
        sessions = {one.pid: one.task.ticket for one in [*running.values(), *ending]}
        current = {one.task.ticket for one in running.values()}
        for pid in children:
            if pid in running:
                continue
            ticket = self._owner_of(pid, sessions)
            owners = self._unknown.setdefault(pid, set(sessions.values())) if ticket is None else {ticket}
            if owners.isdisjoint(current):
                process_tree.send(pid, signal.SIGKILL)
                alive |= owners or {0}
        return alive

    def may_belong_to(self, ticket: int) -> bool:
        """Tell whether a process of unknown owner may have the files of this ticket open."""
        return any(ticket in tickets for tickets in self._unknown.values())

    def kill_all(self, running: Dict[int, Attempt]) -> None:
        """At the end of the client: nothing below us stays."""
        end = time.monotonic() + KILL_TIME
        while time.monotonic() < end:
            left = process_tree.own_children()
            if not left:
                return
            for pid in left:
                process_tree.send(pid, signal.SIGKILL)
            for pid, _, _ in self.ended(running):
                running.pop(pid, None)
            time.sleep(0.01)

    def _owner_of(self, pid: int, sessions: Dict[int, int]) -> Optional[int]:
        if pid not in self._owner:
            self._owner[pid] = self._find_owner(pid, sessions)
        return self._owner[pid]

    def _find_owner(self, pid: int, sessions: Dict[int, int]) -> Optional[int]:
        session = process_tree.session_of(pid)
        if session in sessions:
            return sessions[session]
        variable = process_tree.variable_of(pid, "SPE_TICKET")
        if variable.isdecimal():
            return int(variable)
        base = anchor.shown(self._base) + "/"
        for name in LINKS:
            path = process_tree.link_of(pid, name)
            below = path[len(base) :].split("/")[0] if path.startswith(base) else ""
            if below.isdecimal():
                return int(below)
        return None
