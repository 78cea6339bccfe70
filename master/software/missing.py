"""Wheels that cannot be had for some hosts, and how a run tells that: once, with all hosts.

A fault of one package concerns all hosts with such a Python. Twelve hosts are one paragraph, which
names the package, the hosts, and what each of their Pythons could have instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import SpeError

MOST_VERSIONS = 4  # newest versions that are named for a Python
FEW = 3  # hosts that are named where any of them would do
GOES_ON = "These hosts get no task; the others go on."
ALL_OUT = "No host can take part."


class NoWheels(SpeError):
    """A Python for which pip finds no wheels.

    why: the reason, without the Python. python: for people. versions: those of the package that
    have a wheel for this Python, the oldest first.
    """

    def __init__(
        self, shown: str, why: str, python: str, versions: Sequence[str] = (), todo: str = ""
    ) -> None:
        """`shown`: the `venv:` as messages call it."""
        super().__init__(f"{shown}: {why} for {python}", todo=todo)
        self.shown, self.why, self.python = shown, why, python
        self.versions = [one for one in versions if one]

    @property
    def there_is(self) -> str:
        """Return which versions have a wheel for this Python; "" for another fault than that."""
        if not self.why.startswith("no wheel"):
            return ""
        if not self.versions:
            return "there is none of any version"
        newest = self.versions[-MOST_VERSIONS:]
        more = "older ones, " if len(newest) < len(self.versions) else ""
        return f"there are wheels of {more}{', '.join(newest)}"


def paragraphs(
    missing: Mapping[str, NoWheels], found: Mapping[str, str], all_out: bool
) -> list[str]:
    """Return a paragraph for each reason why hosts have no wheels.

    `missing`: the errors by host. `found`: the Pythons, for people, of hosts that have all wheels.
    `all_out`: no host of the run is left.
    """
    by_reason: dict[str, list[str]] = {}
    for host in sorted(missing):
        by_reason.setdefault(missing[host].why, []).append(host)
    return [_paragraph(hosts, missing, found, all_out) for hosts in by_reason.values()]


def _paragraph(
    hosts: Sequence[str], missing: Mapping[str, NoWheels], found: Mapping[str, str], all_out: bool
) -> str:
    first = missing[hosts[0]]
    by_python: dict[str, list[str]] = {}
    for host in hosts:
        by_python.setdefault(missing[host].python, []).append(host)
    text = f"{', '.join(hosts)}: software: {first.shown}: {first.why}"
    if len(by_python) == 1:
        text += f" for {first.python}"
        text += f"; {first.there_is}" if first.there_is else ""
    else:
        for python, names in by_python.items():
            there_is = missing[names[0]].there_is
            text += f"\n  {', '.join(names)}: {python}" + (f"; {there_is}" if there_is else "")
    having: dict[str, list[str]] = {}
    for host in sorted(set(found) - set(missing)):
        having.setdefault(found[host], []).append(host)
    if first.there_is:
        for python, names in having.items():
            text += f"\n  There is one for {python} ({_few(names)})."
    text += f"\n  {ALL_OUT if all_out else GOES_ON}"
    return f"{text}\n  {first.todo}" if first.todo else text


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
