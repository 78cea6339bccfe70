"""The newest events of a run, one sentence each, for those who look at it now.

Each event also goes into the log at once, and into the store within a second.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..text import printable

log = logging.getLogger("spe.events")
REMEMBERED = 1000  # events in memory; older ones are in the store


class Events:
    """The events of one run.

    Each has a serial number, by which a reader that was away says which one it saw last.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._notes: deque[tuple[int, dict[str, Any]]] = deque(maxlen=REMEMBERED)
        self._fresh: list[dict[str, Any]] = []  # not yet in the store
        self.last = 0

    def note(self, kind: str, text: str, host: str = "", task: int = 0) -> None:
        """Log an event, and keep it for those who look.

        `kind` is a word of docs/page.md, `text` a sentence.
        """
        event: dict[str, Any] = {"time": round(self._clock(), 3), "kind": kind, "text": text}
        if host:
            event["host"] = host
        if task:
            event["task"] = task
        # From 1, so that a reader with number 0 has seen nothing.
        self.last += 1
        self._notes.append((self.last, event))
        self._fresh.append(event)
        where = f" ({host})" if host and host not in text else ""
        log.info("%s: %s%s", kind, printable(text), where)

    def take_fresh(self) -> list[dict[str, Any]]:
        """Return the events since the last call, for the store."""
        taken, self._fresh = self._fresh, []
        return taken

    def since(self, serial: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Return (serial number, event) of the events after number `serial`, the oldest first."""
        if serial >= self.last:
            return []
        return [one for one in self._notes if one[0] > serial]
