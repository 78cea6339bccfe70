#!/usr/bin/env python3
"""Fit y = b1 * (1 - exp(-b2 * x)) to a data file by least squares, from given starting values.

The plain Gauss-Newton method, without damping, on purpose: from a bad start it runs away, and which
starts are bad is the question. Prints one JSON object and exits with 0 in either case, because "it
does not converge from here" is an answer. Any Python from 3.6 on, standard library only.
"""

import argparse
import json
import math

TOLERANCE = 1e-10  # relative size of a step that counts as arrived
MOST_STEPS = 200


def read(path):
    """The pairs (y, x) of a data file, in NIST's order of the columns."""
    with open(path) as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [(float(y), float(x)) for y, x in rows]


def sum_of_squares(data, b1, b2):
    return sum((y - b1 * (1.0 - math.exp(-b2 * x))) ** 2 for y, x in data)


def step(data, b1, b2):
    """The Gauss-Newton step from (b1, b2): the linear least-squares problem, by its normal equations."""
    s11 = s12 = s22 = g1 = g2 = 0.0
    for y, x in data:
        decay = math.exp(-b2 * x)
        d1, d2, residual = 1.0 - decay, b1 * x * decay, y - b1 * (1.0 - decay)
        s11, s12, s22 = s11 + d1 * d1, s12 + d1 * d2, s22 + d2 * d2
        g1, g2 = g1 + d1 * residual, g2 + d2 * residual
    determinant = s11 * s22 - s12 * s12
    return (s22 * g1 - s12 * g2) / determinant, (s11 * g2 - s12 * g1) / determinant


def fit(data, b1, b2):
    """Where the iteration ends: converged, or at the last point whose sum of squares was a number."""
    rss = sum_of_squares(data, b1, b2)
    for steps in range(1, MOST_STEPS + 1):
        try:
            d1, d2 = step(data, b1, b2)
            ahead = sum_of_squares(data, b1 + d1, b2 + d2)
        except (OverflowError, ZeroDivisionError):
            return answer(False, b1, b2, rss, steps)
        if not math.isfinite(ahead):
            return answer(False, b1, b2, rss, steps)
        b1, b2, rss = b1 + d1, b2 + d2, ahead
        if abs(d1) <= TOLERANCE * abs(b1) and abs(d2) <= TOLERANCE * abs(b2):
            return answer(True, b1, b2, rss, steps)
    return answer(False, b1, b2, rss, MOST_STEPS)


def answer(converged, b1, b2, rss, steps):
    return {"converged": "yes" if converged else "no", "b1": b1, "b2": b2, "rss": rss, "steps": steps}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--b1", type=float, required=True, help="where to start")
    parser.add_argument("--b2", type=float, required=True, help="where to start")
    parser.add_argument("data", help="lines of 'y x', # begins a comment")
    options = parser.parse_args()
    print(json.dumps(fit(read(options.data), options.b1, options.b2)))


if __name__ == "__main__":
    main()
