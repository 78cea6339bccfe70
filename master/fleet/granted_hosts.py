"""The hosts of a farm's job: started when they are granted, drained when they have not been for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..desk.acts import Acts
from ..dispatch.pacing.grants import Grants
from ..dispatch.steering import Aside
from ..errors import SpeError
from ..model import Host
from ..state.job_report import job_report
from ..store.store import Store
from .fleet import Fleet

META = "grant"  # the store's setting with the place of the latest grant, for a master that comes back
LINGER = 300.0  # seconds for which a client stays that has no grant: it may get one again
SILENCE = 60.0  # seconds without a word of the farm after which no client is started
PAUSE = 1.0  # seconds between two looks


async def begin_grants(grants: Grants, store: Store, grace: float) -> int:
    """Let nothing run until it is granted. Return the number of this run, by which reports count.

    An earlier master of the sweep may have had grants. None that is lower than its latest one is
    taken: it may still be on its way, and the farm does not count it any more.
    """
    kept = await store.meta(META)
    known = json.loads(kept) if kept else {"run": 0, "epoch": 0, "number": 0}
    grants.begin(grace)
    grants.epoch, grants.number = known["epoch"], known["number"]
    await _keep(store, known["run"] + 1, grants)
    return int(known["run"]) + 1


async def _keep(store: Store, run: int, grants: Grants) -> None:
    rank = {"run": run, "epoch": grants.epoch, "number": grants.number}
    await store.set_meta(META, json.dumps(rank))


class GrantedHosts:
    """The hosts that a farm grants to one run."""

    def __init__(
        self, acts: Acts, fleet: Fleet, own: Sequence[Host], run: int, linger: float = LINGER
    ) -> None:
        """`own`: the user's own lines for hosts. A farm says no more of a host than its name.

        `run`: as `begin_grants` has returned it.
        """
        self._acts, self._fleet, self._linger = acts, fleet, linger
        self._own = {host.name: host for host in own}
        self._desk = acts.desk
        self._grants = acts.desk.dispatch.handout.grants
        self._idle: dict[str, float] = {}  # host -> since when nothing is granted there
        self._heard = -SILENCE  # when the farm spoke last
        self._run, self._serial = run, 0

    def may_start(self) -> bool:
        """Tell whether a client may be started: the farm has spoken lately, so it counts this job."""
        return self._desk.clock() - self._heard < SILENCE

    async def allow(
        self, epoch: int, number: int, tasks: Mapping[str, int], slots: Mapping[str, int]
    ) -> dict[str, Any]:
        """Take in a grant, start hosts that are new in it, and return the report to the farm.

        tasks: host -> tasks that may be begun there. slots: host -> slots of a client there. Raises
        SpeError for a grant that a newer one has overtaken.
        """
        self._heard = self._desk.clock()
        rank = (self._grants.epoch, self._grants.number)
        if not self._desk.allow(epoch, number, tasks):
            raise SpeError(f"the grant {epoch}.{number} is older than {rank[0]}.{rank[1]}, which is in force")
        if (epoch, number) != rank:
            await _keep(self._desk.store, self._run, self._grants)
        await self._start({host for host, count in tasks.items() if count}, slots)
        return self.report()

    def report(self) -> dict[str, Any]:
        """Return what the farm is to know of this run."""
        self._serial += 1
        return job_report(self._desk.dispatch, self._fleet, (self._run, self._serial))

    async def _start(self, granted: set[str], slots: Mapping[str, int]) -> None:
        there = {host.name for host in self._acts.run_hosts.hosts}
        aside = self._desk.dispatch.steering.aside
        for host in granted:
            self._idle.pop(host, None)
            if aside.get(host) is Aside.DRAINED:
                await self._acts.use(host)
        new = [self._line(host, slots.get(host)) for host in sorted(granted - there)]
        if new:
            self._acts.run_hosts.add(new)
        now = self._desk.clock()
        for host in there - granted:
            self._idle.setdefault(host, now)

    def _line(self, name: str, slots: int | None) -> Host:
        own = self._own.get(name)
        return own or Host(name, slots=slots, origin="the farm")

    async def watch(self) -> None:
        """Drain hosts that have been without a grant for long."""
        while True:
            now = self._desk.clock()
            for host, since in list(self._idle.items()):
                if now - since >= self._linger:
                    del self._idle[host]
                    await self._acts.set_aside(host, Aside.DRAINED)
            await asyncio.sleep(PAUSE)
