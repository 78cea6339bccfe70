"""A hand's look at the client above it, which a program may have stopped, and the guard with it."""

import os
import signal
import time

from ..machine import facts, process_tree

LOOK = 1.0  # seconds between looks
LONGEST = 5.0  # seconds between looks of a hand that has nothing to do; what is more, it slept
STOPPED = 8.0  # seconds after which a stopped client is continued


class Above:
    """The client and its guard, as one hand sees them. Lives as long as the hand.

    The guard ends a client that is stopped. Where the guard was killed or is stopped itself, nobody
    would, and no new client can begin beside one that lives. A group that is suspended as a whole
    is left alone: its hands are stopped, too.
    """

    def __init__(self) -> None:
        self._client = os.getppid()
        self._guard = self._parent_of_client()
        self._began = facts.start_of(int(self._guard)) if self._guard else ""
        self._looked, self._stopped = time.monotonic(), 0.0

    def _parent_of_client(self) -> str:
        return (facts.stat_of(self._client) + ["", ""])[1]

    def look(self) -> None:
        """Continue a client that was stopped for long and has no guard that looks after it."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        awake, self._looked = min(now - self._looked, LONGEST), now
        state = facts.stat_of(self._client)[:1]
        self._stopped = self._stopped + awake if state == ["T"] else 0.0
        if self._stopped >= STOPPED:
            self._go_on()

    def wake_guard(self) -> None:
        """Continue the guard if it is stopped, or about to be: a STOP that is on its way is undone, too."""
        pid = int(self._guard or 0)
        if pid and facts.start_of(pid) == self._began:  # else the number is another process's
            process_tree.send(pid, signal.SIGCONT)

    def _go_on(self) -> None:
        if self._parent_of_client() == self._guard:
            if facts.stat_of(int(self._guard))[:1] != ["T"]:
                return
            self.wake_guard()
        # It hears now that its guard is gone, or goes on.
        process_tree.send(self._client, signal.SIGCONT)
        self._stopped = 0.0
