"""The master dies: kill -9 at a hundred points of one sweep."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from .kit import Drill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KILLS, SETS = 100, 4000
STEP, AHEAD = 19, 200  # sets from kill to kill; how far programs may be ahead: a whole answer may be lost


def test_a_master_killed_a_hundred_times_loses_and_repeats_nothing(make_drill: Callable[..., Drill]) -> None:
    drill = make_drill(sets=SETS, each=0.02, slots=4, yaml="ping: 3\ngrace: 60\n")
    chance = random.Random(20)
    for number in range(1, KILLS + 1):
        drill.open_gate(number * STEP + AHEAD)
        drill.start_run()
        if number % 4:  # in the middle of the work: programs run, end, and their results are on their way
            wait_done(drill, number, number * STEP - chance.randint(0, STEP))
        else:  # while it takes the sweep up again
            time.sleep(chance.uniform(0.2, 1.5))
        drill.assert_undone()
        drill.kill_master()
    drill.open_gate()
    drill.start_run()
    drill.end()
    again = {x: times for x, times in drill.times_begun().items() if times != 1}
    assert again == {}, "each was begun once: nothing ran again"
    drill.five_checks(f"master killed with -9 ({drill.took:.0f} s in all)", KILLS)


def wait_done(drill: Drill, number: int, count: int) -> None:
    """Until so many are done. Sets that went back to the queue stand behind others: should these all wait at the gate,
    it is opened further, but never for the last one."""
    try:
        drill.wait_done(count, 15)
    except AssertionError:
        drill.open_gate(min(number * STEP + 3 * AHEAD, SETS - 1))
        drill.wait_done(count)
