"""An invitation: the one-time code with port and key of the gate, for who has no login there."""

from __future__ import annotations

import re

from ...errors import UsageError
from .cards import LARGEST_PORT

_FORM = re.compile(r"(\d{1,5})\.([0-9a-f]{64})\.([0-9a-f]{32})")


def write_invitation(port: int, fingerprint: str, code: str) -> str:
    """Return what `spe farm users add NAME --code` prints.

    It holds the fingerprint: without a login on the farm's host nothing else tells the true gate.
    """
    return f"{port}.{fingerprint}.{code}"


def read_invitation(text: str) -> tuple[int, str, str]:
    """Return port, fingerprint and code. Raises UsageError."""
    found = _FORM.fullmatch(text.strip())
    if found is None or not 0 < int(found[1]) <= LARGEST_PORT:
        todo = "Copy all of what `spe farm users add NAME --code` has printed."
        raise UsageError("that is no code of a farm", todo=todo)
    return int(found[1]), found[2], found[3]
