"""Hosts in doubt: what the black-hole guard thinks of a host, applied to the tasks that failed there."""

from __future__ import annotations

from collections.abc import Collection

from ..model import Failure, Note, Task
from .black_holes import Benched, BlackHoleGuard
from .board import Board
from .clients import Clients
from .pacing.alike import AlikeFailures
from .steering import Steering

MOST_GIVEN_UP = 1000  # tasks that are remembered because a host may be at fault


class Doubts:
    """The guard's verdicts for one board: who is charged for a failure, the task or nobody."""

    def __init__(self, board: Board, guard: BlackHoleGuard, steering: Steering, alike: AlikeFailures) -> None:
        self._board, self._guard, self._steering, self._alike = board, guard, steering, alike
        self._clients: Clients = board.clients

    @property
    def hosts_at_work(self) -> Collection[str]:
        """The hosts with a client that may get work."""
        return self._steering.at_work

    def failed(self, host: str, task: Task, failure: Failure, ticket_id: int) -> bool:
        """Tell the guard that a task failed there. Return whether the failure is charged to nobody."""
        guard = self._guard
        is_suspected_now = guard.failed(self._clients.now, host, task.number, failure, ticket_id)
        is_free = guard.doubted(host, self._steering.at_work)
        if is_suspected_now and is_free:
            self._uncharge(host, but=task.number)
        return is_free

    def succeeded(self, host: str, task: Task, ticket_id: int) -> None:
        """Tell the guard that a task succeeded there, which may prove that it failed elsewhere by a host's fault."""
        for benched in self._guard.succeeded(self._clients.now, host, task.number, ticket_id):
            self._note_benched(benched)

    def _note_benched(self, benched: Benched) -> None:
        text = (
            f"{benched.host} is benched: what fails there succeeds elsewhere ({benched.reason}). "
            "Its failures are not charged; it is tried again later with one task"
        )
        self._board.notes.append(Note(text, "benched", benched.host))

    def _uncharge(self, host: str, but: int) -> None:
        """Take back what was charged to tasks for this host: others shall try them first. `but`: not this task."""
        for number, failure in self._guard.record(host).streak.items():
            task = self._board.tasks.get(number) or self._take_back(number)
            if task and number != but and task.faults.get(failure.kind):
                task.attempts -= 1
                task.faults[failure.kind] -= 1
                self._alike.uncharge(task, failure.kind)
                self._board.note_moved(task, failure.reason)

    def _take_back(self, number: int) -> Task | None:
        """Return a task that was given up for the fault of a host, and waits again; None when it is not known."""
        task = self._board.given_up.pop(number, None)
        if task:
            self._board.retry(task)
        return task

    def remember_given_up(self, task: Task, host: str) -> None:
        """Keep a task that has failed, if its host may turn out to be at fault."""
        given_up = self._board.given_up
        if task.planned and task.number in self._guard.record(host).streak:
            given_up[task.number] = task
        else:
            self._guard.forget(task.number)
        if len(given_up) > MOST_GIVEN_UP:
            blamed = self._guard.blamed()
            for number in [number for number in given_up if number not in blamed]:
                del given_up[number]
                self._guard.forget(number)
