"""The tables that move a task, a ticket and a client.

`move_task`, `move_ticket` and `move_client` are the only places where a state changes; nothing else assigns one. What
an event means for attempts, hosts and the store is decided elsewhere in this room.
"""

from __future__ import annotations

from ..model import Client, ClientState, Task, TaskState, Ticket, TicketState
from ..record import Word


class TaskEvent(Word):
    """An event in the life of a task."""

    ISSUE = "issue"  # a ticket for it was handed out
    RETURN = "return"  # the last live ticket ended without a result
    ACCEPT = "accept"  # a valid result is here
    GIVE_UP = "give up"  # the attempts are used up
    CANCEL = "cancel"  # the user does not want it
    RETRY = "retry"  # the user wants it again


class TicketEvent(Word):
    """An event in the life of a ticket."""

    ARRIVE = "arrive"  # the result is here
    ACCEPT = "accept"
    REJECT = "reject"
    FAIL = "fail"  # the program went wrong
    LOSE = "lose"  # the host went silent
    RENEW = "renew"  # the host spoke again
    EXPIRE = "expire"  # the task is done or given up


class ClientEvent(Word):
    """An event in the life of a client."""

    WORD = "word"  # any request of it
    ASK = "ask"  # the client asked for tasks
    BREAK = "break"  # the connection of a request that it held is broken
    END = "end"  # the client was told that the sweep is over
    LEAVE = "leave"  # the client said goodbye, or is known to have ended


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

_S = ClientState
CLIENT_MOVES: dict[tuple[ClientState, ClientEvent], ClientState] = {
    (_S.SETTING_UP, ClientEvent.WORD): _S.SETTING_UP,
    (_S.SETTING_UP, ClientEvent.ASK): _S.AT_WORK,
    (_S.SETTING_UP, ClientEvent.BREAK): _S.SETTING_UP_CUT_OFF,
    (_S.SETTING_UP, ClientEvent.END): _S.SENT_HOME,  # the first request for tasks came when all was over
    (_S.SETTING_UP, ClientEvent.LEAVE): _S.GONE_UNASKED,
    (_S.SETTING_UP_CUT_OFF, ClientEvent.WORD): _S.SETTING_UP,
    (_S.SETTING_UP_CUT_OFF, ClientEvent.BREAK): _S.SETTING_UP_CUT_OFF,
    (_S.SETTING_UP_CUT_OFF, ClientEvent.END): _S.SENT_HOME_CUT_OFF,
    (_S.SETTING_UP_CUT_OFF, ClientEvent.LEAVE): _S.GONE_UNASKED,
    (_S.AT_WORK, ClientEvent.WORD): _S.AT_WORK,
    (_S.AT_WORK, ClientEvent.ASK): _S.AT_WORK,
    (_S.AT_WORK, ClientEvent.BREAK): _S.AT_WORK_CUT_OFF,
    (_S.AT_WORK, ClientEvent.END): _S.SENT_HOME,
    (_S.AT_WORK, ClientEvent.LEAVE): _S.GONE,
    (_S.AT_WORK_CUT_OFF, ClientEvent.WORD): _S.AT_WORK,
    (_S.AT_WORK_CUT_OFF, ClientEvent.BREAK): _S.AT_WORK_CUT_OFF,
    (_S.AT_WORK_CUT_OFF, ClientEvent.END): _S.SENT_HOME_CUT_OFF,  # the answer may not have reached it
    (_S.AT_WORK_CUT_OFF, ClientEvent.LEAVE): _S.GONE,
    (_S.SENT_HOME, ClientEvent.WORD): _S.SENT_HOME,
    (_S.SENT_HOME, ClientEvent.ASK): _S.SENT_HOME,  # `spe hosts use` may have brought its drained host back
    (_S.SENT_HOME, ClientEvent.BREAK): _S.SENT_HOME_CUT_OFF,
    (_S.SENT_HOME, ClientEvent.END): _S.SENT_HOME,
    (_S.SENT_HOME, ClientEvent.LEAVE): _S.GONE,
    (_S.SENT_HOME_CUT_OFF, ClientEvent.WORD): _S.SENT_HOME,
    (_S.SENT_HOME_CUT_OFF, ClientEvent.BREAK): _S.SENT_HOME_CUT_OFF,
    (_S.SENT_HOME_CUT_OFF, ClientEvent.END): _S.SENT_HOME_CUT_OFF,
    (_S.SENT_HOME_CUT_OFF, ClientEvent.LEAVE): _S.GONE,
    # A goodbye may overtake other requests of the same client.
    (_S.GONE, ClientEvent.WORD): _S.GONE,
    (_S.GONE, ClientEvent.ASK): _S.GONE,
    (_S.GONE, ClientEvent.BREAK): _S.GONE,
    (_S.GONE, ClientEvent.END): _S.GONE,
    (_S.GONE_UNASKED, ClientEvent.WORD): _S.GONE_UNASKED,
    (_S.GONE_UNASKED, ClientEvent.ASK): _S.GONE,
    (_S.GONE_UNASKED, ClientEvent.BREAK): _S.GONE_UNASKED,
    (_S.GONE_UNASKED, ClientEvent.END): _S.GONE,
}


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


def move_client(client: Client, event: ClientEvent) -> None:
    """Apply `event` to `client`. Raises IllegalMove where the table has no line for it."""
    try:
        client.state = CLIENT_MOVES[client.state, event]
    except KeyError:
        raise IllegalMove(f"client {client.id}: {event} while {client.state}") from None
