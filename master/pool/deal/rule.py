"""The dealing rule: how many tasks each job may have on each host, dealt on paper. Pure.

Slot by slot, the next one goes to the user with the least claim, and among his jobs to the one with
the least claim (docs/farm-design.md, "The rule"). Users wait in one heap, the jobs of each user in
another. A job that fits nowhere leaves for good, as what is free only shrinks during a deal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heapreplace

from ...record import record
from .asks import Host, Job, Limits, User
from .places import Places, Search, Spot

NO_LIMITS = Limits()
Targets = dict[int, dict[str, int]]  # job -> host -> tasks


def deal(
    users: Iterable[User], jobs: Sequence[Job], hosts: Iterable[Host], limits: Limits = NO_LIMITS
) -> Targets:
    """Return how many tasks each job would have on each host, if all slots were dealt now.

    A job without a slot is not in the answer. A job whose owner is not among `users` (unknown or
    disabled) gets nothing. Copies of running tasks are dealt last, from what no task can use.
    """
    people = {user.name: _Person(user) for user in users}
    asking = [job for job in jobs if job.owner in people]
    places = Places(hosts, limits)
    chairs = [
        _Chair(job, search) for job, search in zip(asking, places.searches(asking), strict=True)
    ]
    for chair in chairs:
        people[chair.job.owner].chairs.append(chair)
    for chair in chairs:
        chair.left = chair.job.wants
    _deal_round(people.values(), places)
    if any(job.copies for job in asking):
        for chair in chairs:
            chair.left = chair.job.copies
        _deal_round(people.values(), places)
    return {chair.job.id: chair.got for chair in chairs if chair.got}


@record
class Claim:
    """The claim of a user to the next slot: the least one gets it.

    cores: that the user's jobs have, the excess left out. boost: their mean, with the user's next
    job. jobs: each job that wants a slot, with its claim among the user's own.
    """

    user: User
    claim: float
    cores: int
    boost: float
    jobs: Mapping[int, float]


def claims(users: Iterable[User], jobs: Iterable[Job], has: Mapping[int, int]) -> list[Claim]:
    """Return whose turn it is now, the first one first. Users whose jobs want no slot are left out.

    has: job -> tasks that hold slots now, those on lent hosts left out.
    """
    people = {user.name: _Person(user) for user in users}
    for job in jobs:
        if job.owner in people:
            chair, person = _Chair(job, None), people[job.owner]
            chair.tasks = has.get(job.id, 0)
            person.cores += chair.tasks * chair.cores
            person.boosts += chair.tasks * chair.boosts
            if job.wants > chair.tasks:
                person.heap.append(chair.place())
    waiting = [person for person in people.values() if person.heap]
    for person in waiting:
        heapify(person.heap)
    waiting.sort(key=_Person.place)
    return [person.claim() for person in waiting]


class _Chair:
    """A job during a deal: what it has got, and where it looks for more."""

    __slots__ = ("boosts", "cores", "cost", "got", "job", "left", "rank", "search", "tasks")

    def __init__(self, job: Job, search: Search | None) -> None:
        self.job, self.search = job, search
        self.got: dict[str, int] = {}
        self.tasks = 0  # that it has got
        self.left = 0  # that it still wants
        self.cores = job.needs.cores
        self.boosts = job.boost * self.cores
        self.cost = self.cores / (job.boost * job.age)
        self.rank = -job.priority

    def place(self) -> tuple[float, int, int, _Chair]:
        """Its place among the jobs of its user. No two jobs have the same order."""
        return ((self.tasks + 1) * self.cost, self.rank, self.job.order, self)


class _Person:
    """A user during a deal."""

    __slots__ = ("boosts", "chairs", "cores", "heap", "user", "weight")

    def __init__(self, user: User) -> None:
        self.user = user
        self.chairs: list[_Chair] = []
        self.heap: list[tuple[float, int, int, _Chair]] = []
        self.cores = 0  # that count as use
        self.boosts = 0.0  # sum over those cores
        self.weight = user.share * user.fair

    def place(self) -> tuple[float, int, int, _Person]:
        """His place among the users: his claim to a slot for his next job."""
        chair = self.heap[0][3]
        cores = self.cores + chair.cores
        mean_boost = (self.boosts + chair.boosts) / cores  # of all that he would then hold
        claim = (cores + self.user.excess) / (self.weight * mean_boost)
        if not self.cores:
            claim /= self.user.age
        return (claim, chair.rank, chair.job.order, self)

    def claim(self) -> Claim:
        """His claim as a record, for people."""
        first = self.heap[0][3]
        boosts = (self.boosts + first.boosts) / (self.cores + first.cores)
        jobs = {chair.job.id: claim for claim, _, _, chair in self.heap}
        return Claim(self.user, self.place()[0], self.cores, boosts, jobs)

    def take(self, chair: _Chair, spot: Spot) -> None:
        """Count one more slot of his next job."""
        chair.tasks += 1
        chair.left -= 1
        if not spot.host.is_lent:
            self.cores += chair.cores
            self.boosts += chair.boosts


def _deal_round(people: Iterable[_Person], places: Places) -> None:
    """Deal slots until no job wants one that fits."""
    heap = []
    for person in people:
        person.heap = [chair.place() for chair in person.chairs if chair.left > 0]
        heapify(person.heap)
        if person.heap:
            heap.append(person.place())
    heapify(heap)
    while heap:
        person = heap[0][3]
        chair = person.heap[0][3]
        assert chair.search is not None
        spot = places.take_next(chair.job, chair.search, chair.got)
        if spot is None:
            heappop(person.heap)
        else:
            person.take(chair, spot)
            if chair.left:
                heapreplace(person.heap, chair.place())
            else:
                heappop(person.heap)
        if person.heap:
            heapreplace(heap, person.place())
        else:
            heappop(heap)
