"""What people decide about a running sweep: it pauses, hosts are set aside, tasks are cancelled or wanted again.

A part of the heart: no I/O, and only the table of lifecycle.py moves a task. Who may say so is acts.py's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from ..model import TaskState
from .board import Board
from .lifecycle import TaskEvent
from .rules import Rules

CANCELLED = "cancelled by hand"
CANCELLABLE = (TaskState.WAITING, TaskState.RUNNING)


class Aside(StrEnum):
    """How a host is set aside: either way it finishes what it has begun and gets nothing new."""

    BENCHED = "benched"  # its client stays there, ready
    DRAINED = "drained"  # its client leaves when it has nothing more


class Steering(Board):
    """A board that obeys people."""

    def __init__(self, rules: Rules, next_ticket: int = 1, next_client: int = 1) -> None:
        super().__init__(rules, next_ticket, next_client)
        self.paused = False
        self.aside: dict[str, Aside] = {}
        self.on_trial: set[str] = set()  # hosts whose clients did not stay: the next one gets work once it has
        self.cancelled: set[int] = set()  # in this run

    # -- the sweep

    def pause(self) -> None:
        """Nothing more is handed out, until it goes on."""
        self.paused = True

    def resume(self) -> bool:
        """It goes on; False when it was not paused."""
        was, self.paused = self.paused, False
        return was

    # -- who gets nothing

    def withholds(self, host: str) -> bool:
        """Whether nothing is handed out there, by anybody's decision but the guard's."""
        return self.draining or self.paused or host in self.aside or host in self.on_trial

    @property
    def withholding(self) -> bool:
        """Whether there may be anybody who has to give back what lies ready."""
        return self.draining or self.paused or bool(self.aside)

    @property
    def at_work(self) -> Collection[str]:
        """The hosts with a client that may get work."""
        return set(self.hosts) - self.aside.keys() if self.aside else self.hosts

    def closed_for(self, client_id: str) -> bool:
        """Whether this client is sent home when it asks for work.

        Of a drained host only once it has nothing more: one that was told so bears a silent master for a moment only.
        """
        client = self.clients.get(client_id)
        if self.closed or client is None or self.aside.get(client.host) is not Aside.DRAINED:
            return self.closed
        return not any(t.client == client_id and self.is_live(t.id) for t in self.tickets.values())

    @property
    def leaving(self) -> bool:
        """Whether a host with a client is drained: it is to be told at once when it has nothing more."""
        return any(how is Aside.DRAINED and host in self.hosts for host, how in self.aside.items())

    # -- hosts

    def set_aside(self, host: str, how: Aside) -> None:
        """From now on it gets nothing new."""
        self.aside[host] = how

    def use(self, host: str) -> bool:
        """It gets work again, also one that the guard had benched. False when nothing was in its way."""
        withheld = self.aside.pop(host, None) is not None
        return self.guard.trusts_again(host) or withheld

    # -- tasks

    def cancel(self, numbers: Iterable[int]) -> list[int]:
        """Those of them that wait or run here never run again, and their tickets are called back."""
        found = [n for n in numbers if (task := self.tasks.get(n)) and task.state in CANCELLABLE]
        chosen = set(found)
        if any(self.tasks[n].state is TaskState.WAITING for n in found):
            kept = [n for n in self.waiting if n not in chosen]
            self.waiting.clear()
            self.waiting.extend(kept)
        for number in found:
            task = self.tasks[number]
            self._move(task, TaskEvent.CANCEL)
            self._moved(task, CANCELLED)
            self._leave(task)
            self.guard.forget(number)
        self.cancelled |= chosen
        return found

    def cancelled_in_store(self, numbers: Collection[int]) -> None:
        """The same happened to some that had not come in; one that came in meanwhile goes again."""
        here = self.cancel(numbers)
        self.in_state[TaskState.CANCELLED] += len(numbers) - len(here)
        self.cancelled.update(numbers)
        if self.more:
            self._left.update(numbers)

    def put_back(self, before: Mapping[int, TaskState]) -> None:
        """The store has set these back to waiting, which were what is said here: they come in again."""
        for state, count in Counter(before.values()).items():
            self.in_state[state] -= count  # those that come in are counted then
        self._left.difference_update(before)
        self.cancelled.difference_update(before)
        for number in before:
            self._given_up.pop(number, None)
            self.guard.forget(number)
            self.tally.forget(number)
        self.look_again()


__all__ = ["CANCELLED", "Aside", "Steering"]
