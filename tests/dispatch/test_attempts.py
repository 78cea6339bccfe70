"""The farm by named cases: what uses up an attempt, what does not, who is told what."""

from __future__ import annotations

import pytest
from spe.dispatch.black_holes import SUSPECT_AFTER
from spe.dispatch.changes import ClientLeft, TaskMoved, TicketEnded
from spe.dispatch.dispatch import MAX_LOST, Farm
from spe.dispatch.rules import Rules
from spe.dispatch.scheduler import AFTER_TIMEOUT, lease
from spe.model import Failure, Task, TaskState, Ticket, TicketState

from .kit import BROKEN, NO_USAGE, OUT, Replay, make_farm, outcomes, reasons, take


def fail(farm: Farm, ticket: Ticket, kind: str = "exit:1", now: float = 0.0) -> bool:
    return farm.fail(now, ticket.id, Failure(kind, f"because of {kind}"), NO_USAGE)


def finish(farm: Farm, ticket: Ticket, now: float = 0.0) -> bool:
    return farm.arrive(now, ticket.id, ticket.client) is not None and farm.accept(ticket.id, OUT, NO_USAGE)


def host(farm: Farm, name: str = "lab01", pings: bool = True, now: float = 0.0) -> str:
    return farm.register(now, name, "linux-x86_64", 1, pings).id


def silence(farm: Farm, now: float = 0.0) -> float:
    """The first moment at which a lease that was renewed `now` has run out."""
    return now + lease(farm.rules.ping) + 0.1


# -- attempts


def test_a_task_fails_when_its_attempts_are_used_up_and_gives_the_last_reason() -> None:
    farm = make_farm(attempts=3)
    client = host(farm)
    for kind in ("exit:1", "exit:2", "exit:3"):
        (ticket,) = take(farm, client)
        assert fail(farm, ticket, kind)
    assert reasons(farm) == ["because of exit:3"]
    assert outcomes(farm)[1].attempts == 3
    assert farm.over and not farm.tasks and not farm.tickets


def test_a_rejected_result_uses_up_an_attempt() -> None:
    farm = make_farm(attempts=1)
    (ticket,) = take(farm, host(farm))
    assert farm.arrive(0, ticket.id)
    farm.reject(ticket.id, "no part x", NO_USAGE)
    assert reasons(farm) == ["no part x"]


def test_a_reason_with_a_limit_of_its_own_counts_by_itself() -> None:
    own = {"exit:75": 5, "timeout": 1}
    farm = make_farm(attempts=2, retry=own.get)
    client = host(farm)
    for kind in ("exit:75", "exit:1", "exit:75", "exit:75", "exit:75"):
        (ticket,) = take(farm, client)
        assert fail(farm, ticket, kind)
        assert not reasons(farm), kind
    (ticket,) = take(farm, client)
    fail(farm, ticket, "exit:75")
    assert reasons(farm) == ["because of exit:75"]


@pytest.mark.parametrize(("kinds", "left"), [(["timeout"], 0), (["exit:1", "timeout"], 0), (["exit:1", "exit:2"], 0)])
def test_reasons_without_a_limit_count_together_and_a_limit_of_one_is_the_end(kinds: list[str], left: int) -> None:
    farm = make_farm(attempts=2, retry={"timeout": 1}.get)
    client = host(farm)
    for kind in kinds:
        assert not reasons(farm)
        fail(farm, take(farm, client)[0], kind)
    assert reasons(farm) == [f"because of {kinds[-1]}"]
    assert len(farm.tasks) == left


def test_losing_hosts_never_uses_up_an_attempt() -> None:
    farm = make_farm(attempts=1)
    for now in range(MAX_LOST - 1):
        client = host(farm, f"lab{now}", now=1000.0 * now)
        assert take(farm, client, now=1000.0 * now)
        farm.tick(silence(farm, 1000.0 * now))
    assert farm.tasks[1].attempts == 0
    assert finish(farm, take(farm, host(farm, "good", now=9000), now=9000)[0], 9000)
    assert outcomes(farm)[1].attempts == 1


def test_a_task_that_loses_three_hosts_fails_and_says_so() -> None:
    farm = make_farm(attempts=3)
    for now in range(MAX_LOST):
        client = host(farm, f"lab{now}", now=1000.0 * now)
        assert take(farm, client, now=1000.0 * now)
        assert farm.tick(silence(farm, 1000.0 * now))
    assert reasons(farm) == ["3 hosts were lost while they ran it, the last one lab2"]
    assert farm.over


