"""Attempts that have not begun and may go elsewhere: to another hand, or back to the master."""

from typing import List

from ..task.attempt import Attempt
from ..wire.master import Query
from .hands import Hands
from .prefetch import Demand
from .talker import Shared, Talker


class Recall:
    """Rounds in which all hands give back what they have not begun. Lives as long as the client.

    Nothing is given to a hand during a round: it would come back with the rest.
    """

    def __init__(self, hands: Hands, demand: Demand) -> None:
        self._hands, self._demand = hands, demand
        self._awaited = 0  # hands that have not answered yet
        self._owed = 0  # tickets that the master wants back

    def is_under_way(self) -> bool:
        """Tell whether hands are still to answer."""
        return self._awaited > 0

    def begin(self) -> None:
        """Ask the hands for what they have not begun, unless they have been asked already."""
        if not self._awaited:
            self._awaited = self._hands.tell("back")

    def owe(self, count: int) -> None:
        """Begin a round at whose end up to `count` tickets go back to the master."""
        self._demand.refuse()
        self._owed = count
        self.begin()

    def note_answer(self) -> bool:
        """Note the answer of one hand.

        Return whether it was the last, and the master is owed tickets.
        """
        self._awaited -= 1
        return not self._awaited and self._owed > 0

    def take_owed(self) -> int:
        """Return how many tickets are owed to the master, and count them as returned."""
        owed, self._owed = self._owed, 0
        return owed


class Returner(Talker):
    """A thread that gives tickets back once: they will not begin here, or do not count."""

    def __init__(self, shared: Shared, given: List[Attempt], reason: str = "") -> None:
        """Take the attempts. `reason`: why they do not count, when their programs had begun."""
        super().__init__(shared)
        self.given, self.reason = given, reason

    def talk(self) -> None:
        query: Query = [("ticket", one.task.ticket) for one in self.given]
        if query:
            self.connection.ask("/back", [*query, ("reason", self.reason)] if self.reason else query)
        # Cleared after the request: idle hosts wait for these tickets, and removing may take long.
        for one in self.given:
            one.clear()
        self.connection.close()
