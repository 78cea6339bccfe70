"""The way of attempts through the client: ready, at a hand, ended, and out again.

All of it runs in the loop's thread. Tickets that wait for the master's word, lost attempts and
shutdowns meet here.
"""

import threading
import time
from typing import Dict, List, Optional, Tuple

from .. import exits
from ..hand.held_back import LONGEST
from ..task.attempt import Attempt, Ended, Told
from ..wire.lease import SharedTime
from .hands import Hands
from .recall import Recall, Returner
from .renewal import OriginalRenewal
from .sending import Senders
from .talker import Shared


class AttemptPipeline:
    """The way of attempts through this client: to the hands, and on when they have ended.

    Lives as long as the client.
    """

    def __init__(
        self,
        shared: Shared,
        hands: Hands,
        renewal: OriginalRenewal,
        senders: Senders,
        host_ends: SharedTime,
    ) -> None:
        """Connect the parts. `host_ends` is set once the host shuts down: then no result counts."""
        self._shared, self._hands, self._renewal, self._senders = shared, hands, renewal, senders
        self._tickets, self._demand, self._prefetch = shared.tickets, shared.demand, shared.prefetch
        self._host_ends = host_ends
        self._recall = Recall(hands, shared.demand)
        self._bound = shared.bound
        self._is_draining = False  # more programs are here than the bound allows to begin
        self._unbounded = 0  # hands that do not follow the newest bound yet
        # By ticket: set when a hand has begun it.
        self._watchers: Dict[int, List[threading.Event]] = {}

    # -- to the hands

    def add_ready(self, attempts: List[Attempt]) -> None:
        """Queue attempts that may begin."""
        self._tickets.ready.extend(attempts)

    def feed_hands(self) -> None:
        """Give out ready attempts, so that no slot stays free.

        Attempts that wait at one hand are called back when another hand has a free slot.
        """
        if self._recall.is_under_way():
            return
        if self._tickets.ready:
            self._hands.feed(self._following, self._prefetch.near())
        elif self._hands.is_uneven():
            self._recall.begin()

    def _following(self) -> Optional[Attempt]:
        """Return the next attempt for a hand; None when there is none, or nothing may begin now.

        Attempts that must not begin any more are finished on the way.
        """
        while self._tickets.ready and not self._renewal.is_under_way():
            attempt = self._tickets.ready.popleft()
            if attempt.originals:
                self._renewal.refresh(attempt)
            if not (attempt.dropped or attempt.reason):
                self._tickets.working[attempt.task.ticket] = attempt
                return attempt
            self._finish([attempt])
        return None

    # -- told by threads

    def drop(self, ticket: int) -> None:
        """End the attempt of a ticket that the master does not want any more."""
        attempt = self._tickets.held.get(ticket)
        if attempt is not None and not attempt.dropped:
            attempt.dropped = True
            if ticket in self._tickets.working:
                self._hands.tell("drop", ticket)

    def return_unbegun(self, count: int) -> None:
        """Return up to `count` tickets that have not begun, the last ones: other hosts are idle."""
        self._recall.owe(count)

    def follow(self, told: Tuple[int, int]) -> None:
        """Have no more programs at a time than a farm grants: (programs, number of the bound)."""
        slots, number = told
        if number <= self._bound.number:
            return  # a newer one has overtaken it
        self._bound.number = number
        self._unbounded = self._hands.bound(slots, number)
        self._prefetch.resize(slots)
        # At least one: the request for it is how the master reaches a client without tickets.
        self._demand.resize(max(1, slots))

    def note_begun(self) -> None:
        """Note how many programs there are, and tell the master when slots have become free for others."""
        if self._bound.followed is None:
            return
        before, self._bound.begun = self._bound.begun, self._hands.begun
        if self._is_draining and self._bound.begun < before:
            self._shared.lease.request_renewal()
        self._is_draining = self._hands.is_draining

    def watch(self, which: Tuple[int, threading.Event]) -> None:
        """Keep the directory of a ticket from other tickets while a person looks into it.

        The event is set when the hand has begun the attempt and keeps the directory, or when the
        attempt has ended.
        """
        ticket, ready = which
        if ticket in self._tickets.working:
            self._watchers.setdefault(ticket, []).append(ready)
            self._hands.tell("watch", ticket)
        else:
            ready.set()

    # -- told by hands

    def hear_watched(self, ticket: int) -> None:
        """Release the threads that wait to look at this ticket."""
        for one in self._watchers.pop(ticket, []):
            one.set()

    def hear_done(self, told: List[Told]) -> None:
        """Take over attempts that have ended, with all that the hand says of them."""
        working = self._tickets.working
        ours = [(working[ticket], came) for ticket, came in told if ticket in working]
        now, is_void = time.monotonic(), self._counts_nothing()
        for attempt, came in ours:
            attempt.hear(came)
            attempt.heard_at = now
            attempt.dropped = attempt.dropped or is_void
        ended = [attempt for attempt, _ in ours]
        lost = self._renewal.lost_among(ended)
        if lost:
            self._give_up(lost, lost[0].lost)
            ended = [one for one in ended if one not in lost]
        self._finish(ended)

    def hear_ended(self, ended: List[Ended]) -> None:
        """Free the slots of attempts whose programs have ended.

        What came of them follows in a moment.
        """
        working = self._tickets.working
        self._leave_slots(
            [(working[one], wall, failed) for one, wall, failed in ended if one in working]
        )

    def hear_unbegun(self, told: List[Told]) -> None:
        """Queue again what a hand has given back after a failure, without having begun it.

        At the end of the client such a message may come after its attempts have been dropped.
        """
        for ticket, came in reversed(told):  # to the front of the queue, in their old order
            attempt = self._tickets.working.pop(ticket, None)
            if attempt is not None:
                attempt.hear(came)
                self._tickets.ready.appendleft(attempt)

    def hear_bounded(self, number: int) -> None:
        """Note that one more hand follows a bound. What does not fit it goes back to the master."""
        if number != self._bound.number:
            return
        self._unbounded -= 1
        if not self._unbounded:
            self._bound.begun = self._hands.begun
            self._bound.followed = number
            self._shared.lease.request_renewal()
            if self._tickets.ready:
                self._recall.owe(len(self._tickets.held))

    def hear_back(self, told: List[Told]) -> None:
        """Queue again what a hand was asked to give back.

        When the last hand has answered, the master gets the tickets that it wants.
        """
        self.hear_unbegun(told)
        if self._recall.note_answer():
            self._hands.feed(self._following, 0)  # attempts with a free slot here stay
            count = min(self._recall.take_owed(), len(self._tickets.ready))
            self._give_up([self._tickets.ready.pop() for _ in range(count)])

    # -- at the end of the client

    def _counts_nothing(self) -> bool:
        """Tell whether what ends now was perhaps ended together with this client."""
        return self._host_ends.is_set() or isinstance(self._tickets.ending, exits.Killed)

    def void_latest(self) -> None:
        """Drop what has just ended, when the same may have ended this client and its program.

        What the master has been told by now stays.
        """
        if not self._counts_nothing():
            return
        since = time.monotonic() - LONGEST
        for attempt in list(self._tickets.held.values()):
            attempt.dropped = attempt.dropped or attempt.heard_at > since

    def drop_ready(self) -> None:
        """Drop all attempts that no hand has."""
        while self._tickets.ready:
            attempt = self._tickets.ready.popleft()
            attempt.dropped = True
            self._finish([attempt])

    def drop_working(self) -> None:
        """Drop all attempts of which no hand can tell any more what came of them."""
        for attempt in list(self._tickets.working.values()):
            attempt.dropped = True
            self._finish([attempt])

    # -- inside

    def _give_up(self, attempts: List[Attempt], reason: str = "") -> None:
        """Give tickets back as if they had never been given out.

        `reason`: why their attempts do not count, when the programs had begun.
        """
        self._tickets.give_up(attempts)
        for attempt in attempts:
            self.hear_watched(attempt.task.ticket)
        Returner(self._shared, attempts, reason).start()

    def _finish(self, attempts: List[Attempt]) -> None:
        """Pass attempts on to the senders. Nothing of them runs any more."""
        left: List[Tuple[Attempt, float, bool]] = []
        for attempt in attempts:
            if not attempt.has_left:
                # A dropped attempt was ended by this client: it neither succeeded nor failed.
                counts = not attempt.dropped
                wall = attempt.usage.get("wall", 0.0) if counts else 0.0
                left.append((attempt, wall, counts and bool(attempt.reason)))
        self._leave_slots(left)
        for attempt in attempts:
            self._tickets.working.pop(attempt.task.ticket, None)
            if self._watchers:
                self.hear_watched(attempt.task.ticket)
            self._senders.put(attempt)
        # This host may be at fault: what has not begun should run elsewhere, not fail here as well.
        if self._prefetch.is_doubtful and (self._tickets.ready or self._hands.are_waiting()):
            self._recall.owe(len(self._tickets.held))

    def _leave_slots(self, left: List[Tuple[Attempt, float, bool]]) -> None:
        """Count the slots of these attempts as free: (attempt, seconds it took, whether it failed)."""
        for attempt, wall, failed in left:
            attempt.has_left = True
            if failed:
                self._prefetch.note_failure()
            elif wall:
                self._prefetch.note_success(wall)
        if left:
            self._demand.change(-len(left), 0, self._prefetch.ahead())
