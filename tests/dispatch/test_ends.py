"""How attempts end: what is recorded of each end, what becomes of the task, and who is told."""

from __future__ import annotations

import pytest
from spe.dispatch.changes import ClientHeard, TaskMoved, TicketEnded
from spe.dispatch.dispatch import Dispatch
from spe.model import Client, Death, Failure, Note, Task, TaskState, Ticket, TicketState, Times, Usage

from .kit import OUT, make_dispatch, take

USAGE = Usage(wall=4.0, user=3.0)
BROKEN = Failure("exit:1", "exit code 1", 1, stderr="é")


def out(tasks: int = 1, hosts: str = "a", now: float = 0.0, **rules: object) -> tuple[Dispatch, list[Ticket]]:
    """A dispatch, and a ticket for the client on each of these hosts; what came before is stored."""
    dispatch = make_dispatch(tasks, **rules)
    clients = [dispatch.register(0.0, host, "", 1, True).id for host in hosts]
    tickets = [take(dispatch, client, now=now)[0] for client in clients]
    dispatch.board.take_changes()
    return dispatch, tickets


# -- results


def test_an_accepted_result_is_recorded_whole() -> None:
    dispatch, (ticket,) = out()
    assert dispatch.attempts.arrive(9.0, ticket.id, "1") is dispatch.board.tasks[1]
    assert dispatch.clients["1"].word == 9.0
    assert dispatch.attempts.accept(ticket.id, OUT, USAGE, b"warning", b"output") is True
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.ACCEPTED, USAGE, None, b"output", b"warning"),
        TaskMoved(1, TaskState.DONE, 1, 0, "", 1, {}, OUT),
    ]
    assert list(dispatch.handout.walls) == [4.0]
    assert not dispatch.board.tasks and dispatch.board.in_state[TaskState.DONE] == 1


def test_a_result_of_a_lost_attempt_makes_it_one_that_lives() -> None:
    dispatch, (ticket,) = out()
    dispatch.losses.lose(ticket)
    dispatch.attempts.arrive(1.0, ticket.id)
    task = dispatch.board.tasks[1]
    assert (task.tickets, task.past, task.state) == ([1], [], TaskState.RUNNING)
    assert ticket.state is TicketState.CHECKING


def test_a_result_that_a_hook_could_not_judge_is_recorded_whole_with_the_failed_task() -> None:
    dispatch, (ticket,) = out()
    dispatch.attempts.arrive(9.0, ticket.id)
    assert dispatch.attempts.suspend(1, "hooks.py:3: it raised", OUT, USAGE, b"warning", "x 1", b"output") is True
    failure = Failure("hook", "hooks.py:3: it raised", files="x 1")
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.REJECTED, USAGE, failure, b"output", b"warning"),
        TaskMoved(1, TaskState.FAILED, 1, 0, "hooks.py:3: it raised", 1, {}, OUT),
    ]
    assert not dispatch.board.tasks and not dispatch.board.tickets


def test_a_failed_attempt_whose_late_result_no_hook_can_judge_is_charged_once() -> None:
    dispatch, (ticket,) = out()
    dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
    dispatch.attempts.arrive(1.0, ticket.id)
    dispatch.attempts.suspend(ticket.id, "it raised", OUT, USAGE)
    (moved,) = [c for c in dispatch.board.changes if isinstance(c, TaskMoved) and c.ticket]
    assert moved.attempts == 1


def test_a_late_result_of_a_failed_task_that_no_hook_can_judge_leaves_it_failed() -> None:
    dispatch, _ = out(0, "")
    dispatch.board.restore(Task(1, {}, TaskState.FAILED, 1), Ticket(7, 1, "1", "a", 0.0, TicketState.FAILED))
    dispatch.attempts.arrive(1.0, 7)
    assert dispatch.attempts.suspend(7, "it raised", OUT, USAGE)
    assert not dispatch.board.tasks
    assert [(c.state, c.attempts) for c in dispatch.board.changes if isinstance(c, TaskMoved)] == [
        (TaskState.FAILED, 1)
    ]


