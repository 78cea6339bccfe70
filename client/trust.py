"""How long the master's last word about our tickets holds. After a longer silence it is asked before anything else.

This host may have slept, the client been stopped, the link been cut: then others may have done our tasks, and nothing
is sent or started before the master has said which of our tickets still count.
"""

import sys
import threading
import time
from typing import Any, Callable, Optional

from .wire import Stopping

LOOK = 0.2  # seconds between looks of those who wait
_NUMBER = 7  # of CLOCK_BOOTTIME in Linux; Python has the name since 3.7 only


def boot_clock() -> Optional[int]:
    """The number of the clock that also goes while this host sleeps; None where there is none."""
    number: Optional[int] = getattr(time, "CLOCK_BOOTTIME", _NUMBER if sys.platform.startswith("linux") else None)
    try:
        if number is not None:
            time.clock_gettime(number)
    except OSError:  # a kernel that does not know it
        return None
    return number


_BOOTTIME = boot_clock()


def clock() -> float:
    """Seconds that also pass while this host sleeps."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


class Trust:
    """Renewed by each round of pings; it lasts as long as the lease of a ticket. Without pings it lasts for ever."""

    def __init__(self, every: float, ask: Callable[[], Any]) -> None:
        """`every`: seconds between pings; `ask`: have a ping sent now."""
        self._lease = 3 * every + 5 if every > 0 else float("inf")
        self._ask = ask
        self._word = clock()
        self._changed = threading.Condition()

    def covers(self, moment: float) -> bool:
        """Whether what the master said to a question of that moment still holds."""
        return clock() - moment < self._lease

    def holds(self) -> bool:
        """Whether one may act; if not, the master is being asked."""
        if self.covers(self._word):
            return True
        self._ask()
        return False

    def renew(self, began: float) -> None:
        """The master answered a round of pings that began then, and what it called back has been dropped."""
        with self._changed:
            self._word = began
            self._changed.notify_all()

    def wait(self, stopping: threading.Event) -> None:
        """Until one may act. Raises Stopping when the client ends."""
        while not self.holds():
            if stopping.is_set():
                raise Stopping()
            with self._changed:
                self._changed.wait(LOOK)
