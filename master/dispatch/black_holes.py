"""The black-hole guard: which hosts fail what succeeds elsewhere, and when they are tried again.

Pure; time is an argument. A host that fails several tasks in a row is *suspected* and waits until other hosts
have shown whether the tasks were at fault; it is *benched* when two of them succeed elsewhere. What fails on two
hosts is the task's own fault and speaks against nobody, so a bad region of the parameters benches no host.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from ..model import Failure
from ..record import record

SUSPECT_AFTER = 3  # tasks failed in a row
PROOF = 2  # tasks of the streak that succeeded elsewhere
REMEMBERED = 100  # failures of one host
PROBE_FIRST, PROBE_MOST = 60.0, 960.0  # seconds until a benched host gets one task to try


class Trust(StrEnum):
    """The guard's opinion of a host."""

    TRUSTED = "trusted"
    SUSPECTED = "suspected"
    BENCHED = "benched"


@dataclass(slots=True)
class HostRecord:
    """The failures and successes of one host, and whether it is trusted.

    `streak`: tasks that failed here since its last success, and nowhere else.
    """

    trust: Trust = Trust.TRUSTED
    streak: dict[int, Failure] = field(default_factory=dict)  # the newest ones, by task
    proved: set[int] = field(default_factory=set)  # tasks of the streak that succeeded elsewhere
    probe_at: float = 0.0
    pause: float = PROBE_FIRST
    reason: str = ""
    proven: bool = False  # something succeeded here
    newest: int = 0  # the latest ticket that failed here


@record
class Benched:
    """A host was just benched, and why."""

    host: str
    reason: str


class BlackHoleGuard:
    """The records of all hosts."""

    def __init__(self) -> None:
        self.records: dict[str, HostRecord] = {}
        self._failed_on: dict[int, set[str]] = {}

    def record(self, host: str) -> HostRecord:
        """Return the record of one host; a host without one is trusted."""
        found = self.records.get(host)
        if found is None:
            found = self.records[host] = HostRecord()
        return found

    def failed(self, now: float, host: str, task: int, failure: Failure, ticket: int = 0) -> bool:
        """Note that a task failed there; return whether the host is suspected from now on."""
        self.record(host).newest = max(ticket, self.record(host).newest)
        hosts = self._failed_on.setdefault(task, set())
        hosts.add(host)
        if len(hosts) > 1:
            self._acquit(task)
            return False
        record = self.record(host)
        record.streak[task] = failure
        if len(record.streak) > REMEMBERED:
            record.streak.pop(next(iter(record.streak)))
        if record.trust is not Trust.TRUSTED or len(record.streak) < SUSPECT_AFTER:
            return False
        record.trust = Trust.SUSPECTED
        record.probe_at = now + record.pause
        return True

    def _acquit(self, task: int) -> None:
        """Take the blame for a task from all hosts: it fails on several of them."""
        for one in self.records.values():
            one.streak.pop(task, None)
            one.proved.discard(task)
            if one.trust is Trust.SUSPECTED and len(one.streak) < SUSPECT_AFTER:
                one.trust = Trust.TRUSTED

    @staticmethod
    def _next_probe(now: float, record: HostRecord) -> None:
        record.pause = min(2 * record.pause, PROBE_MOST)
        record.probe_at = now + record.pause

    def succeeded(self, now: float, host: str, task: int, ticket: float = math.inf) -> list[Benched]:
        """Trust a host where a task succeeded; return the hosts benched because it had failed there.

        A ticket of before the failures says nothing of the host as it is now: its result came late.
        """
        record = self.record(host)
        spotless = record.proven and not record.newest and not record.streak
        if ticket >= record.newest and not spotless:
            self.records[host] = HostRecord(proven=True)
        found = []
        for other in self._failed_on.pop(task, ()):
            benched = self._prove(now, other, task) if other != host else None
            if benched:
                found.append(benched)
        return found

    def _prove(self, now: float, host: str, task: int) -> Benched | None:
        record = self.record(host)
        if task in record.streak:
            record.proved.add(task)
        if record.trust is not Trust.SUSPECTED or len(record.proved) < PROOF:
            return None
        record.trust = Trust.BENCHED
        record.probe_at = now + record.pause
        record.reason = next(record.streak[t].reason for t in record.streak if t in record.proved)
        return Benched(host, record.reason)

    def trusts_again(self, host: str) -> bool:
        """Trust a host again, as somebody vouches for it. Return False when nothing was held against it."""
        doubted = self.record(host).trust is not Trust.TRUSTED
        self.records[host] = HostRecord()
        return doubted

    def blamed(self) -> set[int]:
        """Return the tasks whose failure may turn out to be a host's."""
        return {task for record in self.records.values() for task in record.streak}

    def forget(self, task: int) -> None:
        """Forget a task that has left the sweep."""
        self._failed_on.pop(task, None)

    def doubted(self, host: str, others: Collection[str]) -> bool:
        """Tell whether a failure there says nothing about the task, because others are there to try it."""
        return self.record(host).trust is not Trust.TRUSTED and self._trusted_other(host, others)

    def _trusted_other(self, host: str, others: Collection[str]) -> bool:
        return any(self.record(other).trust is Trust.TRUSTED for other in others if other != host)

    def room(self, now: float, host: str, others: Collection[str]) -> int | None:
        """Return how many tasks may go there: None for no limit, 0 for none now, 1 for a probe.

        While no other host is trusted, nobody is held back: a sweep must not wait for a proof that cannot come.
        """
        record = self.record(host)
        if record.trust is Trust.TRUSTED:
            return None
        if not self._trusted_other(host, others):
            return None
        return 1 if now >= record.probe_at else 0

    def may_hoard(self, host: str) -> bool:
        """Tell whether clients there may prefetch: not where nothing has succeeded yet, or the latest task failed."""
        record = self.record(host)
        return record.proven and record.trust is Trust.TRUSTED and not record.streak

    def probing(self, now: float, host: str) -> None:
        """Note that a probe was handed out: the next one comes later."""
        self._next_probe(now, self.record(host))
