"""Waiting for programs, and killing what they left behind.

A hand adopts the processes that its tasks started and left (process_tree.adopt_orphans). Such a
process belongs to the task whose session, environment, directory, output or program it has, and is killed
when that task has ended.
"""

import os
import signal
import time
from typing import Any, Container, Dict, Iterator, List, Optional, Set, Tuple

from ..host import anchor
from ..machine import process_tree
from ..task.attempt import Attempt

KILL_TIME = 2.0  # seconds for processes to go after a KILL, at the end of the client


def _wait_for_one(programs: Container[int]) -> Tuple[int, int, Any]:
    """Wait for one child that has ended. Return (pid, status, usage), pid 0 when none has.

    The rest of its process group is killed first, as long as its number cannot be another
    process's.
    """
    if hasattr(os, "waitid"):
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if not found:
            return 0, 0, None
        if found.si_pid in programs:
            process_tree.send_group(found.si_pid, signal.SIGKILL)
        return os.wait4(found.si_pid, 0)
    # Pythons of macOS may have no waitid: the number is free a moment before its group is killed.
    ended = os.wait4(-1, os.WNOHANG)
    if ended[0] in programs:
        process_tree.send_group(ended[0], signal.SIGKILL)
    return ended


class Children:
    """The children of this process: its programs, and strays, which it adopted."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._owner: Dict[int, Optional[int]] = {}  # process -> ticket; None: of no task
        # Strays of unknown owner -> tickets that may be the owner.
        self._unknown: Dict[int, Set[int]] = {}
        self._are_none = False  # there was no child at the last wait

    def ended(self, programs: Container[int]) -> Iterator[Tuple[int, int, Any]]:
        """Yield (pid, status, resource usage) of each child that has ended.

        What is left of the process group of one of `programs` is killed, while its number still
        holds.
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
        """Kill strays of tasks whose programs have ended.

        Return the tickets of which some are not dead yet.

        All that a program leaves is adopted before its end is heard. So a stray that hides its
        owner belongs to one of the tickets that are here when it is first seen, and is killed when
        the programs of all of these have ended.
        """
        alive: Set[int] = set()
        if self._are_none:  # the last wait said so: asking the system again costs a call a task
            return alive
        children = process_tree.own_children()
        if not children:
            return alive
        sessions = {one.pid: one.task.ticket for one in [*running.values(), *ending]}
        current = {one.task.ticket for one in running.values()}
        for pid in children:
            if pid in running:
                continue
            ticket = self._owner_of(pid, sessions)
            owners = {ticket} if ticket is not None else self._may_be_of(pid, sessions)
            if owners.isdisjoint(current):
                process_tree.send(pid, signal.SIGKILL)
                alive |= owners or {0}
        return alive

    def _may_be_of(self, pid: int, sessions: Dict[int, int]) -> Set[int]:
        return self._unknown.setdefault(pid, set(sessions.values()))

    def may_belong_to(self, ticket: int) -> bool:
        """Tell whether a process of unknown owner may have the files of this ticket open."""
        return any(ticket in tickets for tickets in self._unknown.values())

    def kill_all(self, running: Dict[int, Attempt]) -> None:
        """Kill all processes below this one, at the end of the client."""
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
        """Return the ticket of a stray, as far as what it has of its task tells."""
        session = process_tree.session_of(pid)
        if session in sessions:
            return sessions[session]
        variable = process_tree.variable_of(pid, "SPE_TICKET")
        if variable.isdecimal():
            return int(variable)
        base = anchor.shown(self._base) + "/"
        for name in process_tree.LINKS:
            path = process_tree.link_of(pid, name)
            below = path[len(base) :].split("/")[0] if path.startswith(base) else ""
            if below.isdecimal():
                return int(below)
        return None
