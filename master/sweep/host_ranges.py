"""Ranges of hosts: `lab[01-20]` is twenty names. Only this module uses ClusterShell."""

from __future__ import annotations

import re

from ..errors import ConfigError

MOST_HOSTS = 10_000  # in one line
_PIECE = re.compile(r"([0-9]+)-([0-9]+)(?:/([0-9]+))?")
_RANGED = re.compile(r"[A-Za-z0-9_.\-]*(\[[0-9,/-]+\][A-Za-z0-9_.\-]*)+\Z")


def expanded(name: str, place: str) -> list[str]:
    """Return the names of a range. Raises ConfigError for what is no range, or too large a one."""
    if "[" not in name and "]" not in name:
        return [name]
    # Stricter than ClusterShell, which takes operators such as `!` and `&` between sets, too.
    if not _RANGED.match(name):
        todo = "Write it like lab[01-20] or lab[1-3,7]."
        raise ConfigError(f"{name!r} is not a host range", where=place, todo=todo)
    _check_pieces(name, place)
    names = _names_of_range(name, place)
    # Counted again: several pieces in brackets multiply.
    if len(names) > MOST_HOSTS:
        raise _too_many(name, len(names), place)
    return names


def _check_pieces(name: str, place: str) -> None:
    """Raise ConfigError for a range with a piece such as `1-99999` that is too large by itself."""
    # Before ClusterShell makes the names: for h[1-99999999999] that takes hours.
    for first, last, step in _PIECE.findall(name):
        # 18 digits bound the time of int(), and are more than anyone has hosts.
        count = (int(last[:18]) - int(first[:18])) // max(1, int(step[:18] or 1)) + 1
        if count > MOST_HOSTS:
            raise _too_many(name, count, place)


def _names_of_range(name: str, place: str) -> list[str]:
    """Return the names that ClusterShell makes of a range. Raises ConfigError."""
    # Late: only ranges need it.
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

    try:
        # Without groups: `@compute` would be looked up in files of the site.
        return list(map(str, NodeSet(name, resolver=RESOLVER_NOGROUP)))
    except NodeSetException as error:
        raise ConfigError(
            f"{name!r} is not a host range: {error}", where=place, todo="Write it like lab[01-20]."
        ) from error


def _too_many(name: str, count: int, place: str) -> ConfigError:
    todo = f"At most {MOST_HOSTS} hosts stand in a line."
    return ConfigError(f"{name!r} is {count} hosts", where=place, todo=todo)
