"""The dispatch by named cases: what uses up an attempt, what does not, who is told what."""

from __future__ import annotations

import pytest
from spe.dispatch.black_holes import SUSPECT_AFTER
from spe.dispatch.changes import ClientLeft, TaskMoved, TicketEnded
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.losses import MAX_LOST
from spe.dispatch.rules import Rules
from spe.dispatch.scheduler import AFTER_TIMEOUT, lease
from spe.model import Failure, Task, TaskState, Ticket, TicketState

from .kit import BROKEN, NO_USAGE, OUT, Replay, make_dispatch, outcomes, reasons, take


def fail(dispatch: Dispatch, ticket: Ticket, kind: str = "exit:1", now: float = 0.0) -> bool:
    return dispatch.attempts.fail(now, ticket.id, Failure(kind, f"because of {kind}"), NO_USAGE)


def finish(dispatch: Dispatch, ticket: Ticket, now: float = 0.0) -> bool:
    return dispatch.attempts.arrive(now, ticket.id, ticket.client) is not None and dispatch.attempts.accept(
        ticket.id, OUT, NO_USAGE
    )


def host(dispatch: Dispatch, name: str = "lab01", pings: bool = True, now: float = 0.0) -> str:
    return dispatch.register(now, name, "linux-x86_64", 1, pings).id


def silence(dispatch: Dispatch, now: float = 0.0) -> float:
    """The first moment at which a lease that was renewed `now` has run out."""
    return now + lease(dispatch.rules.ping) + 0.1


# -- attempts


def test_a_task_fails_when_its_attempts_are_used_up_and_gives_the_last_reason() -> None:
    dispatch = make_dispatch(attempts=3)
    client = host(dispatch)
    for kind in ("exit:1", "exit:2", "exit:3"):
        (ticket,) = take(dispatch, client)
        assert fail(dispatch, ticket, kind)
    assert reasons(dispatch) == ["because of exit:3"]
    assert outcomes(dispatch)[1].attempts == 3
    assert dispatch.board.over and not dispatch.board.tasks and not dispatch.board.tickets


def test_a_rejected_result_uses_up_an_attempt() -> None:
    dispatch = make_dispatch(attempts=1)
    (ticket,) = take(dispatch, host(dispatch))
    assert dispatch.attempts.arrive(0, ticket.id)
    dispatch.attempts.reject(ticket.id, "no part x", NO_USAGE)
    assert reasons(dispatch) == ["no part x"]


def test_a_reason_with_a_limit_of_its_own_counts_by_itself() -> None:
    own = {"exit:75": 5, "timeout": 1}
    dispatch = make_dispatch(attempts=2, retry=own.get)
    client = host(dispatch)
    for kind in ("exit:75", "exit:1", "exit:75", "exit:75", "exit:75"):
        (ticket,) = take(dispatch, client)
        assert fail(dispatch, ticket, kind)
        assert not reasons(dispatch), kind
    (ticket,) = take(dispatch, client)
    fail(dispatch, ticket, "exit:75")
    assert reasons(dispatch) == ["because of exit:75"]


@pytest.mark.parametrize(("kinds", "left"), [(["timeout"], 0), (["exit:1", "timeout"], 0), (["exit:1", "exit:2"], 0)])
def test_reasons_without_a_limit_count_together_and_a_limit_of_one_is_the_end(kinds: list[str], left: int) -> None:
    dispatch = make_dispatch(attempts=2, retry={"timeout": 1}.get)
    client = host(dispatch)
    for kind in kinds:
        assert not reasons(dispatch)
        fail(dispatch, take(dispatch, client)[0], kind)
    assert reasons(dispatch) == [f"because of {kinds[-1]}"]
    assert len(dispatch.board.tasks) == left


