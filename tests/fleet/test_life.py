"""What is known of the client that came of one start of a host."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dispatch.kit import make_dispatch
from spe.dispatch.dispatch import Dispatch
from spe.fleet.life import Life
from spe.model import Host


def life_of(dispatch: Dispatch, now: float = 0.0) -> Life:
    desk: Any = SimpleNamespace(dispatch=dispatch, clock=lambda: now)
    return Life(desk, Host("h"), cast(Any, SimpleNamespace(handed_over=False)))


def lose(dispatch: Dispatch, life: Life, now: float) -> None:
    """A client of the host gets a task and is killed with it."""
    client = dispatch.register(now, "h", "linux", 1, pings=True)
    assert not life.has_had_tasks
    assert len(dispatch.handout.take(now + 1, client.id, 1)) == 1
    dispatch.bye(now + 2, client.id, killed=True)


def test_a_client_has_had_a_task_also_when_that_was_given_up_as_it_took_the_client_along() -> None:
    dispatch = make_dispatch(tasks=1)
    for now in (10.0, 100.0, 200.0):
        life = life_of(dispatch, now)
        lose(dispatch, life, now + 1)
        assert life.has_had_tasks
    assert not dispatch.board.tasks, "the task was given up"


def test_it_is_known_whether_a_client_was_killed_or_said_goodbye() -> None:
    for killed in (True, False):
        dispatch = make_dispatch()
        life = life_of(dispatch)
        client = dispatch.register(2.0, "h", "linux", 1, pings=True)
        assert not life.has_left
        dispatch.bye(3.0, client.id, killed=killed)
        assert life.has_left and life.was_killed is killed


@pytest.mark.parametrize(
    ("since", "ping", "present"),
    [
        (-math.inf, 30, False),  # the client reaches the master without us
        (100.0, 30, False),
        (1000 - 94.0, 30, True),  # less than a lease ago
        (math.inf, 30, True),  # the connection is away, or the end of the client is told
        (100.0, 0, True),  # it never pings
    ],
)
def test_silence_counts_from_the_moment_in_which_the_client_could_be_heard(
    since: float, ping: float, present: bool
) -> None:
    dispatch = make_dispatch(ping=ping)
    dispatch.register(2.0, "h", "linux", 1, pings=True)
    life = life_of(dispatch, 1000.0)
    life._desk.present = lambda host: False  # type: ignore[method-assign]
    life.launcher = cast(Any, SimpleNamespace(handed_over=True, silence_counts_since=since))
    assert life._is_present is present


def test_a_client_that_said_goodbye_is_gone_before_its_silence_counts() -> None:
    dispatch = make_dispatch(ping=30)
    client = dispatch.register(2.0, "h", "linux", 1, pings=True)
    life = life_of(dispatch)
    life._desk.present = lambda host: False  # type: ignore[method-assign]
    life.launcher = cast(Any, SimpleNamespace(handed_over=False, silence_counts_since=1.0))
    assert life._is_present
    dispatch.bye(3.0, client.id)
    assert not life._is_present
