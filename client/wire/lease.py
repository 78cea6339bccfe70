"""The lease: how long the master's last word about our tickets holds.

This host may have slept, the client been stopped, the link been cut: then others may have done our
tasks. So after a longer silence nothing is sent or started before the master has said which of our
tickets still count.
"""

import mmap
import struct
import sys
import threading
import time
from typing import Optional

from .master import Stopping

LOOK = 0.2  # seconds between looks of those who wait
# Number of CLOCK_BOOTTIME in Linux. time.monotonic was rejected: it stands still while the host
# sleeps, and a laptop that wakes up would believe that its tickets still count.
_NUMBER = 7  # Python has the name since 3.7 only


def boot_clock() -> Optional[int]:
    """Return the number of the clock that also goes while this host sleeps; None without one."""
    number: Optional[int] = getattr(
        time, "CLOCK_BOOTTIME", _NUMBER if sys.platform.startswith("linux") else None
    )
    try:
        if number is not None:
            time.clock_gettime(number)
    except OSError:  # a kernel older than this clock
        return None
    return number


_BOOTTIME = boot_clock()


def clock() -> float:
    """Return a time in seconds that also pass while this host sleeps."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


class SharedTime:
    """A time that a process and those that it forks see alike: one number in shared memory."""

    def __init__(self, seconds: float) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Set it, for all of these processes."""
        struct.pack_into("d", self._memory, 0, seconds)

    def get(self) -> float:
        """Return it as one of these processes has set it last."""
        return float(struct.unpack_from("d", self._memory)[0])

    def is_set(self) -> bool:
        """Tell whether it is another than 0."""
        return self.get() != 0.0


class Lease:
    """The time for which this client may act on the master's last word: that of a ticket's lease.

    It is renewed by each round of pings. A client that does not ping has a lease without end. Hands
    are forked from the client and see each renewal; only the client itself can request one.
    """

    def __init__(self, every: float) -> None:
        """Begin a lease now. `every`: seconds between pings, 0 for none."""
        self._seconds = 3 * every + 5 if every > 0 else float("inf")
        self._renewed = SharedTime(clock())  # time at which the latest answered round of pings began
        self._changed = threading.Condition()
        self._requested = threading.Event()  # the next ping need not wait for its time

    def covers(self, moment: float) -> bool:
        """Tell whether the answer to a question of that clock time still holds."""
        return clock() - moment < self._seconds

    def holds(self) -> bool:
        """Tell whether the client may act; if not, a renewal is requested."""
        if self.covers(self._renewed.get()):
            return True
        self._requested.set()
        return False

    def request_renewal(self) -> None:
        """Have the next ping sent at once: something has changed."""
        self._requested.set()

    def wait_for_request(self, seconds: float) -> bool:
        """Wait until a renewal is requested; False when none was within so many seconds.

        Only the pinging thread waits here.
        """
        if not self._requested.wait(seconds):
            return False
        self._requested.clear()
        return True

    def renew(self, began: float) -> None:
        """Renew the lease by a round of pings that began at this clock time and was answered.

        Whatever the master called back in it must have been dropped.
        """
        with self._changed:
            self._renewed.set(began)
            self._changed.notify_all()

    def wait(self, stopping: threading.Event) -> None:
        """Wait until the client may act. Raises Stopping when the client ends."""
        while not self.holds():
            if stopping.is_set():
                raise Stopping()
            with self._changed:
                self._changed.wait(LOOK)
