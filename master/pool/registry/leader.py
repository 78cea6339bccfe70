"""The one farm that may deal: it takes the lead, renews it, and gives it up.

The lead is in the row of `meta`. Each farm that takes it adds 1 to the epoch, and every commit asks
whether the epoch is still its own. So a farm that was stopped and wakes up late can write nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select, update

from ...errors import BusyError, StoreError
from ...text import span
from .clock import Now
from .tables import META

UNRENEWED = 30.0  # seconds after which another farm may take the lead
RENEWAL = 5.0  # seconds between two renewals
CERTAIN = 15.0  # seconds after its last renewal in which a farm may deal


class LostLead(StoreError):
    """Another farm has taken the lead: this one must stop dealing, and writes nothing more."""

    def __init__(self) -> None:
        super().__init__(
            "another farm has taken the lead of this registry, so this one has stopped dealing",
            todo="`spe farm status` says where it runs; start only one farm on a registry",
        )


def take_lead(connection: Connection, host: str, process: int, is_alone: bool) -> int:
    """Take the lead and return the new epoch. Raises BusyError when a farm has renewed lately.

    is_alone: a lock proves already that no other farm lives.
    """
    statement = update(META).values(
        host=host, process=process, epoch=META.c.epoch + 1, renewed=Now()
    )
    if not is_alone:
        # The second case: the database's clock was set back. Whoever led is refused by its epoch.
        old = or_(META.c.renewed < Now() - UNRENEWED, META.c.renewed > Now() + UNRENEWED)
        statement = statement.where(old)
    if connection.execute(statement).rowcount == 1:
        return int(connection.execute(select(META.c.epoch)).scalar_one())
    asked = select(META.c.host, META.c.process, (Now() - META.c.renewed).label("age"))
    found = connection.execute(asked).one()
    wait = span(max(1.0, UNRENEWED - found.age))
    raise BusyError(
        f"a farm leads this registry already: process {found.process} on {found.host}",
        todo=f"stop that one first; if it is dead, start this one again in {wait}",
    )


def confirm_lead(connection: Connection, epoch: int, /, **values: Any) -> None:
    """Renew the lead and change `meta`. Raises LostLead when the epoch is not the caller's any more.

    It comes first in a transaction and locks the row until the end. So a transaction whose COMMIT
    was cut off is either over when the next one goes on, or the next one waits for it.
    """
    statement = update(META).where(META.c.epoch == epoch).values(renewed=Now(), **values)
    if connection.execute(statement).rowcount != 1:
        raise LostLead


def give_up_lead(connection: Connection, epoch: int) -> None:
    """Let the next farm take the lead at once."""
    connection.execute(update(META).where(META.c.epoch == epoch).values(renewed=0.0))
