"""What the master of a farm's job reports to its farm: what it has out, can use, and has done. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from ..dispatch.dispatch import Dispatch
from ..errors import LaunchError
from ..model import TaskState

MOST_FAULT = 200  # characters of why a host is not up: others read it, too


class Hosts(Protocol):
    """The hosts that the run starts."""

    @property
    def faults(self) -> Mapping[str, LaunchError]:
        """The reasons why hosts are not up, by their names."""


def job_report(dispatch: Dispatch, hosts: Hosts, serial: tuple[int, int]) -> dict[str, Any]:
    """Return the report. `serial`: (run, place in it), by which a later report is known.

    out: tasks that are begun or may be begun, by host. wants: tasks that could be out now. copies:
    running tasks that are worth a copy. most: hosts that can use only so many tasks. up: hosts with
    a client. boots: boot IDs of their machines, where the clients have told them.
    """
    grants, board = dispatch.handout.grants, dispatch.board
    up = sorted(dispatch.clients.hosts)
    return {
        "serial": list(serial),
        "epoch": grants.epoch,
        "number": grants.number,
        "allowed": dict(grants.slots),
        "out": grants.begun(),
        "running": _running(dispatch),
        "wants": _wants(dispatch),
        "most": _most(dispatch, hosts),
        "up": up,
        "boots": grants.boots(),
        "faults": {name: error.line[:MOST_FAULT] for name, error in hosts.faults.items()},
        "sets": board.total,
        "done": board.in_state[TaskState.DONE] + board.done_before,
        "failed": board.in_state[TaskState.FAILED] + board.failed_before,
        "paused": dispatch.steering.paused,
        "over": board.over,
    }


def _running(dispatch: Dispatch) -> dict[str, int]:
    return dict(Counter(ticket.host for ticket in dispatch.handout.begun()))


def _wants(dispatch: Dispatch) -> int:
    """Return how many tasks could be out now: those that run, and those that wait and may begin."""
    board = dispatch.board
    running = board.with_slot
    if board.draining or dispatch.steering.paused:
        return running
    # The store may have more than the window of sets that is on the board.
    known = board.running + len(board.waiting) + len(board.back_offs.until)
    ended = sum(board.in_state[state] for state in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED))
    behind = max(0, board.total - ended - known) if board.more else 0
    wanted = known + behind
    limit = dispatch.handout.limits.most
    return wanted if limit is None else min(wanted, limit)


def _most(dispatch: Dispatch, hosts: Hosts) -> dict[str, int]:
    """Return the hosts that can use only so many tasks: those with a fault, and those set aside."""
    found = dict.fromkeys(hosts.faults, 0)
    for host in dispatch.clients.hosts:
        room = dispatch.guard.room(dispatch.clients.now, host, dispatch.steering.at_work)
        if host in dispatch.steering.aside:
            found[host] = 0
        elif room is not None:
            found[host] = room
    return found
