"""The hosts of a farm's job: started when they are granted, drained when they have not been for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..desk.acts import Acts, Allowed
from ..dispatch.pacing.grants import Grants
from ..dispatch.steering import Aside
from ..errors import SpeError
from ..model import Host
from ..state.job_report import job_report
from ..store.store import Store
from .fleet import Fleet
from .waking import sleepless

META = "grant"  # the store's setting with the place of the latest grant, for a master that comes back
LINGER = 300.0  # seconds for which a client stays that has no grant: it may get one again
SILENCE = 60.0  # seconds after a report that the farm has taken in for which clients may be started
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
        self,
        acts: Acts,
        fleet: Fleet,
        own: Sequence[Host],
        run: int,
        linger: float = LINGER,
        clock: Callable[[], float] = sleepless,
    ) -> None:
        """`own`: the user's own lines for hosts. A farm says no more of a host than its name.

        `run`: as `begin_grants` has returned it. clock: goes on while this machine sleeps.
        """
        self._clock = clock
        self._acts, self._fleet, self._linger = acts, fleet, linger
        self._own = {host.name: host for host in own}
        self._desk = acts.desk
        self._grants = acts.desk.dispatch.handout.grants
        self._idle: dict[str, float] = {}  # host -> since when nothing is granted there
        self._made: dict[int, float] = {}  # place of a report in this run -> when it was made
        self._counted = -SILENCE  # when the newest report was made that the farm has taken in
        self._run, self._serial = run, 0
        self._grants.may_begin = self.may_start

    def may_start(self) -> bool:
        """Tell whether a client may be started, or begin to work: the farm counts this job as heard.

        Not the time of the latest grant decides, which may have been on its way for long: a farm
        that has heard nothing of the job believes its watchers, who find no client of it.
        """
        return self._clock() - self._counted < SILENCE

    async def allow(self, grant: Allowed) -> dict[str, Any]:
        """Take in a grant, start hosts that are new in it, and return the report to the farm.

        Raises SpeError for a grant that a newer one has overtaken.
        """
        rank, new = (self._grants.epoch, self._grants.number), (grant.epoch, grant.number)
        if new < rank:
            raise SpeError(f"the grant {new[0]}.{new[1]} is older than {rank[0]}.{rank[1]}, which is in force")
        self._note_taken(grant.taken)
        self._grants.machines = dict(grant.machines)
        self._desk.allow(*new, grant.tasks)
        if new != rank:
            await _keep(self._desk.store, self._run, self._grants)
        await self._start({host for host, count in grant.tasks.items() if count}, grant.slots)
        return self.report()

    def _note_taken(self, taken: tuple[int, int] | None) -> None:
        if taken is None or taken[0] != self._run:
            return  # a report of an earlier master of the sweep says nothing of this one
        self._counted = max(self._counted, self._made.get(taken[1], self._counted))
        oldest = self._clock() - SILENCE
        self._made = {one: at for one, at in self._made.items() if one > taken[1] and at > oldest}

    def report(self) -> dict[str, Any]:
        """Return what the farm is to know of this run."""
        self._serial += 1
        self._made[self._serial] = self._clock()
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
