"""The farm over simulated hours: nobody starves, and slots move when users come, not to and fro."""

from __future__ import annotations

import random

from .simulated_arrivals import Arrival
from .simulated_hours import Hours

TEN = 10.0  # seconds of a task


def sweep(chance: random.Random, owner: str, at: float = 0.0) -> Arrival:
    """A job of more tasks of ten seconds than can be done."""
    return Arrival(at, owner, 64, "ten", [TEN * chance.uniform(0.9, 1.1) for _ in range(9999)])


def test_a_third_user_gets_an_equal_share_soon_and_then_nothing_moves() -> None:
    chance = random.Random(20)
    arrivals = [sweep(chance, "ada"), sweep(chance, "ben"), sweep(chance, "cyd", 300.0)]
    hours = Hours({"h": 20, "g": 20}, ["ada", "ben", "cyd"], arrivals, 20, unrest=0.0)
    seen = hours.run(900.0)
    waited = seen.longest()
    assert waited is not None and waited.seconds < TEN + 5, waited
    mean = {user: seconds / 900 for user, seconds in seen.by_user.items()}
    assert mean["cyd"] * 900 / 600 > 12, mean
    assert seen.changes < 60 and not seen.swings, (seen.changes, seen.swings)
    assert seen.used > 0.97 * seen.usable
