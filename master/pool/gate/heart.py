"""What the gate expects of the farm behind it.

The gate has checked who asks and whether he may; bodies have the shape that bodies.py gives them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from ..members import Changes
from ..rows import UserRow

Json = Mapping[str, Any]


class Paused(Exception):
    """The farm cannot answer now. pause: seconds after which to ask again."""

    def __init__(self, what: str, pause: float) -> None:
        super().__init__(what)
        self.what, self.pause = what, pause


class Unfit(Exception):
    """A request that the farm does not take: one sentence."""


class Heart(Protocol):
    """The farm, as its doors see it. Each method may raise Paused and Unfit."""

    farm: str  # the ID of the farm

    @property
    def epoch(self) -> int:
        """Return the epoch in which this farm deals."""

    def owner_of(self, job: int) -> str | None:
        """Return whose job this is; None when there is no such job."""

    async def commit(self, changes: Changes) -> None:
        """Commit changes of users and tokens. An error means that nothing is stored."""

    async def submit(self, user: UserRow, place: str, job: Json) -> Json:
        """Enter a job whose delegate is on the host `place`."""

    async def jobs(self, user: UserRow) -> Json:
        """Return the list of jobs, as this user may see it."""

    async def act(self, user: UserRow, job: int, act: str, about: Json) -> Json:
        """Cancel, pause or resume a job, or change its priority."""

    async def why(self, user: UserRow, job: int) -> Json:
        """Return the rule's own numbers about a job: whose turn it is, and which hosts fit."""

    async def grants(self, user: UserRow, place: str, seen: int, wait: float) -> Json:
        """Return the grants of a user's jobs there, newer than `seen`, or after `wait` s."""

    async def report(self, user: UserRow, place: str, report: Json) -> Json:
        """Take what a delegate says about its jobs."""

    async def hosts(self, user: UserRow) -> Json:
        """Return the list of hosts."""

    async def change_hosts(self, user: UserRow, change: Json) -> Json:
        """Drain, use, bench or free hosts."""

    async def status(self, user: UserRow) -> Json:
        """Return how the farm itself is, and what it sees of each host."""

    def stream(self, user: UserRow) -> AsyncIterator[tuple[str, Json]]:
        """Yield ("list", all) first, then ("change", what has changed)."""
