"""What the farm wants remembered: each change is one small record that the store writes.

The farm makes them, the store applies them, all of one moment in one transaction; a reply that rests on a
change leaves only after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from .model import Failure, Output, TaskState, TicketState
from .record import record


@record
class Usage:
    """What an attempt used: seconds of wall, user and system time, peak memory in bytes; 0 where unknown.

    `read` and `written`: bytes that its processes moved from and to storage; None where the system does not tell.
    """

    wall: float = 0.0
    user: float = 0.0
    system: float = 0.0
    memory: int = 0
    read: int | None = None
    written: int | None = None


@record
class ClientCame:
    """A client registered."""

    id: str
    host: str
    platform: str
    slots: int
    pings: bool


@record
class ClientLeft:
    """A client said goodbye or its sweep ended; `seconds` is how long it was there."""

    id: str
    seconds: float


@record
class ClientHeard:
    """A client's last word was `ago` seconds ago."""

    id: str
    ago: float


@record
class TicketIssued:
    """An attempt began."""

    id: int
    task: int
    client: str
    host: str


@record
class TasksOut:
    """So many tasks are out on hosts now."""

    count: int


@record
class TicketEnded:
    """An attempt's state changed for the store's eyes: it ended, was lost, or came back."""

    id: int
    state: TicketState
    usage: Usage = Usage()
    failure: Failure | None = None
    stdout: bytes | None = b""  # None: its client did not say
    stderr: bytes = b""


@record
class TaskMoved:
    """A task is in another state or has used up an attempt."""

    number: int
    state: TaskState
    attempts: int
    lost: int
    reason: str = ""
    ticket: int | None = None  # the one that was accepted
    faults: Mapping[str, int] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()


Change = ClientCame | ClientLeft | ClientHeard | TicketIssued | TasksOut | TicketEnded | TaskMoved
