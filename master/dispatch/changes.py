"""Changes that the dispatch wants remembered: each is one small record that the store writes.

The dispatch makes them, the store applies them, all of one moment in one transaction; a reply that rests on a
change leaves only after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from ..model import Failure, Output, TaskState, TicketState, Usage
from ..record import record

UNBEGUN = "given back, not begun"  # reason of an expired ticket that the store does not count as an attempt


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
    program: int | None = None  # number of the ticket's program in the store


@record
class TasksOut:
    """The number of tasks that have a slot now."""

    count: int


@record
class TicketEnded:
    """An attempt's state changed for the store's eyes: it ended, was lost, or came back."""

    id: int
    state: TicketState
    usage: Usage = Usage()
    failure: Failure | None = None
    stdout: bytes | None = b""  # None: the client did not say
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


@record
class FilesStaged:
    """Files of a result that replaces another one: they get their places after the commit that speaks of them."""

    task: int
    moves: Mapping[str, str]  # place -> where the file lies until then, both below runs/<name>/


@record
class Decision:
    """The rule by which a run treats finished and failed sets of earlier runs; applied once today's sets are known."""

    program: int  # today's
    parts: str  # parts of the program, as program.py writes them
    same: Sequence[int] = ()  # programs whose results today's would give too
    fresh: bool = False  # all of today's sets run again
    keep: bool = False  # finished sets of other programs stay as they are
    before: int = 1  # the first ticket of this run: with `fresh`, results of earlier ones are to be replaced
    retry: Sequence[int] | None = None  # failed and cancelled sets to put back; empty: all of today's


@record
class Settled:
    """The number of sets that a settled decision put back to waiting."""

    again: int = 0  # finished sets, which keep their row in the table until a new result replaces it
    retried: int = 0  # failed and cancelled sets


Change = ClientCame | ClientLeft | ClientHeard | TicketIssued | TasksOut | TicketEnded | TaskMoved | FilesStaged


def ended_in(changes: Iterable[Change]) -> list[int]:
    """Return the tasks that are done, failed or cancelled by these changes."""
    ended = (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)
    return [one.number for one in changes if type(one) is TaskMoved and one.state in ended]
