"""A hosts file that changes while the sweep runs: new hosts are started, removed ones drained.

A host whose line comes back is used again. Other changes of a line count for the next run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from ..desk.acts import Acts
from ..dispatch.steering import Aside
from ..errors import ConfigError
from ..model import Host
from ..session.stamps import Stamp, stamp
from ..sweep.hosts import read_hosts

PAUSE = 1.0  # seconds between two looks at the file


class HostsFile:
    """The hosts file of one run, as it was when it was last understood."""

    def __init__(
        self, path: Path, hosts: Sequence[Host], acts: Acts, warn: Callable[[str], None]
    ) -> None:
        """`hosts`: those that the run was started with."""
        self._path, self._acts, self._warn = path, acts, warn
        self._known = {host.name: host for host in hosts}

    async def watch(self, pause: float = PAUSE) -> None:
        """Look at the file every second, in a thread: its server may not answer."""
        seen: Stamp | None = None
        while True:
            mark = await asyncio.to_thread(_mark, self._path)
            if mark and mark != seen:
                seen = mark
                await self._take_up()
            await asyncio.sleep(pause)

    async def _take_up(self) -> None:
        try:
            found = await asyncio.to_thread(read_hosts, self._path)
        except ConfigError as error:
            self._warn(f"{error.line} (the hosts stay as they are)")
            return
        if found.hosts:
            await self._follow({host.name: host for host in found.hosts})
        elif self._known:
            self._warn(f"{self._path.name} names no host any more; the hosts stay as they are")

    async def _follow(self, now: dict[str, Host]) -> None:
        before, self._known = self._known, now
        for name in before.keys() - now.keys():
            await self._acts.set_aside(name, Aside.DRAINED)
            self._acts.note(
                "drained",
                f"{name}: its line is gone from {self._path.name}, it gets nothing new",
                name,
            )
        run_hosts = self._acts.run_hosts

        there = {host.name for host in run_hosts.hosts}
        for name in [name for name in now if name not in before and name in there]:
            await self._acts.use(name)
            self._acts.note(
                "used", f"{name}: its line is back in {self._path.name}, it is used again", name
            )
        if new := [host for name, host in now.items() if name not in before and name not in there]:
            run_hosts.add(new)
            names = ", ".join(host.name for host in new)
            self._acts.note("added", f"{names}: new in {self._path.name}, being started")


def _mark(path: Path) -> Stamp | None:
    """Return what differs when the file was written anew.

    None when it is not there: an editor may need a moment to put it back.
    """
    with contextlib.suppress(OSError):  # the file server may be away for a while
        return stamp(path)
    return None