def test_a_lost_attempt_says_what_became_of_its_host_and_no_more_when_it_speaks_again() -> None:
    farm = make_farm(3)
    silent, killed, left = (host(farm, name) for name in ("silent", "killed", "left"))
    tickets = [take(farm, client)[0] for client in (silent, killed, left)]
    farm.bye(0.0, killed, killed=True)
    farm.bye(0.0, left)
    farm.tick(silence(farm))
    said = {c.id: c.failure and c.failure.reason for c in farm.changes if isinstance(c, TicketEnded)}
    how = ["its host went silent", "its client was killed", "its client left"]
    assert said == dict(zip([ticket.id for ticket in tickets], how, strict=True))
    farm.ping(silence(farm), silent, [tickets[0].id])
    assert isinstance(farm.changes[-2], TicketEnded) and farm.changes[-2].failure is None


def test_a_slow_host_that_is_lost_and_speaks_again_does_not_count_as_lost() -> None:
    farm = make_farm()
    client = host(farm)
    (ticket,) = take(farm, client)
    now = 0.0
    for _ in range(MAX_LOST + 1):
        now = silence(farm, now)
        assert farm.tick(now) == [ticket]
        assert farm.ping(now, client, [ticket.id]) == []
        assert farm.tasks[1].state is TaskState.RUNNING
    assert finish(farm, ticket, now)


def test_clients_that_leave_politely_cannot_make_a_task_fail() -> None:
    farm = make_farm()
    for number in range(MAX_LOST + 2):
        client = host(farm, f"lab{number}")
        assert take(farm, client)
        farm.bye(1.0, client)
    assert not reasons(farm)
    assert list(farm.waiting) == [1]


def test_a_client_that_never_pings_has_no_lease_and_gives_its_task_back_by_its_timeout_without_harm() -> None:
    farm = make_farm(attempts=1, timeout=600.0)
    client = host(farm, pings=False)
    for _ in range(MAX_LOST + 2):
        (ticket,) = take(farm, client)
        assert not farm.tick(600.0 + AFTER_TIMEOUT)
        assert farm.tick(600.1 + AFTER_TIMEOUT) == [ticket]
    assert not reasons(farm)
    assert finish(farm, ticket), "what it brings late is taken"


def test_without_pings_nothing_is_ever_lost() -> None:
    farm = make_farm(ping=0)
    assert take(farm, host(farm))
    assert not farm.tick(1e9)
    assert farm.running == 1


def test_a_lease_runs_from_the_last_ping() -> None:
    farm = make_farm()
    client = host(farm)
    (ticket,) = take(farm, client)
    assert farm.ping(90, client, [ticket.id]) == []
    assert not farm.tick(silence(farm))
    assert farm.tick(silence(farm, 90)) == [ticket]


# -- late results


def test_the_result_of_a_lost_ticket_is_taken_and_its_task_leaves_the_queue() -> None:
    farm = make_farm()
    client = host(farm)
    (ticket,) = take(farm, client)
    farm.tick(silence(farm))
    assert list(farm.waiting) == [1]
    assert farm.arrive(200, ticket.id)
    assert not farm.waiting, "nobody begins it while its result is looked at"
    assert not take(farm, host(farm, "other"))
    assert farm.accept(ticket.id, OUT, NO_USAGE)
    assert farm.over


def test_the_result_of_a_lost_ticket_expires_the_copy_that_runs_elsewhere() -> None:
    farm = make_farm()
    (first,) = take(farm, host(farm))
    farm.tick(silence(farm))
    other = host(farm, "other", now=200)
    (second,) = take(farm, other, now=200)
    assert finish(farm, first, 201)
    assert farm.expired_of(other) == [second.id]
    assert farm.ping(202, other, [second.id]) == [second.id]
    assert farm.arrive(203, second.id) is None, "a copy of what is done is dropped"


def test_the_result_of_a_ticket_that_was_written_off_as_failed_is_taken_while_its_task_is_undone() -> None:
    farm = make_farm(attempts=2)
    (ticket,) = take(farm, host(farm))
    fail(farm, ticket)
    assert finish(farm, ticket)
    assert outcomes(farm)[1].state is TaskState.DONE
    assert outcomes(farm)[1].attempts == 1, "one ticket is one attempt"


