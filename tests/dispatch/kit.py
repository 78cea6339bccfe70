"""A dispatch in memory with a replay of what it told the store; waiting for a condition."""

from __future__ import annotations

from collections.abc import Iterable

from spe.dispatch.changes import (
    Change,
    ClientCame,
    ClientHeard,
    ClientLeft,
    TaskMoved,
    TasksOut,
    TicketEnded,
    TicketIssued,
)
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.rules import Rules
from spe.model import Failure, Output, Task, TaskState, Ticket, TicketState, Usage

BROKEN = Failure("exit:1", "exit code 1", 1)
OUT = (Output("x", "1"),)
NO_USAGE = Usage()


def make_dispatch(tasks: int = 1, **rules: object) -> Dispatch:
    """A dispatch of which the store has no more tasks than these."""
    dispatch = Dispatch(Rules(**rules))  # type: ignore[arg-type]
    dispatch.board.add(Task(number, {}) for number in range(1, tasks + 1))
    dispatch.board.more = False
    return dispatch


def reasons(dispatch: Dispatch) -> list[str]:
    """Why tasks have failed, of the changes that were not taken yet."""
    return [c.reason for c in dispatch.board.changes if isinstance(c, TaskMoved) and c.state is TaskState.FAILED]


def outcomes(dispatch: Dispatch) -> dict[int, TaskMoved]:
    """The last that the store was told of each task."""
    return {c.number: c for c in dispatch.board.changes if isinstance(c, TaskMoved)}


class Replay:
    """What a store knows that applied the changes in their order, and nothing else."""

    def __init__(self) -> None:
        self.tasks: dict[int, TaskState] = {}
        self.attempts: dict[int, int] = {}
        self.reasons: dict[int, str] = {}
        self.tickets: dict[int, TicketState] = {}
        self.accepted: dict[int, int] = {}  # task -> how often
        self.clients: set[str] = set()
        self.out = 0

    def apply(self, changes: Iterable[Change]) -> None:
        """In order, as store.py does it."""
        for change in changes:
            if isinstance(change, ClientCame):
                self.clients.add(change.id)
            elif isinstance(change, ClientHeard):
                assert change.ago >= 0
            elif isinstance(change, ClientLeft):
                self.clients.remove(change.id)
            elif isinstance(change, TicketIssued):
                assert change.id not in self.tickets, "a ticket was issued twice"
                self.tickets[change.id] = TicketState.ISSUED
                self.tasks[change.task] = TaskState.RUNNING
            elif isinstance(change, TasksOut):
                self.out = change.count
            elif isinstance(change, TicketEnded):
                assert change.id in self.tickets, "a ticket ended that was never issued"
                self.tickets[change.id] = change.state
            else:
                self._moved(change)

    def _moved(self, change: TaskMoved) -> None:
        self.tasks[change.number] = change.state
        self.attempts[change.number] = change.attempts
        self.reasons[change.number] = change.reason
        if change.state is TaskState.DONE:
            self.accepted[change.number] = self.accepted.get(change.number, 0) + 1
            assert change.ticket is not None
            assert self.tickets[change.ticket] is TicketState.ACCEPTED


def take(dispatch: Dispatch, client: str, count: int = 1, now: float = 0.0) -> list[Ticket]:
    """Tickets for this client."""
    return dispatch.handout.take(now, client, count)
