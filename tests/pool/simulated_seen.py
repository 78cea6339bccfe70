"""What is seen in a simulated farm, and the figures that it makes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from spe.pool.farm import Farm
from spe.pool.holding import Slots

from .simulated_master import START, Client, Master

BACK = 60.0  # seconds within which a change that is taken back counts as swinging


@dataclass
class Wait:
    """A time in which a user wanted a slot, and no task of the user ran.

    on_paper: seconds of it in which the rule had no slot for the user. bound: when, at the latest,
    a task that ran then would end, as of the last second on paper. no_host: seconds without a vacant
    slot in the farm.
    """

    user: str
    kind: str
    since: float
    priority: int = 64
    until: float = math.inf
    on_paper: float = 0.0
    no_host: float = 0.0
    bound: float = 0.0

    @property
    def seconds(self) -> float:
        return self.until - self.since

    @property
    def excess(self) -> float:
        """Seconds beyond what the rule explains: paper, missing hosts, and one task of another."""
        return self.seconds - self.on_paper - self.no_host - self.bound


@dataclass
class Seen:
    """What was seen since the start of the farm."""

    farm: Farm
    waits: list[Wait] = field(default_factory=list)
    ended: list[tuple[Client, Master]] = field(default_factory=list)
    seconds: float = 0.0
    used: float = 0.0  # slot-seconds of tasks
    usable: float = 0.0  # slot-seconds that were vacant and wanted
    held: float = 0.0  # slot-seconds that were granted
    by_user: Counter[str] = field(default_factory=Counter)  # slot-seconds
    changes: int = 0  # of grants of a job
    moved: int = 0  # slots that changed their owner
    swings: int = 0  # jobs whose slots fell and rose, or rose and fell, within BACK
    _waiting: dict[str, Wait] = field(default_factory=dict)
    _last: dict[int, tuple[float, int]] = field(default_factory=lambda: defaultdict(lambda: (-math.inf, 0)))

    # -- waits and use

    def look(self, now: float, step: float, masters: Iterable[Master], vacant: Mapping[str, int]) -> None:
        """Take in how a second was."""
        running: Counter[str] = Counter()
        wanting: dict[str, Master] = {}
        wanted = 0
        last_end = now
        for master in masters:
            many = master.running()
            running[master.owner] += many
            wanted += many + len(master.waiting)
            last_end = max(last_end, *master.ends(), now)
            if master.waiting:
                wanting.setdefault(master.owner, master)
        there = sum(vacant.values())
        self.seconds += step
        self.used += step * min(running.total(), there)
        self.usable += step * min(wanted, there)
        self.held += step * sum(sum(job.holding.granted.values()) for job in self.farm.jobs.values())
        for user, many in running.items():
            self.by_user[user] += step * many
        self._look_at_waits(now, step, wanting, running, there, last_end)

    def _look_at_waits(
        self,
        now: float,
        step: float,
        wanting: Mapping[str, Master],
        running: Mapping[str, int],
        there: int,
        last: float,
    ) -> None:
        on_paper = {self.farm.jobs[job].row.owner for job, hosts in self.farm.targets.items() if hosts}
        for user in [user for user in self._waiting if user not in wanting or running.get(user)]:
            wait = self._waiting.pop(user)
            wait.until = now
            self.waits.append(wait)
        for user, master in wanting.items():
            if running.get(user):
                continue
            priority = self.farm.jobs[master.number].row.priority
            wait = self._waiting.setdefault(user, Wait(user, master.kind, now, priority))
            if not there:
                wait.no_host += step
            elif user not in on_paper:
                wait.on_paper += step
            elif wait.bound:
                continue
            wait.bound = last - now

    # -- changes

    def note_changes(self, now: float, before: Mapping[int, Slots], changed: Iterable[int]) -> None:
        """Take in that the grants of these jobs have changed."""
        for number in changed:
            old, new = before.get(number, {}), self.farm.jobs[number].holding.granted
            self.changes += 1
            self.moved += sum(max(0, slots - old.get(host, 0)) for host, slots in new.items())
            differs = sum(new.values()) - sum(old.values())
            if not differs:
                continue
            when, way = self._last[number]
            self.swings += way * differs < 0 and now - when <= BACK
            self._last[number] = (now, differs)

    def close(self, now: float) -> None:
        """Count the waits that last still."""
        for wait in self._waiting.values():
            wait.until = now
            self.waits.append(wait)
        self._waiting = {}

    # -- clients

    def note_end(self, master: Master) -> None:
        """Take in a job that is over."""
        self.ended += [(client, master) for client in master.past]

    def starts(self, least: float = 0.0) -> list[Client]:
        """Return the clients of jobs with at least so many seconds of work."""
        return [client for client, master in self.ended if master.work >= least]

    def in_vain(self, least: float = 0.0) -> float:
        """Return the share of clients that did less than their start cost."""
        found = self.starts(least)
        return sum(client.work < START for client in found) / max(1, len(found))

    def longest(self, kinds: Collection[str] = ()) -> Wait | None:
        """Return the longest wait of users with jobs of these kinds; of all without one."""
        found = [one for one in self.waits if not kinds or one.kind in kinds]
        return max(found, key=lambda one: one.seconds, default=None)