def test_of_two_results_that_are_looked_at_together_the_first_to_pass_is_taken() -> None:
    farm = make_farm()
    (first,) = take(farm, host(farm))
    farm.tick(silence(farm))
    (second,) = take(farm, host(farm, "other", now=200), now=200)
    assert farm.arrive(201, first.id) and farm.arrive(201, second.id)
    assert farm.accept(second.id, OUT, NO_USAGE)
    assert not farm.accept(first.id, OUT, NO_USAGE)
    assert not farm.suspend(first.id, "hook", OUT, NO_USAGE)
    farm.reject(first.id, "no", NO_USAGE)
    assert outcomes(farm)[1].ticket == second.id


def test_a_rejected_copy_leaves_the_other_one_running() -> None:
    farm = make_farm(attempts=2)
    (first,) = take(farm, host(farm))
    farm.tick(silence(farm))
    (second,) = take(farm, host(farm, "other", now=200), now=200)
    assert farm.arrive(201, first.id)
    farm.reject(first.id, "no", NO_USAGE)
    assert farm.tasks[1].state is TaskState.RUNNING and not farm.waiting
    assert finish(farm, second, 202)


def test_a_result_that_is_sent_twice_uses_up_one_attempt() -> None:
    farm = make_farm(attempts=3)
    (ticket,) = take(farm, host(farm))
    for _ in range(5):
        assert farm.arrive(0, ticket.id)
        farm.reject(ticket.id, "no", NO_USAGE)
    assert farm.tasks[1].attempts == 1
    assert list(farm.waiting) == [1]


def test_a_failure_that_is_told_twice_counts_once() -> None:
    farm = make_farm(attempts=3)
    (ticket,) = take(farm, host(farm))
    assert fail(farm, ticket)
    assert not fail(farm, ticket)
    assert farm.tasks[1].attempts == 1


def test_what_is_being_looked_at_is_not_looked_at_twice_and_cannot_fail() -> None:
    farm = make_farm()
    client = host(farm)
    (ticket,) = take(farm, client)
    assert farm.arrive(0, ticket.id)
    assert farm.arrive(0, ticket.id) is None
    assert not fail(farm, ticket)
    assert not farm.tick(1e6), "its client may be gone: the result is here"
    farm.bye(1e6, client)
    assert farm.accept(ticket.id, OUT, NO_USAGE)


def test_a_ticket_that_nobody_issued_changes_nothing() -> None:
    farm = make_farm()
    assert farm.arrive(0, 77) is None
    assert not farm.fail(0, 77, BROKEN, NO_USAGE)
    farm.reject(77, "no", NO_USAGE)
    assert not farm.accept(77, OUT, NO_USAGE)
    assert farm.ping(0, "", [77]) == [77]
    assert not farm.changes


# -- a broken hook


def test_a_hook_that_cannot_judge_keeps_the_result_with_the_failed_task() -> None:
    farm = make_farm()
    (ticket,) = take(farm, host(farm))
    assert farm.arrive(0, ticket.id)
    assert farm.suspend(ticket.id, "hooks.py:3: it raised", OUT, NO_USAGE)
    told = outcomes(farm)[1]
    assert (told.state, told.ticket, told.outputs, told.attempts) == (TaskState.FAILED, ticket.id, OUT, 1)
    assert farm.over and farm.in_state[TaskState.FAILED] == 1


# -- who is told


def test_a_client_is_told_once_of_a_ticket_that_expired() -> None:
    farm = make_farm()
    slow = host(farm)
    (first,) = take(farm, slow)
    farm.tick(silence(farm))
    (second,) = take(farm, host(farm, "other", now=200), now=200)
    farm.ping(200, slow, [first.id])
    assert finish(farm, second, 201)
    assert farm.clients_to_call() == [slow]
    assert farm.has_expired(slow)
    assert farm.expired_of(slow) == [first.id]
    assert farm.expired_of(slow) == [] and not farm.clients_to_call()


def test_nothing_is_kept_for_clients_that_will_never_ask() -> None:
    farm = make_farm(2)
    mute, gone = host(farm, "mute", pings=False), host(farm, "gone")
    (one,), (two,) = take(farm, mute), take(farm, gone)
    farm.arrive(0, two.id)
    farm.bye(1, gone)
    for ticket in (one, two):
        farm.give_up(farm.tasks[ticket.task], "enough")
    assert not farm.clients_to_call()


