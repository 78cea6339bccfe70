"""Pings of clients: each renews the leases of tickets, and tells which of them have expired."""

from __future__ import annotations

from collections.abc import Callable

from ..dispatch import scheduler
from ..dispatch.dispatch import Dispatch
from ..model import TaskState, TicketState
from .arrivals import Arrivals
from .held_requests import HeldRequests
from .orders import Orders

STORED_WITHIN = 10.0  # seconds that an answer waits for results that are just being stored


class Pings:
    """Answers the pings of one run."""

    def __init__(
        self,
        dispatch: Dispatch,
        arrivals: Arrivals,
        held_requests: HeldRequests,
        orders: Orders,
        clock: Callable[[], float],
    ) -> None:
        self.dispatch, self.arrivals, self.clock = dispatch, arrivals, clock
        self.held_requests, self.orders = held_requests, orders

    async def answer(self, client: str, tickets: list[int], wait: float) -> list[int]:
        """Return those of these tickets that have expired.

        A ping that was held also returns others of its client.

        With `wait`, the answer comes when one expires, or after that many seconds, and well before
        the lease runs out.
        """
        for ticket in tickets:
            await self._recall_lost(ticket)
        expired = self.dispatch.ping(self.clock(), client, tickets)
        if wait > 0 and client:
            if not expired:  # a client with an expired ticket is answered at once
                await self._hold(client, wait)
                expired = self.dispatch.ping(self.clock(), client, tickets)
            expired = await self._without_unstored(expired)
            return sorted({*expired, *self.dispatch.clients.take_expired(client)})
        expired = await self._without_unstored(expired)
        self.dispatch.clients.told_expired(client, expired)
        return expired

    async def _hold(self, client: str, wait: float) -> None:
        lease = scheduler.lease(self.dispatch.rules.ping)
        is_due = self.dispatch.clients.has_expired(client) or self.orders.due(client) > 0
        is_due = is_due or self.dispatch.handout.grants.is_due(client)
        await self.held_requests.hold_ping(client, min(wait, lease / 2 or wait), is_due)

    async def _without_unstored(self, expired: list[int]) -> list[int]:
        """Return these tickets once the results that have ended their tasks are on disk.

        If that takes long, return none: the next ping asks again.

        A client drops what is called expired. Without the wait, a crash just now would lose the
        very result that the client is bringing.
        """
        if expired and not await self.arrivals.all_finished(STORED_WITHIN):
            return []
        return expired

    async def _recall_lost(self, ticket_id: int) -> None:
        """Bring back a ticket that an earlier master lost sight of.

        A ping renews it while its task is undone.
        """
        if (
            not 0 < ticket_id < self.dispatch.board.first_ticket
            or ticket_id in self.dispatch.board.tickets
        ):
            return
        found = await self.arrivals.store.find(ticket_id)
        if (
            found is None
            or found[0].state is not TicketState.LOST
            or found[1].state is not TaskState.WAITING
        ):
            return
        await self.arrivals.recall(ticket_id)
