"""Wheels that cannot be had for some hosts, and how a run tells that: once, with all hosts.

A fault of one package concerns all hosts with such a Python. Twelve hosts are one paragraph, which
names the packages, the hosts, and what each of their Pythons could have instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import SpeError

NEWEST = 4  # versions of a package that are named for a Python
IS_IT_RIGHT = "is it right, and does pip reach its index?"
FEW = 3  # hosts that are named where any of them would do


class NoWheels(SpeError):
    """A Python for which pip finds no wheels.

    why: the reason, without the Python. python: for people. packages: those without a wheel, each
    with its versions that have one for this Python, the newest first, or None where pip finds
    nothing of that name; empty for other faults. detail: what pip says of such a fault.
    """

    def __init__(
        self,
        shown: str,
        why: str,
        python: str,
        packages: Mapping[str, Sequence[str] | None] | None = None,
        todo: str = "",
        detail: str = "",
    ) -> None:
        """`shown`: the `venv:` as messages call it."""
        self.detail = f": {detail}" if detail else ""
        super().__init__(f"{shown}: {why} for {python}{self.detail}", todo=todo)
        self.shown, self.why, self.python = shown, why, python
        self.packages = packages or {}


def paragraphs(
    missing: Mapping[str, NoWheels], found: Mapping[str, str], all_out: bool
) -> list[str]:
    """Return the paragraphs for hosts without wheels: one for packages, one for each other fault.

    `missing`: the errors by host. `found`: the Pythons, for people, of all these hosts and of those
    that have their wheels. `all_out`: no host of the run is left.
    """
    by_reason: dict[tuple[str, str], list[str]] = {}
    for host in sorted(missing):
        one = missing[host]
        reason = ("", "") if one.packages else (one.why, one.detail)
        by_reason.setdefault(reason, []).append(host)
    texts = []
    for (why, detail), hosts in by_reason.items():
        first = missing[hosts[0]]
        lines = _of_packages(hosts, missing, found)
        if why:
            lines = [f"{why} for {_pythons(hosts, missing)}{detail}"]
        lines[0] = f"{', '.join(hosts)}: software: {first.shown}: {lines[0]}"
        texts.append("\n  ".join([*lines, _what_follows(hosts, all_out), *filter(None, [first.todo])]))
    return texts


def _what_follows(hosts: Sequence[str], all_out: bool) -> str:
    if all_out:
        return "No host of this run is left."
    who = "This host gets" if len(hosts) == 1 else "These hosts get"
    return f"{who} no task; the others go on."


def _of_packages(
    hosts: Sequence[str], missing: Mapping[str, NoWheels], found: Mapping[str, str]
) -> list[str]:
    """Return the lines about packages: in one line where one package misses one kind of Python."""
    packages = dict.fromkeys(name for host in hosts for name in missing[host].packages)
    lines = [f"no wheel of {', '.join(packages)} for {_pythons(hosts, missing)}"]
    for package in packages:
        concerned = [host for host in hosts if package in missing[host].packages]
        lines.append(f"{package}: {_versions(package, concerned, missing)}")
    having: dict[str, list[str]] = {}
    for host in sorted(set(found) - set(missing)):
        having.setdefault(found[host], []).append(host)
    lines += [f"All have wheels for {python} ({_few(names)})." for python, names in having.items()]
    return lines


def _pythons(hosts: Sequence[str], missing: Mapping[str, NoWheels]) -> str:
    """Return the Pythons of hosts; with the hosts of each, where there are several."""
    by_python = _grouped((missing[host].python, host) for host in hosts)
    if len(by_python) == 1:
        return next(iter(by_python))
    return "; for ".join(f"{python} ({', '.join(names)})" for python, names in by_python.items())


def _versions(package: str, hosts: Sequence[str], missing: Mapping[str, NoWheels]) -> str:
    """Return which versions of a package have wheels for the Pythons of these hosts."""
    said = _grouped((_newest(missing[host].packages[package]), host) for host in hosts)
    if len(said) == 1 and len(hosts) == len(missing):
        return next(iter(said))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in said.items())


def _newest(versions: Sequence[str] | None) -> str:
    if versions is None:
        return f"pip finds no package of this name; {IS_IT_RIGHT}"
    if not versions:
        return "no version has a wheel"
    more = " and older ones" if len(versions) > NEWEST else ""
    return f"there is a wheel of {', '.join(versions[:NEWEST])}{more}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
