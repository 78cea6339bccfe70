"""The judgement on all that hosts have: it may be removed, or stays for a reason."""

from __future__ import annotations

from collections.abc import Mapping

from ..record import record
from ..text import counted
from .script import BUILT, Found, Item


@record
class Rules:
    """`older`: seconds for which a thing was not used. `running`: how long the oldest run of this account
    has gone on, in seconds; None where none goes on here.
    """

    older: float = 0.0
    running: float | None = None
    own_client: str = ""  # the file name of this spe's client


def reasons_to_stay(found: Mapping[str, Found], rules: Rules) -> dict[tuple[str, str], str]:
    """Return why a thing stays, "" where it may go, by host and path."""
    # By the folder, not by the host: hosts that share a home share what lies there.
    working: dict[str, int] = {}
    for one in found.values():
        for home in one.homes:
            working[home] = working.get(home, 0) + one.living
    return {
        (host, item.path): _reason(item, working.get(item.home, 0), rules)
        for host, one in found.items()
        for item in one.items
    }


def _reason(item: Item, working: int, rules: Rules) -> str:
    if item.age < rules.older:
        return "it was used since"
    if working:
        return "in use: a client of yours is at work there"
    # Clients of hosts that nobody looked at may share this home. A mark that a killed one has left goes
    # with --older.
    if item.marks and not rules.older:
        return f"in use by {counted(item.marks, 'client')}, perhaps of another host (--older removes it)"
    if rules.running is None:
        return ""
    if item.age < rules.running:
        return "a run that goes on may use it"
    if item.kind != BUILT and item.path.endswith(f"/{rules.own_client}"):
        return "a run that goes on may use it"
    return ""
