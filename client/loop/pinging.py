"""The threads that keep tickets alive: pings, and a long poll in which the master can speak.

Each has a connection of its own. They decide nothing about programs: they tell the loop.
"""

import time
from typing import Callable, List, Optional

from .. import log
from ..wire.lease import clock
from ..wire.master import MasterConnection, Query
from ..wire.reply import Reply
from .talker import Shared, Talker

HOLD = 30  # seconds that the master may hold a request to be called back by
# Seconds between requests that may not be held; and how long these may take.
POLL, A_MOMENT = 1.0, "0.01"
GATHER = 0.2  # seconds in which new tickets gather for one ping
PAUSE = 1.0  # seconds between two such pings
TICKETS_A_PING = 100
MOST = 86400.0  # in a header: Python raises an error for a wait of 300 years

FetchOrders = Callable[[MasterConnection], None]  # fetches the orders that the master says it has


class Pinger(Talker):
    """The thread that says that tickets are worked on, and hears which of them have expired."""

    def __init__(self, shared: Shared, every: float) -> None:
        """Ping at intervals of `every` seconds, 0 for never."""
        super().__init__(shared)
        self._every, self._lease = every, shared.lease

    def talk(self) -> None:
        began = -PAUSE
        while self._every > 0:
            if self._lease.wait_for_request(self._every):
                pause = max(GATHER, began + PAUSE - clock())
                self.master.stopping.wait(min(pause, self._every / 2))
            # The time before the request, not after it: the lease at the master begins no earlier.
            began = clock()
            tickets = sorted(self.tickets.held)
            for at in range(0, len(tickets), TICKETS_A_PING):
                self._ping(tickets[at : at + TICKETS_A_PING])
            self.inbox.tell("confirmed", began)

    def _ping(self, tickets: List[int]) -> None:
        query: Query = [("ticket", one) for one in tickets]
        reply = self.connection.ask("/ping", query + self.shared.bound.words)
        self.hear_bound(reply)
        if reply.status != 205:
            return
        expired = _tickets_in(reply.headers.get("Expired"))
        if expired is not None:
            self._drop(expired)
        elif len(tickets) == 1:
            self._drop(tickets)
        else:  # a master that does not say which: ask one by one
            for one in tickets:
                self._ping([one])

    def _drop(self, expired: List[int]) -> None:
        for ticket in expired:
            self.inbox.tell("expired", ticket)


class LongPoller(Talker):
    """The thread that holds one request open, so that the master can call a ticket back at once.

    A client without tickets is reached by its request for tasks: ten thousand idle clients should
    cost a master one request each.
    """

    def __init__(self, shared: Shared, every: float, fetch: FetchOrders) -> None:
        """Take the interval of pings in seconds. With 0, the master holds no request."""
        super().__init__(shared)
        self._every, self._fetch = every, fetch

    def talk(self) -> None:
        while self._every > 0:
            self.shared.demand.something_held.wait()
            began = time.monotonic()
            hold = HOLD if self.shared.may_hold else A_MOMENT
            query: Query = [("wait", hold), *self.shared.load.told(self.shared.base)]
            query += self.shared.bound.words
            reply = self.connection.ask("/ping", query, timeout=HOLD + 30.0)
            fetch_orders(reply, self.connection, self._fetch)
            is_told = self.hear_bound(reply)
            if reply.status == 205:
                for ticket in _tickets_in(reply.headers.get("Expired")) or []:
                    self.inbox.tell("expired", ticket)
            if not is_told:
                self._rest(reply, time.monotonic() - began)

    def _rest(self, reply: Reply, seconds: float) -> None:
        """Return tickets that idle hosts should have; else wait, where no request was held."""
        if reply.headers.get("Idle"):
            self.inbox.tell("give back", int(number_in(reply.headers.get("Idle"), 0.0)))
        elif not self.shared.may_hold:
            self.master.stopping.wait(POLL)
        elif reply.status == 204 and not reply.headers.get("Orders") and seconds < 1.0:
            self.master.stopping.wait(self._every)  # a master that does not hold: ask less often


def fetch_orders(reply: Reply, connection: MasterConnection, fetch: FetchOrders) -> None:
    """Fetch orders when the master says that there are some."""
    if reply.headers.get("Orders"):
        fetch(connection)


def number_in(header: Optional[str], otherwise: float) -> float:
    """Return the seconds or the count in a header, from 0 to MOST; `otherwise` for no number."""
    try:
        return min(max(0.0, float(header or "")), MOST)
    except ValueError:
        log.say("the master sends %r in place of a number" % header)
        return otherwise


def _tickets_in(header: Optional[str]) -> Optional[List[int]]:
    if header is None:
        return None
    return [int(word) for word in header.replace(",", " ").split() if word.isdecimal()]
