"""The hosts of a run describe their Pythons, and the wheels for all of them are chosen together.

Were wheels chosen host by host, a run would tell a missing package once a host, and some of these
messages only after the first results. So the first answers are held until all hosts have described
themselves. A host that hangs in its login must not stop the others: there is a limit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ..errors import SpeError
from .build import Build
from .host_python import HostPython
from .missing import NoWheels, paragraphs
from .venv import Wheels

log = logging.getLogger("spe.software")
PATIENCE = 10.0  # seconds from the first description on in which others may come
LATE = 1.0  # the same for hosts that come when the first ones have their answer
LOOK = 0.05  # seconds between two looks whether hosts are still expected


@dataclass(slots=True)
class Round:
    """The hosts whose wheels are chosen together. Lives as long as the run."""

    pythons: dict[str, HostPython] = field(default_factory=dict)  # host -> its Python
    done: asyncio.Task[None] | None = None  # ends when all is chosen, and what is missing was told


class RollCall:
    """Answers each host with its environment once all are known. Lives as long as the run."""

    def __init__(self, wheels: Wheels, tell: Callable[[str], None]) -> None:
        """`tell` shows the user a paragraph about hosts without wheels."""
        self.expected: Callable[[], Collection[str]] = tuple  # names of hosts that may still come
        self.hosts: Callable[[], Collection[str]] = tuple  # names of all hosts of the run
        self.patience, self.late = PATIENCE, LATE
        self._told: dict[str, str] = {}  # host -> its fault, as its client is going to say it
        self.without: set[str] = set()  # hosts that can have no wheels
        self._wheels, self._tell = wheels, tell
        self._open: Round | None = None  # takes hosts in
        self._rounds: dict[tuple[str, str], Round] = {}  # (host, key of its Python) -> its round

    @property
    def described(self) -> set[str]:
        """Return the hosts that have described their Python."""
        return {host for host, _ in self._rounds}

    @property
    def is_open(self) -> bool:
        """Return whether hosts wait for others."""
        return self._open is not None

    def was_told(self, host: str, fault: str) -> bool:
        """Return True once for the fault of a host that the user has read already."""
        if self._told.get(host) != fault.rstrip("."):
            return False
        del self._told[host]
        return True

    async def build(self, host: str, python: HostPython) -> Build:
        """Return the environment of a host. Raises NoWheels."""
        mine = self._rounds.get((host, self._wheels.key(python)))
        if mine is None:
            mine = self._join(host, python)
        if mine.done is not None:
            # A shield: the client may hang up and ask again, and others wait for this, too.
            await asyncio.shield(mine.done)
        return await self._wheels.build(python)

    def _join(self, host: str, python: HostPython) -> Round:
        if self._wheels.has(python):
            mine = Round()  # nothing to wait for
        else:
            mine = self._open or self._begin()
            mine.pythons[host] = python
        self._rounds[host, self._wheels.key(python)] = mine
        return mine

    def _begin(self) -> Round:
        patience = self.late if self._rounds else self.patience
        self._open = Round()
        self._open.done = asyncio.create_task(self._choose(self._open, patience))
        return self._open

    async def _choose(self, mine: Round, patience: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        await asyncio.sleep(0)  # until the first host is in
        while set(self.expected()) - self.described and loop.time() < until:
            await asyncio.sleep(LOOK)
        self._open = None
        wanted = {self._wheels.key(python): python for python in mine.pythons.values()}
        faults = dict(zip(wanted, await self._faults(wanted.values()), strict=True))
        missing = {
            host: fault
            for host, python in mine.pythons.items()
            if (fault := faults[self._wheels.key(python)])
        }
        self._tell_missing(missing, {host: one.shown for host, one in mine.pythons.items()})

    async def _faults(self, pythons: Collection[HostPython]) -> list[NoWheels | None]:
        """Return what is wrong for each of these Pythons; other errors are raised to each host."""
        builds = (self._wheels.build(one) for one in pythons)
        ends = await asyncio.gather(*builds, return_exceptions=True)
        return [end if isinstance(end, NoWheels) else None for end in ends]

    def _tell_missing(self, missing: dict[str, NoWheels], found: dict[str, str]) -> None:
        if not missing:
            return
        self._told |= {host: fault.line.rstrip(".") for host, fault in missing.items()}
        self.without |= set(missing)
        hosts = set(self.hosts())  # none where clients are started by hand
        all_out = bool(hosts) and hosts <= self.without
        for text in paragraphs(missing, found, all_out):
            log.info("%s", SpeError(text).line)
            self._tell(text)
