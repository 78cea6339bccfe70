"""Attempts from the arrival of their result or failure to their end: accepted, rejected, suspended, failed, given up.

Attempts that end with their host are losses.py's.
"""

from __future__ import annotations

from ..model import Failure, Note, Output, Task, TaskState, Ticket, TicketState, Usage
from .board import Board
from .changes import TaskMoved, TicketEnded
from .doubts import Doubts
from .handout import Handout
from .lifecycle import TaskEvent, TicketEvent
from .rules import Rules
from .shortfall import GIVEN_UP
from .tally import Tally

TWICE = "task {}: the same result was rejected twice, so it is not tried again, nor are others of which this is true"


TOLD_AFTER = 5.0  # seconds; most of what runs ends sooner, and as the others did


class Attempts:
    """The attempts on one board, from the arrival of their results or failures to their ends."""

    def __init__(self, rules: Rules, board: Board, handout: Handout, doubts: Doubts, tally: Tally) -> None:
        self._rules, self._board, self._handout, self._doubts, self._tally = rules, board, handout, doubts, tally
        self._clients = board.clients
        self.gave_up = False  # the sweep, by `stop_after`
        self._has_told_twice = False
        self.stopped_alike = False  # the sweep, by `stop_alike`
        self._alike = handout.alike

    # -- a result

    def arrive(self, now: float, ticket_id: int, client_id: str = "") -> Task | None:
        """Note that a result is here. Return its task, to be checked; None when it is done or the ticket unknown."""
        self._clients.heard(now, client_id)
        board = self._board
        ticket = board.tickets.get(ticket_id)
        task = board.tasks.get(ticket.task) if ticket else None
        if ticket is None or task is None or ticket.state in (TicketState.ACCEPTED, TicketState.CHECKING):
            return None
        board.take_back_blame(task, ticket)
        board.attach(task, ticket)
        board.unqueue(task)  # no other client needs to begin a task whose result is being checked
        board.move_ticket(ticket, TicketEvent.ARRIVE)
        return task

    def accept(
        self,
        ticket_id: int,
        outputs: tuple[Output, ...],
        usage: Usage,
        stderr: bytes = b"",
        stdout: bytes | None = b"",
    ) -> bool:
        """Take a result that is valid: the task is done, its other attempts expire. False: another was faster."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return False
        board, task = self._board, self._board.tasks[ticket.task]
        board.move_ticket(ticket, TicketEvent.ACCEPT)
        board.move(task, TaskEvent.ACCEPT)
        attempts = task.attempts + (not ticket.charged)
        board.changes.append(TicketEnded(ticket.id, ticket.state, usage, None, stdout, stderr))
        board.changes.append(TaskMoved(task.number, task.state, attempts, task.lost, "", ticket.id, {}, outputs))
        board.leave(task)
        self._handout.note_accepted(self._clients.now, task, ticket, usage.wall)
        self._tally.done(self._clients.now, ticket.host, task.number, usage.wall)
        if self._alike.is_watching:
            self._alike.forgive()
        self._doubts.succeeded(ticket.host, task, ticket.id)
        return True

    def _checked(self, ticket_id: int) -> Ticket | None:
        """Return the ticket if its result is still being checked: another attempt may have ended the task meanwhile."""
        ticket = self._board.tickets.get(ticket_id)
        return ticket if ticket and ticket.state is TicketState.CHECKING else None

    def suspend(
        self,
        ticket_id: int,
        reason: str,
        outputs: tuple[Output, ...],
        usage: Usage,
        stderr: bytes = b"",
        files: str | None = None,
        stdout: bytes | None = b"",
    ) -> bool:
        """Keep a result that a hook could not judge: the task counts as failed until the hook is mended."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return False
        board, task = self._board, self._board.tasks[ticket.task]
        board.move_ticket(ticket, TicketEvent.REJECT)
        if task.state is not TaskState.FAILED:
            board.move(task, TaskEvent.GIVE_UP)
        failure = Failure("hook", reason, files=files)
        self._tally.failed(self._clients.now, ticket.host, task.number, reason, usage.wall)
        self._tally.gave_up(self._clients.now, task.number, reason)
        attempts = task.attempts + (not ticket.charged)
        board.changes.append(TicketEnded(ticket.id, ticket.state, usage, failure, stdout, stderr))
        board.changes.append(TaskMoved(task.number, task.state, attempts, task.lost, reason, ticket.id, {}, outputs))
        board.leave(task)
        return True

    def reject(
        self,
        ticket_id: int,
        reason: str,
        usage: Usage,
        stdout: bytes = b"",
        stderr: bytes = b"",
        files: str | None = None,
        digest: str = "",
    ) -> None:
        """Refuse a result that the validation said no to: an attempt is used up.

        `digest`: of its bytes; "" where it has none. The same bytes once more, on two hosts where there are two, fail
        the task, whatever attempts it has left: its program computes nothing else.
        """
        ticket = self._checked(ticket_id)
        if ticket:
            failure = Failure("rejected", reason, files=files)
            is_final = bool(digest) and self._is_refused_again(ticket, digest)
            self.end(ticket, TicketEvent.REJECT, failure, usage, stdout, stderr, is_final)

    def _is_refused_again(self, ticket: Ticket, digest: str) -> bool:
        """Note a rejected result. Return whether it came before, from another host where there is one."""
        if ticket.charged:
            return False  # this attempt was rejected before: its client has sent the result a second time
        if self._rules.retry("rejected") is not None:
            return False  # the user has said how often
        task = self._board.tasks[ticket.task]
        if task.refused is None:
            task.refused = {}  # only now: almost no task needs one
        refused = task.refused
        if digest not in refused:
            refused[digest] = {ticket.host}
            return False
        refused[digest].add(ticket.host)
        return len(refused[digest]) > 1 or not set(self._doubts.hosts_at_work) - refused[digest]

    def release(self, ticket_id: int) -> None:
        """Give up the check of a result, by a fault of ours: the task waits, and the result may come again."""
        ticket = self._checked(ticket_id)
        if ticket is None:
            return
        board, task = self._board, self._board.tasks[ticket.task]
        board.expire(ticket)
        board.detach(task, ticket)
        if task.state is TaskState.FAILED:
            board.leave(task)
        else:
            board.settle(task, "")

    # -- attempts that end badly

    def fail(
        self, now: float, ticket_id: int, failure: Failure, usage: Usage, stdout: bytes = b"", client_id: str = ""
    ) -> bool:
        """End an attempt whose program failed: an attempt is used up. Return False when that no longer matters."""
        self._clients.heard(now, client_id)
        ticket = self._board.tickets.get(ticket_id)
        if ticket is None or ticket.state not in (TicketState.ISSUED, TicketState.LOST):
            return False
        self._board.take_back_blame(self._board.tasks[ticket.task], ticket)
        self.end(ticket, TicketEvent.FAIL, failure, usage, stdout, failure.stderr.encode())
        return True

    def end(
        self,
        ticket: Ticket,
        event: TicketEvent,
        failure: Failure,
        usage: Usage,
        stdout: bytes = b"",
        stderr: bytes = b"",
        is_final: bool = False,
    ) -> None:
        """End an attempt badly, which uses it up unless its host is in doubt: the task waits again, or has failed.

        `is_final`: another attempt is pointless.
        """
        board, task = self._board, self._board.tasks[ticket.task]
        board.move_ticket(ticket, event)
        self._tally.failed(self._clients.now, ticket.host, task.number, failure.reason, usage.wall)
        is_free = self._doubts.failed(ticket.host, task, failure, ticket.id)
        is_free = is_free or (self.stopped_alike and self._alike.is_same(failure))
        was_charged = ticket.charged
        if not ticket.charged and not is_free:  # a result that is sent twice uses up one attempt
            ticket.charged = True
            task.attempts += 1
            task.faults[failure.kind] = task.faults.get(failure.kind, 0) + 1
        # A result that is sent twice is one attempt; and a failure that `retry` names was foreseen.
        if self._alike.is_watching and not was_charged and self._rules.retry(failure.kind) is None:
            self._alike.note(ticket.host, task, failure, ticket.charged)
        task.shunned.add(ticket.host)
        board.changes.append(TicketEnded(ticket.id, ticket.state, usage, failure, stdout, stderr))
        board.detach(task, ticket)
        if task.state is TaskState.FAILED:
            board.leave(task)
        elif is_final or (not is_free and self._rules.spent(task.faults, failure.kind)):
            self.give_up(task, failure.reason)
            if is_final and not self._has_told_twice:
                self._has_told_twice = True
                board.notes.append(Note(TWICE.format(task.number), "rejected_twice"))
            self._doubts.remember_given_up(task, ticket.host)
            if self._alike.is_watching and task.planned:
                board.given_up[task.number] = task
        else:
            if self._rules.retry_after:
                task.not_before = self._clients.now + self._rules.back_off(task.attempts)
            board.settle(task, failure.reason)
        self.stop_if_alike()

    def stop_if_alike(self) -> None:
        """Let the run drain if its first attempts have all failed alike (`stop_alike`), and charge nobody for them.

        What runs is waited for, and nothing new begins meanwhile: it may have begun first, and succeed last.
        """
        board, alike = self._board, self._alike
        if board.draining or not alike.is_proved(self._doubts.hosts_at_work):
            alike.waits_since = None
            return
        if board.running:
            now = self._clients.now
            alike.waits_since = now if alike.waits_since is None else alike.waits_since
            if now - alike.waits_since > TOLD_AFTER and not alike.is_told:
                alike.is_told = True
                board.notes.append(Note(alike.waiting_sentence(board.running), "alike_waits"))
            return
        charged = self._alike.take_charged()
        self.stopped_alike = board.draining = True
        for task, kind in charged:
            self._uncharge(task, kind)
        board.notes.append(Note(self._alike.sentence, "alike"))

    def _uncharge(self, task: Task, kind: str) -> None:
        """Take back an attempt; a task that was given up waits again."""
        board = self._board
        if board.given_up.get(task.number) is task:
            del board.given_up[task.number]
            board.retry(task)
        # People may have cancelled it meanwhile, or put it back with all its attempts.
        if board.tasks.get(task.number) is task and task.faults.get(kind):
            task.attempts -= 1
            task.faults[kind] -= 1
            board.note_moved(task, "")

    def give_up(self, task: Task, reason: str) -> None:
        """Let the task fail; its other attempts, if any, expire. `stop_after` may end the sweep by that."""
        board = self._board
        board.move(task, TaskEvent.GIVE_UP)
        board.note_moved(task, reason)
        self._tally.gave_up(self._clients.now, task.number, reason)
        board.dequeue(task.number)
        board.leave(task)
        self.stop_if_too_many_failed()

    def stop_if_too_many_failed(self) -> None:
        """Give the sweep up if as many sets have failed as `stop_after` says, those of earlier runs included."""
        board = self._board
        failed = board.in_state[TaskState.FAILED] + board.failed_before
        if not board.draining and self._rules.stop_after(failed, board.total):
            text = f"{GIVEN_UP}: {failed} sets have failed"
            board.notes.append(Note(text, "given_up"))
            self.gave_up = True
            board.draining = True
            if self._rules.stop_now:
                board.stop()
