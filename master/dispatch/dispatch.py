"""The heart: what happens on register, task, ping, complete, failed, bye and tick.

No HTTP, no SSH, no SQL, no clock: events come in with the time as an argument; replies go out as return values
and what must be remembered as `changes`, which the caller stores before it answers. Its bookkeeping is board.py's,
handing out handout.py's; here is what becomes of what was handed out.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..model import Client, Death, Failure, Note, Output, Task, TaskState, Ticket, TicketState, Times, Usage
from . import scheduler
from .black_holes import Benched
from .changes import ClientCame, ClientHeard, ClientLeft, TaskMoved, TicketEnded
from .handout import Handout
from .lifecycle import TaskEvent, TicketEvent

__all__ = ["MAX_LOST", "Dispatch"]

LATE = 5.0  # seconds by which words of one moment may differ, beside the pause between pings
MAX_LOST = 3  # a task that lost so many hosts is taken for their killer
WORDS_PAUSE = 30.0  # seconds between notes of when clients were heard last
MOST_GIVEN_UP = 1000  # tasks that are remembered because a host may be at fault


class Dispatch(Handout):
    """All that is in motion, and what the verbs of the protocol do to it."""

    def register(self, now: float, host: str, platform: str, slots: int, pings: bool, cores: int = 0) -> Client:
        """A client came; it gets its ID. `cores`: of its host, 0 when it does not say."""
        client = Client(str(self._next_client), host, platform, slots, cores or slots, now, now, pings)
        self._next_client += 1
        self.welcome(client)
        self.changes.append(ClientCame(client.id, host, platform, slots, pings))
        return client

    def ping(self, now: float, client_id: str, ticket_ids: Iterable[int]) -> list[int]:
        """Renew the leases; the tickets among them that have expired come back."""
        client = self.heard(now, client_id)
        if client and client.gone:  # its goodbye has overtaken this: what it had went back to the queue
            return list(ticket_ids)
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
        self._move_ticket(ticket, TicketEvent.RENEW)
        if ticket.blamed:  # its host was slow, not killed
            task.lost, task.death = max(0, task.lost - 1), None
        ticket.blamed = False
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
        self._move_ticket(ticket, TicketEvent.ARRIVE)
        return task

    def accept(
        self, ticket_id: int, outputs: tuple[Output, ...], usage: Usage, stderr: bytes = b"",
        stdout: bytes | None = b"",
    ) -> bool:  # fmt: skip
        """The result is valid: the task is done, its other attempts expire. False when another one was faster."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return False
        task = self.tasks[ticket.task]
        self._move_ticket(ticket, TicketEvent.ACCEPT)
        self._move(task, TaskEvent.ACCEPT)
        attempts = task.attempts + (not ticket.charged)
        self.changes.append(TicketEnded(ticket.id, ticket.state, usage, None, stdout, stderr))
        self.changes.append(TaskMoved(task.number, task.state, attempts, task.lost, "", ticket.id, {}, outputs))
        self._leave(task)
        self.walls.append(usage.wall)
        self.tally.done(self._now, ticket.host, task.number, usage.wall)
        for benched in self.guard.succeeded(self._now, ticket.host, task.number, ticket.id):
            self._bench(benched)
        return True

    def _checked(self, ticket_id: int) -> Ticket | None:
        """The ticket, if its result is still being looked at: another attempt may have ended the task meanwhile."""
        ticket = self.tickets.get(ticket_id)
        return ticket if ticket and ticket.state is TicketState.CHECKING else None

    def suspend(
        self, ticket_id: int, reason: str, outputs: tuple[Output, ...], usage: Usage, stderr: bytes = b"",
        files: str | None = None, stdout: bytes | None = b"",
    ) -> bool:  # fmt: skip
        """A hook could not judge the result: it is kept, and the task counts as failed until the hook is mended."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return False
        task = self.tasks[ticket.task]
        self._move_ticket(ticket, TicketEvent.REJECT)
        if task.state is not TaskState.FAILED:
            self._move(task, TaskEvent.GIVE_UP)
        failure = Failure("hook", reason, files=files)
        self.tally.failed(self._now, ticket.host, task.number, reason, usage.wall)
        self.tally.gave_up(self._now, task.number, reason)
        self.changes.append(TicketEnded(ticket.id, ticket.state, usage, failure, stdout, stderr))
        attempts = task.attempts + (not ticket.charged)
        self.changes.append(TaskMoved(task.number, task.state, attempts, task.lost, reason, ticket.id, {}, outputs))
        self._leave(task)
        return True

    def reject(
        self, ticket_id: int, reason: str, usage: Usage, stdout: bytes = b"", stderr: bytes = b"",
        files: str | None = None,
    ) -> None:  # fmt: skip
        """The validation said no: an attempt is used up."""
        ticket = self._checked(ticket_id)
        if ticket:
            failure = Failure("rejected", reason, files=files)
            self._end(ticket, TicketEvent.REJECT, failure, usage, stdout, stderr)

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

    # -- attempts that end badly

    def _end(
        self, ticket: Ticket, event: TicketEvent, failure: Failure, usage: Usage, stdout: bytes, stderr: bytes
    ) -> None:
        """One attempt is used up (unless its host is in doubt): back to the queue, or given up."""
        task = self.tasks[ticket.task]
        self._move_ticket(ticket, event)
        self.tally.failed(self._now, ticket.host, task.number, failure.reason, usage.wall)
        suspected = self.guard.failed(self._now, ticket.host, task.number, failure, ticket.id)
        free = self.guard.doubted(ticket.host, self.at_work)
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

    def give_up(self, task: Task, reason: str) -> None:
        """The task has failed; its other attempts, if any, expire."""
        self._move(task, TaskEvent.GIVE_UP)
        self._moved(task, reason)
        self.tally.gave_up(self._now, task.number, reason)
        if task.number in self.waiting:
            self.waiting.remove(task.number)
        self._leave(task)
        failed = self.in_state[TaskState.FAILED] + self.failed_before
        if not self.draining and self.rules.stop_after(failed, self.total):
            self.notes.append(Note(f"the sweep is given up (stop_after): {failed} sets have failed", "given_up"))
            self.gave_up = True
            self.stop()

    def lose(self, ticket: Ticket, silent: bool = True, begun: bool = True) -> None:
        """Its host went silent, or left: the host's fault, no attempt is used up."""
        task = self.tasks[ticket.task]
        self._move_ticket(ticket, TicketEvent.LOSE)
        client = self.clients.get(ticket.client)
        killed = client is not None and client.gone  # then somebody said so in its stead
        # Who says goodbye was not killed by the task, nor by one that had not begun; of a client that never pinged,
        # silence proves nothing about it.
        if silent and begun and ticket.leased:
            self._blame(task, ticket, killed)
        task.shunned.add(ticket.host)
        self.tally.lost(ticket.host)
        how = "its client left" if not silent else f"its {'client was killed' if killed else 'host went silent'}"
        self.changes.append(TicketEnded(ticket.id, ticket.state, failure=Failure("lost", how)))
        self._detach(task, ticket)
        if task.lost >= MAX_LOST:
            self.give_up(task, f"{task.lost} hosts were lost while they ran it, the last one {ticket.host}")
        else:
            self._settle(task, f"host {ticket.host} {'was lost' if silent else 'left'}")

    def _blame(self, task: Task, ticket: Ticket, killed: bool) -> None:
        """The task may have killed its host; hosts that died together were killed by something else."""
        silent_from = self._now if killed else ticket.word
        death = Death(ticket.host, silent_from, min(self._now, silent_from + self.rules.ping))
        if task.death is None or not death.is_of_one_cut(task.death):
            ticket.blamed, task.death = True, death
            task.lost += 1

    # -- hosts in doubt

    def _bench(self, benched: Benched) -> None:
        """A host fails what succeeds elsewhere: its failures are not charged to the tasks."""
        text = (
            f"{benched.host} is benched: what fails there succeeds elsewhere ({benched.reason}). "
            "Its failures are not charged; it is tried again later with one task"
        )
        self.notes.append(Note(text, "benched", benched.host))

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

    def _remember_given_up(self, task: Task, host: str) -> None:
        """Its host may turn out to be at fault; of those that no host can be blamed for nothing is remembered."""
        if task.planned and task.number in self.guard.record(host).streak:
            self._given_up[task.number] = task
        else:
            self.guard.forget(task.number)
        if len(self._given_up) > MOST_GIVEN_UP:
            blamed = self.guard.blamed()
            for number in [n for n in self._given_up if n not in blamed]:
                del self._given_up[number]
                self.guard.forget(number)

    # -- time and goodbyes

    def bye(self, now: float, client_id: str, killed: bool = False) -> None:
        """A client is gone; what it still had goes back to the queue. `killed`: as if it had gone silent."""
        client = self.heard(now, client_id)
        if client is None or client.gone:
            return
        self.dismiss(client)
        self._expired.pop(client_id, None)
        self.changes += [ClientLeft(client_id, now - client.since), ClientHeard(client_id, 0.0)]
        self._lose([t for t in self.tickets.values() if t.client == client_id], silent=killed)

    def tick(self, now: float) -> list[Ticket]:
        """Time has consequences: the tickets lost by now, for silence or, where no client pings, by their timeout."""
        lease, timeout = scheduler.lease(self.rules.ping), self.timeout()
        self._end_overdue(now, timeout)
        silent = [t for t in self.tickets.values() if scheduler.is_lost(t, now, lease, timeout)]
        if silent:
            self._lose(silent, blame=not self._is_deaf(now))
        self._note_words(now)
        self._stragglers.clear()
        if self.rules.copies and not self.waiting and not self.more and not self.draining:
            self._stragglers.extend(scheduler.stragglers(self.begun(), now, self.median()))
        return silent

    def forgive(self, seconds: float) -> None:
        """So long this master was stopped and could hear nobody: that time counts for no lease."""
        for ticket in self.tickets.values():
            ticket.word += seconds
            ticket.begun += seconds if ticket.begun else 0.0

    def _is_deaf(self, now: float) -> bool:
        """Several hosts fell silent together, and nobody is heard: the link, or this machine; no task did that."""
        span = self.rules.ping + LATE
        together = {c.host for c in self.present() if self.last_word - c.word <= span}
        return now - self.last_word > span and len(together) > 1

    def _end_overdue(self, now: float, timeout: float) -> None:
        """`timeout: 3x`: who was handed out before the median was known was not told it, and is ended from here."""
        if not isinstance(self.rules.timeout, Times):
            return
        begun = list(self.begun())
        for ticket in begun:
            ticket.begun = ticket.begun or now
            if timeout and now - ticket.begun > timeout + scheduler.AFTER_TIMEOUT:
                self._expired.setdefault(ticket.client, set()).add(ticket.id)
                failure = Failure("timeout", f"timeout after {timeout:g} s")
                self._end(ticket, TicketEvent.FAIL, failure, Usage(wall=round(now - ticket.begun, 6)), b"", b"")

    def _lose(self, tickets: Iterable[Ticket], silent: bool = True, blame: bool = True) -> None:
        begun = {ticket.id for ticket in self.begun()} if blame else set()  # as long as all of them are out
        for ticket in tickets:
            if ticket.state is TicketState.ISSUED:
                self.lose(ticket, silent, ticket.id in begun)

    def _note_words(self, now: float) -> None:
        """Let the store know now and then when each client was heard last."""
        if now - self._words_noted < WORDS_PAUSE:
            return
        for client in self.clients.values():
            if client.word > self._words_noted and not client.gone:
                self.changes.append(ClientHeard(client.id, now - client.word))
        self._words_noted = now

    def call_back(self, task: Task) -> None:
        """A task of an earlier run that is none of today's: what runs of it ends, its place is for today's sets.

        A result of it that comes all the same counts for that set, which a later run may want again.
        """
        for ticket_id in [*task.tickets, *task.past]:
            ticket = self.tickets[ticket_id]
            if ticket.state in (TicketState.ISSUED, TicketState.LOST):
                self._expire(ticket)
                self._detach(task, ticket)
        if not task.tickets:
            if task.state is TaskState.RUNNING:
                self._settle(task, "")
            elif task.state is TaskState.WAITING:
                self._hand_over(task)

    def stop(self) -> None:
        """Everything that runs is called back: the tickets expire, their tasks wait for another run."""
        self.draining = True
        stopped: dict[int, Task] = {}
        for ticket in self.tickets.values():
            if ticket.state in (TicketState.ISSUED, TicketState.LOST):  # a lost host that comes back must not go on
                task = stopped[ticket.task] = self.tasks[ticket.task]
                self._expire(ticket)
                self._detach(task, ticket)
        for task in stopped.values():
            self._settle(task, "")
