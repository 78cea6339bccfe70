"""The guard against a cause that fails all sets alike (stop_alike)."""

from __future__ import annotations

import pytest
from spe.dispatch.changes import TaskMoved
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.steering import Aside
from spe.model import Failure, TaskState, Ticket

from .kit import NO_USAGE, OUT, make_dispatch, outcomes, take

NO_MODULE = "exit code 1: ModuleNotFoundError: No module named 'numpy'"


def alike(tasks: int = 50, hosts: str = "ab", **rules: object) -> Dispatch:
    dispatch = make_dispatch(tasks, **{"stop_alike": 6, **rules})
    for host in hosts:
        dispatch.register(0.0, host, "", 8, True)
    return dispatch


def fail(dispatch: Dispatch, ticket: Ticket, reason: str = NO_MODULE, kind: str = "exit:1") -> None:
    dispatch.attempts.fail(0.0, ticket.id, Failure(kind, reason, 1), NO_USAGE)


def fail_some(dispatch: Dispatch, client: str, count: int, reason: str = NO_MODULE) -> None:
    for ticket in take(dispatch, client, count):
        fail(dispatch, ticket, reason)


@pytest.mark.parametrize("attempts", [1, 3])
def test_when_the_first_attempts_fail_alike_on_two_hosts_the_run_drains_and_nobody_is_charged(attempts: int) -> None:
    dispatch = alike(attempts=attempts)
    (running,) = take(dispatch, "1", 1)
    fail_some(dispatch, "1", 2)
    fail_some(dispatch, "2", 3)
    assert not dispatch.board.draining
    fail_some(dispatch, "1", 1)
    assert not dispatch.board.draining and take(dispatch, "2", 8) == [], "what began first may succeed last"
    fail(dispatch, running)
    assert dispatch.board.draining and dispatch.board.over
    assert dispatch.attempts.stopped_alike and not dispatch.attempts.gave_up
    assert take(dispatch, "1", 8) == []
    (note,) = dispatch.board.take_notes()
    assert note.kind == "alike" and note == (
        "the first 6 attempts failed for the same reason (stop_alike), and none succeeded: "
        "ModuleNotFoundError: No module named 'numpy' (exit code 1)"
    )
    told = outcomes(dispatch)
    assert len(told) == 7
    assert {(one.state, one.attempts) for one in told.values()} == {(TaskState.WAITING, 0)}
    assert dispatch.board.in_state[TaskState.FAILED] == 0 and dispatch.board.in_state[TaskState.WAITING] == 50


def test_a_long_attempt_that_began_before_and_succeeds_lets_the_run_go_on() -> None:
    dispatch = alike(hosts="a", attempts=9)
    (long,) = take(dispatch, "1", 1)
    fail_some(dispatch, "1", 6)
    assert take(dispatch, "1", 8) == [] and not dispatch.board.take_notes()
    dispatch.tick(1.0)
    dispatch.tick(7.0)
    (note,) = dispatch.board.take_notes()
    assert note.endswith("(exit code 1); nothing new is begun while 1 attempt still runs")
    assert note.kind == "alike_waits"
    dispatch.tick(20.0)
    assert not dispatch.board.take_notes(), "it is told once"
    dispatch.attempts.arrive(30.0, long.id)
    dispatch.attempts.accept(long.id, OUT, NO_USAGE)
    assert not dispatch.board.draining and take(dispatch, "1", 8)


def test_a_failure_that_retry_names_was_foreseen_and_does_not_count() -> None:
    dispatch = alike(hosts="a", retry=lambda kind: 50 if kind == "exit:77" else None)
    for ticket in take(dispatch, "1", 8):
        fail(dispatch, ticket, "exit code 77: no licence", "exit:77")
    assert not dispatch.board.draining and dispatch.handout.alike.is_watching


def test_a_sweep_with_a_single_host_needs_no_second_one() -> None:
    dispatch = alike(hosts="a")
    fail_some(dispatch, "1", 6)
    assert dispatch.board.draining


def test_where_there_are_two_hosts_one_of_them_proves_nothing() -> None:
    dispatch = alike()
    fail_some(dispatch, "1", 8)
    assert not dispatch.board.draining
    fail_some(dispatch, "2", 1)
    assert dispatch.board.draining


