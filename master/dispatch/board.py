"""The bookkeeping of all that is in motion: tasks that wait or run, their tickets, and the changes for the store.

Every primitive move of a task or ticket is here, so that the queue, the counts and the changes always agree. Which move
is made when is decided by handout.py, attempts.py, losses.py and steering.py.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from ..model import Client, Failure, Note, Task, TaskState, Ticket, TicketState
from .changes import Change, TaskMoved, TasksOut, TicketEnded
from .clients import Clients, Occupancy
from .lifecycle import LIVE, TaskEvent, TicketEvent, move_task, move_ticket
from .pacing.back_offs import BackOffs

WITH_RUN = "ended with its run"  # why an attempt expired whose run was stopped


class Board:
    """Live tickets and the tasks that are waiting or running.

    Finished tasks leave it; those further down the list come in by `add` as room allows, so that its size goes
    with the hosts and not with the sweep.
    """

    def __init__(self, clients: Clients, cores: int, next_ticket: int = 1) -> None:
        self.clients = clients
        self.tasks: dict[int, Task] = {}
        self.tickets: dict[int, Ticket] = {}
        self.occupancy = Occupancy(clients, self.tickets, cores)
        self.waiting: deque[int] = deque()
        self.back_offs = BackOffs()  # tasks that wait, too, and may not be handed out before a moment
        self.changes: list[Change] = []
        self.notes: list[Note] = []  # sentences for the user, until somebody takes them
        self.draining = False  # nothing more is handed out in this run
        self.in_state: Counter[TaskState] = Counter()  # tasks on the board, and tasks that left since
        self.given_up: dict[int, Task] = {}  # tasks that failed on a host in doubt: the host may have done it
        self.left_out: dict[int, str] = {}  # tasks that cannot be handed out in this run, and why: they wait
        self.program: int | None = None  # number of today's program in the store
        self.total = 0  # all sets of the sweep, 0 while they are being counted
        self.done_before = self.failed_before = self.cancelled_before = 0  # sets that ended in earlier runs and stay so
        self.more = True  # the store may have tasks that are not here yet
        self.fed = -1  # the last position in the store that came in
        self.looks = 0  # number of times that the store had to be read from its beginning
        self.first_ticket = next_ticket  # lower numbers were given out by an earlier master
        self._next_ticket = next_ticket
        self._left: set[int] = set()  # finished since the last `add`: what was read meanwhile may not know it
        self._out_noted = -1  # tasks with a slot when changes were last taken

    # -- tasks in and out

    def add(self, tasks: Iterable[Task]) -> int:
        """Queue today's waiting tasks from the store, in their order. Return how many of them are new here."""
        new = 0
        for task in tasks:
            known = self.tasks.get(task.number)
            if known is None and task.number not in self._left and task.number not in self.left_out:
                self._enter(task)
                if task.not_before:
                    self.queue(task)
                else:
                    self.waiting.append(task.number)
                new += 1
            elif known:
                self.plan(known, task.redone)
                known.not_before = max(known.not_before, task.not_before)
                if known.state is TaskState.WAITING and not self._is_queued(known.number):
                    self.queue(known)  # loaded before its turn, for a late report of an old ticket
        self._left.clear()
        return new

    def plan(self, task: Task, redone: bool) -> None:
        """Make a task that came with an old ticket one of today's: from now on it counts and may be queued."""
        if not task.planned:
            self._count(task, -1)
            task.planned, task.redone = True, redone
            self._count(task, +1)

    def look_again(self) -> None:
        """Note that the store has waiting tasks in places that were passed already."""
        self.more, self.fed = True, -1
        self.looks += 1

    def forget_left(self, numbers: Iterable[int]) -> None:
        """Let tasks that have left come in again: the store has them as waiting."""
        self._left.difference_update(numbers)

    def remember_left(self, numbers: Iterable[int]) -> None:
        """Keep tasks from coming in by a reading that was begun before they ended."""
        if self.more:
            self._left.update(numbers)

    def unplanned(self) -> list[int]:
        """Return the tasks that came with old tickets and are not known to be among today's."""
        return [task.number for task in self.tasks.values() if not task.planned]

    def _enter(self, task: Task) -> None:
        self.tasks[task.number] = task
        self.given_up.pop(task.number, None)
        if task.state is not TaskState.FAILED:  # a task that had left as failed was counted then
            self._count(task, +1)

    def _count(self, task: Task, by: int) -> None:
        """Count today's tasks only, but for those that run: they keep hosts busy whatever they are."""
        if task.planned or task.state is TaskState.RUNNING:
            self.in_state[task.state] += by

    def restore(self, task: Task, ticket: Ticket) -> None:
        """Take in a ticket of before a restart (or of a task that left): it counts again, as its task is undone."""
        if task.number not in self.tasks:
            self._enter(task)
        known = self.tasks[task.number]
        ticket.charged = ticket.state in (TicketState.FAILED, TicketState.REJECTED)
        ticket.blamed = ticket.state is TicketState.LOST and ticket.leased
        self.tickets[ticket.id] = ticket
        client = self.clients.get(ticket.client)
        if client:  # what the master that was killed had handed to it may never have reached it
            client.newest = max(client.newest, ticket.id)
        if ticket.state in LIVE:
            known.tickets.append(ticket.id)
            if ticket.state is TicketState.ISSUED:
                self.occupancy.count(ticket, known.tickets, +1)
            self.unqueue(known)
        else:
            known.past.append(ticket.id)

    def retry(self, task: Task) -> None:
        """Let a task that was given up, and has left, wait again with nothing of its earlier attempts."""
        self.tasks[task.number] = task
        task.tickets.clear()
        task.past.clear()
        task.not_before = 0.0
        task.refused = None
        self.move(task, TaskEvent.RETRY)
        self.waiting.append(task.number)

    def leave(self, task: Task) -> None:
        """Remove a finished task; its other live attempts expire."""
        for ticket_id in task.tickets:
            ticket = self.tickets.pop(ticket_id)
            if ticket.state in LIVE:
                self.expire(ticket)
        self._drop(task)
        self.remember_left([task.number])

    def leave_out(self, task: Task, reason: str) -> None:
        """Remove a task that cannot be handed out in this run, through no fault of its own: it waits for another."""
        self.left_out[task.number] = reason
        for ticket_id in list(task.tickets):
            ticket = self.tickets[ticket_id]
            ticket.leased = False  # nobody has it, so nobody is to be told
            self.expire(ticket)
            self.detach(task, ticket)
        if task.state is TaskState.RUNNING:
            self.move(task, TaskEvent.RETURN)
        self.dequeue(task.number)
        self.note_moved(task, "")
        self._drop(task)

    def hand_over(self, task: Task) -> None:
        """Leave a task to the store, which knows whether it is one of today's."""
        self._count(task, -1)
        self._drop(task)
        self.look_again()

    def _drop(self, task: Task) -> None:
        for ticket_id in task.past:
            self.tickets.pop(ticket_id, None)
        del self.tasks[task.number]

    # -- what is so now

    @property
    def running(self) -> int:
        """The number of tasks that are out on hosts, prefetched ones too."""
        return self.in_state[TaskState.RUNNING]

    @property
    def with_slot(self) -> int:
        """The number of tasks that have a slot now: what people call running.

        The others that are out are prefetched, or their results are being checked; to people they wait.
        """
        return min(self.occupancy.with_slot, self.running)

    @property
    def handed_out(self) -> int:
        """The number of tickets that this master has given out."""
        return self._next_ticket - self.first_ticket

    @property
    def over(self) -> bool:
        """True when nothing is out and nothing will ever be handed out again."""
        return self.running == 0 and (self.draining or not (self.more or self.waiting or self.back_offs.until))

    @property
    def closed(self) -> bool:
        """True when a client that asks for work now is sent home."""
        return self.draining or self.over

    def is_live(self, ticket_id: int) -> bool:
        """Tell whether a client should go on with this ticket."""
        ticket = self.tickets.get(ticket_id)
        return ticket is not None and ticket.state in LIVE

    def has_ended(self, ticket_id: int) -> bool:
        """Tell whether a result of this attempt is worth nothing any more; one that is lost would still be taken."""
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket.state not in (*LIVE, TicketState.LOST):
            return True
        return ticket.state is TicketState.LOST and self.tasks[ticket.task].state is TaskState.FAILED

    # -- moves

    def issue(self, now: float, task: Task, client_id: str, host: str, leased: bool) -> Ticket:
        """Create a ticket for this task. `leased`: its client pings, so its silence means that it is gone."""
        ticket = Ticket(
            self._next_ticket, task.number, client_id, host, issued=now, word=now, leased=leased, program=self.program
        )
        self._next_ticket += 1
        self.tickets[ticket.id] = ticket
        task.tickets.append(ticket.id)
        self.occupancy.count(ticket, task.tickets, +1)
        self.move(task, TaskEvent.ISSUE)
        return ticket

    def move_ticket(self, ticket: Ticket, event: TicketEvent) -> None:
        """Move a ticket by the table, and count it at its client or no longer."""
        was_issued = ticket.state is TicketState.ISSUED
        move_ticket(ticket, event)
        is_issued = ticket.state is TicketState.ISSUED
        if was_issued != is_issued:
            self.occupancy.count(ticket, self.tasks[ticket.task].tickets, is_issued - was_issued)

    def move(self, task: Task, event: TaskEvent) -> None:
        """Move a task by the table, and count it in its new state."""
        self._count(task, -1)
        move_task(task, event)
        self._count(task, +1)

    def note_moved(self, task: Task, reason: str) -> None:
        """Have the store remember how this task stands."""
        self.changes.append(
            TaskMoved(task.number, task.state, task.attempts, task.lost, reason, None, dict(task.faults))
        )

    def settle(self, task: Task, reason: str) -> None:
        """Let a task wait again if its last live attempt is gone. `reason`: of what ended badly, "" for nothing."""
        if task.state is TaskState.RUNNING and not task.tickets:
            self.return_to_queue(task)
        # The reason of the failure stays when a late attempt is called back.
        if reason or task.state is not TaskState.FAILED:
            self.note_moved(task, reason)

    def return_to_queue(self, task: Task) -> None:
        """Queue a task whose last live attempt is gone; one not known to be among today's waits in the store.

        Such a task may belong to another command, so only the store's list of today's sets may queue it.
        """
        self.move(task, TaskEvent.RETURN)
        if task.planned:
            self.queue(task)
        else:
            self.hand_over(task)

    def queue(self, task: Task) -> None:
        """Queue a task that waits, at the end of its back-off if it has one."""
        if task.not_before > self.clients.now:
            self.back_offs.add(task.number, task.not_before)
        else:
            self.waiting.append(task.number)

    def end_back_offs(self, now: float) -> None:
        """Queue the tasks whose back-off is over, behind those that wait already."""
        self.waiting.extend(self.back_offs.take_due(now))

    def _is_queued(self, number: int) -> bool:
        return number in self.back_offs or number in self.waiting

    def dequeue(self, number: int) -> None:
        """Take a task out of the queue, if it is there."""
        self.back_offs.remove(number)
        if number in self.waiting:
            self.waiting.remove(number)

    def unqueue(self, task: Task) -> None:
        """Take a task that waits as running: it is out again, by a ticket that was thought lost."""
        if task.state is TaskState.WAITING:
            self.dequeue(task.number)
            self.move(task, TaskEvent.ISSUE)

    @staticmethod
    def take_back_blame(task: Task, ticket: Ticket) -> None:
        """Take back a loss that was held against the task, as its host is heard: it was slow, not killed."""
        if ticket.blamed:
            task.lost, task.death = max(0, task.lost - 1), None
            ticket.blamed = False

    @staticmethod
    def attach(task: Task, ticket: Ticket) -> None:
        """Make a ticket one of the live ones of its task."""
        if ticket.id not in task.tickets:
            task.tickets.append(ticket.id)
        if ticket.id in task.past:
            task.past.remove(ticket.id)

    @staticmethod
    def detach(task: Task, ticket: Ticket) -> None:
        """Make a ticket one of the past ones of its task; its late result would be taken while the task is undone."""
        if ticket.id in task.tickets:
            task.tickets.remove(ticket.id)
        if ticket.id not in task.past:
            task.past.append(ticket.id)

    def expire(self, ticket: Ticket, why: str = "") -> None:
        """End an attempt that nobody needs any more; a client that pings is told."""
        self.move_ticket(ticket, TicketEvent.EXPIRE)
        failure = Failure("expired", why) if why else None
        self.changes.append(TicketEnded(ticket.id, ticket.state, failure=failure))
        holder = self.clients.get(ticket.client)
        if ticket.leased and holder and not holder.state.is_gone:
            self.clients.note_expired(ticket.client, ticket.id)

    def call_back(self, task: Task) -> None:
        """End what runs of a task of an earlier run that is none of today's: its place is for today's sets.

        A result of it that comes all the same counts for that set, which a later run may want again.
        """
        for ticket_id in [*task.tickets, *task.past]:
            ticket = self.tickets[ticket_id]
            if ticket.state in (TicketState.ISSUED, TicketState.LOST):
                self.expire(ticket)
                self.detach(task, ticket)
        if not task.tickets:
            if task.state is TaskState.RUNNING:
                self.settle(task, "")
            elif task.state is TaskState.WAITING:
                self.hand_over(task)

    def stop(self) -> None:
        """Call back everything that runs: the tickets expire, their tasks wait for another run."""
        self.draining = True
        stopped: dict[int, Task] = {}
        for ticket in self.tickets.values():
            if ticket.state in (TicketState.ISSUED, TicketState.LOST):  # a lost host that comes back must not go on
                task = stopped[ticket.task] = self.tasks[ticket.task]
                # One that was lost ended with its host, not with the run.
                self.expire(ticket, WITH_RUN if ticket.state is TicketState.ISSUED else "")
                self.detach(task, ticket)
        for task in stopped.values():
            self.settle(task, "")

    # -- what others take

    def enter_client(self, client: Client) -> None:
        """Take in a client; what counted as begun there may be prefetched."""
        self.clients.enter(client)
        self.occupancy.entered(client)

    def take_notes(self) -> list[Note]:
        """Return what the user should know, once."""
        notes, self.notes = self.notes, []
        return notes

    def take_changes(self) -> list[Change]:
        """Return what must be stored before the next reply leaves, once."""
        changes, self.changes = self.changes, []
        if changes and self.with_slot != self._out_noted:
            self._out_noted = self.with_slot
            changes.append(TasksOut(self.with_slot))
        return changes
