"""The verbs of people about a running sweep. Each returns one sentence about what was done.

What becomes of a wish is decided in dispatch/steering.py, and it is on disk before it is answered.
Requests, tokens and JSON are the business of page/acting.py.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from ..dispatch.steering import CANCELLED, Aside, Steering
from ..errors import UsageError
from ..model import Host, TaskState
from ..record import record
from ..sweep.hosts import parse_line
from ..text import counted, named, sets
from .desk import Desk
from .questions import signal_tasks, why_not

NEAR = 3  # hosts that are named to somebody who has named one that is not there
META = "steering"  # the store's setting that keeps what was said, for a master that comes back


class Granted(Protocol):
    """The grants of a farm to the run."""

    async def allow(
        self, epoch: int, number: int, tasks: Mapping[str, int], slots: Mapping[str, int]
    ) -> dict[str, Any]:
        """Take in a grant, and return the report to the farm."""


class RunHosts(Protocol):
    """The hosts of a run, as far as people may change them."""

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts of this run, in the order of the hosts file; added ones come last."""

    def add(self, hosts: Sequence[Host]) -> None:
        """Start these hosts, too."""

    def use(self, name: str) -> bool:
        """Start this host again if its client has left; return whether it had to be started."""


@record
class Controls:
    """The parts of a run that people reach beside its desk."""

    run_hosts: RunHosts
    stop: Callable[[bool], None]  # does what Ctrl-C does; with True, what a second Ctrl-C does
    say: Callable[[str], None]  # shows the user what was done to the run


def restore(steering: Steering, kept: str) -> None:
    """Apply what people had said before the master was killed.

    `kept` is the text of `META`, "" for nothing.
    """
    if kept:
        said = json.loads(kept)
        steering.paused = said["paused"]
        steering.aside = {host: Aside(how) for host, how in said["aside"].items()}


