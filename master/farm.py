"""The heart: what happens on register, task, ping, complete, failed, bye and tick.

No HTTP, no SSH, no SQL, no clock: events come in with the time as an argument; replies go out as return values
and what must be remembered as `changes`, which the caller stores before it answers.
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from . import scheduler
from .changes import Change, ClientCame, ClientLeft, TaskMoved, TicketEnded, TicketIssued, Usage
from .keys import Times
from .lifecycle import LIVE, TaskEvent, TicketEvent, move_task, move_ticket
from .model import Client, Failure, Output, Task, TaskState, Ticket, TicketState
from .trust import Benched, Guard

MAX_LOST = 3  # a task that lost so many hosts is taken for their killer

MOST_GIVEN_UP = 1000
UNHEARD = 600.0  # seconds of silence of a client that never pings


@dataclass(frozen=True, slots=True)
class Rules:
    """How often a task may be tried, and how long silence is borne."""

    attempts: int = 3
    retry: Callable[[str], int | None] = lambda kind: None  # a reason's own limit, e.g. of "timeout" or "exit:75"
    ping: float = 30.0
    copies: int = 1  # of a running task, at the end, on other hosts; 0: `once: true`
    stop_after: Callable[[int, int], bool] = lambda failed, total: False  # of failed sets, of all: give the sweep up
    max_load: float = 0.0  # of a host's cores, by others and us together; 0: no such rule
    cores: int = 1  # that one task takes
    timeout: float | Times = 0.0  # of an attempt, in seconds or so many times the median; 0: none

    def spent(self, faults: Mapping[str, int], kind: str) -> bool:
        """Whether a task that failed so often, by reason, and now by `kind`, may not be tried again.

        A reason with a limit of its own counts by itself, all others count together.
        """
        limit = self.retry(kind)
        if limit is not None:
            return faults[kind] >= limit
        return sum(n for k, n in faults.items() if self.retry(k) is None) >= self.attempts


class Farm:
    """All that is in motion: live clients, tickets and the tasks that are waiting or running.

    Finished tasks leave it; those further down the list come in by `add` as room allows, so that its size goes
    with the hosts and not with the sweep.
    """

    def __init__(self, rules: Rules, next_ticket: int = 1, next_client: int = 1) -> None:
        self.rules = rules
        self.tasks: dict[int, Task] = {}
        self.tickets: dict[int, Ticket] = {}
        self.clients: dict[str, Client] = {}
        self.waiting: deque[int] = deque()
        self.changes: list[Change] = []
        self.more = True  # the store may have tasks that are not here yet
        self.draining = False
        self.in_state: Counter[TaskState] = Counter()  # of the tasks that are here, and those that left since
        self.first_ticket = next_ticket  # those below were given out by an earlier master
        self._next_ticket, self._next_client = next_ticket, next_client
        self._expired: dict[str, set[int]] = {}  # client -> tickets it still has to be told about
        self.guard = Guard()
        self._now = 0.0  # the latest time that an event brought
        self.notes: list[str] = []  # sentences for the user, to be taken by whoever shows them
        self.total = 0  # all sets of the sweep, 0 while they are being counted
        self.failed_before = 0  # sets that failed in earlier runs and stay so
        self._walls: deque[float] = deque(maxlen=501)  # seconds of accepted attempts
        self._given_up: dict[int, Task] = {}  # failed on a host that is doubted: it may be innocent
        self.loaded: set[str] = set()  # hosts that others use so much that they get nothing
        self.gave_up = False  # by stop_after
        self._copied = False
        self._stragglers: deque[int] = deque()  # running tasks worth a copy, as of the last tick
        self._left: set[int] = set()  # finished since the last `add`: what was read meanwhile may not know it

    # -- tasks in and out

    def add(self, tasks: Iterable[Task]) -> None:
        """Waiting tasks come in from the store, in their order."""
        for task in tasks:
            known = self.tasks.get(task.number)
            if known is None and task.number not in self._left:
                self._enter(task)
                self.waiting.append(task.number)
            elif known and known.state is TaskState.WAITING and known.number not in self.waiting:
                self.waiting.append(known.number)  # it came before its turn, with a late word of an old ticket
        self._left.clear()

    def _enter(self, task: Task) -> None:
        self.tasks[task.number] = task
        self._given_up.pop(task.number, None)
        if task.state is not TaskState.FAILED:  # one that had left as failed was counted then
            self.in_state[task.state] += 1

    def _move(self, task: Task, event: TaskEvent) -> None:
        self.in_state[task.state] -= 1
        move_task(task, event)
        self.in_state[task.state] += 1

    def restore(self, task: Task, ticket: Ticket) -> None:
        """A ticket of before a restart (or of a task that left) counts again, as its task is undone."""
        if task.number not in self.tasks:
            self._enter(task)
        known = self.tasks[task.number]
        ticket.charged = ticket.state in (TicketState.FAILED, TicketState.REJECTED)
        self.tickets[ticket.id] = ticket
        if ticket.state in LIVE:
            known.tickets.append(ticket.id)
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
        """Its last live attempt is gone: it waits again."""
        self._move(task, TaskEvent.RETURN)
        self.waiting.append(task.number)

    @property
    def running(self) -> int:
        """How many tasks are out on hosts."""
        return self.in_state[TaskState.RUNNING]

    @property
    def over(self) -> bool:
        """Nothing will ever be handed out again and nothing is out."""
        return self.running == 0 and (self.draining or (not self.more and not self.waiting))

    @property
    def closed(self) -> bool:
        """A client that asks for work now is sent home."""
        return self.draining or self.over

    # -- the verbs of the protocol

    def register(self, now: float, host: str, platform: str, slots: int, pings: bool, cores: int = 0) -> Client:
        """A client came; it gets its ID. `cores`: of its host, 0 when it does not say."""
        client = Client(str(self._next_client), host, platform, slots, cores or slots, now, now, pings)
        self._next_client += 1
        self.clients[client.id] = client
        self.changes.append(ClientCame(client.id, host, platform, slots, pings))
        return client

    def take(self, now: float, client_id: str, count: int, load: float | None = None) -> list[Ticket]:
        """Up to `count` tickets for this client; none when nothing waits or no more is handed out.

        `load`: of its host, by others than us; None when the client does not tell.
        """
        client = self.heard(now, client_id)
        host = client.host if client else ""
        if client:
            client.asked = True
        if self.draining:
            return []
        hosts = self.hosts()
        room = self.guard.room(now, host, hosts)
        count = count if room is None else min(count, room)
        if client and load is not None and self.rules.max_load:
            count = min(count, self._room_beside(client, load))
        leased = bool(client and client.pings)
        tickets: list[Ticket] = []
        while len(tickets) < count and (task := self._next(client_id, host, hosts)):
            tickets.append(self._issue(now, task, client_id, host, leased))
        if room is not None and tickets:
            self.guard.probing(now, host)
        return tickets

    def _room_beside(self, client: Client, load: float) -> int:
        """How many more tasks fit beside what others do on this host."""
        mine = sum(t.host == client.host and t.state is TicketState.ISSUED for t in self.tickets.values())
        room = scheduler.room_beside(load, client.cores * self.rules.max_load, self.rules.cores, mine)
        if room <= 0 and client.host not in self.loaded:
            beside = f"{load:.1f} of {client.cores} cores"
            self.notes.append(f"{client.host}: loaded by others ({beside}), it gets no work now")
        self.loaded = self.loaded | {client.host} if room <= 0 else self.loaded - {client.host}
        return room

    def hosts(self) -> set[str]:
        """The hosts with a client."""
        return {c.host for c in self.clients.values() if not c.gone}

    def _next(self, client_id: str, host: str, hosts: set[str]) -> Task | None:
        """The next waiting task for a host, or when none waits a running one worth a copy."""
        if self.waiting:
            return scheduler.pick(self.waiting, self.tasks, host, others=len(hosts - {host}) > 0)
        for _ in range(len(self._stragglers)):
            task = self.tasks.get(self._stragglers.popleft())
            if task and self._may_copy(task):
                live = [self.tickets[t] for t in task.tickets]
                alone = hosts <= {host}  # then another client on the same host must do
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
            self.notes.append(
                f"no task is waiting, so idle hosts run copies of long ones (the first is task {task.number}); "
                "the first valid result counts. `once: true` forbids it"
            )

    def _issue(self, now: float, task: Task, client_id: str, host: str, leased: bool) -> Ticket:
        ticket = Ticket(self._next_ticket, task.number, client_id, host, now, word=now, leased=leased)
        self._next_ticket += 1
        self.tickets[ticket.id] = ticket
        task.tickets.append(ticket.id)
        self._move(task, TaskEvent.ISSUE)
        self.changes.append(TicketIssued(ticket.id, task.number, client_id, host))
        return ticket

    def ping(self, now: float, client_id: str, ticket_ids: Iterable[int]) -> list[int]:
        """Renew the leases; the tickets among them that have expired come back."""
        self.heard(now, client_id)
        return [t for t in ticket_ids if not self._renew(now, t)]

    def _renew(self, now: float, ticket_id: int) -> bool:
        ticket = self.tickets.get(ticket_id)
        if ticket is None or self.has_ended(ticket_id):
            return False
        if ticket.state is TicketState.LOST:
            self._revive(ticket)
        ticket.word, ticket.leased = now, True
        return True

    def _revive(self, ticket: Ticket) -> None:
        task = self.tasks[ticket.task]
        move_ticket(ticket, TicketEvent.RENEW)
        task.lost = max(0, task.lost - ticket.leased)  # its host was slow, not killed
        self._attach(task, ticket)
        self._unqueue(task)
        self.changes.append(TicketEnded(ticket.id, ticket.state))
        self._moved(task, "")

    def arrive(self, now: float, ticket_id: int, client_id: str = "") -> Task | None:
        """A result is here: its task, to be validated; None when the task is done or the ticket unknown."""
        self.heard(now, client_id)
        ticket = self.tickets.get(ticket_id)
        task = self.tasks.get(ticket.task) if ticket else None
        if ticket is None or task is None or ticket.state in (TicketState.ACCEPTED, TicketState.CHECKING):
            return None
        self._attach(task, ticket)
        self._unqueue(task)  # nobody else needs to begin it while its result is looked at
        move_ticket(ticket, TicketEvent.ARRIVE)
        return task

    def accept(self, ticket_id: int, outputs: tuple[Output, ...], usage: Usage, stderr: bytes = b"") -> bool:
        """The result is valid: the task is done, its other attempts expire. False when another one was faster."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return False
        task = self.tasks[ticket.task]
        move_ticket(ticket, TicketEvent.ACCEPT)
        self._move(task, TaskEvent.ACCEPT)
        attempts = task.attempts + (not ticket.charged)
        self.changes.append(TicketEnded(ticket.id, ticket.state, usage, stderr=stderr))
        self.changes.append(TaskMoved(task.number, task.state, attempts, task.lost, "", ticket.id, {}, outputs))
        self._leave(task)
        self._walls.append(usage.wall)
        for benched in self.guard.succeeded(self._now, ticket.host, task.number):
            self._bench(benched)
        return True

    def median(self) -> float:
        """Seconds that accepted attempts took; 0 while fewer than five are known."""
        return statistics.median(self._walls) if len(self._walls) >= 5 else 0.0

    def timeout(self) -> float:
        """Seconds that an attempt may take now; 0: as long as it likes."""
        timeout = self.rules.timeout
        return timeout.factor * self.median() if isinstance(timeout, Times) else timeout

    def _bench(self, benched: Benched) -> None:
        """A host fails what succeeds elsewhere: its failures are not charged to the tasks."""
        self.notes.append(
            f"{benched.host} is benched: what fails there succeeds elsewhere ({benched.reason}). "
            "Its failures are not charged; it is tried again later with one task"
        )

    def _believe_not(self, host: str, but: int) -> None:
        """A host is suspected: others shall try what failed there, and until then it is not charged."""
        for number, failure in self.guard.record(host).streak.items():
            task = self.tasks.get(number) or self._take_back(number)
            if task and number != but and task.faults.get(failure.kind):
                task.attempts -= 1
                task.faults[failure.kind] -= 1
                self._moved(task, failure.reason)

    def _take_back(self, number: int) -> Task | None:
        """A task that was given up for the fault of a host waits again."""
        task = self._given_up.pop(number, None)
        if task:
            self.tasks[number] = task
            task.tickets.clear()
            task.past.clear()
            self._move(task, TaskEvent.RETRY)
            self.waiting.append(number)
        return task

    def _checked(self, ticket_id: int) -> Ticket | None:
        """The ticket, if its result is still being looked at: another attempt may have ended the task meanwhile."""
        ticket = self.tickets.get(ticket_id)
        return ticket if ticket and ticket.state is TicketState.CHECKING else None

    def suspend(
        self, ticket_id: int, reason: str, outputs: tuple[Output, ...], usage: Usage, stderr: bytes = b""
    ) -> bool:
        """A hook could not judge the result: it is kept, and the task counts as failed until the hook is mended."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return False
        task = self.tasks[ticket.task]
        move_ticket(ticket, TicketEvent.REJECT)
        if task.state is not TaskState.FAILED:
            self._move(task, TaskEvent.GIVE_UP)
        failure = Failure("hook", reason)
        self.changes.append(TicketEnded(ticket.id, ticket.state, usage, failure, b"", stderr))
        attempts = task.attempts + (not ticket.charged)
        self.changes.append(TaskMoved(task.number, task.state, attempts, task.lost, reason, ticket.id, {}, outputs))
        self._leave(task)
        return True

    def reject(self, ticket_id: int, reason: str, usage: Usage, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """The validation said no: an attempt is used up."""
        ticket = self._checked(ticket_id)
        if ticket:
            self._end(ticket, TicketEvent.REJECT, Failure("rejected", reason), usage, stdout, stderr)

    def release(self, ticket_id: int) -> None:
        """Looking at its result broke off, by a fault of ours: the task waits, and the result may come again."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return
        task = self.tasks[ticket.task]
        self._expire(ticket)
        self._detach(task, ticket)
        if task.state is TaskState.FAILED:
            self._leave(task)
        else:
            self._settle(task, "")

    def fail(
        self, now: float, ticket_id: int, failure: Failure, usage: Usage, stdout: bytes = b"", client_id: str = ""
    ) -> bool:
        """The program ended without success: an attempt is used up. False when that no longer matters."""
        self.heard(now, client_id)
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket.state not in (TicketState.ISSUED, TicketState.LOST):
            return False
        self._end(ticket, TicketEvent.FAIL, failure, usage, stdout, failure.stderr.encode())
        return True

    def _end(
        self, ticket: Ticket, event: TicketEvent, failure: Failure, usage: Usage, stdout: bytes, stderr: bytes
    ) -> None:
        """One attempt is used up (unless its host is in doubt): back to the queue, or given up."""
        task = self.tasks[ticket.task]
        move_ticket(ticket, event)
        suspected = self.guard.failed(self._now, ticket.host, task.number, failure)
        free = self.guard.doubted(ticket.host, self.hosts())
        if suspected and free:
            self._believe_not(ticket.host, task.number)
        if not ticket.charged and not free:  # a result that is sent twice uses up one attempt
            ticket.charged = True
            task.attempts += 1
            task.faults[failure.kind] = task.faults.get(failure.kind, 0) + 1
        task.shunned.add(ticket.host)
        self.changes.append(TicketEnded(ticket.id, ticket.state, usage, failure, stdout, stderr))
        self._detach(task, ticket)
        if task.state is TaskState.FAILED:
            self._leave(task)
        elif not free and self.rules.spent(task.faults, failure.kind):
            self.give_up(task, failure.reason)
            self._remember_given_up(task, ticket.host)
        else:
            self._settle(task, failure.reason)

    def _remember_given_up(self, task: Task, host: str) -> None:
        """Its host may turn out to be at fault; of those that no host can be blamed for nothing is remembered."""
        if task.number in self.guard.record(host).streak:
            self._given_up[task.number] = task
        else:
            self.guard.forget(task.number)
        if len(self._given_up) > MOST_GIVEN_UP:
            blamed = self.guard.blamed()
            for number in [n for n in self._given_up if n not in blamed]:
                del self._given_up[number]
                self.guard.forget(number)

    def give_up(self, task: Task, reason: str) -> None:
        """The task has failed; its other attempts, if any, expire."""
        self._move(task, TaskEvent.GIVE_UP)
        self._moved(task, reason)
        if task.number in self.waiting:
            self.waiting.remove(task.number)
        self._leave(task)
        failed = self.in_state[TaskState.FAILED] + self.failed_before
        if not self.draining and self.rules.stop_after(failed, self.total):
            self.notes.append(f"the sweep is given up (stop_after): {failed} sets have failed")
            self.gave_up = True
            self.stop()

    def lose(self, ticket: Ticket, silent: bool = True) -> None:
        """Its host went silent, or left: the host's fault, no attempt is used up."""
        task = self.tasks[ticket.task]
        move_ticket(ticket, TicketEvent.LOSE)
        # Who says goodbye was not killed by the task; of a client that never pinged, silence proves nothing about it.
        task.lost += silent and ticket.leased
        task.shunned.add(ticket.host)
        self.changes.append(TicketEnded(ticket.id, ticket.state))
        self._detach(task, ticket)
        if task.lost >= MAX_LOST:
            self.give_up(task, f"{task.lost} hosts were lost while they ran it, the last one {ticket.host}")
        else:
            self._settle(task, f"host {ticket.host} {'was lost' if silent else 'left'}")

    def _settle(self, task: Task, reason: str) -> None:
        if task.state is TaskState.RUNNING and not task.tickets:
            self.return_to_queue(task)
        self._moved(task, reason)

    def _moved(self, task: Task, reason: str) -> None:
        self.changes.append(
            TaskMoved(task.number, task.state, task.attempts, task.lost, reason, None, dict(task.faults))
        )

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
        """A finished task leaves the farm, and its other live attempts expire."""
        for ticket_id in task.tickets:
            ticket = self.tickets.pop(ticket_id)
            if ticket.state in LIVE:
                self._expire(ticket)
        for ticket_id in task.past:
            self.tickets.pop(ticket_id, None)
        del self.tasks[task.number]
        if self.more:
            self._left.add(task.number)

    def _expire(self, ticket: Ticket) -> None:
        """Nobody needs this attempt any more; who pings is told."""
        move_ticket(ticket, TicketEvent.EXPIRE)
        self.changes.append(TicketEnded(ticket.id, ticket.state))
        holder = self.clients.get(ticket.client)
        if ticket.leased and holder and not holder.gone:
            self._expired.setdefault(ticket.client, set()).add(ticket.id)

    # -- clients and time

    def heard(self, now: float, client_id: str) -> Client | None:
        """Any word of a client is a sign of life."""
        self._now = max(self._now, now)
        client = self.clients.get(client_id)
        if client:
            client.word = now
        return client

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

    def bye(self, now: float, client_id: str, killed: bool = False) -> None:
        """A client is gone; what it still had goes back to the queue. `killed`: as if it had gone silent."""
        client = self.heard(now, client_id)
        if client is None or client.gone:
            return
        client.gone = client.told = True
        self._expired.pop(client_id, None)
        self.changes.append(ClientLeft(client_id, now - client.since))
        for ticket in [t for t in self.tickets.values() if t.client == client_id and t.state is TicketState.ISSUED]:
            self.lose(ticket, silent=killed)

    def tick(self, now: float) -> list[Ticket]:
        """Time has consequences: the tickets lost by now, for silence or, where no client pings, by their timeout."""
        lease, timeout = scheduler.lease(self.rules.ping), self.timeout()
        silent = [t for t in self.tickets.values() if scheduler.is_lost(t, now, lease, timeout)]
        for ticket in silent:
            self.lose(ticket)
        self._stragglers.clear()
        if self.rules.copies and not self.waiting and not self.more and not self.draining:
            live = (t for t in self.tickets.values() if t.state is TicketState.ISSUED)
            self._stragglers.extend(scheduler.stragglers(live, now, self.median()))
        return silent

    @property
    def offers(self) -> int:
        """How many idle requests may find something: waiting tasks, and running ones worth a copy."""
        return len(self.waiting) or len(self._stragglers)

    def give_back(self, ticket_id: int) -> None:
        """A ticket that never reached its client: as if it had not been issued."""
        ticket = self.tickets.get(ticket_id)
        if ticket and ticket.state is TicketState.ISSUED:
            task = self.tasks[ticket.task]
            ticket.leased = False  # nobody has it, so nobody is to be told
            self._expire(ticket)
            self._detach(task, ticket)
            self._settle(task, "")

    def stop(self) -> None:
        """Everything that runs is called back: the tickets expire, their tasks wait for another run."""
        self.draining = True
        for ticket in list(self.tickets.values()):
            if ticket.state in (TicketState.ISSUED, TicketState.LOST):  # a lost host that comes back must not go on
                task = self.tasks[ticket.task]
                self._expire(ticket)
                self._detach(task, ticket)
                self._settle(task, "")

    def take_notes(self) -> list[str]:
        """What the user should know, since the last call."""
        notes, self.notes = self.notes, []
        return notes

    def take_changes(self) -> list[Change]:
        """What must be stored before the next reply leaves."""
        changes, self.changes = self.changes, []
        return changes