def test_a_refused_result_is_recorded_whole_and_counts_as_rejected() -> None:
    dispatch, (ticket,) = out()
    dispatch.attempts.arrive(9.0, ticket.id)
    dispatch.attempts.reject(1, "x is missing", USAGE, b"output", b"warning", "x 1")
    failure = Failure("rejected", "x is missing", files="x 1")
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.REJECTED, USAGE, failure, b"output", b"warning"),
        TaskMoved(1, TaskState.WAITING, 1, 0, "x is missing", None, {"rejected": 1}),
    ]
    task = dispatch.board.tasks[1]
    assert (task.shunned, task.past, task.tickets, ticket.charged) == ({"a"}, [1], [], True)
    assert list(dispatch.board.waiting) == [1]


# -- a check that is given up


def test_a_check_that_is_given_up_lets_the_task_wait_and_the_result_come_again() -> None:
    dispatch, (ticket,) = out()
    dispatch.attempts.arrive(1.0, ticket.id)
    dispatch.attempts.release(ticket.id)
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.EXPIRED, failure=None),
        TaskMoved(1, TaskState.WAITING, 0, 0, "", None, {}),
    ]
    assert list(dispatch.board.waiting) == [1] and dispatch.board.tasks[1].past == [1]
    assert dispatch.attempts.arrive(2.0, ticket.id) is not None
    assert dispatch.attempts.accept(ticket.id, OUT, USAGE)


def test_a_check_of_a_failed_task_that_is_given_up_leaves_it_failed() -> None:
    dispatch, _ = out(0, "")
    dispatch.board.restore(Task(1, {}, TaskState.FAILED, 1), Ticket(7, 1, "1", "a", 0.0, TicketState.FAILED))
    dispatch.attempts.arrive(1.0, 7)
    dispatch.attempts.release(7)
    assert not dispatch.board.tasks and not dispatch.board.tickets
    assert not [c for c in dispatch.board.changes if isinstance(c, TaskMoved)]


def test_only_a_check_can_be_given_up() -> None:
    dispatch, (ticket,) = out()
    dispatch.attempts.release(ticket.id)
    dispatch.attempts.release(99)
    assert dispatch.board.is_live(ticket.id) and not dispatch.board.changes


# -- failures


def test_a_failure_is_recorded_whole_and_its_client_was_heard() -> None:
    dispatch, (ticket,) = out()
    assert dispatch.attempts.fail(9.0, 1, BROKEN, USAGE, b"output", "1") is True
    assert dispatch.clients["1"].word == dispatch.clients.now == 9.0
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.FAILED, USAGE, BROKEN, b"output", "é".encode()),
        TaskMoved(1, TaskState.WAITING, 1, 0, "exit code 1", None, {"exit:1": 1}),
    ]
    assert dispatch.board.tasks[1].shunned == {"a"}
    assert dispatch.board.tasks[1].past == [ticket.id]
    dispatch.attempts.fail(9.0, take(dispatch, "1")[0].id, BROKEN, USAGE)
    assert dispatch.board.tasks[1].faults == {"exit:1": 2}


def test_a_failure_of_an_attempt_that_expired_says_nothing() -> None:
    dispatch, (ticket,) = out()
    dispatch.board.stop()
    dispatch.board.changes.clear()
    assert dispatch.attempts.fail(1.0, ticket.id, BROKEN, USAGE) is False
    assert not dispatch.board.changes


def test_a_failure_of_a_lost_attempt_counts() -> None:
    dispatch, (ticket,) = out()
    dispatch.losses.lose(ticket)
    assert dispatch.attempts.fail(1.0, ticket.id, BROKEN, USAGE) is True
    assert dispatch.board.tasks[1].attempts == 1 and list(dispatch.board.waiting) == [1]


def test_a_loss_is_not_held_against_a_task_whose_program_is_heard_to_have_ended() -> None:
    """Three slow hosts are no proof that it kills hosts, whether it failed there or its result is refused."""
    for ends in ("fails", "is refused"):
        dispatch, (ticket,) = out()
        task = dispatch.board.tasks[1]
        task.lost = 1
        dispatch.losses.lose(ticket)
        assert task.lost == 2
        if ends == "fails":
            dispatch.attempts.fail(1.0, ticket.id, BROKEN, USAGE)
        else:
            dispatch.attempts.arrive(1.0, ticket.id)
            dispatch.attempts.reject(ticket.id, "x is missing", USAGE)
        assert (task.lost, task.death, ticket.blamed) == (1, None, False), ends
        (*_, moved) = dispatch.board.changes
        assert isinstance(moved, TaskMoved) and moved.lost == 1