def test_losing_hosts_never_uses_up_an_attempt() -> None:
    dispatch = make_dispatch(attempts=1)
    for now in range(MAX_LOST - 1):
        client = host(dispatch, f"lab{now}", now=1000.0 * now)
        assert take(dispatch, client, now=1000.0 * now)
        dispatch.tick(silence(dispatch, 1000.0 * now))
    assert dispatch.board.tasks[1].attempts == 0
    assert finish(dispatch, take(dispatch, host(dispatch, "good", now=9000), now=9000)[0], 9000)
    assert outcomes(dispatch)[1].attempts == 1


def test_a_task_that_loses_three_hosts_fails_and_says_so() -> None:
    dispatch = make_dispatch(attempts=3)
    for now in range(MAX_LOST):
        client = host(dispatch, f"lab{now}", now=1000.0 * now)
        assert take(dispatch, client, now=1000.0 * now)
        assert dispatch.tick(silence(dispatch, 1000.0 * now))
    assert reasons(dispatch) == ["3 clients were lost while they ran it, the last one on lab2"]
    assert dispatch.board.over


def test_a_lost_attempt_says_what_became_of_its_host_and_no_more_when_it_speaks_again() -> None:
    dispatch = make_dispatch(3)
    silent, killed, left = (host(dispatch, name) for name in ("silent", "killed", "left"))
    tickets = [take(dispatch, client)[0] for client in (silent, killed, left)]
    dispatch.bye(0.0, killed, killed=True)
    dispatch.bye(0.0, left)
    dispatch.tick(silence(dispatch))
    said = {c.id: c.failure and c.failure.reason for c in dispatch.board.changes if isinstance(c, TicketEnded)}
    how = ["its host went silent", "its client was killed", "its client left"]
    assert said == dict(zip([ticket.id for ticket in tickets], how, strict=True))
    dispatch.ping(silence(dispatch), silent, [tickets[0].id])
    assert isinstance(dispatch.board.changes[-2], TicketEnded) and dispatch.board.changes[-2].failure is None


def test_a_slow_host_that_is_lost_and_speaks_again_does_not_count_as_lost() -> None:
    dispatch = make_dispatch()
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    now = 0.0
    for _ in range(MAX_LOST + 1):
        now = silence(dispatch, now)
        assert dispatch.tick(now) == [ticket]
        assert dispatch.ping(now, client, [ticket.id]) == []
        assert dispatch.board.tasks[1].state is TaskState.RUNNING
    assert finish(dispatch, ticket, now)


def test_clients_that_leave_politely_cannot_make_a_task_fail() -> None:
    dispatch = make_dispatch()
    for number in range(MAX_LOST + 2):
        client = host(dispatch, f"lab{number}")
        assert take(dispatch, client)
        dispatch.bye(1.0, client)
    assert not reasons(dispatch)
    assert list(dispatch.board.waiting) == [1]


def test_a_client_that_never_pings_has_no_lease_and_gives_its_task_back_by_its_timeout_without_harm() -> None:
    dispatch = make_dispatch(attempts=1, timeout=600.0)
    client = host(dispatch, pings=False)
    for _ in range(MAX_LOST + 2):
        (ticket,) = take(dispatch, client)
        assert not dispatch.tick(600.0 + AFTER_TIMEOUT)
        assert dispatch.tick(600.1 + AFTER_TIMEOUT) == [ticket]
    assert not reasons(dispatch)
    assert finish(dispatch, ticket), "what it brings late is taken"


def test_without_pings_nothing_is_ever_lost() -> None:
    dispatch = make_dispatch(ping=0)
    assert take(dispatch, host(dispatch))
    assert not dispatch.tick(1e9)
    assert dispatch.board.running == 1


def test_a_lease_runs_from_the_last_ping() -> None:
    dispatch = make_dispatch()
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    assert dispatch.ping(90, client, [ticket.id]) == []
    assert not dispatch.tick(silence(dispatch))
    assert dispatch.tick(silence(dispatch, 90)) == [ticket]


# -- late results


