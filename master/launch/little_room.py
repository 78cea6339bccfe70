"""Hosts whose homes are nearly full, and the one line about all of them.

Such hosts work: what does not fit into the home goes below the workdir. But each of their clients
then makes a copy of its own, and the user's other programs may fail there.
"""

from __future__ import annotations

from ..text import named, volume

GATHERING = 5.0  # seconds from the first report to the line, as for neighbours
MOST_HOSTS = 1000  # of a run: a client may report whatever it likes


class LittleRoom:
    """The hosts of one run that have reported little room, and what was said of it."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._unsaid: dict[str, int] = {}  # host -> bytes that are free
        self._since = 0.0  # when the oldest unsaid report came

    def note(self, now: float, host: str, free: int) -> None:
        """Note the free bytes of a host's home. Only its first report counts."""
        if host in self._known or len(self._known) >= MOST_HOSTS:
            return
        self._known.add(host)
        if not self._unsaid:
            self._since = now
        self._unsaid[host] = free

    def take_due(self, now: float) -> str:
        """Return the line to be said now; "" until the hosts had GATHERING seconds to come."""
        return "" if now - self._since < GATHERING else self.take_all()

    def take_all(self) -> str:
        """Return the line about all that was not said yet, "" for nothing."""
        if not self._unsaid:
            return ""
        hosts, least = sorted(self._unsaid), min(self._unsaid.values())
        self._unsaid.clear()
        room = f"{volume(least)} free" if len(hosts) == 1 else f"{volume(least)} free or little more"
        homes = "its home has" if len(hosts) == 1 else "their homes have"
        text = f"{named(hosts)}: {homes} only {room}. What does not fit there (worker, inputs, software) "
        return text + "goes below the working folder. Make room, or set workdir=PATH in the hosts file"