def test_a_late_failure_of_a_task_that_has_failed_leaves_it_as_it_is() -> None:
    dispatch, _ = out(0, "")
    dispatch.board.restore(Task(1, {}, TaskState.FAILED, 3), Ticket(7, 1, "1", "a", 0.0, TicketState.LOST))
    assert dispatch.attempts.fail(1.0, 7, BROKEN, USAGE) is True
    assert not dispatch.board.tasks
    assert [type(change) for change in dispatch.board.changes] == [TicketEnded]


def test_a_task_that_waits_after_a_loss_leaves_the_queue_when_it_is_given_up() -> None:
    dispatch, (ticket,) = out(attempts=1)
    dispatch.losses.lose(ticket)
    assert list(dispatch.board.waiting) == [1]
    dispatch.attempts.fail(1.0, ticket.id, BROKEN, USAGE)
    assert not dispatch.board.waiting and not dispatch.board.tasks
    assert dispatch.board.changes[-1] == TaskMoved(1, TaskState.FAILED, 1, 0, "exit code 1", None, {"exit:1": 1})


def test_stop_after_counts_the_failed_sets_of_earlier_runs_and_ends_the_sweep_once() -> None:
    asked: list[tuple[int, int]] = []

    def stop_after(failed: int, total: int) -> bool:
        asked.append((failed, total))
        return failed >= 6

    dispatch, tickets = out(4, "abc", attempts=1, stop_after=stop_after)
    dispatch.board.failed_before, dispatch.board.total = 4, 20
    assert dispatch.attempts.gave_up is False
    for ticket in tickets:
        dispatch.attempts.give_up(dispatch.board.tasks[ticket.task], "enough")
    assert asked == [(5, 20), (6, 20)], "and not again while the sweep ends"
    assert dispatch.attempts.gave_up is True and dispatch.board.draining
    (note,) = dispatch.board.take_notes()
    assert note == "the sweep is given up (stop_after): 6 sets have failed" and note.kind == "given_up"


# -- doubts


def black_hole(attempts: int = 3) -> tuple[Dispatch, list[Ticket]]:
    """Three tickets of the host `bad`, and hosts that are trusted."""
    dispatch = make_dispatch(9, attempts=attempts)
    for host in ("bad", "good"):
        dispatch.register(0.0, host, "", 9, True)
    return dispatch, take(dispatch, "1", 4)


def test_what_was_charged_for_a_host_is_taken_back_when_it_is_suspected() -> None:
    dispatch, tickets = black_hole()
    for ticket in tickets[:2]:
        dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
    dispatch.board.changes.clear()
    assert [dispatch.board.tasks[task].attempts for task in (1, 2)] == [1, 1]
    dispatch.attempts.fail(0.0, tickets[2].id, BROKEN, USAGE)
    for task in (1, 2, 3):
        assert (dispatch.board.tasks[task].attempts, dispatch.board.tasks[task].faults.get("exit:1", 0)) == (0, 0)
    assert not tickets[2].charged
    moved = [c for c in dispatch.board.changes if isinstance(c, TaskMoved)]
    assert [(c.number, c.state, c.attempts, c.reason) for c in moved] == [
        (task, TaskState.WAITING, 0, "exit code 1") for task in (1, 2, 3)
    ]
    dispatch.attempts.fail(0.0, tickets[3].id, BROKEN, USAGE)
    assert dispatch.board.tasks[4].attempts == 0 and dispatch.board.tasks[1].attempts == 0


def test_tasks_that_were_given_up_for_a_host_wait_again_when_it_is_suspected() -> None:
    dispatch, tickets = black_hole(attempts=1)
    for ticket in tickets[:2]:
        dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
    assert dispatch.board.given_up.keys() == {1, 2}
    assert dispatch.board.in_state[TaskState.FAILED] == 2
    dispatch.attempts.fail(0.0, tickets[2].id, BROKEN, USAGE)
    assert not dispatch.board.given_up and dispatch.board.in_state[TaskState.FAILED] == 0
    assert list(dispatch.board.waiting) == [5, 6, 7, 8, 9, 1, 2, 3]
    assert [dispatch.board.tasks[task].attempts for task in (1, 2, 3)] == [0, 0, 0]


