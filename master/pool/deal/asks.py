"""The records that the dealing rule works on: users, their jobs, and hosts.

They are a picture of one moment, made anew for each deal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field

from ...record import record


@record
class Needs:
    """What one task takes. memory: bytes. gpus: devices, also parts of one."""

    cores: int = 1
    memory: int = 0
    gpus: float = 0.0
    licences: Mapping[str, int] = field(default_factory=dict)


@record
class User:
    """A user whose jobs ask for slots. `fair`, `age`: as in weights.py. excess: cores that programs of
    the user take beyond what is granted; they count as held.
    """

    name: str
    share: float = 1.0
    fair: float = 1.0
    age: float = 1.0
    excess: int = 0


@record
class Job:
    """A job that asks for slots.

    wants: tasks that it could have out now, those that are out included; copies: further ones that
    would only repeat running tasks. most: host -> tasks that it can have out there, for hosts where
    that is limited (0: a fault, benched, out of hours). hosts: the only ones it may use; None for
    all. runs: hosts where it has slots or tasks. idle: hosts where its client waits for work.
    order: rank by the time of its submission. is_long: its tasks shut the door for others.
    """

    id: int
    owner: str
    boost: float = 1.0
    age: float = 1.0
    priority: int = 64
    order: int = 0
    needs: Needs = Needs()
    wants: int = 0
    copies: int = 0
    most: Mapping[str, int] = field(default_factory=dict)
    hosts: Collection[str] | None = None
    exclude: Collection[str] = ()
    runs: Collection[str] = ()
    idle: Collection[str] = ()
    is_long: bool = False


@record
class Host:
    """What a host has for jobs. cores: slots that may be granted now, 0 where it is not vacant.

    only: users who alone may use it. is_lent: it is outside the shares.
    """

    name: str
    cores: int
    memory: float = float("inf")  # bytes
    gpus: float = 0.0
    only: Collection[str] | None = None
    is_lent: bool = False


@record
class Limits:
    """What holds for all hosts together.

    licences: how many there are. long_cores: slots for long tasks. jobs_per_host: jobs that share
    one host, as each has a client there.
    """

    licences: Mapping[str, int] = field(default_factory=dict)
    long_cores: float = float("inf")
    jobs_per_host: int = 8
