"""The choice of the next task for a host, and the length of a lease. Pure: no clock, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from ..model import Task, Ticket, TicketState

COPY_LEAST, COPY_FACTOR = 1.0, 1.5  # an attempt is long after so many seconds, after so many times the median
COPY_UNKNOWN = 30.0  # or after so many seconds, while no median is known
AFTER_TIMEOUT = 30.0  # seconds for the client to end the program and say so
LOOK_AHEAD = 64  # tasks that one pick may pass over because they shun this host: bounds its cost


def pick(
    waiting: deque[int], tasks: Mapping[int, Task], host: str, others: bool, place: int = 0
) -> Task | None:
    """Take the next task for `host` out of `waiting`, in order, from `place` on.

    A task of which an attempt went wrong on this host goes to another one when there are `others`.
    """
    if not waiting:
        return None
    chosen = place
    if others and host in tasks[waiting[place]].shunned:
        ahead = range(min(LOOK_AHEAD, len(waiting)))
        chosen = next((i for i in ahead if host not in tasks[waiting[i]].shunned), -1)
        if chosen < 0:
            # Every task in sight shuns this host. It gets one all the same: an idle host is worse than a repeat.
            chosen = 0
    number = waiting[chosen]
    del waiting[chosen]
    return tasks[number]


def room_beside(load: float, cores: float, task_cores: int, running: int) -> int:
    """Return how many more tasks of `task_cores` fit into `cores` beside the load of others and those that run."""
    return max(0, int((cores - load) / task_cores + 1e-9) - running)


def is_lost(ticket: Ticket, now: float, lease: float, timeout: float) -> bool:
    """Tell whether this attempt is lost: its client pinged and is silent, or never pings and its time is over."""
    if ticket.state is not TicketState.ISSUED:
        return False
    if lease and ticket.leased:
        return now - ticket.word > lease
    return timeout > 0 and now - ticket.issued > timeout + AFTER_TIMEOUT


def stragglers(tickets: Iterable[Ticket], now: float, median: float) -> list[int]:
    """Return the tasks that run so long that a copy elsewhere is likely to be faster, the longest first.

    Of lengths nothing more is known than that who has run longest will run longest (a heavy tail); so the task
    with the longest expected rest is the oldest.
    """
    patience = max(COPY_LEAST, COPY_FACTOR * median) if median else COPY_UNKNOWN
    old = sorted((t for t in tickets if now - t.issued >= patience), key=lambda t: t.issued)
    return list(dict.fromkeys(t.task for t in old))


def lease(ping: float) -> float:
    """Return the seconds of silence after which a client that pings every `ping` seconds is lost; 0 for never."""
    return 3 * ping + 5 if ping > 0 else 0.0
