"""What people may do to a running sweep: a verb and what it is about come in, one sentence goes back.

What becomes of a wish is decided in steering.py; it is on disk before it is answered.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from ..dispatch.steering import CANCELLED, Aside
from ..errors import SpeError, UsageError
from ..model import Host, TaskState
from ..sweep.hosts import parse_line
from ..text import sets
from .desk import Desk
from .questions import signal_tasks

META = "steering"  # the store's setting that keeps what was said, for a master that comes back
MOST_TASKS = 100_000
HAPPENED = {
    "pause": "paused", "resume": "resumed", "retry": "retried", "cancel": "cancelled", "drain": "drained",
    "bench": "benched", "use": "used", "add": "added",
}  # fmt: skip


class Yard(Protocol):
    """The hosts that the run starts (the fleet)."""

    hosts: list[Host]

    def add(self, hosts: Sequence[Host]) -> None:
        """Start these, too."""

    def use(self, name: str) -> bool:
        """Start this one again, if it has left. Whether it had to be started."""


async def hold_tasks(desk: Desk, numbers: Sequence[int], go_on: bool) -> str:
    """STOP, or CONT, to the processes of these tasks."""
    refused = await signal_tasks(desk, numbers, "continue" if go_on else "stop")
    if len(refused) == len(numbers):
        raise UsageError("; ".join(refused))
    count = len(numbers) - len(refused)
    done = f"{sets(count)} {'goes' if count == 1 else 'go'} on" if go_on else f"{sets(count)} paused"
    return "; ".join([done, *refused])


class Acts:
    """One verb each; page/acting.py lets only those in who have the token."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.yard: Yard | None = None  # as soon as the run has one
        self.stop: Callable[[bool], None] | None = None  # as Ctrl-C does; True: as a second one
        self.say: Callable[[str], None] = lambda sentence: None  # shows the user what was done to his run

    async def do(self, order: Mapping[str, Any]) -> str:
        """Do what is said there; a sentence about it. Raises SpeError where it cannot be."""
        verbs: dict[str, Callable[[Mapping[str, Any]], Awaitable[str]]] = {
            "pause": self._pause, "resume": self._resume, "stop": self._stop, "retry": self._retry,
            "cancel": self._cancel, "drain": self._drain, "bench": self._bench, "use": self._use, "add": self._add,
            "pause_task": self._pause_task, "resume_task": self._resume_task,
        }  # fmt: skip
        verb = order.get("do")
        if not isinstance(verb, str) or verb not in verbs:
            raise SpeError(f"there is no verb {verb!r}", todo=f"There are {', '.join(verbs)}.")
        sentence = await verbs[verb](order)
        if verb in HAPPENED:
            self.note(HAPPENED[verb], sentence, str(order.get("host", "")))
        return sentence

    def note(self, kind: str, sentence: str, host: str = "") -> None:
        """Let all know what somebody has done."""
        self.desk.events.note(kind, sentence, host)
        self.say(sentence)

    def restore(self, kept: str) -> None:
        """What was said before this master came back."""
        if kept:
            said = json.loads(kept)
            self.desk.dispatch.steering.paused = said["paused"]
            self.desk.dispatch.steering.aside = {host: Aside(how) for host, how in said["aside"].items()}

    async def _obeyed(self) -> None:
        await self.desk.obey()
        dispatch = self.desk.dispatch
        await self.desk.store.set_meta(
            META, json.dumps({"paused": dispatch.steering.paused, "aside": dispatch.steering.aside})
        )

    # -- the sweep

    async def _pause(self, _: Mapping[str, Any]) -> str:
        self._must_go_on()
        self.desk.dispatch.steering.pause()
        await self._obeyed()
        running = self.desk.dispatch.board.with_slot
        return f"the sweep is paused: nothing new is begun; {sets(running)} still {'runs' if running == 1 else 'run'}"

    async def _resume(self, _: Mapping[str, Any]) -> str:
        self._must_go_on()
        if not self.desk.dispatch.steering.resume():
            raise UsageError("the sweep is not paused")
        await self._obeyed()
        return "the sweep goes on"

    async def _stop(self, order: Mapping[str, Any]) -> str:
        if self.stop is None:
            raise UsageError("the run is only beginning")
        dispatch, now = self.desk.dispatch, order.get("now") is True
        running = sets(dispatch.board.with_slot)
        if dispatch.board.over:
            raise UsageError("the run is over: its last clients leave")
        if dispatch.board.draining and not now:
            raise UsageError(f"nothing new is begun already, {running} to go", todo="`spe stop --now` ends what runs.")
        self.stop(now)
        if now:
            return f"what runs is ended ({running}), and waits for the next run"
        return f"nothing new is begun; the run ends when what runs is through ({running})"

    def _must_go_on(self) -> None:
        if self.desk.dispatch.board.closed:
            raise UsageError("the run is ending: nothing more is handed out", todo="`spe run` goes on afterwards.")

    # -- tasks

    async def _retry(self, order: Mapping[str, Any]) -> str:
        self._must_go_on()
        numbers = _numbers(order) if order.get("tasks") is not None else None
        dispatch = self.desk.dispatch
        looked_at = [
            n for n, task in dispatch.board.tasks.items() if task.state is TaskState.FAILED
        ]  # late results of theirs
        before = await self.desk.store.put_back(numbers, looked_at)
        if not before:
            raise UsageError("none of these has failed or was cancelled" if numbers else "no set has failed")
        dispatch.steering.put_back(before)
        await self.desk.obey()
        return f"{sets(len(before))} {'waits' if len(before) == 1 else 'wait'} again" + _but(numbers, before)

    async def _cancel(self, order: Mapping[str, Any]) -> str:
        numbers = _numbers(order)
        dispatch = self.desk.dispatch
        cancelled = dispatch.steering.cancel(numbers)
        await self.desk.obey()
        rest = sorted(set(numbers) - set(cancelled) - self.desk.arrivals.finishing)  # those are done
        if rest:
            stored = await self.desk.store.cancel(rest, CANCELLED)
            dispatch.steering.cancelled_in_store(stored)
            await self.desk.obey()
            cancelled += stored
        if not cancelled:
            raise UsageError(f"{'it is' if len(numbers) == 1 else 'none of them is'} neither waiting nor running")
        return f"{sets(len(cancelled))} cancelled; `spe retry` brings them back" + _but(numbers, cancelled)

    async def _pause_task(self, order: Mapping[str, Any]) -> str:
        return await hold_tasks(self.desk, _numbers(order), go_on=False)

    async def _resume_task(self, order: Mapping[str, Any]) -> str:
        return await hold_tasks(self.desk, _numbers(order), go_on=True)

    # -- hosts

    async def _drain(self, order: Mapping[str, Any]) -> str:
        host = self._host(order)
        await self.set_aside(host, Aside.DRAINED)
        return f"{host} gets nothing new; its client leaves when it has finished what it has"

    async def _bench(self, order: Mapping[str, Any]) -> str:
        host = self._host(order)
        await self.set_aside(host, Aside.BENCHED)
        return f"{host} gets nothing new until `spe hosts use {host}`; what it has goes on"

    async def set_aside(self, host: str, how: Aside) -> None:
        """From now on it gets nothing new."""
        self.desk.dispatch.steering.set_aside(host, how)
        await self._obeyed()

    async def _use(self, order: Mapping[str, Any]) -> str:
        host = self._host(order)
        if not await self.use(host):
            raise UsageError(f"{host} is in use")
        return f"{host} is used again"

    async def use(self, host: str) -> bool:
        """It gets work again; False when nothing was in its way."""
        changed = self.desk.dispatch.steering.use(host)
        await self._obeyed()
        started = self.yard.use(host) if self.yard else False
        return changed or started

    async def _add(self, order: Mapping[str, Any]) -> str:
        self._must_go_on()
        if self.yard is None:
            raise UsageError("the run is only beginning")
        new = parse_line(_text(order, "line"), "this line")
        there = {host.name.lower() for host in self.yard.hosts}
        if known := [host.name for host in new if host.name.lower() in there]:
            raise UsageError(f"{', '.join(known)}: already a host of this run", todo="`spe hosts use` brings one back.")
        if not new:
            raise UsageError("this line names no host")
        self.yard.add(new)
        return f"{', '.join(host.name for host in new)}: being started"

    def _host(self, order: Mapping[str, Any]) -> str:
        """The host that is meant, in this run's own spelling."""
        wanted = _text(order, "host")
        there = {client.host for client in self.desk.dispatch.clients} | self.desk.dispatch.steering.aside.keys()
        there |= {host.name for host in self.yard.hosts} if self.yard else set()
        there |= self.desk.dispatch.clients.strangers.keys()
        found = next((name for name in there if name.lower() == wanted.lower()), None)
        if found is None:
            near = difflib.get_close_matches(wanted, there, 1) or sorted(there)[:3]
            raise UsageError(f"no host of this run is called {wanted!r}", todo=f"There is {', '.join(near)}.")
        return found


def _numbers(order: Mapping[str, Any]) -> list[int]:
    given = order.get("tasks")
    if not isinstance(given, list) or not given or len(given) > MOST_TASKS:
        raise SpeError("`tasks` is to be a list of numbers")
    if not all(type(n) is int and 0 < n < 2**62 for n in given):
        raise SpeError("`tasks` is to be a list of numbers from 1")
    return list(dict.fromkeys(given))


def _text(order: Mapping[str, Any], key: str) -> str:
    given = order.get(key)
    if not isinstance(given, str) or not given.strip() or len(given) > 10_000:
        raise SpeError(f"`{key}` is missing")
    return given.strip()


def _but(numbers: Sequence[int] | None, done: Sequence[int] | Mapping[int, Any]) -> str:
    """Those that it was said of in vain."""
    rest = sorted(set(numbers or ()) - set(done))
    shown = ", ".join(map(str, rest[:10])) + (", …" if len(rest) > 10 else "")
    return f"; not so {shown}" if rest else ""