def test_a_task_that_was_charged_for_another_reason_keeps_that() -> None:
    dispatch, tickets = black_hole()
    dispatch.board.tasks[1].faults["timeout"] = dispatch.board.tasks[1].attempts = 1
    for ticket in tickets[:3]:
        dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
    assert (dispatch.board.tasks[1].attempts, dispatch.board.tasks[1].faults) == (1, {"timeout": 1, "exit:1": 0})


def test_a_task_that_failed_everywhere_or_is_none_of_todays_is_not_remembered_when_it_is_given_up() -> None:
    dispatch, tickets = black_hole(attempts=1)
    dispatch.board.tasks[1].planned = False
    dispatch.attempts.fail(0.0, tickets[0].id, BROKEN, USAGE)
    assert not dispatch.board.given_up
    dispatch.guard.failed(0.0, "good", 2, BROKEN)
    dispatch.attempts.fail(0.0, tickets[1].id, BROKEN, USAGE)
    assert not dispatch.board.given_up
    dispatch.guard.failed(0.0, "good", 2, BROKEN)
    assert list(dispatch.guard.record("good").streak) == [2], "the guard has forgotten the task"


def test_at_most_a_thousand_given_up_tasks_are_remembered_beyond_those_that_a_host_may_be_to_blame_for() -> None:
    dispatch = make_dispatch(1200, attempts=1)
    client = dispatch.register(0.0, "only", "", 9, True).id
    for count in (1000, 1):
        for ticket in take(dispatch, client, count):
            dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
        assert len(dispatch.board.given_up) == (1000 if count == 1000 else 100), "a hundred are blamed on the host"
    dispatch.guard.failed(0.0, "other", 5, BROKEN)
    assert list(dispatch.guard.record("other").streak) == [5], "the guard has forgotten the others"
    assert set(dispatch.board.given_up) == set(range(902, 1002))


def test_a_bench_is_told_with_its_host_and_reason() -> None:
    dispatch, tickets = black_hole()
    for ticket in tickets[:3]:
        dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
    for ticket in take(dispatch, "2", 9):
        if ticket.task in (1, 2):
            dispatch.attempts.arrive(1.0, ticket.id)
            dispatch.attempts.accept(ticket.id, OUT, USAGE)
    (note,) = dispatch.board.take_notes()
    assert (note.kind, note.host) == ("benched", "bad")
    assert note.startswith("bad is benched: what fails there succeeds elsewhere (exit code 1). ")


# -- losses


@pytest.mark.parametrize(
    ("silent", "gone", "how", "why"),
    [
        (True, False, "its host went silent", "host a was lost"),
        (True, True, "its client was killed", "host a was lost"),
        (False, False, "its client left", "host a left"),
        (False, True, "its client left", "host a left"),
    ],
)
def test_a_lost_attempt_says_how_and_its_task_waits_elsewhere(silent: bool, gone: bool, how: str, why: str) -> None:
    dispatch, (ticket,) = out()
    if gone:
        dispatch.clients.leave(dispatch.clients["1"])
    dispatch.losses.lose(ticket, silent)
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.LOST, failure=Failure("lost", how)),
        TaskMoved(1, TaskState.WAITING, 0, int(silent), why, None, {}),
    ]
    task = dispatch.board.tasks[1]
    assert (task.shunned, task.past, task.tickets, ticket.blamed) == ({"a"}, [1], [], silent)
    assert list(dispatch.board.waiting) == [1]
    assert dispatch.tally.hosts["a"].lost == 1


@pytest.mark.parametrize(("leased", "begun"), [(False, True), (True, False)])
def test_a_loss_is_not_held_against_a_task_that_had_not_begun_or_whose_client_never_pings(
    leased: bool, begun: bool
) -> None:
    dispatch, (ticket,) = out()
    ticket.leased = leased
    dispatch.losses.lose(ticket, begun=begun)
    assert dispatch.board.tasks[1].lost == 0 and not ticket.blamed and dispatch.board.tasks[1].death is None


