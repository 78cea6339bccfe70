"""The number of tasks to ask the master for: the free slots, and some ahead of short tasks.

Prefetched tasks hide the way to the master. Long tasks hide it by themselves, so none is fetched
ahead of them. Of short ones so many are fetched as take about a second of each slot; the master may
call back those that have not begun.
"""

import threading
from typing import Optional, Tuple

from ..task.attempt import SHORT

SECONDS = 1.0  # seconds of work a slot, the most that is fetched ahead
MOST = 256  # tasks fetched ahead
NEAR = 0.06  # seconds of work a slot that lie ready where programs are started
# Failures in a row after which this host may be at fault. With fewer, each pair of bad parameter
# sets side by side would send all that waits here back to the master.
DOUBT = 3
# Weight of a new length in the mean: a tenth follows a sweep whose tasks become longer within some
# twenty tasks, and does not jump with each of them.
SHARE = 0.1
MOST_AT_ONCE = 1000  # tasks that a master gives to one request
MOST_UNDELIVERED = 32  # results that wait to be brought away, before no new task is taken


class Prefetch:
    """The number of tasks worth fetching ahead, judged by how long the latest ones took.

    Does no I/O.
    """

    def __init__(self, slots: int) -> None:
        self._slots, self._mean, self._failures = slots, 0.0, 0
        self._most = MOST

    def note_failure(self) -> None:
        """Count a failure. It says nothing about the length of other tasks."""
        self._failures += 1

    @property
    def is_doubtful(self) -> bool:
        """Tell whether so many tasks failed in a row that this host may be at fault.

        Other hosts should have what has not begun.
        """
        return self._failures >= DOUBT

    def note_success(self, seconds: float) -> None:
        """Take the length of a task that succeeded into the mean."""
        self._failures = 0
        self._mean = seconds if not self._mean else self._mean + SHARE * (seconds - self._mean)

    def resize(self, slots: int) -> None:
        """Note that so many tasks may run at a time from now on."""
        self._slots = slots if self._slots or slots else 0

    def limit(self, most: int) -> None:
        """Fetch at most `most` tasks ahead from now on: their files take space on the disk."""
        self._most = min(self._most, most)

    def is_quick(self) -> bool:
        """Tell whether tasks end so fast that it pays to bring their results together."""
        return 0.0 < self._mean < SHORT

    def ahead(self) -> int:
        """Return how many tasks to fetch beyond the slots; 0 while no length is known."""
        if not self._mean or self.is_doubtful:
            return 0
        return min(self._most, self._slots * int(SECONDS / self._mean))

    def near(self) -> int:
        """Return how many tasks a slot should lie ready at a hand; 0 after a failure."""
        return int(NEAR / self._mean) if self.ahead() and not self._failures else 0


class Demand:
    """The tickets that are ours, counted, and how many more are worth having.

    The loop changes the counts; the asking thread waits for a reason to ask.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._taken = 0  # tickets that have a slot, or wait for one
        self._held = 0  # tickets here, and those whose results are not delivered
        self._ahead = 0  # tasks beyond the slots that are worth having
        self._is_refused = False  # nothing is to be had ahead, until a slot is free again
        self.nothing_held, self.something_held = threading.Event(), threading.Event()
        self._changed = threading.Condition()

    def wait(self) -> Tuple[int, int]:
        """Wait until there is something to ask for.

        Return (count, how many of these only ahead of a free slot).

        Results that cannot be delivered take slots, too, in the end.
        """
        with self._changed:
            while not self._is_worth_asking():
                self._changed.wait()
            free, all_in_all = max(0, self._left(0)), self._left(self._ahead)
            self._is_refused = self._is_refused and not free
            count = min(MOST_AT_ONCE, max(free, all_in_all))
            return count, max(0, count - free)

    def _is_worth_asking(self) -> bool:
        if self._left(0) > 0:
            return True
        # Half of the prefetched tasks at once: one request for each would cost more than the prefetching saves.
        return (
            self._ahead > 0 and not self._is_refused and 2 * self._left(self._ahead) >= self._ahead
        )

    def change(self, taken: int, held: int, ahead: Optional[int] = None) -> None:
        """Count so many more (or fewer) tickets as taken and as held.

        `ahead`: how many are worth fetching ahead from now on.
        """
        with self._changed:
            self._taken += taken
            self._held += held
            if ahead is not None:
                self._ahead = ahead
            if not self._held:
                self.nothing_held.set()
                self.something_held.clear()
            elif not self.something_held.is_set():
                self.nothing_held.clear()
                self.something_held.set()
            if self._is_worth_asking():  # waking a thread costs as much as a task
                self._changed.notify()

    def resize(self, slots: int) -> None:
        """Note that so many tasks may run at a time from now on."""
        with self._changed:
            self.slots = slots
            if self._is_worth_asking():
                self._changed.notify()

    def refuse(self) -> None:
        """Ask for nothing ahead until a slot is free: other hosts need it more, or there is none."""
        with self._changed:
            self._is_refused = True

    def _left(self, ahead: int) -> int:
        return self.slots + ahead - max(self._taken, self._held - MOST_UNDELIVERED - ahead)
