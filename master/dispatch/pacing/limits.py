"""Limits on a run's tickets: how many are out at a time (`at_once`, `licences`), how fast they follow (`delay`).

Pure; time is an argument. A ticket counts from its hand-out to its end. A client with a limited run prefetches
nothing, so each ticket that is out has begun, or begins at once.
"""

from __future__ import annotations

from ...text import seconds
from ..clients import Occupancy
from ..rules import Rules


class Limits:
    """The limits of one run, and the time of its latest hand-out."""

    def __init__(self, rules: Rules, occupancy: Occupancy) -> None:
        self._rules, self._occupancy = rules, occupancy
        caps = [licence.tasks for licence in rules.licences]
        if rules.at_once:
            caps.append(rules.at_once)
        self.most: int | None = min(caps, default=None)  # tickets that may be out; None: any number
        self.is_set = self.most is not None or rules.delay > 0
        self._last_start: float | None = None

    def room(self, now: float) -> int | None:
        """Return how many tickets may be handed out now; None for any number.

        More tickets than allowed may be out when a host that was taken for lost is heard again. Its programs run, so
        they count, and nothing is handed out until enough of them have ended.
        """
        room = None
        if self.most is not None:
            room = max(0, self.most - self._occupancy.out)
        if self._rules.delay:
            may_start = int(now >= self.next_start)
            room = may_start if room is None else min(room, may_start)
        return room

    @property
    def next_start(self) -> float:
        """The earliest moment at which `delay` allows the next start, on the clock of the dispatch."""
        if self._last_start is None:
            return 0.0
        return self._last_start + self._rules.delay

    def started(self, now: float) -> None:
        """Note that a ticket was handed out at `now`, by this master or by the one before it."""
        self._last_start = now

    def waits_for(self, now: float) -> str:
        """Return what waiting sets wait for, in words that follow "wait for"; "" when one may begin now."""
        out = self._occupancy.out
        for licence in self._rules.licences:
            if out >= licence.tasks:
                in_use = out * licence.takes
                return f"a licence of {licence.name}: {in_use} of {licence.of} in use"
        if self._rules.at_once and out >= self._rules.at_once:
            return f"another set to end: {out} run, and at_once is {self._rules.at_once}"
        if self._rules.delay and now < self.next_start:
            return f"its turn: a set begins every {seconds(self._rules.delay)} (delay)"
        return ""
