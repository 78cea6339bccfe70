"""The tickets of this client: which are held, which wait for a hand, which a hand has."""

from collections import deque
from typing import Deque, Dict, List, Optional

from .. import exits
from ..task.attempt import Attempt
from ..wire.lease import Lease, clock
from .prefetch import Demand


class Tickets:
    """The tickets that are ours, from the answer that brought them until they are delivered."""

    def __init__(self, demand: Demand, lease: Lease) -> None:
        self._demand, self._lease = demand, lease
        self.held: Dict[int, Attempt] = {}  # by ticket: all of them
        self.ready: Deque[Attempt] = deque()  # waiting for a hand with a free slot
        self.working: Dict[int, Attempt] = {}  # by ticket: what a hand has
        self.ending: Optional[exits.Ending] = None  # reason of the client's end, once it ends

    def hold(self, attempts: List[Attempt], asked: float) -> None:
        """Take attempts whose tickets came in the answer to a request that began at clock time
        `asked`.

        The tickets may have expired before the answer arrived. Then the master must name them
        again, in the answer to a ping, before they begin.
        """
        sure, now = self._lease.covers(asked), clock()
        for attempt in attempts:
            attempt.sure = sure
            attempt.held_at = now
        self.held.update((attempt.task.ticket, attempt) for attempt in attempts)
        self._demand.change(len(attempts), len(attempts))
        self._lease.request_renewal()

    def release(self, attempts: List[Attempt]) -> None:
        """Forget attempts that are delivered, or dropped, and cleared away."""
        for attempt in attempts:
            self.held.pop(attempt.task.ticket, None)
        self._demand.change(0, -len(attempts))

    def give_up(self, attempts: List[Attempt]) -> None:
        """Forget attempts that go back to the master, in whatever state they are."""
        for attempt in attempts:
            self.held.pop(attempt.task.ticket, None)
            self.working.pop(attempt.task.ticket, None)
        self._demand.change(-sum(not one.has_left for one in attempts), -len(attempts))

    def is_busy(self) -> bool:
        """Tell whether more attempts will end soon."""
        return bool(self.ready or self.working)

    def end(self, ending: exits.Ending) -> None:
        """Note why the client ends; the first reason counts."""
        self.ending = self.ending or ending