@pytest.mark.parametrize("how", ["left", "set aside"])
def test_the_other_host_that_is_gone_proves_nothing_and_is_not_waited_for(how: str) -> None:
    dispatch = alike()
    fail_some(dispatch, "1", 8)
    if how == "left":
        dispatch.bye(1.0, "2")
    else:
        dispatch.steering.set_aside("b", Aside.BENCHED)
    dispatch.tick(1.0)
    assert dispatch.board.draining


def test_while_another_host_is_to_come_the_one_where_all_fails_gets_nothing_more() -> None:
    dispatch = alike(hosts="a")
    dispatch.handout.alike.hosts_to_come = 1
    fail_some(dispatch, "1", 6)
    assert not dispatch.board.draining and take(dispatch, "1", 8) == []
    dispatch.register(1.0, "b", "", 8, True)
    dispatch.handout.alike.hosts_to_come = 0
    (ticket,) = take(dispatch, "2", 1)
    dispatch.attempts.arrive(2.0, ticket.id)
    dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)
    assert not dispatch.board.draining and not dispatch.handout.alike.is_watching
    dispatch = alike(hosts="a")
    dispatch.handout.alike.hosts_to_come = 1
    fail_some(dispatch, "1", 6)
    dispatch.handout.alike.hosts_to_come = 0  # the other one did not come up
    dispatch.tick(3.0)
    assert dispatch.board.draining


def test_a_success_or_another_reason_ends_the_watch() -> None:
    dispatch = alike(hosts="a", attempts=9)
    (good,) = take(dispatch, "1", 1)
    fail_some(dispatch, "1", 5)
    dispatch.attempts.arrive(0.0, good.id)
    dispatch.attempts.accept(good.id, OUT, NO_USAGE)
    fail_some(dispatch, "1", 8)
    assert not dispatch.board.draining
    for kind, reason in (("exit:1", "exit code 1: KeyError: 'x'"), ("exit:2", NO_MODULE)):
        dispatch = alike(hosts="a", attempts=9)
        fail_some(dispatch, "1", 5)
        (other,) = take(dispatch, "1", 1)
        fail(dispatch, other, reason, kind)
        fail_some(dispatch, "1", 8)
        assert not dispatch.board.draining, (kind, reason)


def test_digits_and_paths_do_not_make_another_reason_and_rejected_results_count() -> None:
    dispatch = alike(hosts="a", attempts=9)
    for number, ticket in enumerate(take(dispatch, "1", 6)):
        dispatch.attempts.arrive(0.0, ticket.id)
        dispatch.attempts.reject(ticket.id, f"energy: '{number}e' is not a float", NO_USAGE)
    assert dispatch.board.draining


def test_lost_attempts_do_not_count() -> None:
    dispatch = alike(hosts="abcdefgh")
    for client in range(1, 8):
        assert take(dispatch, str(client), 1)
        dispatch.bye(0.0, str(client))
    assert not dispatch.board.draining


def test_zero_means_never() -> None:
    dispatch = alike(hosts="a", stop_alike=0)
    fail_some(dispatch, "1", 8)
    fail_some(dispatch, "1", 8)
    assert not dispatch.board.draining


def test_what_earlier_runs_charged_stays_charged() -> None:
    dispatch = alike(hosts="ab", attempts=9)
    for number in range(1, 51):
        dispatch.board.tasks[number].attempts, dispatch.board.tasks[number].faults = 2, {"exit:1": 2}
    fail_some(dispatch, "1", 5)  # of which the black-hole guard takes back some
    fail_some(dispatch, "2", 1)
    assert dispatch.board.draining
    assert {one.attempts for one in dispatch.board.tasks.values()} == {2}
    assert {one.faults["exit:1"] for one in dispatch.board.tasks.values()} == {2}


def test_a_set_that_was_cancelled_or_put_back_meanwhile_is_left_as_people_want_it() -> None:
    dispatch = alike(hosts="a", attempts=1)
    first, second, *others = take(dispatch, "1", 6)
    fail(dispatch, first)
    fail(dispatch, second)
    dispatch.steering.put_back({second.task: TaskState.FAILED})
    waits = others.pop()
    dispatch.steering.cancel([waits.task])
    for ticket in others:
        fail(dispatch, ticket)
    fail_some(dispatch, "1", 1)
    assert dispatch.board.draining
    moved = [c.state for c in dispatch.board.changes if isinstance(c, TaskMoved) and c.number == waits.task]
    assert moved[-1] is TaskState.CANCELLED
    assert second.task not in dispatch.board.tasks, "it comes in again from the store"
