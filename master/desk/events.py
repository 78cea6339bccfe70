"""The newest events of a run, one sentence each, for those who look at it now. They stand in the log,
and go to the store now and then.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..text import printable

log = logging.getLogger("spe.events")
REMEMBERED = 1000


class Events:
    """Each event has a serial number, so that who was away for a moment can say which one came last."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._notes: deque[tuple[int, dict[str, Any]]] = deque(maxlen=REMEMBERED)
        self._fresh: list[dict[str, Any]] = []  # not yet in the store
        self.last = 0

    def note(self, kind: str, text: str, host: str = "", task: int = 0) -> None:
        """Something happened."""
        event: dict[str, Any] = {"time": round(self._clock(), 3), "kind": kind, "text": text}
        if host:
            event["host"] = host
        if task:
            event["task"] = task
        self.last += 1
        self._notes.append((self.last, event))
        self._fresh.append(event)
        log.info("%s: %s%s", kind, printable(text), f" ({host})" if host and host not in text else "")

    def take_fresh(self) -> list[dict[str, Any]]:
        """Those since the last call."""
        taken, self._fresh = self._fresh, []
        return taken

    def since(self, serial: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """The remembered events after that one, the oldest first."""
        if serial >= self.last:
            return []
        return [one for one in self._notes if one[0] > serial]
