"""How long the master's last word about our tickets holds. After a longer silence it is asked before anything else.

This host may have slept, the client been stopped, the link been cut: then others may have done our tasks, and nothing
is sent or started before the master has said which of our tickets still count.
"""

import mmap
import struct
import sys
import threading
import time
from typing import Any, Callable, Optional

from .master import Stopping

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


class Moment:
    """A time that a process and those that it forks see alike."""

    def __init__(self, seconds: float) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """For all of them."""
        struct.pack_into("d", self._memory, 0, seconds)

    def get(self) -> float:
        """As somebody set it last."""
        return float(struct.unpack_from("d", self._memory)[0])

    def is_set(self) -> bool:
        """Whether it is another than 0."""
        return self.get() != 0.0


class Trust:
    """Renewed by each round of pings; it lasts as long as the lease of a ticket. Without pings it lasts for ever."""

    def __init__(self, every: float) -> None:
        """`every`: seconds between pings."""
        self._lease = 3 * every + 5 if every > 0 else float("inf")
        self.ask: Callable[[], Any] = lambda: None  # have a ping sent now
        self._word = Moment(clock())
        self._changed = threading.Condition()

    def covers(self, moment: float) -> bool:
        """Whether what the master said to a question of that moment still holds."""
        return clock() - moment < self._lease

    def holds(self) -> bool:
        """Whether one may act; if not, the master is being asked."""
        if self.covers(self._word.get()):
            return True
        self.ask()
        return False

    def renew(self, began: float) -> None:
        """The master answered a round of pings that began then, and what it called back has been dropped."""
        with self._changed:
            self._word.set(began)
            self._changed.notify_all()

    def wait(self, stopping: threading.Event) -> None:
        """Until one may act. Raises Stopping when the client ends."""
        while not self.holds():
            if stopping.is_set():
                raise Stopping()
            with self._changed:
                self._changed.wait(LOOK)
