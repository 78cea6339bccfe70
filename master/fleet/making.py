"""The time in which hosts make the software of a sweep, as `spe run` shows it.

It may take minutes, in which no task runs: a live picture says what goes on and how many hosts are
ready; without a terminal there is a line at the begin and one at the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection

from ..desk.desk import Desk
from ..model import Client
from ..software.software import Made, Software
from ..state.progress import Progress
from ..text import counted, seconds, volume
from .fleet import Fleet


class Making:
    """Watches the clients that make software. Lives as long as the run."""

    def __init__(self, software: Software, desk: Desk, fleet: Fleet, progress: Progress) -> None:
        self._software, self._desk, self._fleet = software, desk, fleet
        self._progress = progress
        self._begun = 0.0  # when the first of those at it was told what to make; 0: none is at it
        progress.activity = self.text

    def update(self) -> None:
        """Say where the making has begun or ended since the last look."""
        if not self._software.making:
            return
        clients = self._clients()
        busy = any(not (one.state.has_asked or one.state.is_gone) for one in clients)
        if busy and not self._begun:
            self._begun = time.monotonic()
            awaited = self._fleet.awaited() - self._software.without
            hosts = {one.host for one in clients} | awaited
            self._progress.step(f"setting up {counted(len(hosts), 'host')}: {self._what}")
        elif self._begun and not busy and not self._fleet.awaited():
            took = seconds(round(time.monotonic() - self._begun))
            self._progress.step(f"software is ready on {self._ready(clients)}, after {took}")
            self._begun = 0.0
            self._software.making.clear()

    def text(self) -> str:
        """Return what goes on now, for a live picture; "" for nothing."""
        if self._software.stage:
            return self._software.stage
        if not self._begun:
            return ""
        return f"setting up {self._what}: ready on {self._ready(self._clients(), self._down)}"

    @property
    def _what(self) -> str:
        """Return what is made. What differs from host to host is named with the hosts it is for."""
        found = dict.fromkeys(one for made in self._software.making.values() for one in made)
        often = Counter(one.shown for one in found)
        return ", ".join(_words(one, often[one.shown] > 1) for one in found)

    def _clients(self) -> list[Client]:
        known = map(self._desk.dispatch.clients.get, self._software.making)
        return [one for one in known if one]

    @property
    def _down(self) -> set[str]:
        """Return the hosts that are not going to be ready: those with a fault."""
        return set(self._fleet.faults)

    def _is_ready(self, one: Client) -> bool:
        """Tell whether a client has asked for tasks, and not only been told that there are none left."""
        is_out = one.id in self._software.unfinished or one.host in self._software.failed
        return one.state.has_asked and not is_out

    def _ready(self, clients: list[Client], without: Collection[str] = ()) -> str:
        """Return `2 of 3 hosts`: those that are ready, and those of the run and of others.

        `without`: hosts that do not count, unless they are ready.
        """
        ready = {one.host for one in clients if self._is_ready(one)}
        hosts = self._software.hosts | {one.host for one in clients}
        count = len(hosts - set(without) | ready)
        return f"{len(ready)} of {counted(count, 'host')}"


def _words(one: Made, with_kind: bool) -> str:
    """Return the name of a build, with the bytes that travel to each home."""
    kind = f" for {one.host_kind}" if with_kind and one.host_kind else ""
    size = f" ({volume(one.size)})" if one.size else ""
    return f"{one.shown}{kind}{size}"
