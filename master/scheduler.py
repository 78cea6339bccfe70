"""Which waiting task a host gets next, and how long a lease lasts. Pure: no clock, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from .model import Task

LOOK_AHEAD = 64  # how far a task that shuns this host may be passed over: bounds the cost of one pick


def pick(waiting: deque[int], tasks: Mapping[int, Task], host: str, others: bool) -> Task | None:
    """Take the next task for `host` out of `waiting`, in order.

    A task of which an attempt went wrong on this host goes to another one when there are `others`.
    """
    if not waiting:
        return None
    chosen = 0
    if others:
        ahead = range(min(LOOK_AHEAD, len(waiting)))
        chosen = next((i for i in ahead if host not in tasks[waiting[i]].shunned), -1)
        if chosen < 0:
            # Every task in sight shuns this host. It gets one all the same: an idle host is worse than a repeat.
            chosen = 0
    number = waiting[chosen]
    del waiting[chosen]
    return tasks[number]


def lease(ping: float) -> float:
    """Seconds of silence after which a client that pings every `ping` seconds counts as lost; 0 = never."""
    return 3 * ping + 5 if ping > 0 else 0.0
