"""The time that a sweep will still take, as a range.

It is pure arithmetic over the attempts that ended lately.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

FEWEST = 3  # ends before anything is foretold


def left(
    todo: int,
    ended: int,
    span: float,
    walls: Sequence[float],
    slots: int,
    pause: float = 0.0,
) -> tuple[float, float] | None:
    """Return the least and the most seconds that `todo` tasks will take.

    In the last `span` seconds `ended` tasks ended. `walls`: seconds that single tasks took. None
    while too little was seen. The count of ends is a Poisson variable, so the rate is known to
    within two of its standard deviations. At the end the sweep waits for its last task, which may
    have just begun. `slots`: tasks that run at a time. `pause`: seconds until the last set that
    failed is tried again.
    """
    if todo <= 0 or ended < FEWEST or slots < 1:
        return None
    # At most 90 %, or the lower end would be 0 after four ends.
    doubt = min(0.9, 2.0 / math.sqrt(ended))
    longest = _long(walls)
    # All that is left has begun or begins at once: the rate says nothing
    if math.ceil(todo / slots) == 1:
        middle = _mean(walls)
        high = max(middle * (1.0 + doubt), longest)
    else:
        middle = todo / (ended / span)
        high = middle * (1.0 + doubt)
    low = max(middle * (1.0 - doubt), pause)
    high = max(high, pause + _mean(walls))
    # Half of the longest time, as the last task to begin does so at an unknown moment.
    return _rounded(low), _rounded(max(low, high) + longest / 2)


def _mean(walls: Sequence[float]) -> float:
    return statistics.fmean(walls) if walls else 0.0


def _long(walls: Sequence[float]) -> float:
    """Return the seconds that nine of ten tasks stay below.

    The very longest one may be an accident.
    """
    if not walls:
        return 0.0
    return sorted(walls)[len(walls) * 9 // 10]


def _rounded(seconds: float) -> float:
    """Round to two digits: more would claim too much, and change with every look."""
    if seconds <= 0:
        return 0.0
    digits = 1 - math.floor(math.log10(seconds))
    if digits > 0:
        return round(seconds, digits)
    return float(round(seconds / 10**-digits) * 10**-digits)
