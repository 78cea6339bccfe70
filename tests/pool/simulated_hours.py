"""The hours of a simulated farm, second by second, and what was seen in them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from spe.pool.deal.weights import boost
from spe.pool.farm import Farm
from spe.pool.holding import Grant
from spe.pool.ledger import Charge, Ledger, Moment
from spe.pool.rows import HostRow, JobRow, JobState, UserRow

from .simulated_arrivals import Arrival, Weather
from .simulated_master import Master
from .simulated_seen import Seen

NOTHING = Grant(0, 0)


class Hours:
    """A farm with its users and hosts. The only parts that are pretended are masters, hosts and time."""

    def __init__(
        self,
        hosts: Mapping[str, int],
        users: Iterable[str],
        arrivals: Iterable[Arrival],
        seed: int,
        unrest: float = 1.0,
    ) -> None:
        """unrest: how often hosts go and people come; 0 for never."""
        self.chance = random.Random(seed)
        self.now = 0.0
        self.farm = Farm(1, 0.0)
        people = [UserRow(name) for name in users]
        self.farm.load([*(HostRow(name, slots, slots) for name, slots in hosts.items()), *people], 0.0)
        self.ledger = Ledger(Moment(0.0, 0.0), people)
        self.weather = Weather(self.chance, hosts, unrest)
        self.arrivals = sorted(arrivals, key=lambda one: one.at, reverse=True)
        self.masters: dict[int, Master] = {}
        self.seen = Seen(self.farm)

    def run(self, until: float, step: float = 1.0) -> Seen:
        """Let time pass, and return what was seen."""
        while self.now < until:
            self.now += step
            self._pass_time(step)
        self.seen.close(self.now)
        for master in self.masters.values():
            master.end()
            self.seen.note_end(master)
        return self.seen

    def _pass_time(self, step: float) -> None:
        now, farm = self.now, self.farm
        self.weather.pass_time(now, step)
        while self.arrivals and self.arrivals[-1].at <= now:
            self._submit(self.arrivals.pop())
        self._report()
        farm.vacant = self.weather.vacant()
        farm.used = lambda user: self.ledger.used(Moment(now, now), user)
        before = {number: farm.jobs[number].holding.granted for number in self.masters}
        changed = farm.tick(now)
        farm.take_changes()
        self._charge()
        self.seen.note_changes(now, before, changed)
        self.seen.look(now, step, self.masters.values(), farm.vacant)

    def _submit(self, arrival: Arrival) -> None:
        row = JobRow(0, arrival.owner, arrival.kind, place="lab", priority=arrival.priority)
        number = self.farm.submit(self.now, row).id
        self.masters[number] = Master(number, arrival.owner, arrival.kind, arrival.lengths, self.chance)

    def _report(self) -> None:
        """Each master takes the grant of the last second, and reports."""
        alive = self.farm.hosts.keys() - self.weather.gone.keys()
        for number, master in list(self.masters.items()):
            job = self.farm.jobs[number]
            newest = job.holding.stored[-1] if job.holding.stored else NOTHING
            news = master.step(self.now, newest, alive)
            if news is not None:
                self.farm.hear(self.now, number, news)
            if master.is_over:
                master.end()
                self.farm.end(self.now, number, "its run has ended")
                self.seen.note_end(self.masters.pop(number))
                assert self.farm.jobs.pop(number).row.state is JobState.FINISHED

    def _charge(self) -> None:
        charges = {}
        for number in self.masters:
            row, granted = self.farm.jobs[number].row, self.farm.jobs[number].holding.granted
            if granted:
                charges[number] = Charge(row.owner, boost(row.priority), granted)
        at = Moment(self.now, self.now)
        self.ledger.update(at, charges)
        self.ledger.take_changes(at, self.farm.users)