def test_bye_returns_what_the_client_had_at_once() -> None:
    farm = make_farm(3)
    client = host(farm)
    take(farm, client, 2)
    farm.bye(5.0, client)
    assert list(farm.waiting) == [3, 1, 2]
    assert [c.seconds for c in farm.changes if isinstance(c, ClientLeft)] == [5.0]
    farm.bye(6.0, client)
    assert sum(isinstance(c, ClientLeft) for c in farm.changes) == 1, "a second goodbye says nothing new"


def test_a_request_that_comes_after_the_goodbye_of_its_client_gets_nothing() -> None:
    """It was sent before, on another connection."""
    farm = make_farm(3)
    client = host(farm)
    farm.bye(5.0, client)
    assert take(farm, client, 1) == []
    assert list(farm.waiting) == [1, 2, 3]


def test_a_ping_that_comes_after_the_goodbye_of_its_client_brings_nothing_back() -> None:
    """It was sent before, or is still held: renewed, the task would wait for the end of a lease."""
    farm = make_farm(1)
    client = host(farm)
    (ticket,) = take(farm, client)
    farm.bye(5.0, client)
    assert farm.ping(5.1, client, [ticket.id]) == [ticket.id]
    assert list(farm.waiting) == [1]
    assert ticket.state is TicketState.LOST


def test_a_goodbye_for_a_client_that_was_killed_counts_as_silence() -> None:
    """A task that has its clients killed, as by want of memory, must come to an end."""
    farm = make_farm(1)
    for number in range(MAX_LOST):
        client = host(farm, f"h{number}")
        take(farm, client, 1)
        farm.bye(5.0 + 20.0 * number, client, killed=True)
    assert farm.in_state[TaskState.FAILED] == 1
    assert any(isinstance(c, TaskMoved) and "hosts were lost" in c.reason for c in farm.changes)


def test_a_goodbye_of_a_stranger_changes_nothing() -> None:
    farm = make_farm()
    farm.bye(0, "77")
    assert not farm.changes


# -- the end


def test_draining_hands_out_nothing_and_takes_what_runs() -> None:
    farm = make_farm(2)
    client = host(farm)
    (ticket,) = take(farm, client)
    farm.draining = True
    assert not take(farm, client)
    assert farm.closed and not farm.over
    assert farm.ping(0, client, [ticket.id]) == []
    assert finish(farm, ticket)
    assert farm.over


def test_stopping_calls_everything_back_and_leaves_it_for_another_run() -> None:
    farm = make_farm(2)
    client = host(farm)
    tickets = take(farm, client, 2)
    farm.stop()
    assert farm.over
    assert farm.expired_of(client) == [t.id for t in tickets]
    assert {t.state for t in farm.tasks.values()} == {TaskState.WAITING}
    assert all(moved.attempts == 0 for moved in outcomes(farm).values())


def test_after_a_stop_a_lost_host_that_comes_back_is_sent_home() -> None:
    farm = make_farm()
    client = host(farm)
    (ticket,) = take(farm, client)
    farm.tick(silence(farm))
    farm.stop()
    assert farm.ping(200, client, [ticket.id]) == [ticket.id]
    assert farm.over


def test_a_result_that_comes_after_a_stop_is_work_done() -> None:
    farm = make_farm()
    (ticket,) = take(farm, host(farm))
    farm.stop()
    assert finish(farm, ticket)
    assert outcomes(farm)[1].state is TaskState.DONE


def test_the_sweep_is_not_over_while_the_store_may_have_more() -> None:
    farm = Farm(Rules())
    assert not farm.over
    farm.more = False
    assert farm.over


# -- after a restart


def restarted(state: TicketState, task_state: TaskState = TaskState.WAITING) -> tuple[Farm, Ticket]:
    """A farm that begins with one ticket of before."""
    farm = Farm(Rules(), next_ticket=8)
    ticket = Ticket(7, 1, "1", "lab01", 0.0, state, leased=True)
    farm.restore(Task(1, {}, task_state), ticket)
    return farm, ticket


def test_a_ticket_of_before_the_restart_is_still_good() -> None:
    farm, ticket = restarted(TicketState.ISSUED)
    assert farm.running == 1
    assert farm.ping(1, "1", [7]) == []
    farm.add([Task(1, {}), Task(2, {})])
    assert list(farm.waiting) == [2], "what runs is not handed out again"
    assert finish(farm, ticket)
    assert farm.in_state[TaskState.DONE] == 1


