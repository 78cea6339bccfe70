"""The times of running programs: TERM at the timeout, KILL a while after TERM; a sleep of this host counts for none."""

import time
from typing import Iterable

from ..task.attempt import Attempt

ASLEEP = 2.0  # seconds later than awaited, after which we were stopped
AGAIN = 1.0  # seconds between two KILLs


def enforce(running: Iterable[Attempt]) -> None:
    """Send TERM or KILL to the programs that are due."""
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
    """Give programs the seconds back for which we, and so perhaps they, were stopped."""
    if late > ASLEEP:
        for attempt in running:
            attempt.deadline += late if attempt.deadline else 0.0
