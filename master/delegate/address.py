"""Where a farm is now: its address is looked at again, and only the pinned farm is followed."""

from __future__ import annotations

from dataclasses import replace

from ..errors import UsageError
from ..pool.joining.cards import Card, are_addresses, save_card
from ..pool.joining.knocking import look


def moved(card: Card, epoch: int) -> Card:
    """Return the card with the address that the farm has now, which is stored.

    epoch: the newest one that was seen. Raises UsageError for an address that is another farm's,
    has another key, or is that of an earlier start of it.
    """
    found = look(card.srv, card.account, card.public)
    if (found.get("farm"), found.get("fingerprint")) != (card.farm, card.fingerprint):
        todo = "If its administrator has made a new one, join it again."
        raise UsageError("another farm, or another key, is there now", where=card.srv, todo=todo)
    given = found.get("epoch")
    if type(given) is not int or given < epoch:
        raise UsageError(f"its address is of epoch {given!s:.20}, before {epoch}", where=card.srv)
    urls = found.get("urls")
    if not are_addresses(urls):
        raise UsageError("its address is none", where=card.srv)
    card = replace(card, urls=list(urls))
    save_card(card)
    return card
