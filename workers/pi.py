#!/usr/bin/env python3
"""Estimate pi by throwing points at the unit square: the worker of the shipped sweep.

An ordinary command line program that knows nothing of spe: options in, one number out. Any Python
from 3.6 on, standard library only. The same samples and seed give the same estimate on every machine.
"""

import argparse
import random


def estimate(samples, seed):
    """Four times the share of random points that fall into the quarter circle."""
    throw = random.Random(seed).random
    inside = 0
    for _ in range(samples):
        x, y = throw(), throw()
        inside += x * x + y * y < 1.0
    return 4.0 * inside / samples


def count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more, not " + text)
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=count, required=True, help="points to throw")
    parser.add_argument("--seed", type=int, required=True, help="seed of the random numbers")
    options = parser.parse_args()
    print(repr(estimate(options.samples, options.seed)))


if __name__ == "__main__":
    main()
