"""Reads what a farm grants: of a host its name, and numbers. Its account may have been taken over.

Only what stands here is taken from a farm. Other words of an answer are left out, so that none of
them reaches a master.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from ..errors import UsageError
from ..pool.texts import is_host_name
from ..record import record

MOST_HOSTS = 10_000  # of one grant
MOST_SLOTS = 100_000  # of one host
GREATEST = 2**53  # of an epoch or a number
BOOT = re.compile(r"[0-9a-f-]{1,64}")  # an ID of a boot


@record
class Granted:
    """What a farm grants to one job. tasks, slots: by host. machines: host -> boot ID of the machine
    that the farm knows by this name, where it knows that. is_next: the first grant comes as soon as
    slots are free.

    state: of the job, as the farm knows it; a state that the delegate does not know changes nothing.
    """

    epoch: int
    number: int
    tasks: Mapping[str, int]
    slots: Mapping[str, int]
    state: str
    machines: Mapping[str, str] = field(default_factory=dict)
    is_next: bool = False


def read_grants(answer: Any, known: Collection[int], least: int) -> dict[int, Granted]:
    """Return what is granted to the jobs that are known here, by their numbers.

    known: jobs of which there is an order here; others are left out. least: the newest epoch that
    was seen. Raises UsageError when any grant is none: then nothing of the answer is followed.
    """
    jobs = answer.get("jobs", {}) if isinstance(answer, dict) else None
    if not isinstance(jobs, dict):
        raise _no_grant("it has no object `jobs`")
    found = {}
    for job in known:
        if str(job) in jobs:
            found[job] = _read(jobs[str(job)], f"job {job}")
            if found[job].epoch < least:
                # An earlier farm of the same registry, or one from a backup: slots that it deals
                # may be those of others by now.
                raise _no_grant(f"job {job}: its epoch {found[job].epoch} is older than {least}")
    return found


def read_seen(answer: Any) -> int:
    """Return the number of an answer, with which the next one is asked for."""
    seen = answer.get("seen") if isinstance(answer, dict) else None
    return seen if type(seen) is int and 0 <= seen < GREATEST else 0


def _read(said: Any, what: str) -> Granted:
    if not isinstance(said, dict):
        raise _no_grant(f"{what} is no object")
    state = said.get("state", "")
    if not isinstance(state, str):
        raise _no_grant(f"{what}: `state` is no text")
    return Granted(
        epoch=_whole(said.get("epoch"), f"{what}: `epoch`"),
        number=_whole(said.get("number"), f"{what}: `number`"),
        tasks=_by_host(said.get("tasks", {}), f"{what}: `tasks`"),
        slots=_by_host(said.get("slots", {}), f"{what}: `slots`"),
        state=state,
        machines=_boots(said.get("machines", {}), f"{what}: `machines`"),
        is_next=said.get("soon") is True,
    )


def _boots(said: Any, what: str) -> dict[str, str]:
    if not isinstance(said, dict) or len(said) > MOST_HOSTS:
        raise _no_grant(f"{what} is no object of at most {MOST_HOSTS} hosts")
    if not all(is_host_name(host) for host in said):
        raise _no_grant(f"{what} has something that is no host name")
    if not all(isinstance(boot, str) and BOOT.fullmatch(boot) for boot in said.values()):
        raise _no_grant(f"{what} has something that is no ID of a boot")
    return said


def _by_host(said: Any, what: str) -> dict[str, int]:
    if not isinstance(said, dict) or len(said) > MOST_HOSTS:
        raise _no_grant(f"{what} is no object of at most {MOST_HOSTS} hosts")
    if not all(is_host_name(host) for host in said):
        raise _no_grant(f"{what} has something that is no host name")
    return {host: _whole(number, what, MOST_SLOTS) for host, number in said.items()}


def _whole(said: Any, what: str, most: int = GREATEST) -> int:
    # True is an int in Python.
    if type(said) is not int or not 0 <= said <= most:
        raise _no_grant(f"{what} has no whole number from 0 to {most}")
    return said


def _no_grant(why: str) -> UsageError:
    todo = "Tell its administrator. Jobs go on with what they were granted before."
    return UsageError(f"the farm's answer is no grant: {why}", todo=todo)
