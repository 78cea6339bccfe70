"""Neighbours: other people whose clients of spe work on the same hosts, and what is said about them.

Clients (client/machine/neighbours.py) and the script of `spe doctor` report them in one form.
"""

from __future__ import annotations

from ..record import record
from ..text import counted, named, printable

MOST_SLOTS = 100_000
MOST_ACCOUNT = 64  # characters
# Seconds from the first report of an account to the line about it: by then hosts are up, unless
# something is wrong with them. Hosts that come later have a line of their own.
GATHERING = 5.0
MOST_LINES = 100  # of a run: a client may report whatever it likes
ROOM = "set `max_load: 1` in spe.yaml, or fewer `slots=` in the hosts file"


@record
class Neighbour:
    """Another account with clients on a host, and the slots of all of them."""

    account: str
    slots: int


def read_neighbour(text: str) -> Neighbour | None:
    """Return the neighbour that a host reports as `8 alice`; None for any other text."""
    slots, _, account = text.partition(" ")
    account = printable(account.strip()[:MOST_ACCOUNT])
    if not (account and slots.isascii() and slots.isdecimal() and len(slots) <= 6):
        return None
    if not 1 <= int(slots) <= MOST_SLOTS:
        return None
    return Neighbour(account, int(slots))


class NeighbourLines:
    """What the hosts of one run have reported, and what was said about it."""

    def __init__(self, max_load: float) -> None:
        """`max_load`: of spe.yaml, 0 where it is not set."""
        self._max_load = max_load
        self._known: set[tuple[str, str]] = set()  # (host, account) that was noted
        self._unsaid: dict[str, dict[str, int]] = {}  # account -> host -> slots
        self._since = 0.0  # when the oldest unsaid report came
        self._lines = 0

    def note(self, now: float, host: str, neighbour: Neighbour) -> None:
        """Note that a host has this neighbour. Only the first report of both counts."""
        key = host, neighbour.account
        is_new = neighbour.account not in self._unsaid
        if key in self._known or (is_new and self._lines + len(self._unsaid) >= MOST_LINES):
            return
        self._known.add(key)
        if not self._unsaid:
            self._since = now
        self._unsaid.setdefault(neighbour.account, {})[host] = neighbour.slots

    def take_due(self, now: float) -> list[str]:
        """Return the lines to be said now: none until the hosts had GATHERING seconds to come."""
        if now - self._since < GATHERING:
            return []
        return self.take_all()

    def take_all(self) -> list[str]:
        """Return the lines about all that was not said yet."""
        lines = [self._line(account, slots) for account, slots in self._unsaid.items()]
        self._unsaid.clear()
        self._lines += len(lines)
        return lines

    def _line(self, account: str, slots: dict[str, int]) -> str:
        least, most = min(slots.values()), max(slots.values())
        count = counted(most, "slot") if least == most else f"{least} to {most} slots"
        each = " each" if len(slots) > 1 else ""
        text = f"{account} runs spe, too, on {named(sorted(slots))} ({count}{each})"
        if self._max_load:
            return f"{text}; with your `max_load` tasks wait there while the load is high"
        return f"{text}. To share these hosts: {ROOM}"
