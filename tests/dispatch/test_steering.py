"""What people decide about a running sweep: pause, hosts set aside, tasks cancelled and wanted again."""

from __future__ import annotations

from spe.dispatch.black_holes import Trust
from spe.dispatch.changes import TaskMoved, TicketEnded
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.steering import Aside
from spe.model import Task, TaskState, TicketState

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch, outcomes, take


def with_hosts(tasks: int, *hosts: str, **rules: object) -> Dispatch:
    """A dispatch with a client on each of these hosts; their IDs are 1, 2, …"""
    dispatch = make_dispatch(tasks, **rules)
    for host in hosts:
        dispatch.register(0.0, host, "", 2, True)
    return dispatch


# -- the sweep


def test_a_paused_sweep_hands_out_nothing_and_says_whether_it_was_paused() -> None:
    dispatch = with_hosts(3, "a")
    steering = dispatch.steering
    assert not steering.paused and not steering.withholding and not steering.withholds("a")
    assert steering.resume() is False
    steering.pause()
    assert steering.paused and steering.withholding and steering.withholds("a")
    assert dispatch.handout.offers == 0 and not take(dispatch, "1")
    assert steering.resume() is True
    assert not steering.withholding and dispatch.handout.offers == 3 and take(dispatch, "1")


def test_a_draining_sweep_withholds_everywhere() -> None:
    dispatch = with_hosts(3, "a")
    dispatch.board.draining = True
    assert dispatch.steering.withholds("a") and dispatch.steering.withholding


def test_a_host_on_trial_gets_nothing_and_has_nothing_to_give_back() -> None:
    dispatch = with_hosts(3, "a", "b")
    dispatch.steering.on_trial.add("a")
    assert dispatch.steering.withholds("a") and not dispatch.steering.withholds("b")
    assert not dispatch.steering.withholding
    assert set(dispatch.steering.at_work) == {"a", "b"}


# -- hosts


def test_a_host_that_is_set_aside_gets_nothing_until_it_is_used_again() -> None:
    dispatch = with_hosts(5, "a", "b")
    steering = dispatch.steering
    assert steering.use("a") is False, "nothing was in its way"
    for how in Aside:
        steering.set_aside("a", how)
        assert steering.withholds("a") and not steering.withholds("b") and steering.withholding
        assert set(steering.at_work) == {"b"}
        assert not take(dispatch, "1") and take(dispatch, "2")
        assert steering.use("a") is True
        assert not steering.withholds("a") and not steering.withholding
        assert set(steering.at_work) == {"a", "b"}


def test_the_ways_to_set_a_host_aside_have_the_names_that_commands_show() -> None:
    assert list(Aside) == ["benched", "drained"]


def test_a_host_that_is_used_again_is_trusted_whatever_the_guard_thought_of_it() -> None:
    dispatch = with_hosts(9, "good", "bad", attempts=9)
    for ticket in take(dispatch, "2", 3):
        dispatch.attempts.fail(0.0, ticket.id, BROKEN, NO_USAGE)
    assert not take(dispatch, "2")
    assert dispatch.steering.use("bad") is True
    assert dispatch.guard.record("bad").trust is Trust.TRUSTED
    assert len(take(dispatch, "2", 4)) == 4
    assert dispatch.steering.use("bad") is False


def test_a_client_of_a_drained_host_is_sent_home_once_it_has_nothing_more() -> None:
    dispatch = with_hosts(3, "a", "a", "b")
    (ticket,) = take(dispatch, "1")
    (other,) = take(dispatch, "2")
    steering = dispatch.steering
    assert steering.closed_for("1") is False
    steering.set_aside("a", Aside.BENCHED)
    assert steering.closed_for("1") is False and not steering.leaving
    steering.set_aside("a", Aside.DRAINED)
    assert steering.leaving
    assert steering.closed_for("1") is False, "it runs a task"
    assert dispatch.attempts.arrive(1.0, ticket.id)
    assert steering.closed_for("1") is False, "its result may be refused"
    assert dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)
    assert steering.closed_for("1") is True
    assert steering.closed_for("2") is False and dispatch.board.is_live(other.id)
    assert steering.closed_for("3") is False
    assert steering.closed_for("nobody") is False


def test_an_attempt_that_is_over_keeps_no_client_on_a_drained_host() -> None:
    dispatch = with_hosts(3, "a", "b")
    (ticket,) = take(dispatch, "1")
    dispatch.attempts.fail(0.0, ticket.id, BROKEN, NO_USAGE)
    assert ticket.id in dispatch.board.tickets
    dispatch.steering.set_aside("a", Aside.DRAINED)
    assert dispatch.steering.closed_for("1") is True


def test_when_all_is_over_every_client_is_sent_home() -> None:
    dispatch = with_hosts(0, "a", "b")
    dispatch.steering.set_aside("a", Aside.DRAINED)
    assert [dispatch.steering.closed_for(client) for client in ("1", "2", "nobody")] == [True, True, True]


