"""Drill 6: a second user, to whom nothing of the farm is known, has a finished job after two commands."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from waiting import wait_until

from .town import FARM, Town

LAB_HOSTS = 7
pytestmark = pytest.mark.slow


def test_a_second_users_first_job_is_finished_within_a_minute(make_town: Callable[..., Town]) -> None:
    town = make_town(users=("ada",))
    began = time.monotonic()
    town.run("ben", "spe", "farm", "join", town.server.name, "--account", FARM, "--yes")
    joined = time.monotonic()
    town.run("ben", "spe", "submit", "-p", "x=1:20", "--", "echo", "{{ x }}")
    answered = time.monotonic()
    wait_until(
        lambda: [one["state"] for one in town.jobs("ben").values()] == ["finished"], "the job ends", 60, town.story
    )
    ended = time.monotonic()
    print(f"join {joined - began:.1f} s, submit {answered - joined:.1f} s, finished {ended - answered:.1f} s later")
    assert ended - began < 60