class Acts:
    """The verbs that steer one run.

    Raise UsageError for what cannot be done now, with a sentence that says why.
    """

    def __init__(self, desk: Desk, controls: Controls) -> None:
        self.desk = desk
        self.run_hosts = controls.run_hosts
        self._controls = controls
        self.granted: Granted | None = None  # of a farm's job

    def note(self, kind: str, sentence: str, host: str = "") -> None:
        """Tell the user, and everybody who follows the events, what somebody has done."""
        self.desk.events.note(kind, sentence, host)
        self._controls.say(sentence)

    async def _make_durable(self) -> None:
        await self.desk.obey()
        dispatch = self.desk.dispatch
        await self.desk.store.set_meta(
            META, json.dumps({"paused": dispatch.steering.paused, "aside": dispatch.steering.aside})
        )

    def _noted(self, kind: str, sentence: str, host: str = "") -> str:
        self.note(kind, sentence, host)
        return sentence

    # -- the sweep

    async def pause(self) -> str:
        """Hand out nothing more until `resume`."""
        self._refuse_when_closed()
        self.desk.dispatch.steering.pause()
        await self._make_durable()
        running = self.desk.dispatch.board.with_slot
        still = counted(running, "set still runs", "sets still run")
        return self._noted("paused", f"the sweep is paused: nothing new is begun; {still}")

    async def resume(self) -> str:
        """Hand out tasks again."""
        self._refuse_when_closed()
        if not self.desk.dispatch.steering.resume():
            todo = "If its farm has paused it: spe jobs resume." if self.granted else ""
            raise UsageError("the sweep is not paused", todo=todo)
        await self._make_durable()
        return self._noted("resumed", "the sweep goes on")

    async def stop(self, now: bool) -> str:
        """Drain the run; with `now`, also end the programs that run."""
        dispatch = self.desk.dispatch
        running = dispatch.board.with_slot
        if dispatch.board.over:
            raise UsageError("the run is over: its last clients leave")
        if dispatch.board.draining and not now:
            still = counted(running, "set is still running", "sets are still running")
            raise UsageError(f"already stopping: {still}", todo="`spe stop --now` ends what runs.")
        # No event here: the desk notes one for Ctrl-C, too.
        self._controls.stop(now)
        if now:
            return f"what runs is ended ({sets(running)}), and waits for the next run"
        return f"nothing new is begun; the run ends when what runs is through ({sets(running)})"

    def _refuse_when_closed(self) -> None:
        if self.desk.dispatch.board.closed:
            raise UsageError(
                "the run is ending: nothing more is handed out",
                todo="`spe run` goes on afterwards.",
            )

    async def allow(
        self, epoch: int, number: int, tasks: Mapping[str, int], slots: Mapping[str, int]
    ) -> dict[str, Any]:
        """Take in what a farm grants, and return the report to it."""
        if self.granted is None:
            raise UsageError("this run is no job of a farm: nothing is granted to it")
        return await self.granted.allow(epoch, number, tasks, slots)

    # -- tasks

    async def retry(self, numbers: Sequence[int] | None) -> str:
        """Put failed and cancelled sets back into the queue: these, or all failed ones for None."""
        self._refuse_when_closed()
        dispatch = self.desk.dispatch
        # A late result of a failed task may be looked at just now, so the store is told which ones
        # failed here.
        failed_here = [
            number
            for number, task in dispatch.board.tasks.items()
            if task.state is TaskState.FAILED
        ]
        before = await self.desk.store.put_back(numbers, failed_here)
        if not before:
            if not numbers:
                raise UsageError("no set has failed")
            # The words of a `spe retry` while nothing runs.
            todo = "`spe status` names those that have failed."
            raise UsageError(f"not a failed set: {', '.join(map(str, numbers))}", todo=todo)
        # After the store: a set that the store has not put back must not run
        dispatch.steering.put_back(before)
        await self.desk.obey()
        sentence = f"{counted(len(before), 'set waits', 'sets wait')} again"
        rest = _rest(numbers or (), before)
        if rest:
            sentence += f"; {rest} had neither failed nor been cancelled"
        return self._noted("retried", sentence)

    async def cancel(self, numbers: Sequence[int]) -> str:
        """Cancel these sets, whether they wait or run; programs that run are ended."""
        dispatch = self.desk.dispatch
        cancelled = dispatch.steering.cancel(numbers)
        await self.desk.obey()
        # Other sets may wait in the store. What is just being stored is done, though the store does not
        # know it yet.
        elsewhere = sorted(set(numbers) - set(cancelled) - self.desk.arrivals.finishing)
        if elsewhere:
            stored = await self.desk.store.cancel(elsewhere, CANCELLED)
            dispatch.steering.cancelled_in_store(stored)
            await self.desk.obey()
            cancelled += stored
        if not cancelled:
            raise UsageError(await self._why_none(numbers))
        sentence = f"{sets(len(cancelled))} cancelled; `spe retry` brings them back"
        rest = _rest(numbers, cancelled)
        if rest:
            sentence += f"; {rest} had been neither waiting nor running"
        return self._noted("cancelled", sentence)

    async def _why_none(self, numbers: Sequence[int]) -> str:
        """Return why none of these sets can be cancelled. Raises UsageError for an unknown one."""
        if len(numbers) == 1:
            return await why_not(self.desk, numbers[0])
        return f"none of {named(sorted(numbers))} is waiting or running"

    async def pause_tasks(self, numbers: Sequence[int]) -> str:
        """Send SIGSTOP to the processes of these tasks."""
        refused = await self._signal(numbers, "stop")
        return "; ".join([f"{sets(len(numbers) - len(refused))} paused", *refused])

    async def resume_tasks(self, numbers: Sequence[int]) -> str:
        """Send SIGCONT to the processes of these tasks."""
        refused = await self._signal(numbers, "continue")
        go_on = counted(len(numbers) - len(refused), "set goes on", "sets go on")
        return "; ".join([go_on, *refused])

    async def _signal(self, numbers: Sequence[int], signal: str) -> list[str]:
        refused = await signal_tasks(self.desk, numbers, signal)
        if len(refused) == len(numbers):
            raise UsageError("; ".join(refused))
        return refused

    # -- hosts

    async def drain(self, name: str) -> str:
        """Give this host nothing more; its client leaves when it has finished."""
        host = self._host(name)
        await self.set_aside(host, Aside.DRAINED)
        return self._noted(
            "drained",
            f"{host} gets nothing new; its client leaves when it has finished what it has",
            host,
        )

    async def bench(self, name: str) -> str:
        """Give this host nothing more; its client stays, ready to be used again."""
        host = self._host(name)
        await self.set_aside(host, Aside.BENCHED)
        sentence = f"{host} gets nothing new until `spe hosts use {host}`; what it has goes on"
        return self._noted("benched", sentence, host)

    async def set_aside(self, host: str, how: Aside) -> None:
        """Give this host nothing more from now on."""
        self.desk.dispatch.steering.set_aside(host, how)
        await self._make_durable()

    async def use_again(self, name: str) -> str:
        """Give this host work again, and start it if its client has left."""
        host = self._host(name)
        if not await self.use(host):
            raise UsageError(f"{host} is in use")
        return self._noted("used", f"{host} is used again", host)

    async def use(self, host: str) -> bool:
        """Give this host work again; return False when nothing was in its way."""
        changed = self.desk.dispatch.steering.use(host)
        await self._make_durable()
        started = self.run_hosts.use(host)
        return changed or started

    async def add(self, line: str) -> str:
        """Start the hosts that this line of a hosts file names."""
        self._refuse_when_closed()
        new = parse_line(line, "this line")
        there = {host.name.lower() for host in self.run_hosts.hosts}
        known = [host.name for host in new if host.name.lower() in there]
        if known:
            raise UsageError(
                f"{', '.join(known)}: already a host of this run",
                todo="`spe hosts use` brings one back.",
            )
        if not new:
            raise UsageError("this line names no host")
        self.run_hosts.add(new)
        return self._noted("added", f"{', '.join(host.name for host in new)}: being started")

    def _host(self, wanted: str) -> str:
        """Return the host that is meant, in this run's own spelling."""
        there = {
            client.host for client in self.desk.dispatch.clients
        } | self.desk.dispatch.steering.aside.keys()
        # Addresses of clients that did not register.
        there |= self.desk.dispatch.clients.strangers.keys()
        there |= {host.name for host in self.run_hosts.hosts}
        # Names of hosts have no case. In the run's own spelling, as all tables are keyed by it.
        found = next((name for name in there if name.lower() == wanted.lower()), None)
        if found is None:
            near = difflib.get_close_matches(wanted, there, 1)
            todo = f"There is {near[0]}." if near else f"There is {named(sorted(there), NEAR)}."
            if len(there) > (len(near) or NEAR):
                todo += " `spe hosts` shows all."
            raise UsageError(f"no host of this run is called {wanted!r}", todo=todo)
        return found


def _rest(wanted: Collection[int], done: Collection[int]) -> str:
    """Return the numbers of `wanted` that are not in `done`, as words for a sentence."""
    return named(sorted(set(wanted) - set(done)))
