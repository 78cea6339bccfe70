"""The one table that moves a task, and the one that moves a ticket.

`move` is the only place where a state changes; nothing else assigns one. What an event means for attempts,
hosts and the store is the dispatch's business.
"""

from __future__ import annotations

from ..model import Task, TaskState, Ticket, TicketState
from ..record import Word


class TaskEvent(Word):
    """What can happen to a task."""

    ISSUE = "issue"  # a ticket for it was handed out
    RETURN = "return"  # its last live ticket ended without a result
    ACCEPT = "accept"  # a valid result is here
    GIVE_UP = "give up"  # its attempts are used up
    CANCEL = "cancel"  # the user does not want it
    RETRY = "retry"  # the user wants it again


class TicketEvent(Word):
    """What can happen to a ticket."""

    ARRIVE = "arrive"  # its result is here
    ACCEPT = "accept"
    REJECT = "reject"
    FAIL = "fail"  # the program went wrong
    LOSE = "lose"  # its host went silent
    RENEW = "renew"  # its host spoke again
    EXPIRE = "expire"  # the task is done or given up


class IllegalMove(Exception):
    """An event that cannot happen in this state: a fault of spe's own, never a user's."""


_W, _R, _D, _F = TaskState.WAITING, TaskState.RUNNING, TaskState.DONE, TaskState.FAILED
_C = TaskState.CANCELLED

TASK_MOVES: dict[tuple[TaskState, TaskEvent], TaskState] = {
    (_W, TaskEvent.ISSUE): _R,
    (_R, TaskEvent.ISSUE): _R,  # a second copy
    (_R, TaskEvent.RETURN): _W,
    (_R, TaskEvent.ACCEPT): _D,
    (_W, TaskEvent.ACCEPT): _D,  # a late result of a lost ticket
    (_F, TaskEvent.ACCEPT): _D,  # the same, after the task was given up
    (_R, TaskEvent.GIVE_UP): _F,
    (_W, TaskEvent.GIVE_UP): _F,
    (_W, TaskEvent.CANCEL): _C,
    (_R, TaskEvent.CANCEL): _C,
    (_C, TaskEvent.RETRY): _W,
    (_F, TaskEvent.RETRY): _W,
    (_D, TaskEvent.RETRY): _W,
}

_T = TicketState
TICKET_MOVES: dict[tuple[TicketState, TicketEvent], TicketState] = {
    (_T.ISSUED, TicketEvent.ARRIVE): _T.CHECKING,
    (_T.ISSUED, TicketEvent.FAIL): _T.FAILED,
    (_T.ISSUED, TicketEvent.LOSE): _T.LOST,
    (_T.ISSUED, TicketEvent.EXPIRE): _T.EXPIRED,
    (_T.LOST, TicketEvent.ARRIVE): _T.CHECKING,
    (_T.LOST, TicketEvent.FAIL): _T.FAILED,
    (_T.LOST, TicketEvent.RENEW): _T.ISSUED,
    (_T.LOST, TicketEvent.EXPIRE): _T.EXPIRED,
    (_T.CHECKING, TicketEvent.ACCEPT): _T.ACCEPTED,
    (_T.CHECKING, TicketEvent.REJECT): _T.REJECTED,
    (_T.CHECKING, TicketEvent.EXPIRE): _T.EXPIRED,
    # A result that comes for an attempt already written off is work done, while its task is undone.
    (_T.FAILED, TicketEvent.ARRIVE): _T.CHECKING,
    (_T.REJECTED, TicketEvent.ARRIVE): _T.CHECKING,
    (_T.EXPIRED, TicketEvent.ARRIVE): _T.CHECKING,
}

LIVE = frozenset({_T.ISSUED, _T.CHECKING})


def move_task(task: Task, event: TaskEvent) -> None:
    """Apply `event` to `task`. Raises IllegalMove where the table has no line for it."""
    try:
        task.state = TASK_MOVES[task.state, event]
    except KeyError:
        raise IllegalMove(f"task {task.number}: {event} while {task.state}") from None


def move_ticket(ticket: Ticket, event: TicketEvent) -> None:
    """Apply `event` to `ticket`. Raises IllegalMove where the table has no line for it."""
    try:
        ticket.state = TICKET_MOVES[ticket.state, event]
    except KeyError:
        raise IllegalMove(f"ticket {ticket.id}: {event} while {ticket.state}") from None