def test_the_result_of_a_lost_ticket_is_taken_and_its_task_leaves_the_queue() -> None:
    dispatch = make_dispatch()
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    dispatch.tick(silence(dispatch))
    assert list(dispatch.board.waiting) == [1]
    assert dispatch.attempts.arrive(200, ticket.id)
    assert not dispatch.board.waiting, "nobody begins it while its result is looked at"
    assert not take(dispatch, host(dispatch, "other"))
    assert dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)
    assert dispatch.board.over


def test_the_result_of_a_lost_ticket_expires_the_copy_that_runs_elsewhere() -> None:
    dispatch = make_dispatch()
    (first,) = take(dispatch, host(dispatch))
    dispatch.tick(silence(dispatch))
    other = host(dispatch, "other", now=200)
    (second,) = take(dispatch, other, now=200)
    assert finish(dispatch, first, 201)
    assert dispatch.clients.take_expired(other) == [second.id]
    assert dispatch.ping(202, other, [second.id]) == [second.id]
    assert dispatch.attempts.arrive(203, second.id) is None, "a copy of what is done is dropped"


def test_the_result_of_a_ticket_that_was_written_off_as_failed_is_taken_while_its_task_is_undone() -> None:
    dispatch = make_dispatch(attempts=2)
    (ticket,) = take(dispatch, host(dispatch))
    fail(dispatch, ticket)
    assert finish(dispatch, ticket)
    assert outcomes(dispatch)[1].state is TaskState.DONE
    assert outcomes(dispatch)[1].attempts == 1, "one ticket is one attempt"


def test_of_two_results_that_are_looked_at_together_the_first_to_pass_is_taken() -> None:
    dispatch = make_dispatch()
    (first,) = take(dispatch, host(dispatch))
    dispatch.tick(silence(dispatch))
    (second,) = take(dispatch, host(dispatch, "other", now=200), now=200)
    assert dispatch.attempts.arrive(201, first.id) and dispatch.attempts.arrive(201, second.id)
    assert dispatch.attempts.accept(second.id, OUT, NO_USAGE)
    assert not dispatch.attempts.accept(first.id, OUT, NO_USAGE)
    assert not dispatch.attempts.suspend(first.id, "hook", OUT, NO_USAGE)
    dispatch.attempts.reject(first.id, "no", NO_USAGE)
    assert outcomes(dispatch)[1].ticket == second.id


def test_a_rejected_copy_leaves_the_other_one_running() -> None:
    dispatch = make_dispatch(attempts=2)
    (first,) = take(dispatch, host(dispatch))
    dispatch.tick(silence(dispatch))
    (second,) = take(dispatch, host(dispatch, "other", now=200), now=200)
    assert dispatch.attempts.arrive(201, first.id)
    dispatch.attempts.reject(first.id, "no", NO_USAGE)
    assert dispatch.board.tasks[1].state is TaskState.RUNNING and not dispatch.board.waiting
    assert finish(dispatch, second, 202)


def test_a_result_that_is_sent_twice_uses_up_one_attempt() -> None:
    dispatch = make_dispatch(attempts=3)
    (ticket,) = take(dispatch, host(dispatch))
    for _ in range(5):
        assert dispatch.attempts.arrive(0, ticket.id)
        dispatch.attempts.reject(ticket.id, "no", NO_USAGE)
    assert dispatch.board.tasks[1].attempts == 1
    assert list(dispatch.board.waiting) == [1]


def test_a_failure_that_is_told_twice_counts_once() -> None:
    dispatch = make_dispatch(attempts=3)
    (ticket,) = take(dispatch, host(dispatch))
    assert fail(dispatch, ticket)
    assert not fail(dispatch, ticket)
    assert dispatch.board.tasks[1].attempts == 1


