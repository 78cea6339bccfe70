"""Faults of hosts for people: one paragraph for all hosts that have the same one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from ..record import record
from ..text import named, without_host

T = TypeVar("T")
MOST_NAMED = 100  # hosts of one paragraph: the user needs to know all that cannot work


@record
class HostFault:
    """A fault of one host: its name, what was seen, and what mends it."""

    host: str
    fault: str
    what: str
    todo: str = ""


def paragraphs(faults: Iterable[HostFault]) -> str:
    """Return a paragraph for each name of a fault, in the order in which they come first."""
    return "".join(map(_paragraph, grouped(faults, lambda one: one.fault)))


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return the items in groups of equal keys. The groups are in the order of their first items."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _paragraph(same: Sequence[HostFault]) -> str:
    """Return the paragraph of faults of one name, with an empty line before it."""
    head = f"\n{_hosts(same)}: {same[0].fault}"
    ways = grouped(same, lambda one: without_host(one.what, one.host))
    if len(ways) == 1:
        return f"{head}: {_what(same)}\n{_todos(same, '  ')}"
    # Said once at the end where one way mends all of them.
    has_one_todo = len(_by_todo(same)) == 1
    out = f"{head}\n"
    for way in ways:
        out += f"  {_hosts(way)}: {_what(way)}\n"
        out += "" if has_one_todo else _todos(way, "    ")
    return out + (_todos(same, "  ") if has_one_todo else "")


def _what(way: Sequence[HostFault]) -> str:
    """Return what was seen: of the first host, where the hosts' words differ by name and address."""
    is_same = len({one.what for one in way}) == 1
    return way[0].what + ("" if is_same else f" (on {way[0].host}; alike on the others)")


def _todos(faults: Sequence[HostFault], margin: str) -> str:
    """Return what mends these faults: a line for each way to mend them."""
    ways = [way for way in _by_todo(faults) if way[0].todo]
    out = ""
    for way in ways:
        whose = f"{_hosts(way)}: " if len(ways) > 1 else ""
        # The first one's command as it is, and not with a placeholder: it can be pasted then.
        if len({one.todo for one in way}) > 1:
            whose = f"for {way[0].host}, and alike for {_hosts(way[1:])}: "
        out += f"{margin}{whose}{way[0].todo}\n"
    return out


def _by_todo(faults: Iterable[HostFault]) -> list[list[HostFault]]:
    return grouped(faults, lambda one: without_host(one.todo, one.host))


def _hosts(faults: Iterable[HostFault]) -> str:
    return named(list(dict.fromkeys(one.host for one in faults)), MOST_NAMED)
