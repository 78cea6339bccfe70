"""Warnings about the ssh configuration: all hosts have the same one, and the user reads it once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("spe.launch")

Show = Callable[[str], None]
_lock = threading.Lock()
_told: set[str] = set()


def warn_once(text: str, show: Show) -> None:
    """Log the warning and show it to the user, the first time in this process."""
    with _lock:
        told = text in _told
        _told.add(text)
    if not told:
        log.warning("%s", text)
        show(text)
