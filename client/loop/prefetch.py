"""How much is worth fetching before a slot is free: as much as hides the way to the master, and no more.

Long tasks hide it themselves. Of short ones so many are fetched as take about a second of each slot; what is not begun
when others have nothing to do is given back. Pure: lengths come in, a number goes out.
"""
from ..task.attempt import SHORT

SECONDS = 1.0  # of work a slot, at most
MOST = 256  # tasks
NEAR = 0.06  # seconds of work a slot that lie ready where programs are started
DOUBT = 3  # failures in a row
SHARE = 0.1  # of a new length in the mean


class Pace:
    """The lengths of the tasks here, as the latest have it."""

    def __init__(self, slots: int) -> None:
        self._slots, self._mean, self._failures = slots, 0.0, 0
        self._most = MOST

    def failed(self) -> None:
        """A task failed, which says nothing about the length of others."""
        self._failures += 1

    @property
    def is_doubtful(self) -> bool:
        """So many failed in a row that it may be this host's fault: others should have what has not begun."""
        return self._failures >= DOUBT

    def note(self, seconds: float) -> None:
        """A task succeeded, and took so long."""
        self._failures = 0
        self._mean = seconds if not self._mean else self._mean + SHARE * (seconds - self._mean)

    def limit(self, most: int) -> None:
        """Fetch at most so many tasks ahead from now on, because of the room that their files take."""
        self._most = min(self._most, most)

    def is_quick(self) -> bool:
        """Whether so many end in one moment that it pays to bring them together."""
        return 0.0 < self._mean < SHORT

    def ahead(self) -> int:
        """Tasks beyond the slots; none while nothing is known."""
        if not self._mean or self.is_doubtful:
            return 0
        return min(self._most, self._slots * int(SECONDS / self._mean))

    def near(self) -> int:
        """Of these, how many a slot need not be waited for when it is free; none when the latest task has failed."""
        return int(NEAR / self._mean) if self.ahead() and not self._failures else 0
