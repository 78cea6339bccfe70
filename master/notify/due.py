"""Decides which messages are due, from what a run looks like and from what was sent. Pure.

Each message is sent once a run. A run that goes on after its master was killed is the same run: so
what was sent is stored. It is another run when people began it: with `spe retry`, or with new sets
after the message that all were done.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..record import record
from .address_book import Target

SLOW = 10.0  # times the mean of the attempts: while sets run, nothing ends for so long
GAP = 5.0  # seconds between two looks that count at most: the master may have been suspended


@record
class Sight:
    """A run at one moment."""

    left: int  # sets that wait or run
    running: int
    moves: int  # attempts that began and attempts that ended: a number that grows
    mean: float  # seconds of an attempt that has ended; 0 before the first end
    failed: int  # sets that have failed for good in this run
    is_quiet_for_good_reason: bool  # it is paused, or its sets wait for their next attempt
    gave_up: bool  # it hands out nothing more, and nobody has told it so


@record
class Due:
    """A message that is due."""

    event: str
    target: Target

    @property
    def key(self) -> str:
        """The key under which the store remembers it."""
        return f"{self.event} {self.target.address.name}"


class Decider:
    """What is due in one run. `marked`: keys of messages that were due before its master was killed."""

    def __init__(self, targets: Iterable[Target], marked: Iterable[str] = ()) -> None:
        self._targets = _merged(targets)
        self.marked = set(marked)
        self._moves = -1
        self._quiet = 0.0  # seconds without a move
        self._looked: float | None = None

    def begin_anew(self) -> bool:
        """Forget what is marked where all was said to be done: new sets make it another run."""
        over = any(one.startswith("done ") for one in self.marked)
        if over:
            self.marked.clear()
        return over

    def look(self, now: float, sight: Sight) -> list[Due]:
        """Return what is due now, and mark it. `now`: monotonic seconds."""
        self._count_quiet(now, sight)
        found: list[Due] = []
        if sight.failed:
            found += self._mark("first_failure")
        if sight.gave_up and sight.left > sight.running:
            found += self._mark("given_up")
        elif sight.left and not sight.gave_up:
            found += self._mark("stalled", (one for one in self._targets if self._is_stalled(one, sight)))
        return found

    def end(self, left: int, has_worked: bool, by_people: bool) -> list[Due]:
        """Return what is due at the end of a run, and mark it.

        `has_worked`: it had something to do. `by_people`: somebody has told it to end, and knows what is left.
        """
        if not has_worked or (by_people and left):
            return []
        return self._mark("given_up" if left else "done")

    def _count_quiet(self, now: float, sight: Sight) -> None:
        if sight.moves != self._moves or sight.is_quiet_for_good_reason or self._looked is None:
            self._moves, self._quiet = sight.moves, 0.0
        else:
            self._quiet += min(GAP, now - self._looked)
        self._looked = now

    def _is_stalled(self, target: Target, sight: Sight) -> bool:
        if not sight.running:
            return self._quiet >= target.after
        # Sets that take long are no trouble: how long they may take is known from the others.
        return sight.mean > 0 and self._quiet >= max(target.after, SLOW * sight.mean)

    def _mark(self, event: str, targets: Iterable[Target] | None = None) -> list[Due]:
        found = []
        for one in self._targets if targets is None else targets:
            due = Due(event, one)
            if event in one.on and due.key not in self.marked:
                self.marked.add(due.key)
                found.append(due)
        return found


def _merged(targets: Iterable[Target]) -> list[Target]:
    """Return one target a name: somebody may be named twice, for other events."""
    found: dict[str, Target] = {}
    for one in targets:
        known = found.get(one.address.name)
        if known:
            after = min(known.after, one.after)
            on = tuple(dict.fromkeys((*known.on, *one.on)))
            one = Target(one.address, on, after)
        found[one.address.name] = one
    return list(found.values())
