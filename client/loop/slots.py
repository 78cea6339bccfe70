"""Free slots and what may be fetched ahead of them; and who waits for either."""

import threading
from typing import Optional, Tuple

MOST_AT_ONCE = 1000  # tasks that a master gives to one request
MOST_UNDELIVERED = 32  # results that wait to be brought away, before no new task is taken


class Room:
    """How many tickets are ours, and how many more are worth having."""

    def __init__(self, slots: int) -> None:
        self.slots, self.taken, self.held = slots, 0, 0
        self.ahead = 0  # how many beyond the slots are worth having
        self.refused = False  # nothing is to be had ahead, until a slot is free again
        self.nothing_held, self.something_held = threading.Event(), threading.Event()
        self._changed = threading.Condition()

    def wait(self) -> Tuple[int, int]:
        """Wait until there is something to ask for: how many, and how many of them only ahead of a free slot.

        Results that can't be brought away take room too, in the end.
        """
        with self._changed:
            while not self._is_worth_asking():
                self._changed.wait()
            free, all_in_all = max(0, self._left(0)), self._left(self.ahead)
            self.refused = self.refused and not free
            count = min(MOST_AT_ONCE, max(free, all_in_all))
            return count, max(0, count - free)

    def _is_worth_asking(self) -> bool:
        if self._left(0) > 0:
            return True
        return self.ahead > 0 and not self.refused and 2 * self._left(self.ahead) >= self.ahead

    def change(self, taken: int, held: int, ahead: Optional[int] = None) -> None:
        """So many more (or less) tickets are taken, held; so many are worth fetching ahead."""
        with self._changed:
            self.taken, self.held = self.taken + taken, self.held + held
            self.ahead = self.ahead if ahead is None else ahead
            if not self.held:
                self.nothing_held.set()
                self.something_held.clear()
            elif not self.something_held.is_set():
                self.nothing_held.clear()
                self.something_held.set()
            if self._is_worth_asking():  # waking a thread costs as much as a task
                self._changed.notify()

    def refuse(self) -> None:
        """Others need it more, or there is nothing: only a free slot is a reason to ask again."""
        with self._changed:
            self.refused = True

    def _left(self, ahead: int) -> int:
        return self.slots + ahead - max(self.taken, self.held - MOST_UNDELIVERED - ahead)
