"""From what was dealt on paper to new grants: few changes, and none that could break the bounds. Pure.

Slots that nobody holds are granted at once. A job gives slots up only where another job needs them,
and for a difference of one slot only after a minute: the odd slot of equal users would wander else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field

from ...record import record
from .asks import Host, Limits, Needs
from .rule import Targets

PAUSE = 5.0  # seconds between two changes of one job on one host
PATIENCE = 60.0  # seconds for which a difference of one slot must have stood
UNUSED = 10.0  # seconds after which a grant is cut to what is out
STARTS_PER_HOST = 2  # clients that are started at a time on one host
UNKNOWN = 2.0**62  # bytes of a host whose memory nobody has told
NEW_PAIRS = 20  # jobs that get a host where they have no client, in one deal


@record
class Standing:
    """How a job stands. granted: its newest grant. held: the most that it may have out. out: what it
    has out. up: hosts where its client has registered.
    """

    id: int
    needs: Needs = field(default_factory=Needs)
    granted: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    out: Mapping[str, int] = field(default_factory=dict)
    up: Collection[str] = ()


class Free:
    """What nobody holds, on each host and of each licence. It may be negative."""

    def __init__(
        self, hosts: Iterable[Host], jobs: Iterable[Standing], licences: Mapping[str, int]
    ) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._cores = {host.name: host.cores for host in self._hosts.values()}
        self._memory = {host.name: min(host.memory, UNKNOWN) for host in self._hosts.values()}
        self._gpus = {host.name: host.gpus for host in self._hosts.values()}
        self._licences = dict(licences)
        for job in jobs:
            for host, tasks in job.held.items():
                self.take(job.needs, host, tasks)

    def take(self, needs: Needs, host: str, tasks: int) -> None:
        """Count so many more tasks as held; fewer for a negative number."""
        self._cores[host] = self._cores.get(host, 0) - tasks * needs.cores
        self._memory[host] = self._memory.get(host, 0) - tasks * needs.memory
        self._gpus[host] = self._gpus.get(host, 0) - tasks * needs.gpus
        for name, many in needs.licences.items():
            self._licences[name] = self._licences.get(name, 0) - tasks * many

    def lack(self, host: str) -> int:
        """Return the cores that jobs hold beyond what the host has."""
        return max(0, -self._cores.get(host, 0))

    def room(self, needs: Needs, host: str) -> int:
        """Return for how many more tasks there is room."""
        rooms = [self._cores.get(host, 0) // max(1, needs.cores)]
        if needs.memory:
            rooms.append(int(self._memory.get(host, 0) // needs.memory))
        if needs.gpus:
            rooms.append(int(self._gpus.get(host, 0) / needs.gpus + 1e-9))
        rooms += [self._licences.get(name, 0) // many for name, many in needs.licences.items()]
        return max(0, min(rooms))


class Moves:
    """The changes of grants over time. Lives as long as the farm."""

    def __init__(self) -> None:
        self._changed: dict[tuple[int, str], float] = {}  # when a grant was last changed
        self._differs: dict[int, float] = {}  # job -> since when its target differs from its grant
        self._unused: dict[tuple[int, str], float] = {}

    def next(
        self,
        now: float,
        jobs: Sequence[Standing],
        hosts: Sequence[Host],
        targets: Targets,
        limits: Limits,
    ) -> dict[int, dict[str, int]]:
        """Return the new grants of those jobs whose grants change."""
        deal = _Deal(self, now, jobs, hosts, targets, limits)
        deal.cut_unused()
        deal.grow()
        deal.shrink()
        self._forget(jobs)
        return deal.changed

    # -- what time says

    def note_change(self, now: float, job: int, host: str) -> None:
        """Remember that a grant changes now."""
        self._changed[job, host] = now

    def may_change(self, now: float, job: int, host: str) -> bool:
        """Tell whether the latest change is long enough ago."""
        return now - self._changed.get((job, host), -PAUSE) >= PAUSE

    def has_stood(self, now: float, job: int, difference: int) -> bool:
        """Tell whether a job's difference from its target is followed: a large one, or an old one."""
        if not difference:
            self._differs.pop(job, None)
            return False
        since = self._differs.setdefault(job, now)
        return abs(difference) > 1 or now - since >= PATIENCE

    def is_unused(self, now: float, job: int, host: str, unused: bool) -> bool:
        """Tell whether a part of this grant has been of no use for long."""
        if not unused:
            self._unused.pop((job, host), None)
            return False
        return now - self._unused.setdefault((job, host), now) >= UNUSED

    def _forget(self, jobs: Iterable[Standing]) -> None:
        """Forget jobs that are gone."""
        known = {job.id for job in jobs}
        self._changed = {key: at for key, at in self._changed.items() if key[0] in known}
        self._differs = {job: at for job, at in self._differs.items() if job in known}
        self._unused = {key: at for key, at in self._unused.items() if key[0] in known}


