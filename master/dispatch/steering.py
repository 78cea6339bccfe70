"""Decisions of people about a running sweep: it pauses, hosts are set aside, tasks are cancelled or wanted again.

A part of the heart: no I/O, and only the tables of lifecycle.py move anything. Who may say so is acts.py's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from ..model import TaskState
from .black_holes import BlackHoleGuard
from .board import Board
from .lifecycle import TaskEvent
from .tally import Tally

CANCELLED = "cancelled by hand"
CANCELLABLE = (TaskState.WAITING, TaskState.RUNNING)


class Aside(StrEnum):
    """The way in which a host is set aside: it finishes what it has begun and gets nothing new."""

    BENCHED = "benched"  # the client stays there, ready
    DRAINED = "drained"  # the client leaves when it has nothing more


class Steering:
    """The decisions of people about one run."""

    def __init__(self, board: Board, guard: BlackHoleGuard, tally: Tally) -> None:
        self._board, self._guard, self._tally = board, guard, tally
        self.paused = False
        self.aside: dict[str, Aside] = {}
        self.on_trial: set[str] = set()  # hosts whose clients did not stay: the next one gets work once it has
        self.cancelled: set[int] = set()  # in this run
        self.stopped: set[int] = set()  # tickets whose programs were paused by hand

    # -- the sweep

    def pause(self) -> None:
        """Hand out nothing more, until `resume`."""
        self.paused = True

    def resume(self) -> bool:
        """Hand out tasks again. Return False when the sweep was not paused."""
        was, self.paused = self.paused, False
        return was

    # -- who gets nothing

    def withholds(self, host: str) -> bool:
        """Tell whether nothing is handed out there, by anybody's decision but the guard's."""
        return self._board.draining or self.paused or host in self.aside or host in self.on_trial

    @property
    def withholding(self) -> bool:
        """True when there may be a client that has to give back what it prefetched."""
        return self._board.draining or self.paused or bool(self.aside)

    @property
    def at_work(self) -> Collection[str]:
        """The hosts with a client that may get work."""
        hosts = self._board.clients.hosts
        return set(hosts) - self.aside.keys() if self.aside else hosts

    def closed_for(self, client_id: str) -> bool:
        """Tell whether this client is sent home when it asks for work.

        A client of a drained host is sent home only once it has nothing more: a client that was told the end bears a
        silent master for a moment only.
        """
        board = self._board
        client = board.clients.get(client_id)
        if board.closed or client is None or self.aside.get(client.host) is not Aside.DRAINED:
            return board.closed
        return not any(t.client == client_id and board.is_live(t.id) for t in board.tickets.values())

    @property
    def leaving(self) -> bool:
        """True when a host with a client is drained: the client is to be told at once when it has nothing more."""
        hosts = self._board.clients.hosts
        return any(how is Aside.DRAINED and host in hosts for host, how in self.aside.items())

    # -- hosts

    def set_aside(self, host: str, how: Aside) -> None:
        """Hand out nothing new to this host."""
        self.aside[host] = how

    def use(self, host: str) -> bool:
        """Give this host work again, also one that the guard had benched. Return False when nothing was in its way."""
        withheld = self.aside.pop(host, None) is not None
        return self._guard.trusts_again(host) or withheld

    # -- tasks

    def note_signal(self, ticket: int, stopped: bool) -> None:
        """Note that the program of this ticket was paused, or goes on."""
        if stopped:
            self.stopped.add(ticket)
        else:
            self.stopped.discard(ticket)

    def cancel(self, numbers: Iterable[int]) -> list[int]:
        """Cancel those of these tasks that wait or run here, call back their tickets, and return their numbers."""
        board = self._board
        found = [n for n in numbers if (task := board.tasks.get(n)) and task.state in CANCELLABLE]
        chosen = set(found)
        if any(board.tasks[number].state is TaskState.WAITING for number in found):
            kept = [number for number in board.waiting if number not in chosen]
            board.waiting.clear()
            board.waiting.extend(kept)
        for number in found:
            task = board.tasks[number]
            board.back_offs.remove(number)
            board.move(task, TaskEvent.CANCEL)
            board.note_moved(task, CANCELLED)
            board.leave(task)
            self._guard.forget(number)
        self.cancelled |= chosen
        return found

    def cancelled_in_store(self, numbers: Collection[int]) -> None:
        """Note that the store has cancelled tasks that had not come in; one that came in meanwhile leaves again."""
        here = self.cancel(numbers)
        self._board.in_state[TaskState.CANCELLED] += len(numbers) - len(here)
        self.cancelled.update(numbers)
        self._board.remember_left(numbers)

    def put_back(self, before: Mapping[int, TaskState]) -> None:
        """Note that the store has set these tasks back to waiting, which were in these states: they come in again."""
        board = self._board
        for state, count in Counter(before.values()).items():
            board.in_state[state] -= count  # tasks that come in are counted then
        board.forget_left(before)
        self.cancelled.difference_update(before)
        for number in before:
            board.given_up.pop(number, None)
            self._guard.forget(number)
            self._tally.forget(number)
        board.look_again()


__all__ = ["CANCELLED", "Aside", "Steering"]
