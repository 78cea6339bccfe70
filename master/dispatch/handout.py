"""Handing out: which task a client gets, if any; a waiting one, or at the end a copy of one that takes long."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Container, Iterator

from ..model import Client, Note, Task, Ticket, TicketState, Times
from . import scheduler
from .changes import UNBEGUN, TicketIssued
from .lifecycle import TaskEvent
from .steering import Steering

MOST_TOLD = 100  # sentences about attempts that do not count
UNHEARD = 600.0  # seconds of silence of a client that never pings


class Handout(Steering):
    """A board from which clients take."""

    def take(
        self, now: float, client_id: str, count: int, load: float | None = None, ahead: int = 0, address: str = ""
    ) -> list[Ticket]:
        """Up to `count` tickets for this client; none when nothing waits or no more is handed out.

        `load`: of its host, by others than us; None when the client does not tell. `ahead`: so many of them it could
        not begin at once. `address`: where it asks from, which names the host of one that did not register.
        """
        client = self.heard(now, client_id)
        host = client.host if client else address
        if client is None and address:
            self.strangers[address] = now
        if client:
            client.asked, client.load = True, load
        if self.withholds(host) or (client and client.gone):  # what a goodbye overtakes would lie there until its lease
            return []
        room = self.guard.room(now, host, self.at_work)
        if ahead:
            count -= ahead - self._share(client, ahead) if room is None else ahead
        count = count if room is None else min(count, room)
        if client and load is not None and self.rules.max_load:
            count = min(count, self._room_beside(client, load))
        leased = bool(client and client.pings)
        tickets: list[Ticket] = []
        while len(tickets) < count and (task := self._next(client_id, host)):
            tickets.append(self._issue(now, task, client_id, host, leased))
        if room is not None and tickets:
            self.guard.probing(now, host)
        return tickets

    def _share(self, client: Client | None, ahead: int) -> int:
        """How many of so many may lie at a client for later: fewer and fewer, so that all come to the end together."""
        if client is None or client.gone or not client.pings or not self.rules.ping or self.rules.max_load:
            return 0  # who holds no ping cannot be called for it
        if not self.guard.may_hoard(client.host):
            return 0
        if self.more:
            return ahead
        return min(ahead, len(self.waiting) * self._slots(client) // max(1, 2 * sum(map(self._slots, self.present()))))

    def unbegun(self, wanted: float, among: Container[str]) -> dict[str, int]:
        """Who of these clients has tickets that wait there for a slot: so many of those as are wanted in all."""
        held = Counter(t.client for t in self.tickets.values() if t.state is TicketState.ISSUED and t.client in among)
        found: dict[str, int] = {}
        for client, count in held.most_common():
            spare = count - self._slots(self.clients[client]) if client in self.clients else 0
            if spare > 0 and wanted > 0:
                found[client] = int(min(spare, wanted))
                wanted -= found[client]
        return found

    def begun(self) -> Iterator[Ticket]:
        """The tickets that are out, but for those that wait at their client for a slot: it begins the oldest first."""
        begun: Counter[str] = Counter()
        for ticket in self.tickets.values():
            client = self.clients.get(ticket.client)
            if ticket.state is not TicketState.ISSUED or (client and begun[client.id] >= self._slots(client)):
                continue
            begun[ticket.client] += 1
            yield ticket

    def _issue(self, now: float, task: Task, client_id: str, host: str, leased: bool) -> Ticket:
        ticket = Ticket(
            self._next_ticket, task.number, client_id, host, now, word=now, leased=leased, program=self.program
        )  # fmt: skip
        self._next_ticket += 1
        self.tickets[ticket.id] = ticket
        task.tickets.append(ticket.id)
        self._count_issued(ticket, 1)
        self._move(task, TaskEvent.ISSUE)
        self.changes.append(TicketIssued(ticket.id, task.number, client_id, host, ticket.program))
        return ticket

    def give_back(self, ticket_id: int, client_id: str, reason: str = "") -> bool:
        """Take back a ticket that never reached its client, or was not begun there: as if it had not been issued.

        `reason` tells why an attempt that had begun does not count; nothing is charged then, either. False: the ticket
        is not this client's, or no longer out.
        """
        ticket = self.tickets.get(ticket_id)
        if not ticket or ticket.state is not TicketState.ISSUED or ticket.client != client_id:
            return False
        task = self.tasks[ticket.task]
        ticket.leased = False  # nobody has it, so nobody is to be told
        self._expire(ticket, reason or UNBEGUN)
        self._detach(task, ticket)
        self._settle(task, "")
        return True

    def note_given_back(self, client_id: str, reason: str) -> None:
        """Tell people that attempts had begun and do not count; once for a host and a reason."""
        client = self.clients.get(client_id)
        host = client.host if client else client_id
        text = f"{host}: {reason}; what ran there meanwhile is run again"
        if text not in self._given_back and len(self._given_back) < MOST_TOLD:
            self._given_back.add(text)
            self.notes.append(Note(text, "given_back", host))

    @property
    def offers(self) -> int:
        """How many idle requests may find something: waiting tasks, and running ones worth a copy."""
        return 0 if self.paused else len(self.waiting) or len(self._stragglers)

    def _room_beside(self, client: Client, load: float) -> int:
        """How many more tasks fit beside what others do on this host."""
        mine = sum(t.host == client.host and t.state is TicketState.ISSUED for t in self.tickets.values())
        room = scheduler.room_beside(load, client.cores * self.rules.max_load, self.rules.cores, mine)
        if room <= 0 and client.host not in self.loaded:
            beside = f"{load:.1f} of {client.cores} cores"
            text = f"{client.host}: loaded by others ({beside}), it gets no work now"
            self.notes.append(Note(text, "loaded", client.host))
        self.loaded = self.loaded | {client.host} if room <= 0 else self.loaded - {client.host}
        return room

    # -- which task

    def _next(self, client_id: str, host: str) -> Task | None:
        """The next waiting task for a host, or when none waits a running one worth a copy."""
        if self.waiting:
            return scheduler.pick(self.waiting, self.tasks, host, others=len(self.at_work) > (host in self.at_work))
        for _ in range(len(self._stragglers)):
            task = self.tasks.get(self._stragglers.popleft())
            if task and self._may_copy(task):
                live = [self.tickets[t] for t in task.tickets]
                alone = len(self.at_work) <= (host in self.at_work)  # then another client on the same host must do
                if all(t.client != client_id and (t.host != host or alone) for t in live):
                    self._note_copy(task)
                    return task
                self._stragglers.append(task.number)
        return None

    def _may_copy(self, task: Task) -> bool:
        """Whether one more copy may be handed out: it runs, and nowhere is a result of it looked at.

        An attempt of a client that never pings and has been silent for long does not count as one: nothing else
        than a copy ever brings such a task back.
        """
        live = [self.tickets[t] for t in task.tickets]
        heard = sum(t.leased or self._now - t.word <= UNHEARD for t in live)
        return bool(live) and heard <= self.rules.copies and all(t.state is TicketState.ISSUED for t in live)

    def _note_copy(self, task: Task) -> None:
        if not self._copied:
            self._copied = True
            text = (
                f"no task is waiting, so idle hosts run copies of long ones (the first is task {task.number}); "
                "the first valid result counts. `once: true` forbids it"
            )
            self.notes.append(Note(text, "copies"))

    def median(self) -> float:
        """Seconds that accepted attempts took; 0 while fewer than five are known."""
        return statistics.median(self.walls) if len(self.walls) >= 5 else 0.0

    def timeout(self) -> float:
        """Seconds that an attempt may take now; 0: as long as it likes."""
        timeout = self.rules.timeout
        return timeout.factor * self.median() if isinstance(timeout, Times) else timeout