def test_what_is_being_looked_at_is_not_looked_at_twice_and_cannot_fail() -> None:
    dispatch = make_dispatch()
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    assert dispatch.attempts.arrive(0, ticket.id)
    assert dispatch.attempts.arrive(0, ticket.id) is None
    assert not fail(dispatch, ticket)
    assert not dispatch.tick(1e6), "its client may be gone: the result is here"
    dispatch.bye(1e6, client)
    assert dispatch.attempts.accept(ticket.id, OUT, NO_USAGE)


def test_a_ticket_that_nobody_issued_changes_nothing() -> None:
    dispatch = make_dispatch()
    assert dispatch.attempts.arrive(0, 77) is None
    assert not dispatch.attempts.fail(0, 77, BROKEN, NO_USAGE)
    dispatch.attempts.reject(77, "no", NO_USAGE)
    assert not dispatch.attempts.accept(77, OUT, NO_USAGE)
    assert dispatch.ping(0, "", [77]) == [77]
    assert not dispatch.board.changes


# -- a broken hook


def test_a_hook_that_cannot_judge_keeps_the_result_with_the_failed_task() -> None:
    dispatch = make_dispatch()
    (ticket,) = take(dispatch, host(dispatch))
    assert dispatch.attempts.arrive(0, ticket.id)
    assert dispatch.attempts.suspend(ticket.id, "hooks.py:3: it raised", OUT, NO_USAGE)
    told = outcomes(dispatch)[1]
    assert (told.state, told.ticket, told.outputs, told.attempts) == (TaskState.FAILED, ticket.id, OUT, 1)
    assert dispatch.board.over and dispatch.board.in_state[TaskState.FAILED] == 1


# -- who is told


def test_a_client_is_told_once_of_a_ticket_that_expired() -> None:
    dispatch = make_dispatch()
    slow = host(dispatch)
    (first,) = take(dispatch, slow)
    dispatch.tick(silence(dispatch))
    (second,) = take(dispatch, host(dispatch, "other", now=200), now=200)
    dispatch.ping(200, slow, [first.id])
    assert finish(dispatch, second, 201)
    assert dispatch.clients.to_call() == [slow]
    assert dispatch.clients.has_expired(slow)
    assert dispatch.clients.take_expired(slow) == [first.id]
    assert dispatch.clients.take_expired(slow) == [] and not dispatch.clients.to_call()


def test_nothing_is_kept_for_clients_that_will_never_ask() -> None:
    dispatch = make_dispatch(2)
    mute, gone = host(dispatch, "mute", pings=False), host(dispatch, "gone")
    (one,), (two,) = take(dispatch, mute), take(dispatch, gone)
    dispatch.attempts.arrive(0, two.id)
    dispatch.bye(1, gone)
    for ticket in (one, two):
        dispatch.attempts.give_up(dispatch.board.tasks[ticket.task], "enough")
    assert not dispatch.clients.to_call()


def test_bye_returns_what_the_client_had_at_once() -> None:
    dispatch = make_dispatch(3)
    client = host(dispatch)
    take(dispatch, client, 2)
    dispatch.bye(5.0, client)
    assert list(dispatch.board.waiting) == [3, 1, 2]
    assert [c.seconds for c in dispatch.board.changes if isinstance(c, ClientLeft)] == [5.0]
    dispatch.bye(6.0, client)
    assert sum(isinstance(c, ClientLeft) for c in dispatch.board.changes) == 1, "a second goodbye says nothing new"


def test_a_request_that_comes_after_the_goodbye_of_its_client_gets_nothing() -> None:
    """It was sent before, on another connection."""
    dispatch = make_dispatch(3)
    client = host(dispatch)
    dispatch.bye(5.0, client)
    assert take(dispatch, client, 1) == []
    assert list(dispatch.board.waiting) == [1, 2, 3]


def test_a_ping_that_comes_after_the_goodbye_of_its_client_brings_nothing_back() -> None:
    """It was sent before, or is still held: renewed, the task would wait for the end of a lease."""
    dispatch = make_dispatch(1)
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    dispatch.bye(5.0, client)
    assert dispatch.ping(5.1, client, [ticket.id]) == [ticket.id]
    assert list(dispatch.board.waiting) == [1]
    assert ticket.state is TicketState.LOST