def test_a_host_that_went_silent_died_within_a_ping_of_its_last_word_and_a_killed_one_just_now() -> None:
    for gone, death in ((False, Death("a", 20.0, 50.0)), (True, Death("a", 90.0, 90.0))):
        dispatch, (ticket,) = out(ping=30.0)
        ticket.word = 20.0
        dispatch.clients.now = 90.0
        if gone:
            dispatch.clients.leave(dispatch.clients["1"])
        dispatch.losses.lose(ticket)
        assert dispatch.board.tasks[1].death == death


def test_a_renewed_ticket_lives_with_a_new_word_and_keeps_its_task_from_the_queue() -> None:
    dispatch, (ticket,) = out(2)
    task = dispatch.board.tasks[1]
    dispatch.losses.lose(ticket)
    dispatch.board.changes.clear()
    ticket.leased = False
    assert dispatch.losses.renew(70.0, ticket.id) is True
    assert (ticket.word, ticket.leased, ticket.blamed, ticket.state) == (70.0, True, False, TicketState.ISSUED)
    assert (task.lost, task.death, task.tickets, task.past, task.state) == (0, None, [1], [], TaskState.RUNNING)
    assert list(dispatch.board.waiting) == [2]
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.ISSUED),
        TaskMoved(1, TaskState.RUNNING, 0, 0, "", None, {}),
    ]


def test_a_renewed_ticket_whose_loss_was_not_held_against_its_task_takes_nothing_back() -> None:
    dispatch, (ticket,) = out()
    task = dispatch.board.tasks[1]
    task.lost, task.death = 2, Death("b", 1.0, 2.0)
    dispatch.losses.lose(ticket, silent=False)
    dispatch.losses.renew(70.0, ticket.id)
    assert (task.lost, task.death) == (2, Death("b", 1.0, 2.0))


def test_a_loss_that_is_taken_back_after_a_restart_leaves_no_less_than_none() -> None:
    dispatch, _ = out(0, "")
    dispatch.board.restore(Task(1, {}), Ticket(7, 1, "1", "a", 0.0, TicketState.LOST, leased=True))
    assert dispatch.losses.renew(1.0, 7)
    assert dispatch.board.tasks[1].lost == 0


def test_an_unknown_ticket_and_one_that_has_ended_are_not_renewed() -> None:
    dispatch, (ticket,) = out()
    dispatch.attempts.fail(0.0, ticket.id, BROKEN, USAGE)
    assert dispatch.losses.renew(1.0, ticket.id) is False and dispatch.losses.renew(1.0, 99) is False
    assert ticket.word == 0.0


def test_of_many_tickets_those_that_are_out_are_lost_and_what_had_begun_is_blamed() -> None:
    for blame in (True, False):
        dispatch = make_dispatch(4)
        dispatch.register(0.0, "a", "", 1, True)
        first, second, third, fourth = take(dispatch, "1", 4)
        dispatch.attempts.arrive(0.0, fourth.id)
        dispatch.losses.lose_all([first, second, third, fourth], blame=blame)
        states = [ticket.state for ticket in (first, second, third, fourth)]
        assert states == [TicketState.LOST] * 3 + [TicketState.CHECKING]
        assert [ticket.blamed for ticket in (first, second, third)] == [blame, False, False]


# -- time


def limited(now: float = 0.0) -> tuple[Dispatch, Ticket]:
    """A dispatch with a limit of three medians, of which five are known, and an attempt that runs since 0."""
    dispatch, (ticket,) = out(timeout=Times(3), attempts=1, now=now)
    dispatch.handout.walls.extend([2.0] * 5)
    return dispatch, ticket


def test_a_limit_in_medians_ends_an_attempt_thirty_seconds_after_it_from_when_it_was_seen_to_run() -> None:
    dispatch, ticket = limited()
    assert dispatch.tick(10.0) == [] and ticket.begun == 10.0
    dispatch.ping(45.0, "1", [1])
    assert dispatch.tick(46.0) == [] and ticket.begun == 10.0 and dispatch.board.is_live(1), "6 and 30 seconds"
    dispatch.tick(46.1234567)
    assert dispatch.clients.take_expired("1") == [1]
    failure = Failure("timeout", "timeout after 6 s")
    assert TicketEnded(1, TicketState.FAILED, Usage(wall=36.123457), failure, b"", b"") in dispatch.board.changes
    assert not dispatch.board.tasks


