"""Two names of one machine, and one name of two: told apart by boot IDs. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def set_aside(boots: Mapping[str, str]) -> dict[str, str]:
    """Return the hosts whose machine an earlier host of the list is, each with a sentence.

    boots: host -> boot ID, in the order of the hosts file; "" for unknown. Slots of such a machine
    would be dealt twice.
    """
    first: dict[str, str] = {}
    aside: dict[str, str] = {}
    for host, boot in boots.items():
        if not boot:
            continue
        if boot in first:
            aside[host] = f"{host} is the same machine as {first[boot]}, which has its slots"
        else:
            first[boot] = host
    return aside


def other_machine(host: str, user: str, watched: str, client: str) -> str:
    """Return why a user's client on a host gets no work: it runs on another machine than the watcher.

    watched, client: boot IDs that the two report, "" for unknown. Returns "" when they are the same.
    An unknown one is no proof of another machine, so it refuses nobody.
    """
    if not watched or not client or watched == client:
        return ""
    return f"{host} is another machine for {user}"