def test_a_goodbye_for_a_client_that_was_killed_counts_as_silence() -> None:
    """A task that has its clients killed, as by want of memory, must come to an end."""
    dispatch = make_dispatch(1)
    for number in range(MAX_LOST):
        client = host(dispatch, f"h{number}")
        take(dispatch, client, 1)
        dispatch.bye(5.0 + 20.0 * number, client, killed=True)
    assert dispatch.board.in_state[TaskState.FAILED] == 1
    assert any(isinstance(c, TaskMoved) and "clients were lost" in c.reason for c in dispatch.board.changes)


def test_a_goodbye_of_a_stranger_changes_nothing() -> None:
    dispatch = make_dispatch()
    dispatch.bye(0, "77")
    assert not dispatch.board.changes


# -- the end


def test_draining_hands_out_nothing_and_takes_what_runs() -> None:
    dispatch = make_dispatch(2)
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    dispatch.board.draining = True
    assert not take(dispatch, client)
    assert dispatch.board.closed and not dispatch.board.over
    assert dispatch.ping(0, client, [ticket.id]) == []
    assert finish(dispatch, ticket)
    assert dispatch.board.over


def test_stopping_calls_everything_back_and_leaves_it_for_another_run() -> None:
    dispatch = make_dispatch(2)
    client = host(dispatch)
    tickets = take(dispatch, client, 2)
    dispatch.board.stop()
    assert dispatch.board.over
    assert dispatch.clients.take_expired(client) == [t.id for t in tickets]
    assert {t.state for t in dispatch.board.tasks.values()} == {TaskState.WAITING}
    assert all(moved.attempts == 0 for moved in outcomes(dispatch).values())


def test_after_a_stop_a_lost_host_that_comes_back_is_sent_home() -> None:
    dispatch = make_dispatch()
    client = host(dispatch)
    (ticket,) = take(dispatch, client)
    dispatch.tick(silence(dispatch))
    dispatch.board.stop()
    assert dispatch.ping(200, client, [ticket.id]) == [ticket.id]
    assert dispatch.board.over


def test_a_result_that_comes_after_a_stop_is_work_done() -> None:
    dispatch = make_dispatch()
    (ticket,) = take(dispatch, host(dispatch))
    dispatch.board.stop()
    assert finish(dispatch, ticket)
    assert outcomes(dispatch)[1].state is TaskState.DONE


def test_the_sweep_is_not_over_while_the_store_may_have_more() -> None:
    dispatch = Dispatch(Rules())
    assert not dispatch.board.over
    dispatch.board.more = False
    assert dispatch.board.over


# -- after a restart


def restarted(state: TicketState, task_state: TaskState = TaskState.WAITING) -> tuple[Dispatch, Ticket]:
    """A dispatch that begins with one ticket of before."""
    dispatch = Dispatch(Rules(), next_ticket=8)
    ticket = Ticket(7, 1, "1", "lab01", 0.0, state, leased=True)
    dispatch.board.restore(Task(1, {}, task_state), ticket)
    return dispatch, ticket


def test_a_ticket_of_before_the_restart_is_still_good() -> None:
    dispatch, ticket = restarted(TicketState.ISSUED)
    assert dispatch.board.running == 1
    assert dispatch.ping(1, "1", [7]) == []
    dispatch.board.add([Task(1, {}), Task(2, {})])
    assert list(dispatch.board.waiting) == [2], "what runs is not handed out again"
    assert finish(dispatch, ticket)
    assert dispatch.board.in_state[TaskState.DONE] == 1


def test_a_lost_ticket_of_before_the_restart_is_renewed_by_a_ping() -> None:
    dispatch, _ = restarted(TicketState.LOST)
    assert dispatch.ping(1, "1", [7]) == []
    assert dispatch.board.running == 1


