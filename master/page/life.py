"""What pages show of a run beside its database: a run that goes on knows it, one that is over does not.

running.py asks the master's memory, ended.py the database alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from ..desk.events import Events
from ..record import record
from ..store.reader import Reader
from ..store.statistics import FailureGroup
from ..store.task_details import TaskDetail, TicketRow

REASONS = 10  # reasons of failed sets on the overview
Ask = Callable[[Callable[[Reader], Any]], Awaitable[Any]]  # a question to the store, in a thread


@record
class Throughput:
    """How many sets ended in each stretch of time, all of one width in seconds.

    `caption`: what is shown; of an empty one, why nothing is.
    """

    bars: Sequence[int]
    width: float
    caption: str


@record
class Waiting:
    """A task that is handed out soon. `shunned`: hosts that get it last; `expected`: seconds, None where unknown."""

    number: int
    values: Mapping[str, str]
    attempts: int
    shunned: Sequence[str]
    expected: float | None = None


class Life(Protocol):
    """A run, as its pages ask about it."""

    name: str
    is_over: bool
    events: Events

    def document(self) -> dict[str, Any]:
        """Return the state of the sweep, as docs/page.md describes it."""

    async def throughput(self, ask: Ask) -> Throughput:
        """Return how many sets ended when."""

    async def reasons(self, ask: Ask) -> list[FailureGroup]:
        """Return the most frequent reasons of failed sets."""

    def slots(self) -> Mapping[str, int]:
        """Return how many tasks each host can run at once."""

    def begun(self) -> list[int] | None:
        """Return the tasks that have a slot; None where nobody knows."""

    def live(self, tickets: Sequence[TicketRow]) -> list[TicketRow]:
        """Return those of these attempts that run now."""

    def why(self, reader: Reader, task: TaskDetail) -> list[str]:
        """Return why a set does not run now."""

    def command(self, task: TaskDetail) -> dict[str, Any]:
        """Return what a set runs: `command`, `inputs` (name, bytes), and `fault` where it is unknown."""

    def next(self, most: int) -> list[Waiting]:
        """Return the tasks that are handed out next."""

    async def notes(self, ask: Ask) -> list[tuple[int, dict[str, Any]]]:
        """Return what happened, the newest first: serial number and event."""
