"""Kinds of hosts: on all hosts of one kind a program finds the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..record import record
from ..text import named
from .diagnosis import Examined, HostReport


@record
class HostKind:
    """Hosts with the same platform, Python and home, in the order of the hosts."""

    hosts: tuple[str, ...]
    platform: str = ""  # "" for a host that has not answered the look
    python: str = ""  # path and version
    home: tuple[str, ...] = ()  # hosts that share the home, those of other kinds too; () where none does

    @property
    def title(self) -> str:
        """Hosts and what they have in common: `h01 and h02 (linux-x86_64, …, one home)`."""
        facts = [self.platform, self.python]
        others = [host for host in self.home if host not in self.hosts]
        if others:
            facts.append(f"home shared with {named(others)}")
        elif len(self.hosts) > 1:
            facts.append("one home")
        known = ", ".join(filter(None, facts))
        names = named(self.hosts)
        return f"{names} ({known})" if known else names


def kinds_of(examined: Examined, each: bool = False) -> list[HostKind]:
    """Return the kinds of these hosts, in the order of their first ones. `each`: each host is one."""
    groups: dict[object, list[HostReport]] = {}
    for report in examined.reports:
        groups.setdefault(_key(report, each), []).append(report)
    return [_kind(group, examined.homes) for group in groups.values()]


def _key(report: HostReport, each: bool) -> object:
    name, seen = report.sighting.host.name, report.sighting
    # A home that is not known to be shared is its host's own, as is everything of a host that did
    # not answer: a set too many is better than a kind that is not tried.
    if each or report.home is None:
        return name
    return report.home, seen.platform, seen.python


def _kind(group: Sequence[HostReport], homes: Iterable[Sequence[str]]) -> HostKind:
    seen = group[0].sighting
    names = tuple(dict.fromkeys(report.sighting.host.name for report in group))
    home = next((tuple(home) for home in homes if names[0] in home), ())
    return HostKind(names, seen.platform, seen.python, home)