def test_a_ticket_of_before_the_restart_whose_client_is_gone_is_lost() -> None:
    dispatch, ticket = restarted(TicketState.ISSUED)
    ticket.word = 10.0
    assert dispatch.tick(silence(dispatch, 10.0)) == [ticket]
    assert list(dispatch.board.waiting) == [1]


@pytest.mark.parametrize("state", [TicketState.FAILED, TicketState.LOST, TicketState.REJECTED, TicketState.EXPIRED])
def test_a_task_that_came_by_a_late_word_is_still_handed_out_in_its_turn(state: TicketState) -> None:
    dispatch, ticket = restarted(state)
    fail(dispatch, ticket)
    dispatch.board.add([Task(1, {}), Task(2, {})])
    assert sorted(dispatch.board.waiting) == [1, 2]
    assert len(take(dispatch, host(dispatch), 5)) == 2


def test_two_tickets_of_one_task_come_back_as_one_task() -> None:
    dispatch, _ = restarted(TicketState.ISSUED)
    dispatch.board.restore(Task(1, {}), Ticket(6, 1, "2", "lab02", 0.0, TicketState.ISSUED, leased=True))
    assert dispatch.board.tasks[1].tickets == [7, 6]
    assert dispatch.board.running == 1 and dispatch.board.in_state[TaskState.WAITING] == 0


def test_a_failed_task_that_is_looked_at_again_is_counted_once() -> None:
    dispatch = make_dispatch(attempts=1)
    (ticket,) = take(dispatch, host(dispatch))
    fail(dispatch, ticket)
    assert dispatch.board.in_state[TaskState.FAILED] == 1
    for _ in range(2):
        dispatch.board.restore(
            Task(1, {}, TaskState.FAILED, 1), Ticket(ticket.id, 1, "1", "lab01", 0.0, TicketState.FAILED)
        )
        assert dispatch.attempts.arrive(1, ticket.id)
        dispatch.attempts.reject(ticket.id, "no", NO_USAGE)
        assert dispatch.board.in_state[TaskState.FAILED] == 1 and not dispatch.board.tasks
    dispatch.board.restore(
        Task(1, {}, TaskState.FAILED, 1), Ticket(ticket.id, 1, "1", "lab01", 0.0, TicketState.FAILED)
    )
    assert finish(dispatch, ticket)
    assert (dispatch.board.in_state[TaskState.FAILED], dispatch.board.in_state[TaskState.DONE]) == (0, 1)


def test_what_was_read_before_a_task_was_done_does_not_bring_it_back() -> None:
    dispatch, ticket = restarted(TicketState.LOST)
    read = [Task(1, {}), Task(2, {})]
    assert finish(dispatch, ticket)
    dispatch.board.add(read)
    assert list(dispatch.board.waiting) == [2]


def test_ticket_numbers_go_on_where_they_were() -> None:
    dispatch = Dispatch(Rules(), next_ticket=41, next_client=7)
    dispatch.board.add([Task(1, {})])
    client = host(dispatch)
    assert client == "7"
    assert take(dispatch, client)[0].id == 41


# -- which task next


def test_tasks_are_handed_out_in_their_order() -> None:
    dispatch = make_dispatch(5)
    assert [t.task for t in take(dispatch, host(dispatch), 3)] == [1, 2, 3]
    assert [t.task for t in take(dispatch, host(dispatch, "other"), 9)] == [4, 5]


def test_a_task_goes_to_another_host_than_the_one_where_it_went_wrong() -> None:
    dispatch = make_dispatch(2)
    bad, good = host(dispatch, "bad"), host(dispatch, "good")
    fail(dispatch, take(dispatch, bad)[0])
    assert [t.task for t in take(dispatch, bad, 1)] == [2]
    assert [t.task for t in take(dispatch, good, 1)] == [1]


