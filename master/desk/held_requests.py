"""The held requests of all clients.

Idle clients wait for tasks, and pings wait for something that their client is to be told.

Through its held ping a client is called to give back tickets that it has prefetched and not begun.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Set

from ..dispatch.dispatch import Dispatch
from .long_poll import Held, Idle, hold, settle

CALL_PAUSE = 0.02  # seconds between an idle slot and the call for what others have not begun


class HeldRequests:
    """The long polls of one run, and the calls for prefetched tickets."""

    def __init__(self, dispatch: Dispatch, clock: Callable[[], float] = time.monotonic) -> None:
        self.dispatch, self._clock = dispatch, clock
        self._alarm: asyncio.TimerHandle | None = None  # for the moment of `_alarm_at`
        self._alarm_at = math.inf
        self.idle = Idle()  # held /task requests
        self.pings: dict[str, set[Held]] = {}  # client -> its held pings
        self._calls: dict[str, int] = {}  # client -> tickets that it is asked to give back
        self._calling: asyncio.TimerHandle | None = None

    # -- requests for tasks

    async def hold_task(self, seconds: float, slots: int, client: str) -> bool:
        """Hold a request of a client with so many free slots.

        Return False when nothing has happened meanwhile.
        """
        future = self.idle.add(slots, client)
        self.call_soon()
        self._set_alarm()
        try:
            return await hold(future, seconds)
        finally:
            self.idle.remove(future)

    def wake_idle(self) -> None:
        """Let held /task requests look again.

        One request looks for each waiting task, or all when nothing more will come.
        """
        count = self.dispatch.handout.offers
        if self.dispatch.board.closed or self.dispatch.steering.leaving:
            self.idle.wake(len(self.idle))
            return
        # One client a task: waking all of a thousand idle clients for one task would be a stampede
        if self.dispatch.handout.is_scarce:
            # The one place that is free must not be offered to a client that gets nothing: the next
            # offer may be a second away.
            self.idle.wake_some(count, self.dispatch.handout.may_get)
            self._set_alarm()
        else:
            self.idle.wake(count)

    def _set_alarm(self) -> None:
        """Wake idle clients when a pause is over that keeps sets from them (`delay`, `retry.after`).

        The tick of each second would do so, too, but a second late.
        """
        if not self.idle or not self.dispatch.handout.has_moments:
            return
        moment = self.dispatch.handout.next_moment
        if moment is None or (self._alarm and self._alarm_at <= moment):
            return
        if self._alarm:
            self._alarm.cancel()
        seconds = max(0.0, moment - self._clock())
        self._alarm_at = moment
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        self.dispatch.advance(self._clock())
        self.wake_idle()

    # -- pings

    async def hold_ping(self, client: str, seconds: float, is_due: bool) -> None:
        """Hold a ping until its client is to be told something.

        `is_due`: there is something already.
        """
        future: Held = asyncio.get_running_loop().create_future()
        held = self.pings.setdefault(client, set())
        held.add(future)
        # A change that became due between the answer to the last ping and this one has found nobody to wake.
        if is_due or client in self._calls:
            settle(future)
        try:
            await hold(future, seconds)
        finally:
            held.discard(future)
            # Or an entry would stay for each client that has ever pinged. Another set is a newer
            # ping's.
            if not held and self.pings.get(client) is held:
                del self.pings[client]

    def answer_pings(self, client: str) -> None:
        """Answer the held pings of this client."""
        for held in self.pings.get(client, ()):
            settle(held)

    def spread(self) -> None:
        """Answer the requests of those clients that what has just happened concerns."""
        self.wake_idle()
        concerned = self.dispatch.clients.to_call()
        if self.dispatch.board.over:
            concerned = list(self.pings)
        for client in concerned:
            self.answer_pings(client)

    def reach(self, client: str) -> None:
        """Answer everything that this client has open: there is an order for it."""
        self.idle.call(client)
        self.answer_pings(client)

    def let_go(self) -> None:
        """Answer all held pings.

        Their clients may be gone, and a server that stops would wait a second for them.
        """
        for client in list(self.pings):
            self.answer_pings(client)

    # -- calls for what was prefetched

    def call_soon(self) -> None:
        """Call for prefetched tickets a moment later.

        Hosts that become idle together cause one call then, and not one each.
        """
        if (self.idle or self.dispatch.steering.withholding) and not self._calling:
            self._calling = asyncio.get_running_loop().call_later(CALL_PAUSE, self.call_for_unbegun)

    def call_for_unbegun(self) -> None:
        """Ask clients to give back what they have not begun.

        Those that get nothing more are asked for all of it; the others only when slots are idle and
        nothing waits.
        """
        self._calling = None
        dispatch, held = self.dispatch, self.pings.keys()
        nothing = {
            c
            for c in held
            if c in dispatch.clients and dispatch.steering.withholds(dispatch.clients[c].host)
        }
        if nothing:
            self._call(math.inf, nothing)
        if not (dispatch.board.waiting or dispatch.board.more or dispatch.board.over):
            self._call(self.idle.slots, held - nothing)

    def _call(self, wanted: float, among: Set[str]) -> None:
        for client, count in self.dispatch.handout.unbegun(wanted, among).items():
            self._calls[client] = count
            self.answer_pings(client)

    def take_call(self, client: str) -> int:
        """Return how many tickets this client is to give back, and forget the call."""
        return self._calls.pop(client, 0)
