"""The farm behind its doors: it deals each second, and stores before it tells."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Protocol

from ...errors import UsageError
from ...text import printable
from ..deal.weights import boost
from ..farm import Farm, FarmJob
from ..gate.heart import Json, Paused, Unfit
from ..holding import Grant
from ..ledger import Charge, Ledger, Moment
from ..members import ADMINISTRATOR, Changes
from ..rows import HostRow, JobRow, JobState, Row, UserRow
from ..silence import SILENT, Silence
from ..why import explain
from .documents import grant_document, host_document, job_document
from .reports import read_news
from .sights import Sights

log = logging.getLogger("spe.farm")
SECOND = 1.0  # seconds between two deals, while nothing becomes free
LEAST = 0.1  # seconds between two deals at least
STORE_PAUSE = 30.0  # seconds after which a delegate may ask again while nothing can be stored
MOST_WAITING = 1000  # jobs of one user that are not over
MOST_OUTCOME = 200  # characters of how a job ended
KEPT_EVENTS = 1000  # changes that a slow reader of the stream may be behind

Place = tuple[str, str]  # user, host of his delegate


class Store(Protocol):
    """The registry, as far as the service needs it."""

    def commit(self, save: Iterable[Row], remove: Iterable[Row] = ()) -> Future[None]:
        """Store rows and remove others, in one transaction."""

    def is_leader(self, now: float) -> bool:
        """Tell whether this farm may deal at this monotonic time."""


class Service:
    """The heart of the gate (gate/heart.py), of one farm in one epoch."""

    def __init__(
        self,
        name: str,
        farm: Farm,
        store: Store,
        sights: Sights,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """name: the ID of the farm."""
        self.farm, self._farm, self._store = name, farm, store
        self._sights, self._ledger, self._clock = sights, ledger, clock
        self._unsettled = set(ledger.unheard)  # jobs of an earlier farm that have not reported yet
        self._sent: dict[int, Grant] = {}  # what delegates are told: it is stored
        self._orders: dict[int, tuple[JobState, int]] = {}  # what they are told beside it
        self._version = 0
        self._versions: dict[Place, int] = defaultdict(
            int
        )  # when something of a place changed last
        self._heard: dict[Place, float] = {}  # when a delegate was heard last
        self._silence = Silence(time.monotonic())
        self._changed = asyncio.Condition()
        self._publishing = asyncio.Lock()
        self._has_news = asyncio.Event()  # slots may have become free, or are wanted anew
        self._soon: set[int] = set()  # jobs whose turn it is once slots are free for them
        self._readers: set[asyncio.Queue[tuple[str, Json]]] = set()
        self.facts: Callable[[], Json] = dict  # about the process, for `status`

    @property
    def epoch(self) -> int:
        """Return the epoch in which this farm deals."""
        return self._farm.epoch

    # -- time

    async def run(self) -> None:
        """Deal each second, and sooner when slots have become free, until this is cancelled."""
        while True:
            try:
                await self.deal()
            except Exception:
                # A farm that does not deal is said and tried again: jobs go on with their grants.
                log.exception("the slots could not be dealt")
            await asyncio.sleep(LEAST)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_news.wait(), SECOND - LEAST)
            self._has_news.clear()

    async def deal(self) -> None:
        """Deal all slots anew; store what has changed, and only then tell the delegates."""
        if not self._store.is_leader(time.monotonic()):
            return
        farm = self._farm
        looks = self._sights.look(
            time.monotonic(), farm.hosts, farm.cores("out"), farm.cores("held")
        )
        farm.vacant = {name: look.cores for name, look in looks.items()}
        at = self._now()
        self._ledger.halve_after(at, farm.settings.half_life)
        farm.used = lambda user: self._ledger.used(at, user)
        farm.excess = self._ledger.excess
        self._note_silence(at)
        farm.tick(at.wall)
        self._charge(at)
        await self._publish()

    def _note_silence(self, at: Moment) -> None:
        """Note which jobs are silent, and free what they held where none of their clients is left."""
        farm, silence = self._farm, self._silence
        farm.boots = self._sights.boots()
        over = [one for one, job in farm.jobs.items() if job.row.state.is_over]
        silence.end(one for one in over if not farm.jobs[one].holding.held)
        farm.unheard = frozenset(
            one
            for one, job in farm.jobs.items()
            if not job.row.state.is_over and silence.of(at.mono, one) > SILENT
        )
        held = {one: list(job.holding.held) for one, job in farm.jobs.items() if job.holding.held}
        for number, host in silence.left(at.mono, held, self._sights.seen()):
            log.warning("job %d is silent, and has no client on %s: its slots are free", number, host)
            farm.free(at.wall, number, host, "its slots are free: no client of it is left there")

    def _now(self) -> Moment:
        return Moment(self._clock(), time.monotonic())

    def _charge(self, at: Moment) -> None:
        """Bring the accounts up to date: each job pays for what it is granted."""
        charges = {
            number: _charge_of(job)
            for number, job in self._farm.jobs.items()
            if any(job.holding.granted.values()) and number not in self._unsettled
        }
        lent = {row.name for row in self._farm.hosts.values() if row.owner}
        self._ledger.update(at, charges, self._sights.measured(), lent)

    async def _publish(self) -> None:
        """Store what has changed in the farm, then tell those whom it concerns."""
        # One after the other: a second one that finds nothing to store must not tell what the first
        # one has not stored yet.
        async with self._publishing:
            await self._store_and_tell()

    async def _store_and_tell(self) -> None:
        save, gone = self._farm.take_changes()
        rows = self._ledger.take_changes(self._now(), self._farm.users)
        for row in rows:
            if isinstance(row, UserRow):
                self._farm.users[row.name] = row
        save = [*save, *rows]
        newest = {
            number: job.holding.stored[-1]
            for number, job in self._farm.jobs.items()
            if job.holding.stored
        }
        if save or gone:
            await asyncio.wrap_future(self._store.commit(save, gone))
        told = {row.id for row in save if isinstance(row, JobRow)}
        ordered = {number for number in told if self._has_new_order(number)}
        for number, grant in newest.items():
            if grant != self._sent.get(number) and grant.epoch == self.epoch:
                self._sent[number] = grant
                ordered.add(number)
        ordered |= self._next_ones()
        if told or ordered:
            await self._tell(told | ordered, ordered)

    def _has_new_order(self, number: int) -> bool:
        """Tell whether a job's delegate is to do something else now: counts alone are no order."""
        row = self._farm.jobs[number].row
        order = (row.state, row.priority)
        if self._orders.get(number) == order:
            return False
        self._orders[number] = order
        return True

    def _next_ones(self) -> set[int]:
        """Note the jobs without a grant whose turn it is. Return those for which that is new.

        Their runs are started meanwhile: that takes longer than a short task of those who give.
        """
        farm = self._farm
        soon = {
            number
            for number, slots in farm.targets.items()
            if slots and number not in self._sent and number in farm.jobs and farm.jobs[number].is_asking
        }
        new, self._soon = soon - self._soon, soon
        return new

    async def _tell(self, numbers: Iterable[int], ordered: Iterable[int]) -> None:
        """Tell readers of the stream what has changed, and delegates what they are to do."""
        self._version += 1
        for number in ordered:
            row = self._farm.jobs[number].row
            self._versions[row.owner, row.place] = self._version
        for number in numbers:
            for reader in self._readers:
                if reader.qsize() < KEPT_EVENTS:
                    reader.put_nowait(("change", {"job": number}))
        async with self._changed:
            self._changed.notify_all()

    # -- what the gate asks

    def owner_of(self, job: int) -> str | None:
        """Return whose job this is; None when there is no such job."""
        found = self._farm.jobs.get(job)
        return found.row.owner if found else None

    async def commit(self, changes: Changes) -> None:
        """Commit changes of users and tokens. An error means that nothing is stored."""
        await asyncio.wrap_future(self._store.commit(changes.save, changes.remove))
        for row in changes.save:
            if isinstance(row, UserRow):
                self._farm.users[row.name] = row

    async def submit(self, user: UserRow, place: str, job: Json) -> Json:
        """Enter a job whose delegate is on the host `place`."""
        if user.name == ADMINISTRATOR:
            raise Unfit("the account that runs the farm submits as a user: spe farm join")
        mine = [one for one in self._farm.jobs.values() if one.row.owner == user.name]
        if sum(not one.row.state.is_over for one in mine) >= MOST_WAITING:
            raise Unfit(f"{user.name} has {MOST_WAITING} jobs that are not over")
        about = dict(job)
        for word in ("hosts", "exclude"):
            about[word] = " ".join(about.get(word, ()))
        try:
            row = self._farm.submit(self._clock(), JobRow(0, user.name, place=place, **about))
        except UsageError as error:
            raise Unfit(error.line) from None
        self._heard[user.name, place] = self._clock()
        self._silence.hear(time.monotonic(), row.id)
        self._has_news.set()
        await self._publish()
        return self._document(self._farm.jobs[row.id], user)

    def _document(self, job: FarmJob, user: UserRow) -> dict[str, Any]:
        # After a restart of the farm it is as if all had been heard at its start.
        at = self._heard.get((job.row.owner, job.row.place), job.heard)
        heard = {"heard": at, "silence": max(0.0, self._clock() - at)}
        if job.row.id in self._farm.unheard:
            heard["unheard"] = True
        return {**job_document(job, user), **heard}

    async def jobs(self, user: UserRow) -> Json:
        """Return the list of jobs, as this user may see it."""
        return {"jobs": [self._document(job, user) for job in self._farm.jobs.values()]}

    async def act(self, user: UserRow, job: int, act: str, about: Json) -> Json:
        """Cancel, pause or resume a job, or change its priority."""
        found = self._farm.jobs[job]
        state, now = found.row.state, self._clock()
        if state.is_over:
            raise Unfit(f"job {job} is {state}")
        if act == "cancel":
            self._farm.set_state(now, job, JobState.CANCELLED, f"cancelled by {user.name}")
        elif act == "pause":
            self._farm.set_state(now, job, JobState.PAUSED, f"paused by {user.name}")
        elif act == "resume":
            if found.is_paused_by_itself:
                raise Unfit(f"job {job} was paused at its own run: spe resume --job {job}")
            if state is not JobState.PAUSED:
                raise Unfit(f"job {job} is not paused")
            again = JobState.RUNNING if found.row.started else JobState.WAITING
            self._farm.set_state(now, job, again, f"resumed by {user.name}")
        else:
            self._farm.set_priority(job, about["priority"])
        await self._publish()
        return self._document(found, user)

    async def why(self, user: UserRow, job: int) -> Json:
        """Return the rule's own numbers about a job: whose turn it is, and which hosts fit."""
        reasons = {name: self._sights.of(name).why for name in self._farm.hosts}
        found = explain(self._farm, job, self._clock(), reasons)
        return {**found, "job": self._document(self._farm.jobs[job], user)}

    async def grants(self, user: UserRow, place: str, seen: int, wait: float) -> Json:
        """Return the grants of a user's jobs there, newer than `seen`, or after `wait` s."""
        at = (user.name, place)
        self._heard[at] = self._clock()
        for job in self._farm.jobs.values():
            # Its master is started at its first grant: until then its delegate speaks for it.
            if job.news is None and (job.row.owner, job.row.place) == at:
                self._silence.hear(time.monotonic(), job.row.id)
        try:
            async with asyncio.timeout(wait), self._changed:
                await self._changed.wait_for(lambda: self._versions[at] != seen)
        except TimeoutError:
            pass
        jobs = {
            str(number): grant_document(job.row, self._sent[number], self._farm)
            for number, job in self._farm.jobs.items()
            if (job.row.owner, job.row.place) == at and number in self._sent
        }
        jobs |= {
            str(number): {**grant_document(job.row, Grant(self.epoch, 0, {}), self._farm), "soon": True}
            for number in self._soon
            if ((job := self._farm.jobs[number]).row.owner, job.row.place) == at
        }
        # A job that ended before it got a grant has none, and its delegate waits for its end.
        jobs |= {
            str(number): grant_document(job.row, Grant(self.epoch, 0, {}), self._farm)
            for number, job in self._farm.jobs.items()
            if (job.row.owner, job.row.place) == at
            and job.row.state.is_over
            and number not in self._sent
        }
        return {"seen": self._versions[at], "jobs": jobs}

    async def report(self, user: UserRow, place: str, report: Json) -> Json:
        """Take what a delegate says about its jobs."""
        now, unknown = self._clock(), []
        self._heard[user.name, place] = now
        read = {int(number): said for number, said in report.get("jobs", {}).items()}
        news = {number: read_news(said, self._farm.hosts) for number, said in read.items()}
        for number, one in news.items():
            job = self._farm.jobs.get(number)
            if job is None or job.row.place != place:
                unknown.append(number)
                continue
            before = sum(job.holding.held.values())
            self._farm.hear(now, number, one)
            if sum(job.holding.held.values()) < before:
                self._has_news.set()
            self._silence.hear(time.monotonic(), job.row.id)
            if number in self._unsettled:
                self._unsettled.discard(number)
                cores = {host: n * job.row.cores for host, n in one.report.allowed.items()}
                self._ledger.settle(self._now(), number, cores)
            if ended := read[number].get("ended"):
                self._farm.end(now, number, printable(str(ended)[:MOST_OUTCOME]))
                self._has_news.set()
        try:
            await self._publish()
        except OSError as error:
            raise Paused("the farm cannot store anything now", STORE_PAUSE) from error
        return {"unknown": unknown}

    async def hosts(self, user: UserRow) -> Json:
        """Return the list of hosts."""
        found = []
        for row in self._farm.hosts.values():
            granted = self._farm.cores("held").get(row.name, 0)
            found.append(host_document(row, self._sights.of(row.name), granted))
        return {"hosts": found}

    async def change_hosts(self, user: UserRow, change: Json) -> Json:
        """Drain, use, bench or free hosts. What is used again has no faults any more."""
        named, known = change["hosts"], self._farm.hosts
        unknown = [host for host in named if host not in known]
        if unknown:
            raise Unfit(f"there is no host {unknown[0]}")
        if change["do"] == "free":
            await self._free(named, change.get("job"))
            return await self.hosts(user)
        rows = [self._changed_host(known[host], change) for host in named]
        await asyncio.wrap_future(self._store.commit(rows))
        self._farm.hosts |= {row.name: row for row in rows}
        if change["do"] == "use":
            for job in self._farm.jobs.values():
                job.faults = {one: what for one, what in job.faults.items() if one not in named}
        return await self.hosts(user)

    @staticmethod
    def _changed_host(row: HostRow, change: Mapping[str, Any]) -> HostRow:
        if change["do"] in ("drain", "bench"):
            return replace(row, active=False, reason=f"{change['do']}ed by hand")
        return replace(row, active=True, reason="")

    async def _free(self, hosts: Iterable[str], number: object) -> None:
        """Count nothing more of a silent job on these hosts: the administrator knows that it has ended."""
        farm = self._farm
        if not isinstance(number, int) or number not in farm.jobs:
            raise Unfit(f"there is no job {number}")
        silence = self._silence.of(time.monotonic(), number)
        if silence <= SILENT:
            what = f"job {number} was heard {silence:.0f} s ago, and says itself what it holds"
            raise Unfit(what)
        why = "its slots are free: the administrator says that nothing of it runs there"
        for host in hosts:
            if farm.jobs[number].holding.held.get(host):
                farm.free(self._clock(), number, host, why)
        await self._publish()

    async def status(self, user: UserRow) -> Json:
        """Return how the farm is, and what it sees of each host. `facts` has what it is told."""
        states = Counter(str(job.row.state) for job in self._farm.jobs.values())
        about = self._sights.seen_by_watchers(time.monotonic())
        listed = (await self.hosts(user))["hosts"]
        hosts = [{**one, **about.get(one["name"], {})} for one in listed]
        is_leader = self._store.is_leader(time.monotonic())
        return {**self.facts(), "deals": is_leader, "jobs": dict(states), "hosts": hosts}

    async def stream(self, user: UserRow) -> AsyncIterator[tuple[str, Json]]:
        """Yield ("list", all) first, then ("change", what has changed)."""
        events: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        self._readers.add(events)
        try:
            yield "list", await self.jobs(user)
            while True:
                kind, what = await events.get()
                job = self._farm.jobs.get(what["job"])
                if job is not None:
                    yield kind, self._document(job, user)
        finally:
            self._readers.discard(events)


def _charge_of(job: FarmJob) -> Charge:
    """Return what a job is charged for: the cores that it is granted, whether it uses them or not."""
    granted = {host: tasks for host, tasks in job.holding.granted.items() if tasks}
    row = job.row
    cores = {host: tasks * row.cores for host, tasks in granted.items()}
    gpus = {host: tasks * row.gpus for host, tasks in granted.items() if row.gpus}
    return Charge(row.owner, boost(row.priority), cores, gpus)
