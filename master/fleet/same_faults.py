"""Software faults of hosts, told together: hosts with the same fault are one paragraph.

What cannot be made or had on one host of a lab can seldom be had on the others: one program that is
not installed on twelve hosts is one message. So a fault waits for a moment for those like it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping

from ..errors import LaunchError
from ..text import without_host

# Seconds that a fault waits for hosts with the same one. A client whose build has failed stays for
# five seconds, for the others of its home to find that.
PATIENCE = 10.0
_FOLDERS = re.compile(r"/(?:[^\s:,;'\")/]+/)+")  # before the last name of a path


class SameFaults:
    """The software faults of one run that are not yet told. Lives as long as the fleet."""

    def __init__(self, show: Callable[[str], None], is_settled: Callable[[], bool]) -> None:
        """`show` prints a paragraph. `is_settled`: no host may come up or fail at its start."""
        self._show, self._is_settled = show, is_settled
        self._waiting: dict[str, dict[str, LaunchError]] = {}  # key -> host -> its fault
        self._told: dict[str, str] = {}  # key -> host with which it was told
        self._timer: asyncio.TimerHandle | None = None

    def note(self, faults: Mapping[str, LaunchError]) -> None:
        """Take in faults by host. They are told soon, and those that are alike in one paragraph."""
        for host, error in faults.items():
            self._waiting.setdefault(_key(host, error), {})[host] = error
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self.tell)
        self.look()

    def look(self) -> None:
        """Tell all at once when no other host may have the same fault."""
        if self._waiting and self._is_settled():
            self.tell()

    def tell(self) -> None:
        """Tell all that waits."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for key, faults in waiting.items():
            self._show(self._paragraph(key, faults))

    def _paragraph(self, key: str, faults: dict[str, LaunchError]) -> str:
        hosts = sorted(faults)
        names, first = ", ".join(hosts), faults[hosts[0]]
        if key in self._told:
            return f"{names}: {first.fault}: the same as on {self._told[key]}, see above"
        self._told[key] = hosts[0]
        text = f"{names}: {first.what}"
        if len({error.what for error in faults.values()}) > 1:
            text += f" (these are the words of {hosts[0]}; names or paths differ)"
        return f"{text}\n  {first.todo}" if first.todo else text


def _key(host: str, error: LaunchError) -> str:
    """Return a text that is equal for equal faults, also where hosts and homes have other names."""
    return _FOLDERS.sub("/…/", without_host(error.what, host))
