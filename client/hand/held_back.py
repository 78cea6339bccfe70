"""Reports that are held back for a moment after the end of a program. Its slot already works on.

When a host is told to end (a shutdown, a walltime, a logout), TERM comes to all processes of the
account, in any order. A program may die of it before this client hears of it, and a shell that
outlived its child may write half a result and exit with 0: nobody can see that a grandchild died of
a signal. So a report waits, and if TERM comes to this client meanwhile, the attempt is lost: not
accepted, not failed, not charged.
"""

import signal
import time
from typing import Any, Callable, Iterator, List, Optional, Tuple

from ..task.attempt import Attempt

LONGEST = 2.0  # seconds for which a report is held back at most
# Part of the run time for which it is held back: a task of 10 ms must not wait for half a second.
SHARE = 0.05
# Seconds that are too short for a message of their own about the free slot.
BRIEF = 0.002
ENDING = frozenset([signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
CRASHES = frozenset([signal.SIGSEGV, signal.SIGABRT])  # a host that ends sends other signals
SHELL = 128  # a shell says by this and more that its command died of a signal


def hold_time(attempt: Attempt) -> float:
    """Return the seconds for which the report of an attempt that has just ended is held back."""
    code = attempt.exit_code
    if not code:
        return min(LONGEST, SHARE * float(attempt.usage["wall"]))
    number = -code if code < 0 else code - SHELL
    if number in ENDING and not attempt.kill_at:  # kill_at: this hand has ended it
        return LONGEST
    if code < 0 and number in CRASHES:
        return 0.0
    return min(LONGEST, SHARE * float(attempt.usage["wall"]))


def _sorted_out(attempts: List[Attempt], now: float) -> Tuple[List[Attempt], List[Attempt]]:
    """Return (those that may be told now, those that may not)."""
    waiting = [one for one in attempts if one.tell_at > now and not one.dropped]
    if not waiting:
        return attempts, waiting
    return [one for one in attempts if one not in waiting], waiting


class HeldReports:
    """The attempts of a hand that have ended and of which the client does not know all."""

    def __init__(self) -> None:
        self.fresh: List[Attempt] = []  # the client does not even know that their slots are free
        self.held: List[Attempt] = []  # the client knows that, and waits for what came of them

    def __bool__(self) -> bool:
        return bool(self.fresh or self.held)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.fresh + self.held)

    def due(self) -> Optional[float]:
        """Return the monotonic time at which the next one may be told; None when there is none."""
        return min(one.tell_at for one in self) if self else None

    def tell(self, say: Callable[[str, Any], None]) -> None:
        """Say what may be told by now; of the other attempts, once, that their slots are free."""
        now = time.monotonic()
        ripe, waiting = _sorted_out(self.fresh, now)
        self.fresh = []
        if self.held:
            ripe_now, self.held = _sorted_out(self.held, now)
            ripe = ripe + ripe_now
        if waiting:
            self.fresh = [one for one in waiting if one.tell_at - now <= BRIEF]
            held = [one for one in waiting if one not in self.fresh]
            self.held += held
            if held:
                say("ended", [one.ending_told() for one in held])
        if ripe:
            say("done", [one.told() for one in ripe])

    def tell_all(self, say: Callable[[str, Any], None]) -> None:
        """Say all at the end of the hand.

        Where the hand ends with its host, the client knows that its reports count for nothing.
        """
        for one in self:
            one.tell_at = 0.0
        self.tell(say)
