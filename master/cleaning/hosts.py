"""One shell for each host: it looks, and then removes what it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ..doctor.shells import Shell, open_shell
from ..errors import Fault, LaunchError
from ..launch.offer import Options
from ..launch.pasteable import words_for
from ..launch.ssh.connect import BROKEN
from ..launch.ssh.remote_shell import FRAME
from ..launch.ssh.shell_start import END
from ..launch.threads import in_thread
from ..model import Host
from .script import Found, Item, read_found, read_removed, script

LOOK_LIMIT = 60.0  # seconds for a host to tell all that it has; sizes of environments take a while
REMOVE_LIMIT = 600.0  # seconds to remove all, on NFS


class Cleaner:
    """The work on one host, from the connection until `close`."""

    def __init__(self, host: Host, options: Options) -> None:
        self.host = host
        self.error: LaunchError | None = None
        self.found = Found(0, frozenset(), ())
        self.removed: dict[str, str] = {}
        self._options = options
        self._shell: Shell | None = None

    async def look(self) -> None:
        """Find what is there; an error is noted, not raised."""
        await self._within(LOOK_LIMIT, self._look)

    async def remove(self, items: Sequence[Item]) -> None:
        """Remove these things; an error is noted, not raised."""
        if self._shell and not self.error:
            await self._within(REMOVE_LIMIT, lambda: self._remove(items))

    async def close(self) -> None:
        """Cut the shell off."""
        if self._shell:
            await in_thread(self._shell.close, f"spe-clean-{self.host.name}")

    async def _within(self, limit: float, work: object) -> None:
        assert callable(work)
        try:
            await asyncio.wait_for(in_thread(work, f"spe-clean-{self.host.name}"), limit)
        except TimeoutError:
            what = f"not done within {limit:g} s"
            todo = f"See what hangs: ssh {words_for(self.host.name)} true"
            self.error = LaunchError(Fault.TIMEOUT, what, where=self.host.name, todo=todo)
        except LaunchError as error:
            self.error = error
        except BROKEN as error:
            todo = f"Try: ssh {words_for(self.host.name)} true"
            self.error = LaunchError(Fault.LOST, str(error), where=self.host.name, todo=todo)

    def _look(self) -> None:
        self._shell = open_shell(self.host, self._options)
        self._shell.begin()
        self._shell.say(f"{FRAME}{script(self.host)}{END}\n".encode())
        self.found = read_found(self._heard("spe: looked"))

    def _remove(self, items: Sequence[Item]) -> None:
        assert self._shell is not None
        told = "".join(f"{item.kind} {item.path}\n" for item in items)
        self._shell.say(f"{told}\n".encode("utf-8", "surrogateescape"))
        self.removed = read_removed(self._heard("spe: end"))

    def _heard(self, last: str) -> list[str]:
        """Return the lines up to the last one of a step. Raises LaunchError where it does not come."""
        assert self._shell is not None
        lines: list[str] = []
        for line in self._shell.lines():
            if line == last:
                return lines
            lines.append(line)
        what = f"the connection ended ({lines[-1] if lines else 'closed'})"
        todo = f"Try: ssh {words_for(self.host.name)} true"
        raise LaunchError(Fault.LOST, what, where=self.host.name, todo=todo)


async def look_at_all(cleaners: Sequence[Cleaner]) -> None:
    """Look at all hosts at once."""
    await asyncio.gather(*(one.look() for one in cleaners))


async def close_all(cleaners: Sequence[Cleaner]) -> None:
    """Cut all shells off."""
    with contextlib.suppress(*BROKEN):
        await asyncio.gather(*(one.close() for one in cleaners))
