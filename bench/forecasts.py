"""Longest first and the expected end, over simulated sweeps through the dispatch as it is, in virtual time.

    python bench/forecasts.py [SWEEPS] [SLOTS]

For each kind of lengths it prints the makespan as a multiple of that in the order as given (the middle, the 90th of a
hundred, the worst), in how many sweeps it changed, and how often the range of the expected end held.
"""

from __future__ import annotations

import random
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from dispatch.simulated_sweeps import GAINS, KEEPS, START, Sweep, makespan
from spe.dispatch.dispatch import Dispatch
from spe.state.document import Picture


def main(sweeps: int = 100, slots: int = 16) -> None:
    """Print a line for each kind."""
    print(f"{sweeps} sweeps each, {5 * slots} sets in {slots} slots")
    print(f"{'':36} {'middle':>7} {'90 %':>7} {'worst':>7} {'changed':>8} {'range held':>11}")
    for kind, make in {**GAINS, **KEEPS}.items():
        ratios, held = [], []
        for number in range(sweeps):
            sweep = make(random.Random(number), slots)
            took = ordered(sweep, held)
            ratios.append(took / makespan(sweep, longest_first=False))
        ratios.sort()
        changed = sum(one != 1.0 for one in ratios)
        figures = f"{statistics.median(ratios):7.3f} {ratios[int(0.9 * sweeps)]:7.3f} {ratios[-1]:7.3f}"
        share = f"{sum(held) / len(held):11.2f}" if held else f"{'-':>11}"
        print(f"{kind:36} {figures} {changed:8} {share}", flush=True)


def ordered(sweep: Sweep, held: list[bool]) -> float:
    """Run a sweep longest first; note whether the expected end held after a quarter, half and three quarters."""
    count = len(sweep.values)
    seen: list[tuple[float, float, float]] = []

    def look(now: float, dispatch: Dispatch, ended: int) -> None:
        if ended in (count // 4, count // 2, 3 * count // 4):
            left = Picture("s", dispatch, 0.0, 0.0).draw(START + now)["sweep"].get("left")
            if left:
                seen.append((*left, now))

    end = makespan(sweep, longest_first=True, look=look)
    held += [least <= end - now <= most for least, most, now in seen]
    return end


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
