"""The farm's heart: jobs, hosts and users in memory, and what each job is granted. Pure.

Events come in with the time as an argument. What must be stored comes out as `take_changes`, and is
stored before any grant is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import UsageError
from ..record import record
from .deal.asks import Host, Job, Limits, Needs, User
from .deal.moves import Moves, Standing
from .deal.rule import Targets, deal
from .deal.weights import age, boost, expected_use, fairness
from .holding import Grant, Holding, Report
from .rows import GrantRow, HistoryRow, HostRow, JobRow, JobState, Row, UserRow

QUIET = 60.0  # seconds after the start of a farm in which no grant grows, unless all jobs report
FIRST_PAUSE, MOST_PAUSE = 120.0, 3600.0  # seconds until a host with a fault is tried again by a job


@record
class Settings:
    """The settings of an administrator. jobs_per_host is bounded because each job has a client there."""

    half_life: float = 86_400.0
    long: float = 3600.0  # seconds of a task that counts as long
    long_share: float = 1.0  # of all slots, for long tasks
    jobs_per_host: int = 8
    licences: Mapping[str, int] = field(default_factory=dict)


DEFAULTS = Settings()


@record
class News:
    """A report of a job's master, as state/job_report.py makes it."""

    report: Report
    wants: int = 0
    copies: int = 0
    most: Mapping[str, int] = field(default_factory=dict)
    up: frozenset[str] = frozenset()
    faults: Mapping[str, str] = field(default_factory=dict)
    sets: int = 0
    done: int = 0
    failed: int = 0
    is_over: bool = False
    is_paused: bool = False  # by its owner, at the run itself
    boots: Mapping[str, str] = field(default_factory=dict)  # of the machines of its clients


@dataclass
class FarmJob:
    """A job in the farm's memory."""

    row: JobRow
    holding: Holding
    news: News | None = None
    heard: float = 0.0
    without: float | None = None  # since when it could use a slot and has none
    faults: dict[str, tuple[int, float]] = field(default_factory=dict)  # host -> times, next try
    stored: frozenset[GrantRow] = frozenset()  # of it in the registry

    @property
    def needs(self) -> Needs:
        """The resources that one of its tasks takes."""
        row = self.row
        licences = dict(_licence(word) for word in row.licences.split())
        return Needs(row.cores, row.memory, row.gpus, licences)

    @property
    def is_asking(self) -> bool:
        """True when slots are of use to it."""
        return not self.row.state.is_over and self.row.state is not JobState.PAUSED

    @property
    def is_paused_by_itself(self) -> bool:
        """True when its owner paused its run, and the farm has not paused the job."""
        return self.is_asking and self.news is not None and self.news.is_paused


def _licence(word: str) -> tuple[str, int]:
    name, _, many = word.partition(":")
    return name, int(many or 1)


