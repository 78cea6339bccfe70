"""Points of a sampler as a block of parameters.

Sobol and Halton sequences and random numbers are extended by a larger `n`: the first points stay.
A Latin hypercube of another size has other points.

Sources: SciPy's scipy.stats.qmc (Roy, Owen et al., "Quasi-Monte Carlo methods in Python", JOSS 8(84)
5309, 2023); it draws, nothing here does.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from ...config.samples import Interval, Method, SampleSpec
from ...config.sequences import shortest
from ...errors import ConfigError
from .blocks import Listed

DIGITS = 12  # of a value: the last ones of a float differ between machines


def sampled(spec: SampleSpec) -> Listed:
    """Return the points as rows. Raises ConfigError where SciPy is not installed."""
    points = _unit_points(spec)
    columns = [
        [_value(one, interval) for one in column]
        for column, interval in zip(points.T.tolist(), spec.space.values(), strict=True)
    ]
    return Listed(tuple(spec.space), list(zip(*columns, strict=True)))


def _unit_points(spec: SampleSpec) -> Any:
    """Return n points of the unit cube: a numpy array of n rows, one number from 0 to 1 a parameter."""
    try:
        import numpy  # late: both take a second, and only samplers need them
        from scipy.stats import qmc
    except ImportError as error:
        todo = "Install it beside spe: pip install 'spe[sample]', or pip install scipy."
        raise ConfigError(
            f"samplers need SciPy, and {error.name} is not here", todo=todo
        ) from error
    dimensions = len(spec.space)
    draw = numpy.random.default_rng(spec.seed)
    if spec.method is Method.RANDOM:
        return draw.random((spec.n, dimensions))
    if spec.method is Method.SOBOL:
        return _sobol(qmc, spec, draw)
    sampler = {Method.LHS: qmc.LatinHypercube, Method.HALTON: qmc.Halton}[spec.method]
    return sampler(dimensions, rng=draw).random(spec.n)


def _sobol(qmc: Any, spec: SampleSpec, draw: Any) -> Any:
    """Return the first points of a sequence; the whole power of two is drawn, of which they are."""
    # A sequence is balanced at powers of two, and SciPy warns at any other number. Whoever extends a
    # design passes through others, and its points are the same.
    power = math.ceil(math.log2(spec.n))
    points = qmc.Sobol(len(spec.space), rng=draw).random_base2(power)
    return points[: spec.n]


def _value(position: float, interval: Interval) -> str:
    """Return the number at a position from 0 to 1 of an interval."""
    low, high = interval.low, interval.high
    if interval.is_log:
        number = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
    else:
        number = low + position * (high - low)
    return rounded(min(max(number, low), high))


def rounded(number: float) -> str:
    """Return a number with DIGITS significant digits, in its shortest form."""
    return shortest(Decimal(f"{number:.{DIGITS - 1}e}"))
