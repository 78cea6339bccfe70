"""Records of one look of a watcher at its host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from ...record import record


@record
class Client:
    """A client of spe on a host. job: FARM/JOB, the farm's ID and the job's number; "" for none."""

    account: str
    slots: int
    job: str = ""


@record
class Program:
    """A process that takes much of a host. cores: since the look before. memory: bytes."""

    account: str
    name: str
    cores: float
    memory: int


@record
class Seen:
    """A host as its watcher saw it.

    load: means of 1, 5 and 15 minutes, () for unknown. memory, free: bytes, 0 for unknown. people:
    accounts with a terminal. accounts: CPU cores in use, a mean of the last `span` seconds.
    sees_others: whether the farm's account may see processes of other accounts there.
    """

    boot: str
    platform: str
    cores: int
    load: Sequence[float] = ()
    memory: int = 0
    free: int = 0
    people: int = 0
    span: float = 0.0
    accounts: Mapping[str, float] = field(default_factory=dict)
    clients: Sequence[Client] = ()
    top: Sequence[Program] = ()
    sees_others: bool = True