class Farm:
    """One farm, from its start to its end, in one epoch."""

    def __init__(self, epoch: int, now: float, settings: Settings = DEFAULTS) -> None:
        self.epoch, self.settings = epoch, settings
        self.users: dict[str, UserRow] = {}
        self.hosts: dict[str, HostRow] = {}
        self.vacant: dict[str, int] = {}  # host -> cores that may be granted now
        self.jobs: dict[int, FarmJob] = {}
        self.unheard: Collection[int] = frozenset()  # jobs that get nothing new: they are silent
        self.boots: Mapping[str, str] = {}  # host -> boot ID, by its watcher
        # User -> decayed slot-seconds now; without a ledger those that are stored
        self.used: Callable[[str], float] = lambda user: self.users[user].used
        # User -> cores that his programs take beyond his grants, as watchers measured them
        self.excess: Callable[[str], int] = lambda user: 0
        self.targets: Targets = {}
        self._moves = Moves()
        self._began = now
        self._next_job = 1
        self._changes: list[Row] = []
        self._gone: list[Row] = []

    def take_changes(self) -> tuple[list[Row], list[Row]]:
        """Return the rows to be stored, and those to be removed, since the last call."""
        found = self._changes, self._gone
        self._changes, self._gone = [], []
        return found

    # -- what was stored

    def load(self, rows: Iterable[Row], now: float) -> None:
        """Take in what an earlier farm has stored."""
        grants: dict[int, list[GrantRow]] = {}
        for row in rows:
            if isinstance(row, UserRow):
                self.users[row.name] = row
            elif isinstance(row, HostRow):
                self.hosts[row.name] = row
            elif isinstance(row, GrantRow):
                grants.setdefault(row.job, []).append(row)
            elif isinstance(row, JobRow):
                self.jobs[row.id] = FarmJob(row, Holding(self.epoch), heard=now)
        for job in self.jobs.values():
            stored = grants.get(job.row.id, [])
            if stored:
                job.holding, job.stored = Holding(self.epoch, _grants(stored)), frozenset(stored)
            self._next_job = max(self._next_job, job.row.id + 1)

    def number_after(self, last: int) -> None:
        """Number new jobs from the one after `last`: a number is never given twice."""
        self._next_job = max(self._next_job, last + 1)

    # -- people

    def submit(self, now: float, job: JobRow) -> JobRow:
        """Take in a job. Raises UsageError for one that fits no host."""
        needs = FarmJob(job, Holding(self.epoch)).needs
        if self.hosts and not any(_fits(needs, host) for host in self.hosts.values()):
            best = max(self.hosts.values(), key=lambda host: (host.most, host.memory))
            wanted = f"{needs.cores} cores"
            raise UsageError(
                f"a task that takes {wanted} fits no host of this farm",
                todo=f"The largest is {best.name}, with {best.most} slots.",
            )
        made = replace(job, id=self._next_job, submitted=now, state=JobState.WAITING)
        self._next_job += 1
        self.jobs[made.id] = FarmJob(made, Holding(self.epoch), heard=now)
        self._changes.append(made)
        self._note(now, made.id, JobState.WAITING, "submitted")
        return made

    def set_state(self, now: float, number: int, state: JobState, why: str = "") -> None:
        """Move a job to another state."""
        job = self.jobs[number]
        if job.row.state is state:
            return
        times: dict[str, Any] = {}
        if state is JobState.RUNNING and not job.row.started:
            times["started"] = now
        if state.is_over:
            times |= {"ended": now, "outcome": why}
        self._replace(job, state=state, **times)
        self._note(now, number, state, why)

    def end(self, now: float, number: int, outcome: str) -> None:
        """Note that a job is over and that none of its clients is left: its delegate says so."""
        job = self.jobs[number]
        job.holding.end()
        self._store_held(job)
        if not job.row.state.is_over:
            self.set_state(now, number, JobState.FINISHED, outcome)

    def set_priority(self, number: int, priority: int) -> None:
        """Give a job another priority, from 0 to 127."""
        self._replace(self.jobs[number], priority=priority)

    def _replace(self, job: FarmJob, **what: Any) -> None:
        job.row = replace(job.row, **what)
        self._changes.append(job.row)

    def _note(self, now: float, job: int, state: JobState, text: str, host: str = "") -> None:
        self._changes.append(HistoryRow(0, now, job, host, state, text))

    # -- masters

    def hear(self, now: float, number: int, news: News) -> None:
        """Take in what a job's master reports."""
        job = self.jobs[number]
        job.heard = now
        if not job.holding.hear(news.report):
            return
        was_paused = job.is_paused_by_itself
        job.news = news
        if job.is_paused_by_itself is not was_paused:
            self._replace(job)  # its state is shown as another one
            what = "paused" if news.is_paused else "resumed"
            self._note(now, number, job.row.state, f"{what} at its own run")
        self._store_held(job)
        others = self.other_machines(news)
        for host in {*news.faults, *others}:
            times, until = job.faults.get(host, (0, 0.0))
            if now >= until:
                pause = min(MOST_PAUSE, FIRST_PAUSE * 2**times)
                job.faults[host] = (times + 1, now + pause)
        for host in news.up - others:
            job.faults.pop(host, None)
        counts = (news.sets, news.done, news.failed)
        if counts != (job.row.sets, job.row.done, job.row.failed):
            self._replace(job, sets=news.sets, done=news.done, failed=news.failed)
        if news.up and job.row.state in (JobState.WAITING, JobState.PENDING):
            self.set_state(now, number, JobState.RUNNING)

    def other_machines(self, news: News) -> set[str]:
        """Return hosts whose name leads a job to another machine than the farm's watcher."""
        return {
            host
            for host, boot in news.boots.items()
            if boot and self.boots.get(host) not in (None, "", boot)
        }

    def free(self, now: float, number: int, host: str, why: str) -> None:
        """Count nothing of a job on a host any more: it is known that none of its clients is there."""
        job = self.jobs[number]
        job.holding.free(host)
        self._store_held(job)
        self._note(now, number, job.row.state, why, host)

    def _store_held(self, job: FarmJob) -> None:
        """Have stored what a farm that is started again must know of this job."""
        found: dict[tuple[int, int, str], GrantRow] = {}
        for grant in job.holding.stored:
            for host, slots in grant.slots.items():
                key = (*grant.rank, host)
                known = found.get(key)
                if known is None or known.slots < slots:
                    found[key] = GrantRow(job.row.id, *key, slots)
        rows = frozenset(found.values())
        self._changes += rows - job.stored
        keys = {(row.epoch, row.number, row.host) for row in rows}
        self._gone += [
            row for row in job.stored if (row.epoch, row.number, row.host) not in keys
        ]
        job.stored = rows

    def cores(self, of: Literal["held", "out"]) -> dict[str, int]:
        """Return the cores that jobs hold on each host, or that their running tasks take there."""
        found: dict[str, int] = {}
        for job in self.jobs.values():
            report = job.holding.report
            out = report.out if report else {}
            for host, tasks in (job.holding.held if of == "held" else out).items():
                found[host] = found.get(host, 0) + tasks * job.row.cores
        return found

    # -- time

    def tick(self, now: float) -> list[int]:
        """Deal all slots anew, and return the jobs whose grants have changed."""
        withdrawn = self._withdraw()
        asking = [job for job in self.jobs.values() if not job.row.state.is_over]
        users, asks, hosts, limits = self.picture(now)
        self.targets = deal(users, asks, hosts, limits)
        # A silent job keeps what it has: cut off, it goes on with that.
        self.targets |= {
            number: dict(self.jobs[number].holding.granted)
            for number in self.unheard
            if self.jobs[number].is_asking
        }
        if not self._may_grow(now):
            self.targets = {
                job.row.id: _within(self.targets.get(job.row.id, {}), job.holding.granted)
                for job in asking
            }
        standing = [
            _standing(job) for job in self.jobs.values() if job.holding.held or job in asking
        ]
        changed = self._moves.next(now, standing, hosts, self.targets, limits)
        for number, slots in changed.items():
            job = self.jobs[number]
            job.holding.grant(slots)
            self._store_held(job)
            if any(slots.values()) and job.row.state is JobState.WAITING:
                self.set_state(now, number, JobState.PENDING)
        return [*changed, *(number for number in withdrawn if number not in changed)]

    def picture(self, now: float) -> tuple[list[User], list[Job], list[Host], Limits]:
        """Return what the rule works on: users, jobs and hosts as they are now."""
        hosts = [self._host(row) for row in self.hosts.values()]
        return self._users(hosts, now), self._asks(now), hosts, self._limits(hosts)

    def _withdraw(self) -> list[int]:
        """Grant nothing more to jobs that may have nothing; return those. What runs of them ends."""
        found = []
        for number, job in self.jobs.items():
            user = self.users.get(job.row.owner)
            may_have = job.is_asking and user is not None and user.enabled
            if not may_have and any(job.holding.granted.values()):
                job.holding.grant({})
                self._store_held(job)
                found.append(number)
        return found

    def _may_grow(self, now: float) -> bool:
        """Tell whether grants may grow: not while jobs of an earlier epoch may hold what nobody knows."""
        if self.epoch == 1 or now - self._began >= QUIET:
            return True
        return all(job.holding.is_known or not job.row.started for job in self.jobs.values())

    def _host(self, row: HostRow) -> Host:
        cores = min(row.slots, row.most, self.vacant.get(row.name, 0)) if row.active else 0
        only = row.only.split() or None
        memory = float(row.memory) if row.memory else float("inf")
        return Host(row.name, cores, memory, float(row.gpus), only, bool(row.owner))

    def _limits(self, hosts: Iterable[Host]) -> Limits:
        settings = self.settings
        cores = sum(host.cores for host in hosts if not host.is_lent)
        long = cores * settings.long_share if settings.long_share < 1 else float("inf")
        return Limits(settings.licences, long, settings.jobs_per_host)

    def _users(self, hosts: Iterable[Host], now: float) -> list[User]:
        enabled = [user for user in self.users.values() if user.enabled]
        shares = {user.name: user.share for user in enabled}
        capacity = sum(host.cores for host in hosts if not host.is_lent)
        expected = expected_use(capacity, shares, self.settings.half_life)
        ages: dict[str, float] = {}
        for job in self.jobs.values():
            if job.without is not None and job.is_asking:
                owner = job.row.owner
                ages[owner] = max(ages.get(owner, 0.0), now - job.without)
        return [
            User(
                user.name,
                user.share,
                fairness(self.used(user.name), expected[user.name]),
                age(ages.get(user.name, 0.0)),
                self.excess(user.name),
            )
            for user in enabled
        ]

    def _asks(self, now: float) -> list[Job]:
        return [self._ask(job, now) for job in self.jobs.values() if job.is_asking]

    def _ask(self, job: FarmJob, now: float) -> Job:
        row, news = job.row, job.news
        most = dict(news.most) if news else {}
        most |= {host: 0 for host, (_, until) in job.faults.items() if now < until}
        if row.id in self.unheard:
            most = dict.fromkeys(self.hosts, 0) | dict(job.holding.granted)
        holds = bool(job.holding.granted)
        wants = news.wants if news else 1  # its master is started at the first grant
        if holds or not wants or row.id in self.unheard:
            job.without = None
        elif job.without is None:
            job.without = now
        return Job(
            row.id,
            row.owner,
            boost(row.priority),
            age(now - job.without) if job.without is not None else 1.0,
            row.priority,
            row.id,
            job.needs,
            wants,
            news.copies if news else 0,
            most,
            row.hosts.split() or None,
            row.exclude.split(),
            [host for host, slots in job.holding.granted.items() if slots],
            news.up if news else (),
            row.time > self.settings.long,
        )


def _grants(rows: Iterable[GrantRow]) -> list[Grant]:
    """Return stored grants, the oldest first."""
    slots: dict[tuple[int, int], dict[str, int]] = {}
    for row in rows:
        slots.setdefault((row.epoch, row.number), {})[row.host] = row.slots
    return [Grant(*rank, hosts) for rank, hosts in sorted(slots.items())]


def _standing(job: FarmJob) -> Standing:
    report = job.holding.report
    return Standing(
        job.row.id,
        job.needs,
        job.holding.granted,
        job.holding.held,
        report.out if report else {},
        job.news.up if job.news else (),
    )


def _within(wanted: Mapping[str, int], granted: Mapping[str, int]) -> dict[str, int]:
    return {host: min(slots, granted.get(host, 0)) for host, slots in wanted.items()}


def _fits(needs: Needs, host: HostRow) -> bool:
    return (
        needs.cores <= min(host.slots, host.most)
        and (not needs.memory or not host.memory or needs.memory <= host.memory)
        and needs.gpus <= host.gpus
    )
