"""Drill 5: farm, delegates, masters and hosts are killed in random order, and no job and no result is lost."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest
from lab import people
from waiting import wait_until

from .samples import Samples
from .town import MOST, PEOPLE, USERS, Town

LAB_HOSTS = 7
LONG = bool(os.environ.get("SPE_LONG"))
KILLS = 100 if LONG else 10
SETS, TASK = 150, 0.5
KINDS = ("farm", "delegate", "master", "host")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 290)]


class Work:
    """The jobs of all users: whoever has none submits another one."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.jobs: dict[int, tuple[str, str]] = {}  # number -> owner, name

    def unfinished(self) -> dict[int, tuple[str, str]]:
        """Return the jobs without results yet."""
        return {number: job for number, job in self.jobs.items() if not self.town.results(*job).exists()}

    def refill(self) -> None:
        """Submit a job of each user who has none."""
        busy = {who for who, _ in self.unfinished().values()}
        for who in USERS:
            if who not in busy:
                name = f"{who}{len(self.jobs)}"
                number = self.town.submit(who, self.town.sweep(who, name, SETS, TASK))
                self.jobs[number] = who, name


def kill(town: Town, work: Work, kind: str, chance: random.Random) -> None:
    """Kill one process, or all of a host, and have started again what nobody starts by itself."""
    if kind == "farm":
        town.kill_farm()
        town.start_farm()
    elif kind == "host":
        host = chance.choice(town.hosts)
        host.power_off()
        host.boot(town.how(host))
    elif kind == "delegate":
        who = chance.choice(USERS)
        town.kill_delegate(who)
        town.start_delegate(who)
    else:
        found = [job for job in work.unfinished().values() if town.master(*job)]
        if found:
            town.kill_master(*chance.choice(found))


def test_no_kill_loses_a_job_or_a_result_and_grants_are_never_over(make_town: Callable[..., Town]) -> None:
    seed = int(os.environ.get("SPE_KILLS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"SPE_KILLS_SEED={seed}")
    chance = random.Random(seed)
    order = [KINDS[number % len(KINDS)] for number in range(KILLS)]
    chance.shuffle(order)
    town = make_town()
    work = Work(town)
    with Samples(town, MOST) as samples:
        for number, kind in enumerate(order):
            work.refill()
            after = samples.count + chance.randint(5, 60)
            wait_until(lambda after=after: samples.count > after and samples.tasks, "tasks run", 120, town.story)
            town.note(f"kill {number}: {kind}")
            kill(town, work, kind, chance)
        wait_until(lambda: not work.unfinished(), "all jobs end", 110, lambda: f"{work.unfinished()}\n{town.story()}")
        wait_until(
            lambda: {one["state"] for one in town.jobs().values()} == {"finished"}, "the farm knows", 60, town.story
        )
    assert samples.over == [], f"seed {seed}: {samples.over[:5]} of {samples.count}\n{town.story()}"
    for who, name in work.jobs.values():
        rows = town.rows(who, name)
        seen = Counter(int(row["x"]) for row in rows)
        assert seen == Counter(range(1, SETS + 1)), f"seed {seed}: {name}: {seen}"
        assert {row["who"] for row in rows} == {str(people.uid(PEOPLE, who))}
    wait_until(
        lambda: not town.left(), "no process is left", 120, lambda: f"seed {seed}: {town.left()}\n{town.story()}"
    )
    print(f"{KILLS} kills {dict(Counter(order))}, {len(work.jobs)} jobs of {SETS} sets")
    print(f"{samples.count} samples, at most {dict(samples.most)}")
