"""Back-offs: tasks that wait for their next attempt until a moment, for `retry.after`. Pure; time is an argument."""

from __future__ import annotations

import heapq

LONGEST = 3600.0  # seconds of the longest back-off


def back_off(after: float, attempts: int) -> float:
    """Return the seconds between a failed attempt and the next one: `after`, doubled with each attempt.

    `attempts`: attempts that the task has used up. The master computes this anew from the stored attempts after a
    restart, and `spe why` does so without a master.
    """
    # The exponent is bounded because a float overflows at 2.0 ** 1024, and `retry` may allow more attempts.
    return min(LONGEST, after * 2.0 ** min(max(attempts, 1) - 1, 60))


class BackOffs:
    """The tasks of one board that are in back-off, each with the moment of its end."""

    def __init__(self) -> None:
        self.until: dict[int, float] = {}
        # Entries of tasks that were removed, or have another moment now, stay until they come to the top.
        self._order: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self.until)

    def __contains__(self, number: int) -> bool:
        return number in self.until

    def add(self, number: int, moment: float) -> None:
        """Let a task wait until `moment`."""
        self.until[number] = moment
        heapq.heappush(self._order, (moment, number))

    def remove(self, number: int) -> None:
        """Take a task out, if it is here."""
        self.until.pop(number, None)

    @property
    def next(self) -> float | None:
        """The moment at which the first back-off ends; None when there is none."""
        while self._order and self.until.get(self._order[0][1]) != self._order[0][0]:
            heapq.heappop(self._order)
        return self._order[0][0] if self._order else None

    def take_due(self, now: float) -> list[int]:
        """Take out the tasks whose back-off is over, and return them in the order of their moments."""
        due: list[int] = []
        while (moment := self.next) is not None and moment <= now:
            number = heapq.heappop(self._order)[1]
            del self.until[number]
            due.append(number)
        return due
