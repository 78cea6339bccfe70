"""Reports that are held back for a moment after their program's end, while its slot already works on.

When a host is told to end (a shutdown, a walltime, a logout), TERM comes to all processes of the account, in any order.
A program may die of it before this client hears of it, and a shell that outlived its child may write half a result and
exit with 0: nobody can see that a grandchild died of a signal. So a report waits, and if TERM comes to this client
meanwhile, the attempt is lost: not accepted, not failed, not charged.
"""

import signal
import time
from typing import Any, Callable, Iterator, List, Optional

from ..task.attempt import Attempt

LONGEST, SHARE = 2.0, 0.05  # seconds; of the run time
BRIEF = 0.002  # seconds that are not worth telling the client of a free slot beforehand
ENDING = frozenset([signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
CRASHES = frozenset([signal.SIGSEGV, signal.SIGABRT])  # nobody sends these to end a host
SHELL = 128  # a shell says by this and more that its command died of a signal


def hold_time(attempt: Attempt) -> float:
    """Return the seconds for which the report of an attempt that has just ended is held back."""
    code = attempt.exit_code
    if not code:
        return min(LONGEST, SHARE * float(attempt.usage["wall"]))
    number = -code if code < 0 else code - SHELL
    if number in ENDING and not attempt.kill_at:  # else it was us who ended it
        return LONGEST
    if code < 0 and number in CRASHES:
        return 0.0
    return min(LONGEST, SHARE * float(attempt.usage["wall"]))


class HeldReports:
    """Attempts that have ended and that the client has not been told of, each with the time at which it may be."""

    def __init__(self) -> None:
        self.fresh: List[Attempt] = []  # the client does not even know that their slots are free
        self.held: List[Attempt] = []

    def __bool__(self) -> bool:
        return bool(self.fresh or self.held)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.fresh + self.held)

    def due(self) -> Optional[float]:
        """Return the monotonic time at which the next one may be told; None when there is none."""
        return min(one.tell_at for one in self) if self else None

    def tell(self, say: Callable[[str, Any], None]) -> None:
        """Say what may be told by now; of the others, once, that their slots are free."""
        now = time.monotonic()
        waiting = [one for one in self.fresh if one.tell_at > now and not one.dropped]
        ripe = [one for one in self.fresh if one not in waiting] if waiting else self.fresh
        self.fresh = [one for one in waiting if one.tell_at - now <= BRIEF]
        if self.held:
            ripe = ripe + [one for one in self.held if one.tell_at <= now or one.dropped]
            self.held = [one for one in self.held if one not in ripe]
        if waiting:
            held = [one for one in waiting if one not in self.fresh]
            self.held += held
            if held:
                say("ended", [one.ending_told() for one in held])
        if ripe:
            say("done", [one.told() for one in ripe])

    def tell_all(self, say: Callable[[str, Any], None]) -> None:
        """Say all at the end of the hand. Where it ends with its host, the client knows that they count for nothing."""
        for one in self:
            one.tell_at = 0.0
        self.tell(say)
