"""The one document that says how a sweep stands: what /stream sends, and the page and the terminal show.

Made from the dispatch's memory alone, without a question to the store. What is unknown is left out, never null
(patch.py says why). docs/page.md describes every key.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..dispatch.black_holes import Trust
from ..dispatch.dispatch import Dispatch
from ..errors import HostBenched, LaunchError
from ..model import Client, Host, TaskState, Ticket
from . import forecast

WORD_STEP = 5  # seconds: nobody needs to hear of every word of every host
SILENCE = 60.0  # seconds after which a client that did not register and has nothing to do counts as gone


class Hosts(Protocol):
    """Those that the run starts (the fleet)."""

    @property
    def hosts(self) -> Sequence[Host]:
        """All of them."""

    @property
    def faults(self) -> Mapping[str, LaunchError]:
        """Why some did not come up."""


class Picture:
    """Draws the document; `epoch` is added to the dispatch's times to make them seconds since 1970."""

    def __init__(self, name: str, dispatch: Dispatch, epoch: float, began: float) -> None:
        self.name, self.dispatch, self.epoch, self.began = name, dispatch, epoch, began
        self.fleet: Hosts | None = None

    def draw(self, now: float) -> dict[str, Any]:
        """How things stand; `now` is of the dispatch's clock."""
        out = list(self.dispatch.handout.begun())
        clients: dict[str, list[Client]] = defaultdict(list)
        for client in self.dispatch.clients:
            clients[client.host].append(client)
        busy = Counter(ticket.host for ticket in out)
        return {
            "sweep": self._sweep(now, out),
            "hosts": {name: self._host(now, name, clients[name], busy[name]) for name in self._names(clients, busy)},
            "tickets": {str(ticket.id): self._ticket(ticket) for ticket in out},
            "failures": {
                str(f.task): {"reason": f.reason, "host": f.host, "time": self._unix(f.time), "final": f.final}
                for f in self.dispatch.tally.failures.values()
            },
        }

    def _unix(self, moment: float) -> float:
        return round(moment + self.epoch, 2)

    # -- the sweep

    def _sweep(self, now: float, out: Sequence[Ticket]) -> dict[str, Any]:
        dispatch = self.dispatch
        counted = self._counts()
        slots = sum(max(1, client.slots // dispatch.rules.cores) for client in dispatch.clients.present())
        first = min((client.since for client in dispatch.clients), default=now)
        ended, span = dispatch.tally.recent(now, first)
        sweep: dict[str, Any] = {
            "name": self.name, "state": self._state(), **counted, "rate": float(f"{ended / span:.3g}"),
            "slots": slots, "began": round(self.began, 2), "paused": dispatch.steering.paused,
        }  # fmt: skip
        left = forecast.left(counted["waiting"] + counted["running"], ended, span, dispatch.handout.walls, slots)
        if left:
            sweep["left"] = list(left)
        efficiency = self._efficiency(now, out)
        if efficiency is not None:
            sweep["efficiency"] = round(efficiency, 2)
        return sweep

    def _state(self) -> str:
        if self.dispatch.board.over:
            return "over"
        if self.dispatch.board.draining:
            return "draining"
        return "paused" if self.dispatch.steering.paused else "running"

    def _counts(self) -> dict[str, int]:
        dispatch, state = self.dispatch, self.dispatch.board.in_state
        done, failed = (
            dispatch.board.done_before + state[TaskState.DONE],
            dispatch.board.failed_before + state[TaskState.FAILED],
        )
        cancelled = dispatch.board.cancelled_before + state[TaskState.CANCELLED]
        running, ended = dispatch.board.with_slot, done + failed + cancelled
        # What lies at clients for later waits, too. 0: the sets are being counted.
        undone = (
            dispatch.board.total - ended if dispatch.board.total else state[TaskState.WAITING] + dispatch.board.running
        )
        counted = {"waiting": max(0, undone - running), "running": running, "done": done, "failed": failed}
        return {**counted, "cancelled": cancelled, "total": dispatch.board.total or ended + undone}

    def _efficiency(self, now: float, out: Sequence[Ticket]) -> float | None:
        """Seconds of programs by seconds of slots, of this run, on hosts whose slots are known."""
        named = {client.host for client in self.dispatch.clients}
        worked = sum(work.seconds for host, work in self.dispatch.tally.hosts.items() if host in named)
        worked += sum(now - ticket.issued for ticket in out if ticket.issued and ticket.host in named)
        cores = self.dispatch.rules.cores
        there = sum(
            max(1, c.slots // cores) * ((c.word if c.state.is_gone else now) - c.since) for c in self.dispatch.clients
        )
        return min(1.0, worked / there) if there > 1.0 else None

    # -- hosts and tickets

    def _names(self, clients: Mapping[str, object], busy: Mapping[str, int]) -> list[str]:
        expected = [host.name for host in self.fleet.hosts] if self.fleet else []
        return list(dict.fromkeys([*expected, *clients, *self.dispatch.clients.strangers, *busy]))

    def _host(self, now: float, name: str, clients: Sequence[Client], running: int) -> dict[str, Any]:
        work, asked = self.dispatch.tally.hosts.get(name), self.dispatch.clients.strangers.get(name)
        present = [client for client in clients if not client.state.is_gone]
        state, why = self._standing(name, clients, present)
        if state == "starting" and (running or asked is not None):  # it came by itself, and did not register
            state = "up" if running or (asked is not None and now - asked < SILENCE) else "gone"
        host: dict[str, Any] = {
            "state": state,
            "slots": sum(max(1, client.slots // self.dispatch.rules.cores) for client in present),
            "running": running,
            "done": work.done if work else 0,
            "failed": work.failed if work else 0,
            "lost": work.lost if work else 0,
        }
        if clients:
            word = max(client.word for client in clients) + self.epoch
            host["word"] = int(word // WORD_STEP * WORD_STEP)
            host["platform"] = clients[-1].platform
            host |= _measured(clients[-1])
        elif asked is not None:
            host["word"] = int((asked + self.epoch) // WORD_STEP * WORD_STEP)
        if why:
            host["why"] = why
        return host

    def _standing(self, name: str, clients: Sequence[Client], present: Sequence[Client]) -> tuple[str, str]:
        """In one word, and where that is worth a sentence, why."""
        fault = self.fleet.faults.get(name) if self.fleet else None
        aside = self.dispatch.steering.aside.get(name)
        if aside and clients:
            return aside.value, "set aside by hand: it gets nothing new" + ("" if present else "; its client has left")
        if not present:
            if name in self.dispatch.steering.aside:
                return self.dispatch.steering.aside[name].value, "by hand; no client of ours is there"
            if fault:
                return ("benched" if isinstance(fault, HostBenched) else "fault"), fault.what
            return ("gone", "") if clients else ("starting", "")
        if all(client.state.is_cut_off for client in present):
            return "suspect", "the connection to its client is cut; its sets go to others if it stays silent"
        record = self.dispatch.guard.records.get(name)
        if record and record.trust is Trust.BENCHED:
            return "benched", f"it fails what succeeds elsewhere: {record.reason}"
        if record and record.trust is Trust.SUSPECTED:
            return "up", "its last tasks failed; others try them first"
        if name in self.dispatch.steering.on_trial:
            return "up", "its clients did not stay before: it gets work once this one has"
        return "up", "is loaded by others, it gets no work now" if name in self.dispatch.handout.loaded else ""

    def _ticket(self, ticket: Ticket) -> dict[str, Any]:
        task = self.dispatch.board.tasks.get(ticket.task)
        shown: dict[str, Any] = {"task": ticket.task, "host": ticket.host}
        shown["copy"] = bool(task and task.tickets and task.tickets[0] != ticket.id)
        if ticket.begun or ticket.issued:  # one of before a restart of the master has none
            shown["began"] = self._unix(ticket.begun or ticket.issued)
        return shown


def _measured(client: Client) -> dict[str, float]:
    """What the client said of its host."""
    told = {"load": client.load, "memory": client.memory, "disk": client.disk}
    return {name: value for name, value in told.items() if value is not None}