def test_a_drained_host_without_a_client_has_nobody_to_be_told() -> None:
    dispatch = with_hosts(3, "a")
    dispatch.steering.set_aside("far", Aside.DRAINED)
    assert not dispatch.steering.leaving
    dispatch.steering.set_aside("a", Aside.BENCHED)
    assert not dispatch.steering.leaving
    dispatch.register(0.0, "b", "", 2, True)
    dispatch.steering.set_aside("b", Aside.DRAINED)
    assert dispatch.steering.leaving, "one of several is enough"


# -- tasks


def test_cancelled_tasks_leave_and_their_clients_are_called() -> None:
    dispatch = with_hosts(5, "a")
    (ticket,) = take(dispatch, "1")
    assert dispatch.steering.cancel([1, 3, 77]) == [1, 3]
    assert list(dispatch.board.waiting) == [2, 4, 5]
    assert dispatch.clients.take_expired("1") == [ticket.id]
    assert dispatch.steering.cancelled == {1, 3}
    assert dispatch.board.in_state[TaskState.CANCELLED] == 2
    moved = {c.number: (c.state, c.reason) for c in dispatch.board.changes if isinstance(c, TaskMoved)}
    assert moved == dict.fromkeys((1, 3), (TaskState.CANCELLED, "cancelled by hand"))
    ended = [(c.id, c.state) for c in dispatch.board.changes if isinstance(c, TicketEnded)]
    assert ended == [(ticket.id, TicketState.EXPIRED)]
    assert dispatch.steering.cancel([1, 3]) == []
    assert dispatch.steering.cancelled == {1, 3}


def test_a_task_that_only_runs_is_cancelled_and_the_queue_stays_as_it_is() -> None:
    dispatch = with_hosts(4, "a")
    take(dispatch, "1")
    assert dispatch.steering.cancel([1]) == [1]
    assert list(dispatch.board.waiting) == [2, 3, 4]


def test_the_guard_forgets_a_task_that_is_cancelled() -> None:
    dispatch = with_hosts(2, "a", "b")
    dispatch.attempts.fail(0.0, take(dispatch, "1")[0].id, BROKEN, NO_USAGE)
    dispatch.steering.cancel([1])
    dispatch.guard.failed(0.0, "b", 1, BROKEN)
    assert list(dispatch.guard.record("b").streak) == [1]


def test_a_failed_task_whose_late_result_is_looked_at_is_not_cancelled() -> None:
    dispatch = with_hosts(2, "a", attempts=1)
    (ticket,) = take(dispatch, "1")
    dispatch.attempts.fail(0.0, ticket.id, BROKEN, NO_USAGE)
    dispatch.board.restore(Task(1, {}, TaskState.FAILED, 1), ticket)
    assert dispatch.attempts.arrive(1.0, ticket.id)
    assert dispatch.steering.cancel([1]) == []


def test_tasks_that_the_store_has_cancelled_are_counted_and_do_not_come_in() -> None:
    dispatch = with_hosts(2, "a")
    dispatch.board.more = True
    dispatch.steering.cancelled_in_store([2, 7, 8])
    assert dispatch.board.in_state[TaskState.CANCELLED] == 3
    assert dispatch.steering.cancelled == {2, 7, 8}
    assert dispatch.board.add([Task(6, {}), Task(7, {}), Task(8, {})]) == 1, "read before they were cancelled"
    assert list(dispatch.board.waiting) == [1, 6]


def test_tasks_that_are_put_back_come_in_again_as_if_nothing_had_been() -> None:
    dispatch = with_hosts(4, "a", attempts=1)
    (ticket,) = take(dispatch, "1")
    dispatch.attempts.fail(0.0, ticket.id, BROKEN, NO_USAGE)
    dispatch.board.more = True
    dispatch.steering.cancel([2, 3])
    assert (1 in dispatch.tally.failures, 1 in dispatch.board.given_up) == (True, True)
    dispatch.steering.put_back({1: TaskState.FAILED, 2: TaskState.CANCELLED})
    assert dispatch.board.in_state[TaskState.FAILED] == 0 and dispatch.board.in_state[TaskState.CANCELLED] == 1
    assert dispatch.steering.cancelled == {3}
    assert 1 not in dispatch.tally.failures and 1 not in dispatch.board.given_up
    assert dispatch.board.fed == -1 and dispatch.board.looks == 1
    assert dispatch.board.add([Task(1, {}), Task(2, {}), Task(3, {})]) == 2
    assert list(dispatch.board.waiting) == [4, 1, 2]
    dispatch.register(0.0, "b", "", 2, True)
    (again,) = [ticket for ticket in take(dispatch, "2", 3) if ticket.task == 1]
    dispatch.attempts.fail(0.0, again.id, BROKEN, NO_USAGE)
    assert outcomes(dispatch)[1].attempts == 1
    assert dispatch.guard.record("b").streak.keys() == {1}, "what it did elsewhere before is forgotten"