def test_a_host_that_is_alone_gets_its_failed_task_again() -> None:
    dispatch = make_dispatch()
    only = host(dispatch)
    gone = host(dispatch, "gone")
    dispatch.bye(0, gone)
    fail(dispatch, take(dispatch, only)[0])
    assert take(dispatch, only)


def test_a_host_shunned_by_all_in_sight_does_not_stand_idle() -> None:
    dispatch = make_dispatch(SUSPECT_AFTER - 1, attempts=9)
    bad = host(dispatch, "bad")
    host(dispatch, "good")
    for ticket in take(dispatch, bad, SUSPECT_AFTER - 1):
        fail(dispatch, ticket)
    assert [t.task for t in take(dispatch, bad)] == [1]


def test_changes_are_given_once_and_in_order() -> None:
    dispatch = make_dispatch()
    (ticket,) = take(dispatch, host(dispatch))
    finish(dispatch, ticket)
    changes = dispatch.board.take_changes()
    assert [type(c).__name__ for c in changes] == ["ClientCame", "TicketIssued", "TicketEnded", "TaskMoved", "TasksOut"]
    assert isinstance(changes[2], TicketEnded) and isinstance(changes[3], TaskMoved)
    assert dispatch.board.take_changes() == []
    replay = Replay()
    replay.apply(changes)
    assert replay.accepted == {1: 1}


def test_a_lease_lasts_three_pings_and_a_little() -> None:
    assert (lease(30), lease(1), lease(0)) == (95, 8, 0)


def test_who_says_goodbye_is_not_called_any_more() -> None:
    dispatch = make_dispatch()
    slow = host(dispatch)
    (first,) = take(dispatch, slow)
    dispatch.attempts.give_up(dispatch.board.tasks[1], "enough")
    assert dispatch.clients.to_call() == [slow]
    dispatch.bye(1, slow)
    assert not dispatch.clients.to_call() and first.id not in dispatch.board.tickets


def test_a_lost_ticket_of_a_task_that_was_given_up_is_not_renewed_and_its_reason_stays() -> None:
    dispatch, ticket = restarted(TicketState.LOST, TaskState.FAILED)
    assert dispatch.ping(1, "1", [ticket.id]) == [ticket.id]
    assert not dispatch.board.changes


def test_why_a_task_failed_stays_known_when_late_attempts_at_it_are_called_back() -> None:
    dispatch, late = restarted(TicketState.LOST, TaskState.FAILED)
    assert dispatch.attempts.arrive(1.0, late.id) is not None
    dispatch.board.restore(
        dispatch.board.tasks[late.task], Ticket(late.id + 1, late.task, "2", "b", 0.0, TicketState.LOST)
    )
    dispatch.board.stop()
    assert not [change for change in dispatch.board.changes if isinstance(change, TaskMoved)]


def test_the_hosts_are_those_whose_clients_have_come_and_not_gone() -> None:
    dispatch = make_dispatch(1)
    one, two = host(dispatch, "a"), host(dispatch, "b")
    assert set(dispatch.clients.hosts) == {"a", "b"}
    other = host(dispatch, "b")
    dispatch.bye(1.0, two)
    assert set(dispatch.clients.hosts) == {"a", "b"}, "another client is still there"
    dispatch.bye(1.0, other)
    dispatch.bye(1.0, other)
    assert set(dispatch.clients.hosts) == {"a"}
    assert host(dispatch, "c") and set(dispatch.clients.hosts) == {"a", "c"}
    dispatch.bye(1.0, one)
    assert set(dispatch.clients.hosts) == {"c"}


def test_hosts_that_are_killed_within_ten_seconds_count_once_against_their_task() -> None:
    """A power cut goes through a room: what runs there is lost again and again, and no task did that."""
    dispatch = make_dispatch(1)
    for number in range(MAX_LOST + 2):
        take(dispatch, host(dispatch, f"h{number}"), 1)
        dispatch.bye(100.0 + 2.0 * number, str(number + 1), killed=True)
    assert dispatch.board.tasks[1].lost == 1 and not reasons(dispatch)
    take(dispatch, host(dispatch, "later"), 1)
    dispatch.bye(110.1, str(MAX_LOST + 3), killed=True)
    assert dispatch.board.tasks[1].lost == 2


