"""How much is worth fetching before a slot is free: as much as hides the way to the master, and no more.

Long tasks hide it themselves. Of short ones so many are fetched as take about a second of each slot; what is not begun
when others have nothing to do is given back. Pure: lengths come in, a number goes out.
"""

SECONDS = 1.0  # of work a slot, at most
MOST = 256  # tasks
GATHER = 0.03  # seconds in which results of shorter tasks gather
SHARE = 0.1  # of a new length in the mean


class Pace:
    """The lengths of the tasks here, as the latest have it."""

    def __init__(self, slots: int) -> None:
        self._slots, self._mean = slots, 0.0

    def note(self, seconds: float) -> None:
        """A task took so long."""
        self._mean = seconds if not self._mean else self._mean + SHARE * (seconds - self._mean)

    def stop(self) -> None:
        """These tasks are too much to lie here: nothing is fetched ahead any more."""
        self._slots = 0

    def is_quick(self) -> bool:
        """Whether so many end in one moment that it pays to bring them together."""
        return 0.0 < self._mean < GATHER

    def ahead(self) -> int:
        """Tasks beyond the slots; none while nothing is known."""
        if not self._mean:
            return 0
        return min(MOST, self._slots * int(SECONDS / self._mean))
