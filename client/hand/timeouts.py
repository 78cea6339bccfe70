"""The time limits of programs: TERM at the timeout, KILL a while after TERM.

Time for which this host slept, or the hand was stopped, counts for none.
"""

import time
from typing import Iterable

from ..task.attempt import Attempt

# Seconds by which a wait ends too late that show a sleep or a stop. A busy host is late by less.
ASLEEP = 2.0
AGAIN = 1.0  # seconds between two KILLs


def enforce(running: Iterable[Attempt]) -> None:
    """Send TERM or KILL to the programs whose time is up."""
    now = time.monotonic()
    for attempt in running:
        if not attempt.due or now < attempt.due:
            continue
        if attempt.kill_at:
            attempt.kill()
            attempt.kill_at = now + AGAIN
        else:
            attempt.timed_out = True
            attempt.stop()


def forgive(running: Iterable[Attempt], late: float) -> None:
    """Give programs the seconds back for which this hand, and so perhaps they, were stopped."""
    if late > ASLEEP:
        for attempt in running:
            attempt.deadline += late if attempt.deadline else 0.0
