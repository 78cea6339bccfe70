"""How long a sweep will still take, as a range. Pure arithmetic over what was seen of late."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

FEWEST = 3  # ends before anything is foretold


def left(todo: int, ended: int, span: float, walls: Sequence[float], slots: int) -> tuple[float, float] | None:
    """The least and the most seconds for `todo` tasks, when `ended` ended in the last `span` seconds.

    `walls`: seconds that single tasks took. None while too little was seen. So many ends tell the rate to within two
    standard deviations of a count; and in the end one waits for the last task, which may have just begun.
    """
    if todo <= 0 or ended < FEWEST or slots < 1:
        return None
    rate = ended / span
    doubt = min(0.9, 2.0 / math.sqrt(ended))
    longest = _long(walls)
    begun_together = math.ceil(todo / slots) == 1
    middle = (statistics.fmean(walls) if walls else 0.0) if begun_together else todo / rate
    low = middle * (1.0 - doubt)
    return _rounded(low), _rounded(max(low, middle * (1.0 + doubt), longest if begun_together else 0.0) + longest / 2)


def _long(walls: Sequence[float]) -> float:
    """What nine of ten tasks stay below."""
    return sorted(walls)[len(walls) * 9 // 10] if walls else 0.0


def _rounded(seconds: float) -> float:
    """To two digits: more would claim too much, and change with every look."""
    if seconds <= 0:
        return 0.0
    digits = 1 - math.floor(math.log10(seconds))
    return round(seconds, digits) if digits > 0 else float(round(seconds / 10**-digits) * 10**-digits)
