"""The error of a message that could not be sent, and the removal of secrets from its words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from .addresses import Address, Kind

_BETWEEN = (re.compile(r"[/?&=:@\s]+"), re.compile(r"[^A-Za-z0-9]+"))
SHORTEST = 4  # characters: shorter parts are words such as `to`
HIDDEN = "***"


class NotSent(Exception):
    """A message was not sent: `reason` in a few words. `again`: another try may succeed.

    `said`: words of a server, a library or a command, which may have a secret in them.
    """

    def __init__(self, reason: str, again: bool = True, said: str = "") -> None:
        super().__init__(reason)
        self.reason, self.again, self.said = reason, again, " ".join(said.split())

    def for_people(self, one: Address) -> NotSent:
        """Return the same with its words in one text, from which the secrets of the address are removed."""
        said = without_secrets(self.said, one)
        return NotSent(f"{self.reason}: {said}" if said else self.reason, self.again)


def without_secrets(text: str, one: Address) -> str:
    """Return words of a library or a server without what is secret in an address of the user's own."""
    if not one.is_private:
        return text
    found = {part for secret in _secrets(one) for part in _parts(secret)}
    # The longest first: a part of a token must not leave the rest of it.
    for part in sorted(found, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return text


def _secrets(one: Address) -> list[str]:
    """Return what no message may show: not the name of a server, which says what is wrong."""
    if one.mail:
        return [one.mail.password]
    if one.kind is Kind.HTTPS:
        parts = urlsplit(one.text)
        return [parts.netloc.rpartition("@")[0], parts.path, parts.query]
    # What stands where in the others is known to Apprise, or to the command.
    return [one.text.partition("://")[2] or one.text]


def _parts(secret: str) -> Iterator[str]:
    for text in (secret, unquote(secret)):
        if text.strip("/"):
            yield text
        for pattern in _BETWEEN:
            yield from (part for part in pattern.split(text) if len(part) >= SHORTEST)
