"""The tickets of this client and all else that the loop and the threads that talk with the master share.

The threads decide nothing about programs: they tell the loop by name what has happened, and it acts in its own thread.
"""

import threading
from collections import deque
from typing import Any, Deque, Dict, List, Optional

from .. import exits
from ..hand.wakeup import Mail
from ..task.attempt import Attempt
from ..wire.lease import Trust, clock
from ..wire.master import Master
from .load import Load
from .prefetch import Pace
from .slots import Room

OVER_GRACE = 10.0  # a master that said the sweep is over need not be waited for


class Tickets:
    """All tickets that are ours, from the answer that brought them until their results are delivered."""

    def __init__(self, master: Master, base: str, worker: str, slots: int, pace: Pace, trust: Trust) -> None:
        """`worker`: its name, if there is one."""
        self.master, self.base, self.worker_name = master, base, worker
        self.room, self.pace, self.trust, self.load = Room(slots), pace, trust, Load()
        self.holds = True  # whether requests may be held by the master
        self.held: Dict[int, Attempt] = {}  # by ticket: all of them
        self.ready: Deque[Attempt] = deque()  # waiting for a hand with room
        self.working: Dict[int, Attempt] = {}  # by ticket: what a hand has
        self.over: Optional[exits.Ending] = None
        self.ping_now = threading.Event()  # set: something changed, the next ping need not wait for its time
        self.mail = Mail()
        trust.ask = self.ping_now.set

    def tell(self, name: str, argument: Any = None) -> None:
        """Have the loop do what it does for this name. From any thread."""
        self.mail.post(name, argument)

    def hold(self, attempts: List[Attempt], asked: float) -> None:
        """These tickets are ours from now on; an answer that was long on its way may be overtaken."""
        sure, now = self.trust.covers(asked), clock()
        for attempt in attempts:
            attempt.sure, attempt.held_at = sure, now
        self.held.update((attempt.task.ticket, attempt) for attempt in attempts)
        self.room.change(len(attempts), len(attempts))
        self.ping_now.set()

    def release(self, attempts: List[Attempt]) -> None:
        """These are delivered, or dropped, and cleared away."""
        for attempt in attempts:
            self.held.pop(attempt.task.ticket, None)
        self.room.change(0, -len(attempts))

    def is_busy(self) -> bool:
        """Whether more will end soon."""
        return bool(self.ready or self.working)

    def told_over(self) -> None:
        """The master said that the sweep is over, while we still have tickets: ask which are of use."""
        self.master.grace = min(self.master.grace, OVER_GRACE)
        self.ping_now.set()
