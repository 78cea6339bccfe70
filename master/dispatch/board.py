"""What is in motion, and its bookkeeping: tasks that wait or run, tickets, clients, and what is to be remembered.

Every primitive move is here, so that the queue, the counts and the changes always agree. Which move is made when
is decided in handout.py and dispatch.py.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable

from ..model import Client, Failure, Note, Task, TaskState, Ticket, TicketState
from .black_holes import Guard
from .changes import Change, TaskMoved, TasksOut, TicketEnded
from .lifecycle import LIVE, TaskEvent, TicketEvent, move_task, move_ticket
from .rules import Rules
from .tally import Tally


class Board:
    """Live clients, tickets and the tasks that are waiting or running.

    Finished tasks leave it; those further down the list come in by `add` as room allows, so that its size goes
    with the hosts and not with the sweep.
    """

    def __init__(self, rules: Rules, next_ticket: int = 1, next_client: int = 1) -> None:
        self.rules = rules
        self.tasks: dict[int, Task] = {}
        self.tickets: dict[int, Ticket] = {}
        self.clients: dict[str, Client] = {}
        self._hosts: Counter[str] = Counter()  # how many clients each has
        self.strangers: dict[str, float] = {}  # addresses of clients that did not register -> when they asked last
        self.waiting: deque[int] = deque()
        self.changes: list[Change] = []
        self.more = True  # the store may have tasks that are not here yet
        self.draining = False
        self.in_state: Counter[TaskState] = Counter()  # of the tasks that are here, and those that left since
        self.first_ticket = next_ticket  # those below were given out by an earlier master
        self._next_ticket, self._next_client = next_ticket, next_client
        self._expired: dict[str, set[int]] = {}  # client -> tickets it still has to be told about
        self.guard = Guard()
        self._words_noted = 0.0
        self.last_word = 0.0  # when any client was heard last
        self._now = 0.0  # the latest time that an event brought
        self.notes: list[Note] = []  # sentences for the user, to be taken by whoever shows them
        self.total = 0  # all sets of the sweep, 0 while they are being counted
        self.done_before = self.failed_before = self.cancelled_before = 0  # sets that ended in earlier runs and stay so
        self.tally = Tally()
        self.walls: deque[float] = deque(maxlen=501)  # seconds of accepted attempts
        self._given_up: dict[int, Task] = {}  # failed on a host that is doubted: it may be innocent
        self.loaded: set[str] = set()  # hosts that others use so much that they get nothing
        self.gave_up = False  # by stop_after
        self._copied = False
        self._given_back: set[str] = set()  # what was told of attempts that do not count, a sentence a host and reason
        self._stragglers: deque[int] = deque()  # running tasks worth a copy, as of the last tick
        self._issued: Counter[str] = Counter()  # client -> tickets that it has, begun or fetched ahead
        self._begun = 0  # tickets that have a slot: of each client at most as many as it has slots
        self._copies = 0  # tickets beyond the first of one task
        self._out_noted = -1  # how many tasks had a slot when changes were last taken
        self._left: set[int] = set()  # finished since the last `add`: what was read meanwhile may not know it
        self.fed = -1  # the last position in the store that came in
        self.looks = 0  # how often the store had to be looked through from its beginning again
        self.program: int | None = None  # what tickets run, as the store counts programs
        self.left_out: dict[int, str] = {}  # tasks that cannot be handed out in this run, and why: they wait

    # -- tasks in and out

    def add(self, tasks: Iterable[Task]) -> int:
        """Today's waiting tasks come in from the store, in their order; how many of them are new here."""
        new = 0
        for task in tasks:
            known = self.tasks.get(task.number)
            if known is None and task.number not in self._left and task.number not in self.left_out:
                self._enter(task)
                self.waiting.append(task.number)
                new += 1
            elif known:
                self.plan(known, task.redone)
                if known.state is TaskState.WAITING and known.number not in self.waiting:
                    self.waiting.append(known.number)  # it came before its turn, with a late word of an old ticket
        self._left.clear()
        return new

    def plan(self, task: Task, redone: bool) -> None:
        """A task that came with an old ticket is one of today's: from now on it counts and may be queued."""
        if not task.planned:
            self._count(task, -1)
            task.planned, task.redone = True, redone
            self._count(task, +1)

    def look_again(self) -> None:
        """The store has waiting tasks in places that were passed already."""
        self.more, self.fed = True, -1
        self.looks += 1

    def unplanned(self) -> list[int]:
        """Tasks that came with old tickets and are not known to be among today's."""
        return [task.number for task in self.tasks.values() if not task.planned]

    def _enter(self, task: Task) -> None:
        self.tasks[task.number] = task
        self._given_up.pop(task.number, None)
        if task.state is not TaskState.FAILED:  # one that had left as failed was counted then
            self._count(task, +1)

    def _count(self, task: Task, by: int) -> None:
        """Only today's tasks count, but for those that run: they keep hosts busy whatever they are."""
        if task.planned or task.state is TaskState.RUNNING:
            self.in_state[task.state] += by

    def restore(self, task: Task, ticket: Ticket) -> None:
        """A ticket of before a restart (or of a task that left) counts again, as its task is undone."""
        if task.number not in self.tasks:
            self._enter(task)
        known = self.tasks[task.number]
        ticket.charged = ticket.state in (TicketState.FAILED, TicketState.REJECTED)
        ticket.blamed = ticket.state is TicketState.LOST and ticket.leased
        self.tickets[ticket.id] = ticket
        if ticket.state in LIVE:
            known.tickets.append(ticket.id)
            if ticket.state is TicketState.ISSUED:
                self._count_issued(ticket, 1)
            self._unqueue(known)
        else:
            known.past.append(ticket.id)

    def _unqueue(self, task: Task) -> None:
        """A task that waits is out again, by a ticket that was thought lost."""
        if task.state is TaskState.WAITING:
            if task.number in self.waiting:
                self.waiting.remove(task.number)
            self._move(task, TaskEvent.ISSUE)

    def return_to_queue(self, task: Task) -> None:
        """Let a task wait again whose last live attempt is gone; one not known to be among today's waits in the store.

        Such a task may belong to another command, so only the store's list of today's sets may queue it.
        """
        self._move(task, TaskEvent.RETURN)
        if task.planned:
            self.waiting.append(task.number)
        else:
            self._hand_over(task)

    def _hand_over(self, task: Task) -> None:
        self._count(task, -1)
        for ticket_id in task.past:
            self.tickets.pop(ticket_id, None)
        del self.tasks[task.number]
        self.look_again()

    def leave_out(self, task: Task, reason: str) -> None:
        """A task that cannot be handed out in this run, through no fault of its own: it waits for another run."""
        self.left_out[task.number] = reason
        for ticket_id in list(task.tickets):
            ticket = self.tickets[ticket_id]
            ticket.leased = False  # nobody has it, so nobody is to be told
            self._expire(ticket)
            self._detach(task, ticket)
        if task.state is TaskState.RUNNING:
            self._move(task, TaskEvent.RETURN)
        if task.number in self.waiting:
            self.waiting.remove(task.number)
        self._moved(task, "")
        for ticket_id in task.past:
            self.tickets.pop(ticket_id, None)
        del self.tasks[task.number]

    # -- what is so now

    @property
    def running(self) -> int:
        """How many tasks are out on hosts, also those that were fetched ahead."""
        return self.in_state[TaskState.RUNNING]

    @property
    def with_slot(self) -> int:
        """How many tasks have a slot now: what people call running. The others that are out lie at their clients for
        later, or their results are being looked at; to people they wait."""
        return max(0, min(self._begun - self._copies, self.running))

    @property
    def over(self) -> bool:
        """Nothing will ever be handed out again and nothing is out."""
        return self.running == 0 and (self.draining or (not self.more and not self.waiting))

    @property
    def closed(self) -> bool:
        """A client that asks for work now is sent home."""
        return self.draining or self.over

    def welcome(self, client: Client) -> None:
        """A client is here."""
        self.clients[client.id] = client
        # Somebody may have used its ID before, and begun all that it got.
        self._begun -= max(0, self._issued[client.id] - self._slots(client))
        self._hosts[client.host] += 1

    def dismiss(self, client: Client) -> None:
        """It has left."""
        client.gone = client.told = True
        self._hosts[client.host] -= 1
        if not self._hosts[client.host]:
            del self._hosts[client.host]

    def present(self) -> list[Client]:
        """The clients that have not left."""
        return [c for c in self.clients.values() if not c.gone]

    @property
    def hosts(self) -> Collection[str]:
        """The hosts with a client."""
        return self._hosts.keys()

    def is_live(self, ticket_id: int) -> bool:
        """Whether a client should go on with this ticket."""
        ticket = self.tickets.get(ticket_id)
        return ticket is not None and ticket.state in LIVE

    def has_ended(self, ticket_id: int) -> bool:
        """Whether this attempt is worth nothing any more; one that is lost would still be taken."""
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket.state not in (*LIVE, TicketState.LOST):
            return True
        return ticket.state is TicketState.LOST and self.tasks[ticket.task].state is TaskState.FAILED

    # -- moves

    def _slots(self, client: Client) -> int:
        """How many tasks a client runs at once."""
        return max(1, client.slots // self.rules.cores)

    def _count_issued(self, ticket: Ticket, more: int) -> None:
        """A ticket is at its client now (`more`: 1), or no longer (-1).

        `with_slot` comes of this: `Handout.begun` looks through all tickets, which is too slow for each commit.
        """
        held = self._issued[ticket.client] + more
        self._issued[ticket.client] = held
        client = self.clients.get(ticket.client)
        if client is None or max(held, held - more) <= self._slots(client):
            self._begun += more
        live = self.tasks[ticket.task].tickets
        if len(live) > 1 or (live and ticket.id not in live):  # almost no task has a copy
            others = (self.tickets.get(t) for t in live if t != ticket.id)
            self._copies += more * any(other and other.state is TicketState.ISSUED for other in others)

    def _move_ticket(self, ticket: Ticket, event: TicketEvent) -> None:
        """The one way in which a ticket moves here, so that the count of those at clients is right."""
        was = ticket.state is TicketState.ISSUED
        move_ticket(ticket, event)
        if was != (ticket.state is TicketState.ISSUED):
            self._count_issued(ticket, -1 if was else 1)

    def _move(self, task: Task, event: TaskEvent) -> None:
        self._count(task, -1)
        move_task(task, event)
        self._count(task, +1)

    def _moved(self, task: Task, reason: str) -> None:
        self.changes.append(
            TaskMoved(task.number, task.state, task.attempts, task.lost, reason, None, dict(task.faults))
        )

    def _settle(self, task: Task, reason: str) -> None:
        if task.state is TaskState.RUNNING and not task.tickets:
            self.return_to_queue(task)
        if reason or task.state is not TaskState.FAILED:  # why it failed stays known when a late attempt is called back
            self._moved(task, reason)

    @staticmethod
    def _attach(task: Task, ticket: Ticket) -> None:
        """The ticket is live again."""
        if ticket.id not in task.tickets:
            task.tickets.append(ticket.id)
        if ticket.id in task.past:
            task.past.remove(ticket.id)

    @staticmethod
    def _detach(task: Task, ticket: Ticket) -> None:
        """The ticket is no longer live, but its late result would be taken while the task is undone."""
        if ticket.id in task.tickets:
            task.tickets.remove(ticket.id)
        if ticket.id not in task.past:
            task.past.append(ticket.id)

    def _leave(self, task: Task) -> None:
        """A finished task leaves the dispatch, and its other live attempts expire."""
        for ticket_id in task.tickets:
            ticket = self.tickets.pop(ticket_id)
            if ticket.state in LIVE:
                self._expire(ticket)
        for ticket_id in task.past:
            self.tickets.pop(ticket_id, None)
        del self.tasks[task.number]
        if self.more:
            self._left.add(task.number)

    def _expire(self, ticket: Ticket, why: str = "") -> None:
        """Nobody needs this attempt any more; who pings is told."""
        self._move_ticket(ticket, TicketEvent.EXPIRE)
        failure = Failure("expired", why) if why else None
        self.changes.append(TicketEnded(ticket.id, ticket.state, failure=failure))
        holder = self.clients.get(ticket.client)
        if ticket.leased and holder and not holder.gone:
            self._expired.setdefault(ticket.client, set()).add(ticket.id)

    # -- who is told what

    def heard(self, now: float, client_id: str) -> Client | None:
        """Any word of a client is a sign of life."""
        self._now = max(self._now, now)
        client = self.clients.get(client_id)
        if client:
            client.word = self.last_word = now
            client.suspect = False
        return client

    def has_expired(self, client_id: str) -> bool:
        """Whether this client has tickets to be told about."""
        return bool(self._expired.get(client_id))

    def clients_to_call(self) -> list[str]:
        """Clients that hold tickets which have expired and do not know it yet."""
        return [client for client, tickets in self._expired.items() if tickets]

    def expired_of(self, client_id: str) -> list[int]:
        """The tickets of this client that expired since it was last told."""
        return sorted(self._expired.pop(client_id, ()))

    def told_expired(self, client_id: str, tickets: Iterable[int]) -> None:
        """This client has just heard that these expired."""
        if client_id in self._expired:
            self._expired[client_id].difference_update(tickets)

    def take_notes(self) -> list[Note]:
        """What the user should know, since the last call."""
        notes, self.notes = self.notes, []
        return notes

    def take_changes(self) -> list[Change]:
        """What must be stored before the next reply leaves."""
        changes, self.changes = self.changes, []
        if changes and self.with_slot != self._out_noted:
            self._out_noted = self.with_slot
            changes.append(TasksOut(self.with_slot))
        return changes
