"""The guard against a cause that fails all sets alike: the first attempts of a run, as long as none has succeeded.

Pure. A missing library or a licence server that is down is the fault of no set. Without this guard a run would use up
all attempts of all sets. The black-hole guard does not see such a cause, as what fails on two hosts is the task's own
fault to it.
"""

from __future__ import annotations

from collections.abc import Collection

from ...model import Failure, Task
from ...results.reasons import error_first, normal_form


class AlikeFailures:
    """The failures of one run until an attempt succeeds, or fails for another reason."""

    def __init__(self, limit: int) -> None:
        """`limit`: failed attempts that end the run; 0: never."""
        self._limit = limit
        self.is_watching = limit > 0
        self.hosts_to_come = 0  # hosts that are still being started: one of them may do better
        self._reason: tuple[str, str] | None = None  # kind and normal form
        self._example = ""
        self._count = 0
        self._hosts: set[str] = set()
        self._charged: list[tuple[Task, str]] = []  # what each attempt was charged with

    def forgive(self) -> None:
        """Watch no longer: an attempt of this run has succeeded."""
        self.is_watching = False
        self._charged.clear()

    def note(self, host: str, task: Task, failure: Failure, is_charged: bool) -> None:
        """Note that an attempt failed, while watching. `is_charged`: it used up an attempt of the task."""
        reason = (failure.kind, normal_form(failure.reason))
        if self._reason is None:
            self._reason, self._example = reason, failure.reason
        elif reason != self._reason:
            self.forgive()
            return
        self._count += 1
        self._hosts.add(host)
        if is_charged:
            self._charged.append((task, failure.kind))

    def uncharge(self, task: Task, kind: str) -> None:
        """Note that the black-hole guard has taken back an attempt of this task."""
        if (task, kind) in self._charged:
            self._charged.remove((task, kind))

    @property
    def is_reached(self) -> bool:
        """True when as many attempts have failed alike as the limit says; other hosts may still do better."""
        return self.is_watching and self._count >= self._limit

    def is_proved(self, hosts_at_work: Collection[str]) -> bool:
        """Tell whether the run is to end: the limit is reached, on two hosts where there are two."""
        if not self.is_reached:
            return False
        if len(self._hosts) >= 2:
            return True
        return not self.hosts_to_come and set(hosts_at_work) <= self._hosts

    def withholds(self, host: str) -> bool:
        """Tell whether a host where all has failed gets nothing, because another one is still to come."""
        return self.is_reached and self.hosts_to_come > 0 and self._hosts == {host}

    def is_same(self, failure: Failure) -> bool:
        """Tell whether an attempt that ends after the end was decided failed for the reason of that end."""
        return (failure.kind, normal_form(failure.reason)) == self._reason

    def take_charged(self) -> list[tuple[Task, str]]:
        """Return the tasks that were charged, each with the kind of its failure, once; watch no longer."""
        charged, self._charged = self._charged, []
        self.is_watching = False
        return charged

    @property
    def sentence(self) -> str:
        """The reason why the run ended, for people."""
        return (
            f"the first {self._count} attempts failed for the same reason (stop_alike), and none succeeded: "
            f"{error_first(self._example)}"
        )
