"""Repeat a complaint about a lasting fault, but not in every second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

PAUSE = 60.0  # seconds between two equal complaints


class RateLimitedLog:
    """A log with a rate limit: a complaint is written at once, and again only after a minute.

    Lives as long as its owner; each has its own memory of what was written.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said: dict[str, float] = {}

    def say(self, complaint: str) -> None:
        """Log a fault that lasts until somebody mends it, unless it was logged within PAUSE."""
        now = self._clock()
        if now - self._said.get(complaint, -PAUSE) >= PAUSE:
            # Older complaints are forgotten here: texts with numbers in them would pile up for weeks.
            lately = {one: then for one, then in self._said.items() if now - then < PAUSE}
            self._said = {**lately, complaint: now}
            self._log.error("%s", complaint)
