"""Where a farm is now: its address is looked at again, and only the pinned farm is followed."""

from __future__ import annotations

from dataclasses import replace

from ..errors import UsageError
from ..pool.joining.answering import Silent, ask_gate
from ..pool.joining.cards import Card, are_addresses, load_cards, save_card
from ..pool.joining.knocking import look


def moved(card: Card, epoch: int) -> Card:
    """Return the card with the address that the farm has now, which is stored.

    epoch: the newest one that was seen. Raises UsageError for an address that has another key, or
    is that of an earlier start of the farm.
    """
    found = look(card.srv, card.account, card.public)
    # The ID does not count: after `--new-id` it is another one, and the key is that of before.
    if found.get("fingerprint") != card.fingerprint:
        todo = f"If its administrator has made new keys, join it again: spe farm join {card.srv}"
        raise UsageError("a farm with another key is there now", where=card.srv, todo=todo)
    given = found.get("epoch")
    if type(given) is not int or given < epoch:
        todo = "After a backup was restored, its administrator starts it with --new-id."
        what = f"its address is of epoch {given!s:.20}, before {epoch}"
        raise UsageError(what, where=card.srv, todo=todo)
    urls = found.get("urls")
    if not are_addresses(urls):
        raise UsageError("its address is none", where=card.srv)
    card = replace(card, urls=list(urls))
    save_card(card)
    return card


def card_before_move(fingerprint: str) -> Card | None:
    """Return the card of the farm with this key, which does not answer any more where it was.

    None where it answers: then two farms have the same key, as an account may have copied it.
    """
    for card in load_cards():
        if card.fingerprint == fingerprint:
            try:
                ask_gate(card.urls, card.fingerprint, card.token, "GET", "/hosts")
            except Silent:
                return card
            except UsageError:
                continue  # somebody answers
    return None
