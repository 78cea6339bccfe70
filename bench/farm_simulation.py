"""The farm over simulated hours: who waits how long, what starts of clients bring, how often slots move.

    python bench/farm_simulation.py [SEEDS] [HOURS]

The heart of the farm, its ledger and its rule are the real ones; masters, hosts and time are
pretended (tests/pool/simulated_*.py). Users come by chance, with jobs of short tasks, of
minutes, of up to ten hours, of both, and crowds of single tasks, at priorities from 0 to 127. Hosts go and come back,
and people sit down at them.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from pool.simulated_arrivals import HOUR, habits
from pool.simulated_hours import Hours
from pool.simulated_seen import Seen


def main(seeds: int = 20, hours: float = 6.0) -> None:
    for seed in range(seeds):
        began = time.process_time()
        seen = chance(seed, hours)
        print(seed, line(seen), f"{time.process_time() - began:.0f} s", flush=True)


def chance(seed: int, hours: float) -> Seen:
    """A farm whose users and hosts are drawn by this seed."""
    draw = random.Random(seed)
    hosts = {f"h{number}": draw.choice([4, 8, 16]) for number in range(draw.randint(3, 10))}
    everybody = habits(draw, draw.randint(3, 10))
    arrivals = [one for habit in everybody for one in habit.arrivals(draw, hours * HOUR)]
    return Hours(hosts, {habit.owner for habit in everybody}, arrivals, seed).run(hours * HOUR)


def line(seen: Seen) -> str:
    """What was seen, in a line."""
    worst = seen.longest()
    excess = max((wait.excess for wait in seen.waits), default=0.0)
    minutes = seen.seconds / 60
    words = [
        f"used {seen.used / max(1, seen.usable):.3f}",
        f"starts {len(seen.starts())}, in vain {seen.in_vain():.2f}",
        f"of jobs of a minute and more {len(seen.starts(60))}, in vain {seen.in_vain(60):.2f}",
        f"a minute: changes {seen.changes / minutes:.1f}, slots {seen.moved / minutes:.1f}",
        f"swings {seen.swings / minutes:.2f}",
        f"beyond paper and one task {excess:.0f} s",
    ]
    if worst:
        words.append(f"longest wait {worst.seconds:.0f} s, on paper {worst.on_paper:.0f}, priority {worst.priority}")
    return "; ".join(words)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
