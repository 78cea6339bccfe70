"""Neighbours: other people whose clients of spe work on the same hosts, and what to do about them.

Clients (client/machine/neighbours.py) and the script of `spe doctor` report them in one form.
"""

from __future__ import annotations

from .record import record
from .text import printable

MOST_SLOTS = 100_000
MOST_ACCOUNT = 64  # characters
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
