"""The heart: what happens on register, ping, bye and tick, and the parts that do the rest of the verbs.

No HTTP, no SSH, no SQL, no clock: events come in with the time as an argument; replies go out as return values
and what must be remembered as `board.changes`, which the caller stores before it answers.
"""

from __future__ import annotations

from collections.abc import Collection

from ..model import Client, Ticket
from . import scheduler
from .attempts import Attempts
from .black_holes import BlackHoleGuard
from .board import Board
from .clients import Clients
from .doubts import Doubts
from .handout import Handout
from .losses import Losses
from .rules import Rules
from .steering import Steering
from .tally import Tally


class Dispatch:
    """The heart of one run: a part for each job, put together here."""

    def __init__(self, rules: Rules, next_ticket: int = 1, next_client: int = 1) -> None:
        self.rules = rules
        self.guard = BlackHoleGuard()
        self.tally = Tally()
        self.clients = Clients(next_client)
        self.board = Board(self.clients, rules.cores, next_ticket)
        self.steering = Steering(self.board, self.guard, self.tally)
        self.handout = Handout(rules, self.board, self.steering, self.guard)
        doubts = Doubts(self.board, self.guard, self.steering, self.handout.alike)
        self.attempts = Attempts(rules, self.board, self.handout, doubts, self.tally)
        self.losses = Losses(rules, self.board, self.handout, self.attempts, self.tally)

    def register(self, now: float, host: str, platform: str, slots: int, pings: bool, cores: int = 0) -> Client:
        """Take in a client and return it with its ID. `cores`: of its host, 0 when it does not say."""
        client = self.clients.register(now, host, platform, slots, pings, cores)
        self.board.enter_client(client)
        self.board.changes.append(self.clients.came(client))
        return client

    def ping(self, now: float, client_id: str, ticket_ids: Collection[int]) -> list[int]:
        """Renew the leases of these tickets. Return those that have expired."""
        client = self.clients.heard(now, client_id)
        # The goodbye has overtaken this request: the client's tasks went back to the queue.
        if client and client.state.is_gone:
            return list(ticket_ids)
        if client and ticket_ids:
            client.received = max(client.received, *ticket_ids)
        return [ticket_id for ticket_id in ticket_ids if not self.losses.renew(now, ticket_id)]

    def bye(self, now: float, client_id: str, killed: bool = False) -> None:
        """Let a client leave; what it still had goes back to the queue. `killed`: as if it had gone silent."""
        client = self.clients.heard(now, client_id)
        if client is None or client.state.is_gone:
            return
        self._leave(now, client, killed)

    def _leave(self, now: float, client: Client, killed: bool) -> None:
        self.clients.leave(client)
        client.was_killed = killed
        self.board.changes += self.clients.left(client, now)
        its_tickets = [ticket for ticket in self.board.tickets.values() if ticket.client == client.id]
        self.losses.lose_all(its_tickets, silent=killed)

    def advance(self, now: float) -> None:
        """Note how late it is. Tasks whose back-off is over are queued."""
        self.clients.now = max(self.clients.now, now)
        if self.board.back_offs.until:
            self.board.end_back_offs(now)

    def tick(self, now: float) -> list[Ticket]:
        """Let time have its consequences. Return the tickets that are lost by now."""
        self.advance(now)
        if self.losses.is_deaf(now):
            self.losses.naps.note(now)
        lost = self.losses.end_overdue(now)
        self._dismiss_replaced(now)
        self.board.changes += self.clients.heard_since_noted(now)
        self.handout.find_stragglers(now)
        self.handout.order_waiting(now)
        if self.handout.alike.is_reached:
            self.attempts.stop_if_alike()  # the host that could have done better may have left, or not come up
        return lost

    def _dismiss_replaced(self, now: float) -> None:
        """Let clients leave that are silent for a lease while a later client of their host is here.

        Their host went down and came up again. Nothing has closed their connections, so nothing else tells their end.
        """
        lease = scheduler.lease(self.rules.ping)
        present = self.clients.present()
        if not lease or len(present) == len(self.clients.hosts):  # no host has two
            return
        newest = {client.host: client.since for client in sorted(present, key=lambda one: one.since)}
        for client in present:
            if client.pings and now - client.word > lease and newest[client.host] > client.word:
                # Of one that ended in a nap, nothing tells that somebody killed it.
                self._leave(now, client, killed=not self.losses.naps.has_ended(client, now))