def test_a_limit_in_seconds_is_the_clients_own_business() -> None:
    dispatch, (ticket,) = out(timeout=3.0)
    dispatch.ping(50.0, "1", [1])
    dispatch.tick(50.0)
    assert dispatch.board.is_live(1) and ticket.begun == 0.0


def test_a_prefetched_attempt_has_not_begun_and_its_time_does_not_run() -> None:
    dispatch = make_dispatch(2, timeout=Times(3))
    dispatch.register(0.0, "a", "", 1, True)
    runs, waits = take(dispatch, "1", 2)
    dispatch.tick(5.0)
    assert (runs.begun, waits.begun) == (5.0, 0.0)


def test_time_in_which_the_master_was_stopped_counts_for_no_lease_and_no_limit() -> None:
    dispatch, (first, second) = out(2, "ab", now=1.0)
    first.begun = 2.0
    dispatch.losses.forgive(50.0)
    assert (first.word, first.begun, second.word, second.begun) == (51.0, 52.0, 51.0, 0.0)


@pytest.mark.parametrize(
    ("words", "now", "blamed"),
    [
        ((0.0, 0.0), 96.0, False),  # both fell silent together
        ((0.0, 0.0), 300.0, False),
        ((0.0, 30.0), 150.0, False),  # within a ping and five seconds of each other
        ((0.0, 35.0), 150.0, False),
        ((0.0, 36.0), 150.0, True),
        ((0.0, 70.0), 105.0, True),  # the other was heard just now
    ],
)
def test_hosts_that_fall_silent_together_are_held_against_no_task(
    words: tuple[float, float], now: float, blamed: bool
) -> None:
    dispatch, (first, _) = out(2, "ab", ping=30.0)
    for client, word in zip(("1", "2"), words, strict=True):
        dispatch.ping(word, client, [])
    dispatch.clients["1"].word = words[0]
    assert first in dispatch.tick(now)
    assert first.blamed == blamed


def test_a_host_that_falls_silent_while_others_are_heard_is_held_against_its_task() -> None:
    """Just a ping and five seconds ago is heard; a moment later, the link may be down."""
    for now, blamed in ((105.0, True), (105.1, False)):
        dispatch, (first, *_) = out(3, "abc", ping=30.0)
        for client in ("2", "3"):
            dispatch.ping(70.0, client, [])
        assert dispatch.tick(now)[0] is first
        assert first.blamed == blamed


def test_several_clients_on_one_host_that_fall_silent_are_held_against_their_tasks() -> None:
    dispatch, (first, second) = out(2, "aa", ping=30.0)
    assert dispatch.tick(300.0) == [first, second]
    assert first.blamed and second.blamed


# -- coming and going


def test_a_client_registers_with_its_cores_and_is_recorded() -> None:
    dispatch = make_dispatch(0)
    assert dispatch.register(3.0, "a", "linux", 2, True) == Client("1", "a", "linux", 2, 2, 3.0, 3.0, True)
    assert dispatch.register(3.0, "a", "linux", 2, True, cores=8).cores == 8
    assert len(dispatch.board.changes) == 2 and len(dispatch.clients) == 2


def test_with_time_it_is_recorded_when_each_client_was_heard() -> None:
    dispatch, _ = out(0, "")
    dispatch.register(0.0, "a", "", 1, True)
    dispatch.ping(10.0, "1", [])
    dispatch.board.take_changes()
    dispatch.tick(30.0)
    assert dispatch.board.changes == [ClientHeard("1", 20.0)]


def test_a_goodbye_loses_the_clients_own_tickets_only() -> None:
    dispatch, (first, second) = out(2, "ab")
    dispatch.bye(5.0, "1")
    assert (first.state, second.state) == (TicketState.LOST, TicketState.ISSUED)
    assert dispatch.board.tasks[1].lost == 0, "it was not killed"


def test_a_note_without_a_kind_is_a_note_of_no_host() -> None:
    assert (Note("text").kind, Note("text").host) == ("note", "")
