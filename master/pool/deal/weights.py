"""Weights of jobs and users: priority, recent use, and time without a slot."""

from __future__ import annotations

import math
from collections.abc import Mapping

DEFAULT_PRIORITY, MOST_PRIORITY = 64, 127
DOUBLES_EVERY = 16  # steps of priority by which a job counts twice as much
HALF_LIFE = 86_400.0  # seconds after which use counts half
MOST_AGE = 32.0


def boost(priority: int) -> float:
    """Return the weight of a priority from 0 to 127, which is also the price of its slot-seconds.

    64 counts 1, 80 counts 2, 96 counts 4, 0 counts a sixteenth.
    """
    return math.exp2((priority - DEFAULT_PRIORITY) / DOUBLES_EVERY)


def age(seconds: float) -> float:
    """Return the weight of this time in which a slot could have been used and none was there.

    It grows by 1 an hour, from 1 up to 32.
    """
    return min(MOST_AGE, 1.0 + max(0.0, seconds) / 3600.0)


def decayed(used: float, seconds: float, half_life: float = HALF_LIFE) -> float:
    """Return what is left of `used` slot-seconds after this time. A clock set back changes nothing."""
    return used * math.exp2(-max(0.0, seconds) / half_life)


def expected_use(
    capacity: float, shares: Mapping[str, float], half_life: float = HALF_LIFE
) -> dict[str, float]:
    """Return each user's use, in decayed slot-seconds, had he always had just his share.

    capacity: slots of all hosts. It is the sum of the series: slots times the mean life of a
    second of use.
    """
    total = sum(shares.values()) or 1.0
    mean_life = half_life / math.log(2.0)
    return {name: capacity * mean_life * share / total for name, share in shares.items()}


def fairness(used: float, expected: float) -> float:
    """Return the weight of a user's recent use: 1 for none, 1/2 for just his share."""
    return 1.0 / (1.0 + used / expected) if expected > 0 else 1.0
