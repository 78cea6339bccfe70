"""The hosts of a run: each is started in parallel, looked after, and listened to until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from .desk import Desk
from .errors import Fault, LaunchError, NothingRuns
from .launch import Launcher, Offer, Options, launcher
from .model import Host
from .progress import Progress
from .steering import Aside

log = logging.getLogger("spe.fleet")
AGAIN_FIRST, AGAIN_MOST = 2.0, 60.0  # seconds until a host that came up once and vanished is started again
PRESENT_PAUSE = 1.0  # seconds between looks whether a client is still there
LONG = 5.0  # seconds that no host takes to come up, unless something is wrong with it or its network


class Fleet:
    """Starts the hosts when there is work, starts them again when they vanish, and knows who came up."""

    def __init__(self, hosts: Sequence[Host], offer: Offer, options: Options, desk: Desk, progress: Progress) -> None:
        self.hosts, self.desk, self.progress = list(hosts), desk, progress
        self.unheard: list[str] = []
        self.faults: dict[str, LaunchError] = {}
        self._offer, self._options = offer, options
        self._tasks: dict[Host, asyncio.Task[None]] = {}
        self._started = False
        self._up: set[str] = set()
        self._began = 0.0

    def start(self) -> None:
        """Bring up all hosts, once."""
        if not self._started:
            self._started, self._began = True, time.monotonic()
            self._start(self.hosts)

    def _start(self, hosts: Sequence[Host]) -> None:
        for host in hosts:
            if self._is_wanted(host) and (host not in self._tasks or self._tasks[host].done()):
                self._tasks[host] = asyncio.create_task(self._look_after(host))

    def add(self, hosts: Sequence[Host]) -> None:
        """These take part from now on."""
        self.hosts += hosts
        if self._started:
            self._start(hosts)

    def use(self, name: str) -> None:
        """A host of this name takes part again: if its client has left, it is started."""
        self.faults.pop(name, None)
        if self._started:
            self._start([host for host in self.hosts if host.name == name])

    def _is_wanted(self, host: Host) -> bool:
        return not self.desk.farm.closed and self.desk.farm.aside.get(host.name) is not Aside.DRAINED

    async def _look_after(self, host: Host) -> None:
        """Bring one host up; one that came up and vanished while there is work is brought up again."""
        pause = AGAIN_FIRST
        while await self._once(host) and self._is_wanted(host):
            self.progress.line(f"{host.name}: its client is gone, it is started again")
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_MOST)

    async def _once(self, host: Host) -> bool:
        """One start of a host, until nothing is left to look after; whether to start it again."""
        one = launcher(host, self._offer, self._options)
        try:
            await one.start()
            self._came_up(host, one)
            await one.watch()
            await self._child_ended(host, one, killed=False)
            await self._until_vanished(host)
            return True
        except LaunchError as error:
            await self._child_ended(host, one, killed=True)
            self._did_not(host, error)
            return host.name in self._up
        finally:
            self.desk.moved.set()
            await one.close()

    async def _child_ended(self, host: Host, one: Launcher, killed: bool) -> None:
        """A child that has ended, or was killed, is gone: nobody needs to wait until its lease is over."""
        if host.is_here and not one.handed_over:
            for client in [c for c in self.desk.farm.clients.values() if c.host == host.name]:
                await self.desk.bye(client.id, killed)

    async def _until_vanished(self, host: Host) -> None:
        """Any other client is gone when it has been silent for too long."""
        while not self.desk.farm.closed and self.desk.present(host.name):
            await asyncio.sleep(PRESENT_PAUSE)

    def _came_up(self, host: Host, one: Launcher) -> None:
        self._up.add(host.name)
        self.faults.pop(host.name, None)
        if not host.is_here:
            self.progress.host_up(host.name, one.note)
        log.info("host %s is up%s", host.name, f": {one.note}" if one.note else "")

    def _did_not(self, host: Host, error: LaunchError) -> None:
        if not any(client.host == host.name and client.asked for client in self.desk.farm.clients.values()):
            self._up.discard(host.name)  # a child on this machine that ended before it could work
        self.faults[host.name] = error
        self.desk.events.note("host_fault", error.line, host.name)
        self.progress.host_fault(host.name, error)

    def check(self) -> None:
        """Raises NothingRuns when every host was tried, none came up and no other client is here."""
        tried = self._started and self.hosts and not self._up and all(h.name in self.faults for h in self.hosts)
        if tried and not any(not c.gone for c in self.desk.farm.clients.values()):
            raise NothingRuns(
                "nothing could run: no host came up",
                todo="Mend what is said above for one host, then `spe run` again; `spe doctor` looks at all of them.",
            )

    def all_tried(self) -> bool:
        """Whether every host has come up or has not."""
        return all(host.name in self._up or host.name in self.faults for host in self.hosts)

    def alone(self) -> bool:
        """Whether only clients that we started here took part: then nobody else waits for a last word."""
        names = {host.name for host in self.hosts}
        return (
            bool(names)
            and all(host.is_here for host in self.hosts)
            and all(c.host in names and c.pings for c in self.desk.farm.clients.values())
        )

    def all_gone(self) -> bool:
        """Whether all clients of ours have said goodbye; a child that never asked for work is ended by `close`."""
        here = {host.name for host in self.hosts if host.is_here}
        awaited = (c for c in self.desk.farm.clients.values() if c.pings and (c.asked or c.host not in here))
        return not any(self.desk.is_there(c) for c in awaited)

    def note_unheard(self) -> None:
        """Remember the hosts whose last client did not say goodbye; it had cleared up after those before it."""
        last = {c.host: c for c in self.desk.farm.clients.values() if c.pings}
        self.unheard = sorted(host for host, client in last.items() if not client.gone)

    def give_up(self) -> None:
        """The run ends: hosts that are not up are not waited for any longer, and those that hang are named."""
        took = time.monotonic() - self._began
        for host, task in self._tasks.items():
            if not host.is_here and host.name not in self._up and host.name not in self.faults:
                task.cancel()
                if took > LONG:
                    self._did_not(host, _hangs(host, took))

    async def close(self) -> None:
        """Let go of all hosts."""
        for task in self._tasks.values():
            if not task.cancelling():  # twice would disturb its own letting go
                task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _hangs(host: Host, seconds: float) -> LaunchError:
    return LaunchError(
        Fault.TIMEOUT,
        f"it was not up after {seconds:.0f} s, when the run ended",
        where=host.name,
        todo=f"Is its home or the machine hung? Look there: ssh {host.name}",
    )
