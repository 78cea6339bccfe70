"""Turns for handshakes: only so many hosts at once, and none that hangs blocks others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 8
HANGS = 5.0  # seconds after which a handshake counts as hanging: it makes no work for anybody


class Turns:
    """The turns of one farm. Used by many threads."""

    def __init__(self, at_once: int = AT_ONCE, hangs: float = HANGS) -> None:
        self._free = threading.Semaphore(at_once)
        self._hangs = hangs

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn, or until the handshake hangs. Waits until there is one."""
        self._free.acquire()
        given_back = threading.Lock()  # whoever gets it gives the turn back

        def give_back() -> None:
            if given_back.acquire(blocking=False):
                self._free.release()

        late = threading.Timer(self._hangs, give_back)
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()
            give_back()
