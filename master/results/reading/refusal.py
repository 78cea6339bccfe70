"""The refusal of a result: its bytes do not give the value that spe.yaml asks for."""

from __future__ import annotations

QUOTED = 60  # characters of a value in a reason


class Refused(ValueError):
    """The bytes do not give the value that was asked for; the message is the reason, in one line."""


def shown(text: str) -> str:
    """Return a value as a reason quotes it: one line, at most QUOTED characters."""
    if len(text) > QUOTED:
        text = text[:QUOTED] + "…"
    return repr(text)
