"""What is known of the client that came of one start of a host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

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
