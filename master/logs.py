"""Saying again and again what holds everything up, but not in every second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

PAUSE = 60.0  # seconds between two equal complaints


class Nagging:
    """Logs a complaint at once, and the same one again only after a while."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._said: dict[str, float] = {}

    def say(self, complaint: str) -> None:
        """An error that lasts until somebody mends it."""
        now = self._clock()
        if now - self._said.get(complaint, -PAUSE) >= PAUSE:
            lately = {one: then for one, then in self._said.items() if now - then < PAUSE}
            self._said = {**lately, complaint: now}
            self._log.error("%s", complaint)
