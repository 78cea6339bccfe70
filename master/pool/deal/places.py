"""Hosts with free slots during one deal, and the host on which a job gets its next slot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .asks import Host, Job, Limits


class Spot:
    """A host during a deal: what is still free there, and who has slots."""

    __slots__ = ("cores", "gpus", "host", "is_open", "jobs", "memory", "name", "wanted")

    def __init__(self, host: Host) -> None:
        self.host, self.name = host, host.name
        self.cores, self.memory, self.gpus = host.cores, host.memory, host.gpus
        self.jobs = 0  # that have slots here
        self.wanted = 0  # jobs that may have slots here: the fewer, the sooner it is dealt
        self.is_open = True  # for jobs that have no slot here yet


class Kind:
    """The hosts that jobs of one kind may use. The first `shut` of them take no new job."""

    __slots__ = ("jobs", "shut", "spots")

    def __init__(self, spots: list[Spot]) -> None:
        self.spots = spots
        self.shut = 0
        self.jobs = 0


class Search:
    """The search of one job for its next slot: own hosts, then the others, in their order.

    What is free only shrinks during a deal, so a host that was full is never looked at again.
    """

    __slots__ = ("at", "at_own", "current", "is_plain", "kind", "own")

    def __init__(self, job: Job, own: Sequence[Spot], kind: Kind) -> None:
        self.own, self.kind = own, kind
        self.at_own = self.at = 0
        self.current: Spot | None = None
        needs = job.needs
        # Its slots take nothing but cores, and each further one on a host is like the one before.
        self.is_plain = not (
            needs.memory or needs.gpus or needs.licences or job.is_long or job.most
        )

    def advance(self) -> Spot | None:
        """Go to the next host, and return it; None behind the last one."""
        own, kind = self.own, self.kind
        spots = kind.spots
        shut, many = kind.shut, len(spots)
        while shut < many and not spots[shut].is_open:
            shut += 1
        kind.shut = shut
        if self.at < shut:
            self.at = shut
        if not own and self.at < many:  # a job without a host yet: nothing to compare
            self.current = spots[self.at]
            self.at += 1
            return self.current
        has_other = self.at < many
        if self.at_own < len(own) and (
            not has_other or own[self.at_own].wanted <= spots[self.at].wanted
        ):
            self.current = own[self.at_own]
            self.at_own += 1
        elif has_other:
            self.current = spots[self.at]
            self.at += 1
        else:
            self.current = None
        return self.current


class Places:
    """All hosts of a deal, and the licences that they share. Lives as long as the deal."""

    def __init__(self, hosts: Iterable[Host], limits: Limits) -> None:
        self._spots = [Spot(host) for host in hosts if host.cores > 0]
        self._has_owned = any(spot.host.only is not None for spot in self._spots)
        self._limits = limits
        self._licences = dict(limits.licences)
        self._long_cores = limits.long_cores
        self._kinds: dict[tuple[object, ...], Kind] = {}

    def searches(self, jobs: Sequence[Job]) -> list[Search]:
        """Return a search for each job.

        The order of hosts: those that fewest jobs can use, so that jobs without a choice find room;
        then those where the job runs; then those where its client waits; then the emptiest.
        """
        kinds = [self._kind_of(job) for job in jobs]
        for kind in self._kinds.values():
            for spot in kind.spots:
                spot.wanted += kind.jobs
        for kind in self._kinds.values():
            kind.spots.sort(key=_order)
        return [self._search(job, kind) for job, kind in zip(jobs, kinds, strict=True)]

    def _kind_of(self, job: Job) -> Kind:
        """Return the hosts on which a job may run. Jobs of one kind share them."""
        only = job.owner if self._has_owned else ""
        closed = frozenset(host for host, most in job.most.items() if most <= 0)
        inside = None if job.hosts is None else frozenset(job.hosts)
        needs = job.needs
        key = (only, inside, frozenset(job.exclude), closed, needs.cores, needs.memory, needs.gpus)
        kind = self._kinds.get(key)
        if kind is None:
            shut = closed.union(job.exclude)
            kind = self._kinds[key] = Kind(
                [
                    spot
                    for spot in self._spots
                    if spot.host.name not in shut
                    and (inside is None or spot.host.name in inside)
                    and (spot.host.only is None or job.owner in spot.host.only)
                    and _fits(spot, job)
                ]
            )
        kind.jobs += 1
        return kind

    @staticmethod
    def _search(job: Job, kind: Kind) -> Search:
        if not job.runs and not job.idle:
            return Search(job, (), kind)
        near = [
            spot for spot in kind.spots if spot.host.name in job.runs or spot.host.name in job.idle
        ]
        # The sort is stable: among hosts where it runs, the order of all jobs is kept.
        near.sort(key=lambda spot: (spot.wanted, spot.host.name not in job.runs))
        return Search(job, near, kind)

    def take_next(self, job: Job, search: Search, got: dict[str, int]) -> Spot | None:
        """Give the job its next slot, note it in `got`, and return its host.

        Return None when the job fits nowhere any more.
        """
        spot = search.current
        if search.is_plain:
            cores = job.needs.cores
            if spot is not None and spot.cores >= cores:  # most slots: one more where it has some
                spot.cores -= cores
                if not spot.cores:
                    spot.is_open = False
                got[spot.name] += 1
                return spot
            return self._take_plain(search, cores, got)
        if self._lacks_common(job):
            return None
        while spot is None or not self._take(spot, job, got):
            spot = search.advance()
            if spot is None:
                return None
        return spot

    def _take_plain(self, search: Search, cores: int, got: dict[str, int]) -> Spot | None:
        """Give a job whose slots take nothing but cores its first slot on a next host."""
        most = self._limits.jobs_per_host
        while (spot := search.advance()) is not None:
            if spot.cores < cores or spot.name in got or spot.jobs >= most:
                continue
            spot.cores -= cores
            spot.jobs += 1
            spot.is_open = spot.cores > 0 and spot.jobs < most
            got[spot.name] = 1
            return spot
        return None

    def _lacks_common(self, job: Job) -> bool:
        """Tell whether that is used up which all hosts share."""
        if job.is_long and self._long_cores < job.needs.cores:
            return True
        licences = job.needs.licences
        return bool(licences) and any(
            self._licences.get(name, 0) < many for name, many in licences.items()
        )

    def _take(self, spot: Spot, job: Job, got: dict[str, int]) -> bool:
        """Give the job a slot there if it fits. Return whether it did."""
        needs, name = job.needs, spot.host.name
        if spot.cores < needs.cores or spot.memory < needs.memory or spot.gpus < needs.gpus:
            return False
        here = got.get(name, 0)
        if not here and spot.jobs >= self._limits.jobs_per_host:
            return False
        if job.most and here >= job.most.get(name, here + 1):
            return False
        spot.cores -= needs.cores
        spot.memory -= needs.memory
        spot.gpus -= needs.gpus
        for licence, many in needs.licences.items():
            self._licences[licence] -= many
        if job.is_long:
            self._long_cores -= needs.cores
        if not here:
            spot.jobs += 1
        spot.is_open = spot.cores > 0 and spot.jobs < self._limits.jobs_per_host
        got[name] = here + 1
        return True


def _order(spot: Spot) -> tuple[int, int, str]:
    return (spot.wanted, -spot.cores, spot.host.name)


def _fits(spot: Spot, job: Job) -> bool:
    needs = job.needs
    return spot.cores >= needs.cores and spot.memory >= needs.memory and spot.gpus >= needs.gpus
