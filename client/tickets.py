"""The tickets of this client, as the loop and the threads that talk with the master share them."""

from typing import TYPE_CHECKING, Dict, List

from .room import Room
from .slot import Attempt
from .trust import clock
from .wire import Master

if TYPE_CHECKING:
    from .talk import Pinger

OVER_GRACE = 10.0  # a master that said the sweep is over need not be waited for


class Tickets:
    """All tickets that are ours. The methods here are called by the threads, in theirs."""

    pinger: "Pinger"

    def __init__(self, master: Master, slots: int) -> None:
        self.master, self.room = master, Room(slots)
        self.held: Dict[int, Attempt] = {}  # by ticket: all that is ours until it was delivered

    def hold(self, attempts: List[Attempt], asked: float) -> None:
        """These tickets are ours from now on; an answer that was long on its way may be overtaken."""
        sure, now = self.pinger.trust.covers(asked), clock()
        for attempt in attempts:
            attempt.sure, attempt.held_at = sure, now
        self.held.update((attempt.task.ticket, attempt) for attempt in attempts)
        self.room.change(len(attempts), len(attempts))
        self.pinger.now.set()

    def release(self, attempts: List[Attempt]) -> None:
        """These are delivered, or dropped, and cleared away."""
        for attempt in attempts:
            self.held.pop(attempt.task.ticket, None)
        self.room.change(0, -len(attempts))

    def told_over(self) -> None:
        """The master said that the sweep is over, while we still have tickets: ask which are of use."""
        self.master.grace = min(self.master.grace, OVER_GRACE)
        self.pinger.now.set()
