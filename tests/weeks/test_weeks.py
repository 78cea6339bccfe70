"""Random weeks of a user, with real processes: after each run the table says what the oracle says.

`tests/run` plays WEEKS of them from a new seed that it prints, `tests/run --long` plays LONG. A failure names its seed,
and `python tests/weeks/play.py SEED --shrink` finds the acts that matter.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from .summary import KEY
from .week import ALL, Week, week

WEEKS, LONG = 6, 60
COUNT = LONG if os.environ.get("SPE_LONG") else WEEKS
WITHOUT = frozenset(filter(None, os.environ.get("SPE_WEEKS_WITHOUT", "").split(",")))


def first_seed() -> int:
    """tests/run chooses one for all processes of the suite."""
    return int(os.environ.get("SPE_WEEKS_SEED") or secrets.randbelow(10**8))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(COUNT))
def test_all_rows_are_true_after_each_run(tmp_path: Path, number: int, request: pytest.FixtureRequest) -> None:
    assert not WITHOUT - set(ALL), f"SPE_WEEKS_WITHOUT: there are {', '.join(ALL)}"
    seed = first_seed() + number
    acts = week(seed, WITHOUT)
    again = f"SPE_WEEKS_SEED={seed} tests/run tests/weeks -k '[0]'"
    print(f"this week again: {again}\nshrink it: .venv-tests/bin/python tests/weeks/play.py {seed} --shrink")
    made = Week(tmp_path, seed, WITHOUT)
    try:
        made.play(acts)
    finally:
        made.project.close()
    request.node.user_properties.append((KEY, made.figures(seed)))


@pytest.mark.parametrize("seed", range(20))
def test_a_week_has_at_least_ten_acts_and_three_runs(seed: int) -> None:
    acts = week(seed)
    runs = [act for act in acts if act.name == "run"]
    assert len(runs) >= 3 and len(acts) >= 10 + 1
    assert week(seed) == acts, "a seed is a week"
