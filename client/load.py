"""What others do on this host: the 1-minute load, our own tasks not counted."""

import math
import os
import time
from typing import Callable, Optional

MINUTE = 60.0


def system_load() -> Optional[float]:
    """The 1-minute load; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


class Load:
    """The kernel forgets its load over a minute; what our own tasks added is forgotten here as slowly."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._at = clock, clock()
        self._own = 0.0

    def note(self, busy: int) -> None:
        """From the last note until now so many cores were busy with our tasks."""
        now = self._clock()
        kept = math.exp(-(now - self._at) / MINUTE)
        self._own, self._at = self._own * kept + busy * (1.0 - kept), now

    def of_others(self, total: Optional[float]) -> Optional[float]:
        """What of a total load is not ours; None when the total is unknown."""
        return None if total is None else max(0.0, total - self._own)