def test_a_lost_ticket_of_before_the_restart_is_renewed_by_a_ping() -> None:
    farm, _ = restarted(TicketState.LOST)
    assert farm.ping(1, "1", [7]) == []
    assert farm.running == 1


def test_a_ticket_of_before_the_restart_whose_client_is_gone_is_lost() -> None:
    farm, ticket = restarted(TicketState.ISSUED)
    ticket.word = 10.0
    assert farm.tick(silence(farm, 10.0)) == [ticket]
    assert list(farm.waiting) == [1]


@pytest.mark.parametrize("state", [TicketState.FAILED, TicketState.LOST, TicketState.REJECTED, TicketState.EXPIRED])
def test_a_task_that_came_by_a_late_word_is_still_handed_out_in_its_turn(state: TicketState) -> None:
    farm, ticket = restarted(state)
    fail(farm, ticket)
    farm.add([Task(1, {}), Task(2, {})])
    assert sorted(farm.waiting) == [1, 2]
    assert len(take(farm, host(farm), 5)) == 2


def test_two_tickets_of_one_task_come_back_as_one_task() -> None:
    farm, _ = restarted(TicketState.ISSUED)
    farm.restore(Task(1, {}), Ticket(6, 1, "2", "lab02", 0.0, TicketState.ISSUED, leased=True))
    assert farm.tasks[1].tickets == [7, 6]
    assert farm.running == 1 and farm.in_state[TaskState.WAITING] == 0


def test_a_failed_task_that_is_looked_at_again_is_counted_once() -> None:
    farm = make_farm(attempts=1)
    (ticket,) = take(farm, host(farm))
    fail(farm, ticket)
    assert farm.in_state[TaskState.FAILED] == 1
    for _ in range(2):
        farm.restore(Task(1, {}, TaskState.FAILED, 1), Ticket(ticket.id, 1, "1", "lab01", 0.0, TicketState.FAILED))
        assert farm.arrive(1, ticket.id)
        farm.reject(ticket.id, "no", NO_USAGE)
        assert farm.in_state[TaskState.FAILED] == 1 and not farm.tasks
    farm.restore(Task(1, {}, TaskState.FAILED, 1), Ticket(ticket.id, 1, "1", "lab01", 0.0, TicketState.FAILED))
    assert finish(farm, ticket)
    assert (farm.in_state[TaskState.FAILED], farm.in_state[TaskState.DONE]) == (0, 1)


def test_what_was_read_before_a_task_was_done_does_not_bring_it_back() -> None:
    farm, ticket = restarted(TicketState.LOST)
    read = [Task(1, {}), Task(2, {})]
    assert finish(farm, ticket)
    farm.add(read)
    assert list(farm.waiting) == [2]


def test_ticket_numbers_go_on_where_they_were() -> None:
    farm = Farm(Rules(), next_ticket=41, next_client=7)
    farm.add([Task(1, {})])
    client = host(farm)
    assert client == "7"
    assert take(farm, client)[0].id == 41


# -- which task next


def test_tasks_are_handed_out_in_their_order() -> None:
    farm = make_farm(5)
    assert [t.task for t in take(farm, host(farm), 3)] == [1, 2, 3]
    assert [t.task for t in take(farm, host(farm, "other"), 9)] == [4, 5]


def test_a_task_goes_to_another_host_than_the_one_where_it_went_wrong() -> None:
    farm = make_farm(2)
    bad, good = host(farm, "bad"), host(farm, "good")
    fail(farm, take(farm, bad)[0])
    assert [t.task for t in take(farm, bad, 1)] == [2]
    assert [t.task for t in take(farm, good, 1)] == [1]


def test_a_host_that_is_alone_gets_its_failed_task_again() -> None:
    farm = make_farm()
    only = host(farm)
    gone = host(farm, "gone")
    farm.bye(0, gone)
    fail(farm, take(farm, only)[0])
    assert take(farm, only)


def test_a_host_shunned_by_all_in_sight_does_not_stand_idle() -> None:
    farm = make_farm(SUSPECT_AFTER - 1, attempts=9)
    bad = host(farm, "bad")
    host(farm, "good")
    for ticket in take(farm, bad, SUSPECT_AFTER - 1):
        fail(farm, ticket)
    assert [t.task for t in take(farm, bad)] == [1]


