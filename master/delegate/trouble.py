"""What keeps a delegate from its farm: noted beside its orders, for `spe jobs`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..pool.joining.cards import Card
from ..session.run_folder import private_write
from .orders import folder


def note(card: Card, why: str) -> None:
    """Keep one sentence, or forget it. What cannot be written is in the log alone."""
    with suppress(OSError):
        if why:
            private_write(_path(card), why + "\n")
        else:
            _path(card).unlink(missing_ok=True)


def noted(card: Card) -> str:
    """Return what keeps the delegate here from its farm; "" for nothing."""
    try:
        return _path(card).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _path(card: Card) -> Path:
    return folder() / f"{card.farm}@{card.host}.trouble"
