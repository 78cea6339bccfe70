"""Lengths of sets of which some have not ended yet: censored samples, in logarithms. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def redistributed(
    ended: Sequence[float], least: Sequence[float]
) -> tuple[list[float], list[float], float]:
    """Return the errors in ascending order, the share of each, and the share of those beyond all of them.

    `ended`: errors of sets that ended. `least`: what the error of each set that runs is at least.

    What runs has not ended, and tells that its set is no shorter. Without it, long sets would be missed: short ones
    end first. Its share goes to all that are longer (Efron's redistribution, which makes the Kaplan-Meier estimate).
    """
    errors = sorted(ended)
    shares = [1.0] * len(errors)
    place, given = 0, 0.0  # the first error that is longer; what each of those has got so far
    beyond = 0.0
    for one in sorted(least):
        while place < len(errors) and errors[place] <= one:
            shares[place] += given
            place += 1
        if place == len(errors):
            beyond += 1.0 + given
        else:
            given += (1.0 + given) / (len(errors) - place)
    for rest in range(place, len(errors)):
        shares[rest] += given
    return errors, shares, beyond


def spread(errors: Sequence[float]) -> float:
    """Return the standard deviation of logarithms, or of the seconds as a share of their mean if it is less.

    Logarithms of very short sets spread far, and matter to no sum of seconds.
    """
    lengths = [math.exp(error) for error in errors]
    deviations = []
    for values, unit in ((errors, 1.0), (lengths, math.fsum(lengths) / len(lengths))):
        mean = math.fsum(values) / len(values)
        squares = math.fsum((one - mean) ** 2 for one in values)
        deviations.append(math.sqrt(squares / max(1, len(values) - 1)) / unit)
    return min(deviations)
