"""How much one user may ask, and how often the log tells of him."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

RATE = 20.0  # requests a second of one token; as many may come at once
OPEN = 8  # requests of one token that are being answered, long polls and streams included
LINES = 10  # lines of the log about one source, within MINUTE
MINUTE = 60.0
SOURCES = 1000  # sources that are remembered


class TooMany(Exception):
    """A token asks too much. pause: seconds after which to ask again."""

    def __init__(self, what: str, pause: float) -> None:
        super().__init__(what)
        self.what, self.pause = what, pause


class _Use:
    """What one token uses now."""

    __slots__ = ("at", "open", "refused", "room")

    def __init__(self, now: float) -> None:
        self.room = RATE
        self.at = now
        self.open = 0
        self.refused = 0


class Limits:
    """The use of all tokens: a token bucket and a counter for each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uses: dict[str, _Use] = {}

    @contextmanager
    def one_request(self, key: str) -> Iterator[None]:
        """Count one request of a token while it is answered. Raises TooMany."""
        now = self._clock()
        use = self._uses.get(key)
        if use is None:
            self._forget_idle(now)
            use = self._uses[key] = _Use(now)
        use.room = min(RATE, use.room + (now - use.at) * RATE)
        use.at = now
        if use.room < 1:
            use.refused += 1
            raise TooMany(f"more than {RATE:.0f} requests a second", (1 - use.room) / RATE)
        use.room -= 1
        if use.open >= OPEN:
            use.refused += 1
            raise TooMany(f"more than {OPEN} requests at a time", 1.0)
        use.open += 1
        try:
            yield
        finally:
            use.open -= 1

    def refused(self) -> dict[str, int]:
        """Return how many requests of each token were too many, for the page."""
        return {key: use.refused for key, use in self._uses.items() if use.refused}

    def _forget_idle(self, now: float) -> None:
        """Forget tokens without any use, so that the dict does not grow for ever."""
        if len(self._uses) >= SOURCES:
            kept = {k: u for k, u in self._uses.items() if u.open or now - u.at < MINUTE}
            self._uses = kept


class QuietLog:
    """A log that a flood does not fill: of each source some lines a minute."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def warn(self, source: str, text: str) -> None:
        """Log a line, unless this source has had its lines of the minute."""
        now = self._clock()
        since, count = self._seen.pop(source, (now, 0))
        if now - since >= MINUTE:
            if count > LINES:
                self._log.warning("%s: %d more such lines", source, count - LINES)
            since, count = now, 0
        self._seen[source] = (since, count + 1)
        if len(self._seen) > SOURCES:
            self._seen.popitem(last=False)
        if count < LINES:
            # A request's words may hold control characters, which a terminal would obey.
            self._log.warning("%s", text.encode("unicode_escape", "backslashreplace").decode())
