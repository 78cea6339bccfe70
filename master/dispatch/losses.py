"""Attempts that end with their host: leases that run out, clients that leave or are killed, and who is to blame.

*Lost* is the host's fault and uses up no attempt. A task that is lost again and again while it runs is taken for the
killer of its hosts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..model import Client, Death, Failure, Task, Ticket, TicketState, Times, Usage
from . import scheduler
from .attempts import Attempts
from .board import Board
from .changes import TicketEnded
from .handout import Handout
from .lifecycle import TicketEvent
from .rules import Rules
from .tally import Tally

MAX_LOST = 3  # a task that lost so many clients is taken for their killer
# Seconds. Clients that die in one moment were heard last within one ping and this.
LATE = 5.0

# Seconds after the end of such a time in which clients may still end because of it: a client that has given up on
# the master first ends its programs and clears up.
AFTER = 30.0
LEFT = "the master was silent for longer than `grace:`"  # why such a client has ended


class Naps:
    """The end of the latest time in which nobody was heard by no fault of the hosts; lives as long as the run.

    This master was suspended, or its network was away. A client that ended then has done what `grace:` says: neither
    its host nor its task is to blame.
    """

    def __init__(self) -> None:
        # The latest end is enough: a client that an earlier one ended is older than the latest one, too.
        self.heard_again = -math.inf

    def note(self, now: float) -> None:
        """Note that nobody was heard until now."""
        self.heard_again = max(self.heard_again, now)

    def has_ended(self, client: Client, now: float) -> bool:
        """Tell whether a client that is gone has ended because it could not reach this master."""
        return client.since <= self.heard_again and min(client.word, now) <= self.heard_again + AFTER

    def has_disturbed(self, began: float, now: float) -> bool:
        """Tell whether a start that began then, and of which no client came, fell into such a time."""
        return began <= self.heard_again and now <= self.heard_again + AFTER


class Losses:
    """The lost attempts of one board."""

    def __init__(self, rules: Rules, board: Board, handout: Handout, attempts: Attempts, tally: Tally) -> None:
        self._rules, self._board, self._handout, self._attempts = rules, board, handout, attempts
        self.naps = Naps()
        self._tally, self._clients = tally, board.clients

    def renew(self, now: float, ticket_id: int) -> bool:
        """Renew the lease of a ticket; one that was lost is live again. Return False for one that has expired."""
        ticket = self._board.tickets.get(ticket_id)
        if ticket is None or self._board.has_ended(ticket_id):
            return False
        if ticket.state is TicketState.LOST:
            self._revive(ticket)
        ticket.word, ticket.leased = now, True
        return True

    def _revive(self, ticket: Ticket) -> None:
        board, task = self._board, self._board.tasks[ticket.task]
        board.move_ticket(ticket, TicketEvent.RENEW)
        board.take_back_blame(task, ticket)
        board.attach(task, ticket)
        board.unqueue(task)
        board.changes.append(TicketEnded(ticket.id, ticket.state))
        board.note_moved(task, "")

    def lose(self, ticket: Ticket, silent: bool = True, begun: bool = True) -> None:
        """End an attempt whose host went silent, or whose client left (`silent`: False): no attempt is used up.

        `begun`: its program ran, so it may have killed the host.
        """
        board, task = self._board, self._board.tasks[ticket.task]
        board.move_ticket(ticket, TicketEvent.LOSE)
        client = self._clients.get(ticket.client)
        is_killed = client is not None and client.state.is_gone  # then somebody said so in its stead
        # A client that said goodbye was not killed by the task; nor was any by a task that had not begun. Of a client
        # that never pinged, silence proves nothing about the task.
        is_cut_off = client is not None and self.naps.has_ended(client, self._clients.now)
        if silent and begun and ticket.leased and not is_cut_off:
            self._blame(task, ticket, is_killed)
        task.shunned.add(ticket.host)
        self._tally.lost(ticket.host)
        how = _how(silent, is_killed, is_cut_off)
        board.changes.append(TicketEnded(ticket.id, ticket.state, failure=Failure("lost", how)))
        board.detach(task, ticket)
        if task.lost >= MAX_LOST:
            reason = f"{task.lost} clients were lost while they ran it, the last one on {ticket.host}"
            self._attempts.give_up(task, reason)
        else:
            board.settle(task, f"host {ticket.host} {'was lost' if silent else 'left'}")

    def _blame(self, task: Task, ticket: Ticket, is_killed: bool) -> None:
        """Count a loss against the task, unless hosts died together: then something else killed them."""
        now = self._clients.now
        silent_from = now if is_killed else ticket.word
        death = Death(ticket.host, silent_from, min(now, silent_from + self._rules.ping))
        if task.death is None or not death.is_of_one_cut(task.death):
            ticket.blamed, task.death = True, death
            task.lost += 1

    def lose_all(self, tickets: Iterable[Ticket], silent: bool = True, blame: bool = True) -> None:
        """Lose those of these tickets that are out. `blame`: their tasks may have killed the host."""
        begun = {ticket.id for ticket in self._handout.begun()} if blame else set()  # as long as all of them are out
        for ticket in tickets:
            if ticket.state is TicketState.ISSUED:
                self.lose(ticket, silent, ticket.id in begun)

    # -- time

    def end_overdue(self, now: float) -> list[Ticket]:
        """End what is over its time. Return the tickets that are lost by now, for silence or by their timeout."""
        timeout = self._handout.timeout()
        self._time_out(now, timeout)
        lease = scheduler.lease(self._rules.ping)
        silent = [t for t in self._board.tickets.values() if scheduler.is_lost(t, now, lease, timeout)]
        if silent:
            self.lose_all(silent, blame=not self.is_deaf(now))
        return silent

    def _time_out(self, now: float, timeout: float) -> None:
        """End attempts for `timeout: 3x`: a client that got its task before the median was known was not told it."""
        if not isinstance(self._rules.timeout, Times):
            return
        for ticket in list(self._handout.begun()):
            ticket.begun = ticket.begun or now
            if timeout and now - ticket.begun > timeout + scheduler.AFTER_TIMEOUT:
                self._clients.note_expired(ticket.client, ticket.id)
                failure = Failure("timeout", f"timeout after {timeout:g} s")
                usage = Usage(wall=round(now - ticket.begun, 6))
                self._attempts.end(ticket, TicketEvent.FAIL, failure, usage)

    def is_deaf(self, now: float) -> bool:
        """Tell whether several hosts fell silent together and nobody is heard: the link, or this machine, did that."""
        span = self._rules.ping + LATE
        last_word = self._clients.last_word
        together = {client.host for client in self._clients.present() if last_word - client.word <= span}
        return now - last_word > span and len(together) > 1

    def forgive(self, seconds: float) -> None:
        """Count the seconds in which this master was stopped, and could hear nobody, for no lease."""
        for ticket in self._board.tickets.values():
            ticket.word += seconds
            if ticket.begun:
                ticket.begun += seconds


def _how(silent: bool, is_killed: bool, is_cut_off: bool) -> str:
    """Return how an attempt was lost, for people."""
    if is_cut_off and not (silent and is_killed):
        return f"its client left: {LEFT}"
    if not silent:
        return "its client left"
    return "its client was killed" if is_killed else "its host went silent"