def test_one_host_whose_client_is_killed_again_and_again_counts_each_time() -> None:
    """That is no power cut, but a program that kills what it works for."""
    dispatch = make_dispatch(1)
    for number in range(MAX_LOST):
        assert not reasons(dispatch)
        take(dispatch, host(dispatch, "h"), 1)
        dispatch.bye(5.0 + number, str(number + 1), killed=True)
    assert reasons(dispatch) == ["3 clients were lost while they ran it, the last one on h"]


def test_copies_of_a_task_on_hosts_that_fall_silent_together_count_once() -> None:
    """When a silent host died is known only to the pause between two pings."""
    dispatch = make_dispatch(1, copies=2, ping=30.0)
    clients = [host(dispatch, name) for name in ("a", "b", "watcher")]
    dispatch.handout.walls.extend([1.0] * 5)
    take(dispatch, clients[0])
    dispatch.tick(50.0)
    (copy,) = take(dispatch, clients[1], now=50.0)
    assert dispatch.board.tasks[1].tickets == [1, copy.id]
    for ticket, word in ((1, 60.0), (copy.id, 95.0)):
        dispatch.ping(word, dispatch.board.tickets[ticket].client, [ticket])
    dispatch.ping(300.0, clients[2], [])
    dispatch.tick(300.0)
    assert dispatch.board.tasks[1].lost == 1 and not dispatch.board.tasks[1].tickets


# -- a result that is rejected twice


def reject(dispatch: Dispatch, client: str, digest: str) -> Ticket:
    (ticket,) = dispatch.handout.take(0.0, client, 1)
    dispatch.attempts.arrive(0.0, ticket.id)
    dispatch.attempts.reject(ticket.id, "energy is nan", NO_USAGE, digest=digest)
    return ticket


def on_hosts(hosts: str, **rules: object) -> Dispatch:
    dispatch = make_dispatch(1, attempts=9, copies=0, **rules)
    for host in hosts:
        dispatch.register(0.0, host, "", 1, True)
    return dispatch


def test_a_result_that_two_hosts_bring_alike_is_not_tried_again() -> None:
    dispatch = on_hosts("ab")
    reject(dispatch, "1", "same")
    assert not dispatch.board.over
    reject(dispatch, "2", "same")
    assert dispatch.board.over
    assert reasons(dispatch) == ["energy is nan"]
    assert "the same result was rejected twice" in dispatch.board.notes[-1]
    assert outcomes(dispatch)[1].attempts == 2


def test_where_there_are_two_hosts_the_same_result_of_one_of_them_proves_nothing() -> None:
    dispatch = on_hosts("ab")
    for client in "111":
        reject(dispatch, client, "same")
    assert not dispatch.board.over
    dispatch = on_hosts("a")
    reject(dispatch, "1", "same")
    reject(dispatch, "1", "same")
    assert dispatch.board.over, "a single host is all there is"


def test_other_bytes_or_unknown_ones_are_tried_again() -> None:
    dispatch = on_hosts("ab")
    for client, digest in (("1", "one"), ("2", "two"), ("1", ""), ("2", ""), ("1", "three")):
        reject(dispatch, client, digest)
    assert not dispatch.board.over
    reject(dispatch, "2", "one")
    assert dispatch.board.over


def test_one_result_that_is_sent_twice_is_rejected_once() -> None:
    dispatch = on_hosts("a")
    ticket = reject(dispatch, "1", "same")
    dispatch.attempts.arrive(1.0, ticket.id)
    dispatch.attempts.reject(ticket.id, "energy is nan", NO_USAGE, digest="same")
    assert not dispatch.board.over and dispatch.board.tasks[1].attempts == 1
