"""Sends a message through Apprise, the library that knows the addresses of more than a hundred services."""

from __future__ import annotations

import logging
import threading
from typing import Any

from ..errors import UsageError
from ..table.extras import library
from .addresses import Address
from .message import Message
from .not_sent import NotSent

_one_by_one = threading.Lock()  # whose warnings are whose is only known so


class _Kept(logging.Handler):
    """Keeps what Apprise logs while one message is sent."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(" ".join(record.getMessage().split()))


def check(apprise: Any, one: Address) -> None:
    """Raise UsageError for an address that Apprise does not know."""
    with _one_by_one:
        known = _quietly(_Kept(), lambda: apprise.Apprise.instantiate(one.text, suppress_exceptions=True))
    if known is None:
        todo = "The forms of addresses: https://appriseit.com/services/"
        raise UsageError("Apprise does not know this address", where=one.name, todo=todo)


def send(one: Address, message: Message) -> None:
    """Send it. Raises NotSent."""
    apprise = library("apprise", one.name)
    kept = _Kept()

    def notify() -> bool:
        # Texts stay texts: no file of that name is read, and no URL is loaded.
        sender = apprise.Apprise()
        return bool(sender.add(one.text) and sender.notify(body=message.text, title=message.subject))

    try:
        with _one_by_one:
            sent = _quietly(kept, notify)
    except Exception as error:  # a plugin of theirs: the run must not end for it
        raise NotSent(f"Apprise broke off ({type(error).__name__})") from error
    if not sent:
        said = kept.lines[-1] if kept.lines else "it gave no reason"
        raise NotSent("Apprise could not send it", said=said)


def _quietly(kept: _Kept, call: Any) -> Any:
    """Call a function of Apprise: what it logs goes to `kept` alone, not to the terminal."""
    log = logging.getLogger("apprise")
    before = log.propagate
    log.propagate = False
    log.addHandler(kept)
    try:
        return call()
    finally:
        log.removeHandler(kept)
        log.propagate = before
