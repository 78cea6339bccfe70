"""The hosts as their watchers see them, and how many cores of each may be granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..deal.vacancy import HostLoads, Look, Vacancy, vacant
from ..rows import HostRow
from ..watch.same import set_aside
from ..watch.seen import Seen


class Watching(Protocol):
    """The watchers of all hosts (watch/watchers.py)."""

    interval: float

    @property
    def seen(self) -> Mapping[str, tuple[float, Seen]]:
        """Host -> (monotonic time, what its watcher told last)."""

    def unheard(self, name: str) -> str:
        """Return why the watcher of a host is not heard; "" while it is."""


class Sights:
    """The sight of all hosts. Lives as long as the farm. Times are monotonic seconds."""

    def __init__(self, watchers: Watching) -> None:
        self._watchers = watchers
        self._loads = HostLoads()
        self._heard: dict[str, float] = {}  # host -> time of the line that was counted last
        self._vacancies: dict[str, Vacancy] = {}

    def look(
        self,
        now: float,
        hosts: Mapping[str, HostRow],
        begun: Mapping[str, int],
        held: Mapping[str, int],
    ) -> Mapping[str, Vacancy]:
        """Return what may be granted on each host.

        begun: host -> cores that tasks of jobs take there now. held: cores that jobs may take there,
        with what is still on its way.
        """
        self._loads.note(now, {name: float(begun.get(name, 0)) for name in hosts})
        seen = self._watchers.seen
        for name, (when, one) in seen.items():
            if one.load and when > self._heard.get(name, 0.0):
                self._heard[name] = when
                self._loads.hear(when, name, one.load[0])
        aside = set_aside({name: seen[name][1].boot for name in hosts if name in seen})
        self._vacancies = {
            name: vacant(
                self._look(now, row, seen.get(name), held.get(name, 0), aside.get(name, ""))
            )
            for name, row in hosts.items()
        }
        return self._vacancies

    def _look(
        self, now: float, row: HostRow, seen: tuple[float, Seen] | None, busy: int, aside: str
    ) -> Look:
        return Look(
            slots=row.slots,
            most=row.most,
            busy=busy,
            active=row.active,
            silence=now - seen[0] if seen else None,
            interval=self._watchers.interval,
            cores=seen[1].cores if seen else 0,
            others=self._loads.others(now, row.name),
            aside=aside,
            unheard=self._watchers.unheard(row.name),
        )

    def of(self, name: str) -> Vacancy:
        """Return what may be granted on a host, as of the last look."""
        return self._vacancies.get(name, Vacancy(0, 0, "it was not looked at yet"))

    def seen(self) -> Mapping[str, tuple[float, Seen]]:
        """Return what the watcher of each host has told last, and when."""
        return self._watchers.seen

    def boots(self) -> dict[str, str]:
        """Return the boot ID of each host that its watcher has told."""
        return {name: one.boot for name, (_, one) in self._watchers.seen.items() if one.boot}

    def seen_by_watchers(self, now: float) -> Mapping[str, dict[str, Any]]:
        """Return what the watcher of each host has seen, for the administrator."""
        return {
            name: {
                "heard": round(now - when, 1),
                "unheard": self._watchers.unheard(name),
                "load": list(seen.load),
                "cores": seen.cores,
                "boot": seen.boot,
                "sees_others": seen.sees_others,
                "others": self._loads.others(now, name),
            }
            for name, (when, seen) in self._watchers.seen.items()
        }

    def measured(self) -> dict[tuple[str, str], float]:
        """Return the cores that accounts use: (account, host) -> a mean of some minutes."""
        return {
            (account, host): cores
            for host, (_, seen) in self._watchers.seen.items()
            for account, cores in seen.accounts.items()
        }