class _Deal:
    """One turn: what each job is granted after it."""

    def __init__(
        self,
        moves: Moves,
        now: float,
        jobs: Sequence[Standing],
        hosts: Sequence[Host],
        targets: Targets,
        limits: Limits,
    ) -> None:
        self._moves, self._now, self._jobs, self._targets = moves, now, jobs, targets
        self._free = Free(hosts, jobs, limits.licences)
        self._hosts = [host.name for host in hosts]
        self._grants = {job.id: dict(job.granted) for job in jobs}
        self._new_pairs = 0
        self._lacks = {
            job.id: self._total(targets.get(job.id, {})) - self._total(job.granted) for job in jobs
        }
        self._is_urgent = {
            job.id: moves.has_stood(now, job.id, self._lacks[job.id])
            or not self._total(job.granted)
            for job in jobs
        }
        self.changed: dict[int, dict[str, int]] = {}

    @staticmethod
    def _total(slots: Mapping[str, int]) -> int:
        return sum(slots.values())

    def _target(self, job: Standing, host: str) -> int:
        return self._targets.get(job.id, {}).get(host, 0)

    def _set(self, job: Standing, host: str, slots: int) -> None:
        self._grants[job.id][host] = slots
        self.changed[job.id] = self._grants[job.id]
        self._moves.note_change(self._now, job.id, host)

    def cut_unused(self) -> None:
        """Cut grants that have been of no use for a while: to the target, or what is out."""
        for job in self._jobs:
            for host, slots in job.granted.items():
                useful = max(self._target(job, host), job.out.get(host, 0))
                if self._moves.is_unused(self._now, job.id, host, slots > useful):
                    self._set(job, host, useful)

    def grow(self) -> None:
        """Grant what nobody holds: first to jobs that have nothing, then to those that lack most.

        Of those that lack as many, the one that has least comes first.
        """
        order = sorted(
            self._jobs,
            key=lambda job: (
                self._total(job.granted) > 0,
                -self._lacks[job.id],
                self._total(job.granted),
                job.id,
            ),
        )
        for job in order:
            for host, target in self._targets.get(job.id, {}).items():
                granted = self._grants[job.id].get(host, 0)
                most = target if host in job.up else min(1, target)
                if most <= granted or (not granted and not self._may_begin(job, host)):
                    continue
                kept = self._kept(job, host)
                more = min(most - granted, kept + self._free.room(job.needs, host))
                if more > 0:
                    self._free.take(job.needs, host, max(0, more - kept))
                    self._new_pairs += not granted
                    self._set(job, host, granted + more)

    def _kept(self, job: Standing, host: str) -> int:
        """Return the tasks that it holds there beyond its grant and may be granted again.

        Not those that another job waits for: users of equal use change places on paper each second,
        and each of them would take back what it has just given up, so that a newcomer got nothing.
        """
        own = self._coming(job, host)
        if not own:
            return 0
        spare = sum(self._coming(one, host) for one in self._jobs) - self._free.lack(host)
        spare -= sum(self._lacking(one, host) for one in self._jobs if one.id != job.id)
        return max(0, min(own, spare)) // job.needs.cores

    def _may_begin(self, job: Standing, host: str) -> bool:
        """Tell whether one more client may be started there."""
        if host in job.up:
            return True
        starting = sum(
            self._grants[one.id].get(host, 0) > 0 and host not in one.up for one in self._jobs
        )
        return starting < STARTS_PER_HOST and self._new_pairs < NEW_PAIRS

    def shrink(self) -> None:
        """Take slots back from those with most beyond their target.

        They are taken where other jobs need them, and where the host has no longer so many: it is
        drained, or somebody works there.
        """
        for host in self._hosts:
            # What was taken back before, and is still held, comes free by itself.
            base = self._free.lack(host) - sum(self._coming(job, host) for job in self._jobs)
            at_once = base + sum(self._needed(job, host) for job in self._jobs)
            # A job far beyond its target gives to each that lacks a slot, be that lack a single one.
            at_all = base + sum(self._lacking(job, host) for job in self._jobs)
            given = 0
            over = [job for job in self._jobs if self._over(job, host) > 0]
            for job in sorted(over, key=lambda job: -self._over(job, host)):
                is_far = self._is_urgent[job.id] and self._lacks[job.id] < 0
                needed = (at_all if is_far else at_once) - given
                cores = min(needed, self._over(job, host) * job.needs.cores)
                if cores <= 0 or not self._moves.may_change(self._now, job.id, host):
                    continue
                tasks = -(-cores // job.needs.cores)
                self._set(job, host, self._grants[job.id][host] - tasks)
                given += tasks * job.needs.cores

    def _needed(self, job: Standing, host: str) -> int:
        """Return the cores that a job lacks there and that it should get now."""
        return self._lacking(job, host) if self._is_urgent[job.id] else 0

    def _lacking(self, job: Standing, host: str) -> int:
        """Return the cores that a job lacks there now."""
        lack = self._target(job, host) - self._grants[job.id].get(host, 0)
        if host not in job.up:
            lack = min(1, lack)
        return max(0, lack) * job.needs.cores

    def _coming(self, job: Standing, host: str) -> int:
        return max(0, job.held.get(host, 0) - self._grants[job.id].get(host, 0)) * job.needs.cores

    def _over(self, job: Standing, host: str) -> int:
        return self._grants[job.id].get(host, 0) - self._target(job, host)
