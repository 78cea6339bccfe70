"""The one document that says how a sweep stands.

It is what /stream sends, and what the page and the terminal show.

It is made from the dispatch's memory alone, without a question to the store: it is drawn each
second, also while the disk is slow. What is unknown is left out, never null (patch.py says why).
docs/page.md describes every key.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..dispatch.dispatch import Dispatch
from ..dispatch.tally import FailedTask
from ..errors import LaunchError
from ..model import Client, Host, TaskState, Ticket
from ..text import span_between
from .expectation import Expectation
from .host_states import state_of_host, state_of_stranger

WORD_STEP = 5  # seconds: nobody needs to hear of every word of every host


class Hosts(Protocol):
    """The hosts that a run starts (the fleet)."""

    @property
    def hosts(self) -> Sequence[Host]:
        """All hosts of the run, up or not."""

    @property
    def faults(self) -> Mapping[str, LaunchError]:
        """The reasons why hosts are not up, by their names."""


class Picture:
    """Draws the document of one run."""

    def __init__(
        self,
        name: str,
        dispatch: Dispatch,
        epoch: float,
        began: float,
        fleet: Hosts | None = None,
    ) -> None:
        """`epoch` is added to the dispatch's times to make them seconds since 1970.

        `began` is such a time.

        With `fleet`, hosts are drawn before they are up, and with the reason why they are not.
        """
        self.name, self.dispatch, self.epoch, self.began = name, dispatch, epoch, began
        self.fleet = fleet
        self._expectation = Expectation(dispatch)

    def draw(self, now: float) -> dict[str, Any]:
        """Return the document; `now` is of the dispatch's clock."""
        out = list(self.dispatch.handout.begun())
        clients: dict[str, list[Client]] = defaultdict(list)
        for client in self.dispatch.clients:
            clients[client.host].append(client)
        busy = Counter(ticket.host for ticket in out)
        names = self._names(clients, busy)
        return {
            "sweep": self._sweep(now, out),
            "hosts": {name: self._host(now, name, clients[name], busy[name]) for name in names},
            "tickets": {str(ticket.id): self._ticket(ticket) for ticket in out},
            "failures": {
                str(one.task): self._failure(one) for one in self.dispatch.tally.failures.values()
            },
        }

    def _failure(self, one: FailedTask) -> dict[str, Any]:
        return {
            "reason": one.reason,
            "host": one.host,
            "time": self._unix(one.time),
            "final": one.final,
        }

    def _unix(self, moment: float) -> float:
        return round(moment + self.epoch, 2)

    # -- the sweep

    def _sweep(self, now: float, out: Sequence[Ticket]) -> dict[str, Any]:
        dispatch = self.dispatch
        counted = self._counts()
        slots = sum(self._slots(client) for client in dispatch.clients.present())
        first = min((client.since for client in dispatch.clients), default=now)
        ended, span = dispatch.tally.recent(now, first)
        sweep: dict[str, Any] = {
            "name": self.name,
            "state": self._state(),
            **counted,
            "rate": float(f"{ended / span:.3g}"),
            "slots": slots,
            "began": round(self.began, 2),
            "paused": dispatch.steering.paused,
            "order": "longest" if dispatch.handout.longest_first.orders else "given",
        }
        if paused := self._paused_sets(out):
            sweep["paused_sets"] = paused
        sweep |= self._waits_for(now, counted["waiting"])
        left = self._expectation.left(now, counted["waiting"] + counted["running"], out)
        if left:
            sweep["left"] = list(left)
            sweep["left_text"] = span_between(*left)
        efficiency = self._efficiency(now, out)
        if efficiency is not None:  # two digits: a third would change the document each second
            sweep["efficiency"] = round(efficiency, 2)
        return sweep

    def _waits_for(self, now: float, waiting: int) -> dict[str, Any]:
        """Return what waiting sets wait for besides a free slot: a limit, or their next attempt."""
        found: dict[str, Any] = {}
        if limit := waiting and self.dispatch.handout.limits.waits_for(now):
            found["waits_for"] = limit
        back_offs = self.dispatch.board.back_offs
        if back_offs and (first := back_offs.next) is not None:
            # A moment and not the seconds left, which would change the document each second.
            found["back_offs"] = {"sets": len(back_offs), "first": self._unix(first)}
        return found

    def _paused_sets(self, out: Sequence[Ticket]) -> int:
        """Return how many of the running sets have no program that goes on."""
        stopped = self.dispatch.steering.stopped
        if not stopped:
            return 0
        goes_on = {ticket.task for ticket in out if ticket.id not in stopped}
        return len({ticket.task for ticket in out} - goes_on)

    def _slots(self, client: Client) -> int:
        """Return how many tasks this client can run at once: a task may take several cores."""
        return max(1, client.slots // self.dispatch.rules.cores)

    def _state(self) -> str:
        if self.dispatch.board.over:
            return "over"
        if self.dispatch.board.draining:
            return "draining"
        if self.dispatch.steering.paused:
            return "paused"
        return "running"

    def _counts(self) -> dict[str, int]:
        dispatch, state = self.dispatch, self.dispatch.board.in_state
        done = dispatch.board.done_before + state[TaskState.DONE]
        failed = dispatch.board.failed_before + state[TaskState.FAILED]
        cancelled = dispatch.board.cancelled_before + state[TaskState.CANCELLED]
        running, ended = dispatch.board.with_slot, done + failed + cancelled
        # `running` has only what has a slot: what a client has prefetched waits, too.
        # All that is known while the sets are being counted
        undone = state[TaskState.WAITING] + dispatch.board.running
        if dispatch.board.total:
            undone = dispatch.board.total - ended
        return {
            "waiting": max(0, undone - running),
            "running": running,
            "done": done,
            "failed": failed,
            "cancelled": cancelled,
            "total": dispatch.board.total or ended + undone,
        }

    def _efficiency(self, now: float, out: Sequence[Ticket]) -> float | None:
        """Return the share of the slots' time in which programs ran in this run.

        Hosts whose slots are unknown do not count.

        None while the slots have been there for less than a second in all.
        """
        clients = self.dispatch.clients
        there = sum(self._slots(client) * _stayed(client, now) for client in clients)
        if there <= 1.0:
            return None
        # At most 1: a client that registers late is given its host's earlier work, too.
        return min(1.0, self._worked(now, out) / there)

    def _worked(self, now: float, out: Sequence[Ticket]) -> float:
        """Return the seconds of programs, those that still run included.

        Without them, the efficiency of a sweep of long tasks would start at 0.
        """
        named = {client.host for client in self.dispatch.clients}
        ended = (work.seconds for host, work in self.dispatch.tally.hosts.items() if host in named)
        running = (now - ticket.issued for ticket in out if ticket.issued and ticket.host in named)
        return sum(ended) + sum(running)

    # -- hosts and tickets

    def _fault(self, name: str) -> LaunchError | None:
        return self.fleet.faults.get(name) if self.fleet else None

    def _names(self, clients: Mapping[str, object], busy: Mapping[str, int]) -> list[str]:
        expected = [host.name for host in self.fleet.hosts] if self.fleet else []
        # A dict keeps the order: hosts stand in the order of the hosts file, and those that came by
        # themselves last.
        return list(dict.fromkeys([*expected, *clients, *self.dispatch.clients.strangers, *busy]))

    def _host(
        self, now: float, name: str, clients: Sequence[Client], running: int
    ) -> dict[str, Any]:
        asked = self.dispatch.clients.strangers.get(name)
        # Clients that have left still count for the host's work, but not for its slots.
        present = [client for client in clients if not client.state.is_gone]
        state, why = state_of_host(self.dispatch, name, clients, self._fault(name))
        if state == "starting":
            state = state_of_stranger(now, asked, running)
        host: dict[str, Any] = {
            "state": state,
            "slots": sum(self._slots(client) for client in present),
            "running": running,
            **self._work(name),
        }
        host |= self._told(clients, asked)
        if why:
            host["why"] = why
        return host

    def _told(self, clients: Sequence[Client], asked: float | None) -> dict[str, Any]:
        """Return what the clients of a host have told of it.

        The last one that registered knows best.
        """
        if not clients:
            return {} if asked is None else {"word": self._word(asked)}
        word = max(client.word for client in clients)
        return {
            "word": self._word(word),
            "platform": clients[-1].platform,
            **_measured(clients[-1]),
        }

    def _work(self, name: str) -> dict[str, int]:
        work = self.dispatch.tally.hosts.get(name)
        if work is None:
            return {"done": 0, "failed": 0, "lost": 0}
        return {"done": work.done, "failed": work.failed, "lost": work.lost}

    def _word(self, moment: float) -> int:
        # In steps: exact times would change the document of each host with each heartbeat.
        return int((moment + self.epoch) // WORD_STEP * WORD_STEP)

    def _ticket(self, ticket: Ticket) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "task": ticket.task,
            "host": ticket.host,
            "copy": self._is_copy(ticket),
        }
        if (
            ticket.begun or ticket.issued
        ):  # a ticket from before a restart of the master has neither
            shown["began"] = self._unix(ticket.begun or ticket.issued)
        if ticket.id in self.dispatch.steering.stopped:
            shown["paused"] = True
        return shown

    def _is_copy(self, ticket: Ticket) -> bool:
        # The first of a task's tickets is the attempt, each further one a copy of a straggler.
        task = self.dispatch.board.tasks.get(ticket.task)
        if task is None or not task.tickets:
            return False
        return task.tickets[0] != ticket.id


def _stayed(client: Client, now: float) -> float:
    """Return the seconds that a client has been there."""
    until = client.word if client.state.is_gone else now
    return until - client.since


def _measured(client: Client) -> dict[str, float]:
    """Return what the client has told of its host's load, memory and disk."""
    told = {"load": client.load, "memory": client.memory, "disk": client.disk}
    return {name: value for name, value in told.items() if value is not None}
