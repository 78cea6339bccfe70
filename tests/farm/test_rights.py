"""Drills 1 and 2: each task runs as its owner, nobody reads what is another's, and no host has more than `most`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab import LabHost, people
from waiting import wait_until

from .samples import Samples
from .town import FARM, MOST, PEOPLE, USERS, Town

LAB_HOSTS = 7
SAMPLES = 1000
WHERE = ("/home", "/tmp", "/var/tmp", "/dev/shm", "/run")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def readable(host: LabHost, owner: str, other: str) -> list[str]:
    """Return what of an owner's another account could read or write on a host, but for the farm's address."""
    number = str(people.uid(PEOPLE, other))
    words = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", "find", *WHERE, "-user", owner]
    return host.root(*words, "(", "-readable", "-o", "-writable", ")", check=False).stdout.splitlines()


def opened(town: Town) -> list[str]:
    """Return what lies open to an account that is not its owner, on any host."""
    pairs = (("ada", "ben"), ("ben", "ada"), ("ada", FARM))
    return [
        f"{host}: {other} may look into {one}"
        for host in town.lab.hosts
        for owner, other in pairs
        for one in readable(host, owner, other)
    ]


def test_tasks_run_as_their_owners_unread_by_others_and_never_more_than_most(make_town: Callable[..., Town]) -> None:
    town = make_town()
    jobs: dict[int, tuple[str, str, int]] = {}  # number -> owner, name, sets

    def submit(who: str, sets: int, seconds: float) -> int:
        name = f"{who}{len(jobs)}"
        number = town.submit(who, town.sweep(who, name, sets, seconds))
        jobs[number] = who, name, sets
        return number

    with Samples(town, MOST) as samples:
        turn = 0
        while samples.count < SAMPLES:
            who = USERS[turn % 3]
            submit(who, 40 + 20 * (turn % 2), (1.0, 0.5, 0.7)[turn % 3])
            if turn == 1:
                wait_until(lambda: {"ada", "ben"} <= set(samples.first), "both work", story=town.story)
                assert not opened(town)
            after = samples.count + SAMPLES // 8
            wait_until(lambda after=after: samples.count >= after, "time passes", 120)
            turn += 1
        wait_until(lambda: {one["state"] for one in town.jobs().values()} == {"finished"}, "all end", 120, town.story)
    assert samples.over == [] and set(samples.most.values()) == {MOST}, samples.most
    for who, name, sets in jobs.values():
        rows = town.rows(who, name)
        assert sorted(int(row["x"]) for row in rows) == list(range(1, sets + 1))
        assert {row["who"] for row in rows} == {str(people.uid(PEOPLE, who))}
    wait_until(lambda: not town.left(), "no process is left", story=lambda: f"{town.left()}\n{town.story()}")
    print(f"{samples.count} samples, at most {dict(samples.most)}, {len(jobs)} jobs")
