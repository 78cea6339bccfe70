"""Judge what was seen on all hosts together. Pure; examine.py does the looking, findings.py asks.

Some questions need all hosts: which share a home, and whether a slow answer is this machine's fault.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..record import record
from .findings import Finding, find_faults
from .sighting import FolderState, Needs, Sighting

FEW = 3  # up to so many hosts a median says nothing about this machine


@record
class HostReport:
    """Report on one host: what was seen, and what is wrong with it."""

    sighting: Sighting
    findings: tuple[Finding, ...] = ()
    home: int | None = None  # number of the home that it shares with others

    @property
    def works(self) -> bool:
        """True when tasks can run there."""
        return not any(finding.stops for finding in self.findings)

    @property
    def master(self) -> str:
        """The way to the master: direct, ssh or no; "" when unknown."""
        if self.sighting.reached:
            return "direct"
        return {None: "", True: "ssh", False: "no"}[self.sighting.forwards]

    def record(self) -> dict[str, object]:
        """Return the row of the table, for programs: the keys of `spe doctor --json`."""
        seen = self.sighting
        return {
            "host": seen.host.name,
            "verdict": ", ".join(finding.fault for finding in self.findings) or "ok",
            "works": self.works,
            "platform": seen.platform or None,
            "python": seen.python or None,
            "cores": seen.cores,
            "load": seen.load,
            "home_free": _free(seen.home),
            "workdir_free": _free(seen.workdir),
            "master": self.master or None,
            "shared_home": self.home,
            "seconds": None if seen.seconds is None else round(seen.seconds, 2),
            "findings": [_finding_record(finding) for finding in self.findings],
        }


def _free(folder: FolderState | None) -> int | None:
    if folder is None:
        return None
    return folder.free


def _finding_record(finding: Finding) -> dict[str, object]:
    return {
        "fault": str(finding.fault),
        "what": finding.what,
        "todo": finding.todo,
        "stops": finding.stops,
    }


@dataclass(slots=True)
class Examined:
    """Reports on all hosts of one `spe doctor`, in the order of the hosts."""

    reports: list[HostReport] = field(default_factory=list)
    # Names of hosts that share a home, number 1 first.
    homes: list[list[str]] = field(default_factory=list)


def judge(sightings: Sequence[Sighting], needs: Needs) -> Examined:
    """Return what is wrong with each host, and which hosts share a home."""
    usual = usual_seconds([seen.seconds for seen in sightings if seen.seconds is not None])
    homes = shared_homes(sightings)
    number = {id(seen): place for place, home in enumerate(homes, 1) for seen in home}
    reports = [
        HostReport(seen, tuple(find_faults(seen, needs, usual)), number.get(id(seen)))
        for seen in sightings
    ]
    return Examined(reports, [[seen.host.name for seen in home] for home in homes])


def usual_seconds(seconds: Sequence[float]) -> float:
    """Return the median time of an answer; 0 for so few hosts that it says nothing."""
    # Not the mean: one host that hangs for its whole time limit would excuse all slow ones.
    if len(seconds) <= FEW:
        return 0.0
    return statistics.median(seconds)


@dataclass(slots=True)
class _SharedHome:
    """A file system that hosts share, as far as the sightings so far tell."""

    nonces: set[str] = field(default_factory=set)
    hosts: list[Sighting] = field(default_factory=list)

    def merge(self, other: _SharedHome) -> None:
        self.nonces |= other.nonces
        self.hosts += other.hosts


def shared_homes(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """Return the groups of hosts that share a home: at least one saw another's nonce.

    Groups and their hosts are in the order of `sightings`. Hosts with a home of their own are omitted.
    """
    homes: list[_SharedHome] = []
    for seen in sightings:
        # A host that saw nothing, not even its own nonce, could not list its home.
        if seen.nonce and seen.seen:
            homes = _with_host(homes, seen)
    order = {id(seen): place for place, seen in enumerate(sightings)}
    groups = [
        sorted(home.hosts, key=lambda seen: order[id(seen)])
        for home in homes
        if len(home.hosts) > 1
    ]
    return sorted(groups, key=lambda group: order[id(group[0])])


def _with_host(homes: Sequence[_SharedHome], seen: Sighting) -> list[_SharedHome]:
    """Return the homes with one more host; those that turn out to be the same become one."""
    # Seeing is not mutual: the host that listed its home first saw nobody. So a chain of three
    # hosts may join two homes that looked different.
    joined = _SharedHome({seen.nonce, *seen.seen}, [seen])
    others = []
    for home in homes:
        if home.nonces & joined.nonces:
            joined.merge(home)
        else:
            others.append(home)
    return [*others, joined]
