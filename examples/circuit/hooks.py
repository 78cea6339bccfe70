"""Holds the simulated cutoff frequency of each RC low-pass against the formula."""

import math

TOLERANCE = 1e-3  # relative; what is interpolated between the 100 points a decade is well inside


def theory(task, result):
    """True, or why not: the cutoff must be 1/(2 pi R C) within 0.1 %."""
    farad = float(task.parameters["nanofarad"]) * 1e-9
    wanted = 1.0 / (2.0 * math.pi * float(task.parameters["ohm"]) * farad)
    found = float(result["cutoff"])
    if abs(found / wanted - 1.0) > TOLERANCE:
        return f"cutoff {found:g} Hz is not within {TOLERANCE:.1%} of 1/(2 pi R C) = {wanted:g} Hz"
    return True
