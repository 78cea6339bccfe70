"""Drills 3 and 4: slots are shared as the rule's table says, and a newcomer's first task begins soon."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable

import pytest
from waiting import wait_until

from .samples import Samples
from .town import USERS, Town

LAB_HOSTS = 7
LONG = bool(os.environ.get("SPE_LONG"))
SPAN = 300.0 if LONG else 25.0  # seconds that are averaged over
SLOTS, MOST, TASK = 3, 2, 1.0  # of a host; seconds of a task
ALL = 6 * MOST
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200 if LONG else 240)]


def granted(town: Town) -> dict[str, int]:
    """Return the slots that each user's jobs have now, as the farm says."""
    found = dict.fromkeys(USERS, 0)
    for one in town.jobs().values():
        found[one["owner"]] += one["slots"]
    return found


def share_out(town: Town, who: str, priority: int = 64) -> None:
    town.submit(who, town.sweep(who, f"{who}-at-{priority}", 20_000, TASK), "--priority", str(priority))


def watch(town: Town, samples: Samples, table: dict[str, int]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mean grants and the mean running tasks of each user, once the table is nearly reached."""
    wait_until(
        lambda: all(abs(slots - table[who]) <= 1 for who, slots in granted(town).items()),
        f"slots near {table}", 60, lambda: f"{granted(town)}\n{town.story()}",
    )  # fmt: skip
    began = time.monotonic()
    seen: dict[str, list[int]] = defaultdict(list)
    while time.monotonic() - began < SPAN:
        taken = samples.count
        for who, slots in granted(town).items():
            seen[who].append(slots)
        wait_until(lambda taken=taken: samples.count > taken + 10, "time passes")
    slots = {who: sum(all_of) / len(all_of) for who, all_of in seen.items()}
    return slots, {who: samples.mean(who, began) for who in USERS}


def assert_shared(found: tuple[dict[str, float], dict[str, float]], table: dict[str, int]) -> None:
    """Check means against the table.

    Over 5 minutes they are within 10 %. In a short time a difference of one slot may stand: the rule follows it only
    after 60 s.
    """
    slots, tasks = found
    for who, wanted in table.items():
        assert abs(slots[who] - wanted) <= (0.1 * wanted if LONG else 1.0), (slots, table)
        part, due = tasks[who] / sum(tasks.values()), wanted / ALL
        assert abs(part - due) <= (0.1 * due if LONG else 1.2 / ALL), (tasks, table)


def test_slots_are_shared_as_the_table_says_and_a_newcomer_begins_soon(make_town: Callable[..., Town]) -> None:
    town = make_town(SLOTS, MOST)
    with Samples(town, MOST) as samples:
        for who in USERS[:2]:
            share_out(town, who)
        full = {USERS[0]: ALL // 2, USERS[1]: ALL // 2, USERS[2]: 0}
        wait_until(lambda: granted(town) == full, "all slots are taken", 90, lambda: f"{granted(town)}\n{town.story()}")
        folder = town.sweep("cyd", "new", 20_000, TASK)
        asked = time.monotonic()
        job = town.submit("cyd", folder)
        said = time.monotonic()
        wait_until(lambda: "cyd" in samples.first, "the newcomer's first task begins", 60, town.story)
        print(f"newcomer: first task {samples.first['cyd'] - asked:.1f} s after the command began, "
              f"{samples.first['cyd'] - said:.1f} s after it answered")  # fmt: skip
        equal = dict.fromkeys(USERS, ALL // 3)
        found = watch(town, samples, equal)
        print("equal:", equal, found)
        assert_shared(found, equal)
        town.post("cyd", f"/jobs/{job}/priority", {"priority": 80})
        raised = {"ada": ALL // 4, "ben": ALL // 4, "cyd": ALL // 2}
        found = watch(town, samples, raised)
        print("cyd at 80:", raised, found)
        assert_shared(found, raised)
    assert samples.over == []