def test_changes_are_given_once_and_in_order() -> None:
    farm = make_farm()
    (ticket,) = take(farm, host(farm))
    finish(farm, ticket)
    changes = farm.take_changes()
    assert [type(c).__name__ for c in changes] == ["ClientCame", "TicketIssued", "TicketEnded", "TaskMoved", "TasksOut"]
    assert isinstance(changes[2], TicketEnded) and isinstance(changes[3], TaskMoved)
    assert farm.take_changes() == []
    replay = Replay()
    replay.apply(changes)
    assert replay.accepted == {1: 1}


def test_a_lease_lasts_three_pings_and_a_little() -> None:
    assert (lease(30), lease(1), lease(0)) == (95, 8, 0)


def test_who_says_goodbye_is_not_called_any_more() -> None:
    farm = make_farm()
    slow = host(farm)
    (first,) = take(farm, slow)
    farm.give_up(farm.tasks[1], "enough")
    assert farm.clients_to_call() == [slow]
    farm.bye(1, slow)
    assert not farm.clients_to_call() and first.id not in farm.tickets


def test_a_lost_ticket_of_a_task_that_was_given_up_is_not_renewed_and_its_reason_stays() -> None:
    farm, ticket = restarted(TicketState.LOST, TaskState.FAILED)
    assert farm.ping(1, "1", [ticket.id]) == [ticket.id]
    assert not farm.changes


def test_why_a_task_failed_stays_known_when_late_attempts_at_it_are_called_back() -> None:
    farm, late = restarted(TicketState.LOST, TaskState.FAILED)
    assert farm.arrive(1.0, late.id) is not None
    farm.restore(farm.tasks[late.task], Ticket(late.id + 1, late.task, "2", "b", 0.0, TicketState.LOST))
    farm.stop()
    assert not [change for change in farm.changes if isinstance(change, TaskMoved)]


def test_the_hosts_are_those_whose_clients_have_come_and_not_gone() -> None:
    farm = make_farm(1)
    one, two = host(farm, "a"), host(farm, "b")
    assert set(farm.hosts) == {"a", "b"}
    other = host(farm, "b")
    farm.bye(1.0, two)
    assert set(farm.hosts) == {"a", "b"}, "another client is still there"
    farm.bye(1.0, other)
    farm.bye(1.0, other)
    assert set(farm.hosts) == {"a"}
    assert host(farm, "c") and set(farm.hosts) == {"a", "c"}
    farm.bye(1.0, one)
    assert set(farm.hosts) == {"c"}


def test_hosts_that_are_killed_within_ten_seconds_count_once_against_their_task() -> None:
    """A power cut goes through a room: what runs there is lost again and again, and no task did that."""
    farm = make_farm(1)
    for number in range(MAX_LOST + 2):
        take(farm, host(farm, f"h{number}"), 1)
        farm.bye(100.0 + 2.0 * number, str(number + 1), killed=True)
    assert farm.tasks[1].lost == 1 and not reasons(farm)
    take(farm, host(farm, "later"), 1)
    farm.bye(110.1, str(MAX_LOST + 3), killed=True)
    assert farm.tasks[1].lost == 2


def test_one_host_whose_client_is_killed_again_and_again_counts_each_time() -> None:
    """That is no power cut, but a program that kills what it works for."""
    farm = make_farm(1)
    for number in range(MAX_LOST):
        assert not reasons(farm)
        take(farm, host(farm, "h"), 1)
        farm.bye(5.0 + number, str(number + 1), killed=True)
    assert reasons(farm) == ["3 hosts were lost while they ran it, the last one h"]


def test_copies_of_a_task_on_hosts_that_fall_silent_together_count_once() -> None:
    """When a silent host died is known only to the pause between two pings."""
    farm = make_farm(1, copies=2, ping=30.0)
    clients = [host(farm, name) for name in ("a", "b", "watcher")]
    farm.walls.extend([1.0] * 5)
    take(farm, clients[0])
    farm.tick(50.0)
    (copy,) = take(farm, clients[1], now=50.0)
    assert farm.tasks[1].tickets == [1, copy.id]
    for ticket, word in ((1, 60.0), (copy.id, 95.0)):
        farm.ping(word, farm.tickets[ticket].client, [ticket])
    farm.ping(300.0, clients[2], [])
    farm.tick(300.0)
    assert farm.tasks[1].lost == 1 and not farm.tasks[1].tickets
