"""How long the farm's rule takes: 1,000 slots dealt to 200 jobs of 50 users, beside one sort of the jobs by claim.

    python bench/dealing.py [--seed N]

The floor is a sort of the same jobs by the claim of their next slot, computed as the rule does: boost of the priority,
age, cores. Both are timed in turns; the medians and their ratio are printed. Wanted: at most 20.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

from spe.pool.deal.asks import Host, Job, User
from spe.pool.deal.rule import deal
from spe.pool.deal.weights import age, boost

TURNS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    chance = random.Random(parser.parse_args().seed)
    users = [User(f"u{number:02}") for number in range(50)]
    jobs = [job(number, chance) for number in range(200)]
    for name, hosts in (
        ("20 hosts of 50 slots", [Host(f"h{number:02}", 50) for number in range(20)]),
        ("1,000 hosts of one slot", [Host(f"h{number:04}", 1) for number in range(1000)]),
    ):
        deals: list[float] = []
        sorts: list[float] = []
        for _ in range(TURNS):
            deals.append(seconds(lambda: deal(users, jobs, hosts)))  # noqa: B023
            sorts.append(seconds(lambda: sorted(jobs, key=claim)))
        one, floor = statistics.median(deals), statistics.median(sorts)
        print(f"{name}: {one * 1000:.2f} ms; one sort: {floor * 1000:.3f} ms; {one / floor:.1f} times")


def job(number: int, chance: random.Random) -> Job:
    priority = chance.randrange(128)
    return Job(number, f"u{number % 50:02}", boost(priority), 1.0, priority, number, wants=1000)


def claim(one: Job) -> tuple[float, int, int]:
    """The claim of the job's first slot, and what decides between equal ones."""
    return (one.needs.cores / (boost(one.priority) * age(0.0)), -one.priority, one.order)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
