"""The board by itself: tasks come in and leave, tickets end, and counts and changes tell the same."""

from __future__ import annotations

import pytest
from spe.dispatch.board import Board
from spe.dispatch.changes import Decision, Settled, TaskMoved, TasksOut, TicketEnded
from spe.dispatch.clients import Clients
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.lifecycle import TaskEvent, TicketEvent
from spe.model import Failure, Note, Task, TaskState, Ticket, TicketState

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch, take

ENDED = (TicketState.ACCEPTED, TicketState.REJECTED, TicketState.FAILED, TicketState.EXPIRED)


def with_client(tasks: int = 1, slots: int = 2, **rules: object) -> Dispatch:
    """A dispatch with the client 1 on the host `a`, whose registration is stored."""
    dispatch = make_dispatch(tasks, **rules)
    dispatch.register(0.0, "a", "", slots, True)
    dispatch.board.take_changes()
    return dispatch


def ticket_of(task: int, state: TicketState, number: int = 7, client: str = "1", leased: bool = True) -> Ticket:
    return Ticket(number, task, client, "a", 0.0, state, leased=leased)


def moved(board: Board) -> list[tuple[int, TaskState, str]]:
    return [(c.number, c.state, c.reason) for c in board.changes if isinstance(c, TaskMoved)]


def ended(board: Board) -> list[tuple[int, TicketState]]:
    return [(c.id, c.state) for c in board.changes if isinstance(c, TicketEnded)]


def test_a_new_board_has_nothing_and_expects_tasks_from_the_store() -> None:
    board = Board(Clients(), cores=1)
    assert (board.tasks, board.tickets, list(board.waiting), board.changes, board.notes) == ({}, {}, [], [], [])
    assert (board.draining, board.more, board.fed, board.looks) == (False, True, -1, 0)
    assert (board.total, board.done_before, board.failed_before, board.cancelled_before) == (0, 0, 0, 0)
    assert (board.first_ticket, board.program, board.running, board.with_slot) == (1, None, 0, 0)
    assert Board(Clients(), cores=1, next_ticket=8).first_ticket == 8


# -- tasks in


def test_tasks_come_in_once_in_their_order_and_the_new_ones_are_counted() -> None:
    board = Board(Clients(), cores=1)
    assert board.add([Task(1, {}), Task(2, {})]) == 2
    assert board.add([Task(2, {}), Task(3, {})]) == 1
    assert list(board.waiting) == [1, 2, 3]
    assert board.in_state[TaskState.WAITING] == 3


def test_a_task_that_has_ended_is_kept_out_of_one_reading_only() -> None:
    dispatch = with_client(2)
    board = dispatch.board
    board.more = True
    dispatch.steering.cancel([1])
    assert board.add([Task(1, {})]) == 0, "this reading may have begun before"
    assert board.add([Task(1, {})]) == 1


def test_nothing_is_kept_out_once_the_store_has_no_more() -> None:
    dispatch = with_client(2)
    dispatch.steering.cancel([1])
    assert dispatch.board.add([Task(1, {})]) == 1


def test_a_task_that_was_left_out_does_not_come_in_again() -> None:
    dispatch = with_client(2)
    dispatch.board.leave_out(dispatch.board.tasks[1], "its input is missing")
    for _ in range(2):
        assert dispatch.board.add([Task(1, {})]) == 0
    assert list(dispatch.board.waiting) == [2]


def test_a_task_that_came_with_an_old_ticket_counts_among_todays_once_it_is_known_to_be_one() -> None:
    dispatch = with_client(0)
    board = dispatch.board
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.LOST))
    board.restore(Task(2, {}, planned=False), ticket_of(2, TicketState.ISSUED, 8))
    board.add([Task(3, {})])
    assert board.unplanned() == [1, 2]
    assert (board.in_state[TaskState.WAITING], board.running) == (1, 1), "what runs keeps a host busy whatever it is"
    assert board.add([Task(1, {}, redone=True), Task(2, {})]) == 0
    assert board.unplanned() == []
    assert (board.in_state[TaskState.WAITING], board.running) == (2, 1)
    assert board.tasks[1].redone and not board.tasks[2].redone
    assert list(board.waiting) == [3, 1]
    board.plan(board.tasks[2], redone=True)
    assert not board.tasks[2].redone, "it was known before"


def test_a_look_from_the_beginning_is_counted() -> None:
    board = Board(Clients(), cores=1)
    board.more, board.fed = False, 17
    board.look_again()
    board.look_again()
    assert (board.more, board.fed, board.looks) == (True, -1, 2)


# -- tickets of before


@pytest.mark.parametrize("state", TicketState)
@pytest.mark.parametrize("leased", [True, False])
def test_a_ticket_that_comes_back_has_cost_what_its_state_tells(state: TicketState, leased: bool) -> None:
    dispatch = with_client(0)
    ticket = ticket_of(1, state, leased=leased)
    dispatch.board.restore(Task(1, {}), ticket)
    task = dispatch.board.tasks[1]
    is_live = state in (TicketState.ISSUED, TicketState.CHECKING)
    assert ticket.charged == (state in (TicketState.FAILED, TicketState.REJECTED))
    assert ticket.blamed == (state is TicketState.LOST and leased)
    assert dispatch.board.tickets == {7: ticket}
    assert (task.tickets, task.past) == (([7], []) if is_live else ([], [7]))
    assert task.state is (TaskState.RUNNING if is_live else TaskState.WAITING)
    assert dispatch.board.is_live(7) == is_live
    assert dispatch.board.with_slot == dispatch.board.occupancy.begun == (state is TicketState.ISSUED)
    assert dispatch.board.has_ended(7) == (state in ENDED)


def test_a_live_ticket_that_comes_back_takes_its_task_from_the_queue() -> None:
    dispatch = with_client(2)
    dispatch.board.restore(Task(1, {}), ticket_of(1, TicketState.ISSUED))
    assert list(dispatch.board.waiting) == [2]
    assert (dispatch.board.running, dispatch.board.in_state[TaskState.WAITING]) == (1, 1)


def test_a_given_up_task_that_comes_back_is_no_longer_remembered_as_given_up() -> None:
    dispatch = with_client(1, attempts=1)
    dispatch.attempts.fail(0.0, take(dispatch, "1")[0].id, BROKEN, NO_USAGE)
    assert dispatch.board.given_up.keys() == {1}
    dispatch.board.restore(Task(1, {}, TaskState.FAILED, 1), ticket_of(1, TicketState.FAILED, 1))
    assert not dispatch.board.given_up
    assert dispatch.board.in_state[TaskState.FAILED] == 1, "it was counted when it left"


def test_a_lost_ticket_of_a_failed_task_is_worth_nothing_and_so_is_an_unknown_one() -> None:
    dispatch = with_client(0)
    dispatch.board.restore(Task(1, {}, TaskState.FAILED), ticket_of(1, TicketState.LOST))
    assert dispatch.board.has_ended(7) and dispatch.board.has_ended(99)
    assert not dispatch.board.is_live(7) and not dispatch.board.is_live(99)


# -- tasks out


def test_a_task_that_leaves_takes_its_tickets_along_and_calls_back_those_that_live() -> None:
    dispatch = with_client(2)
    board = dispatch.board
    task = board.tasks[1]
    live = board.issue(0.0, task, "1", "a", True)
    past = board.issue(0.0, task, "1", "a", True)
    dispatch.losses.lose(past, silent=False)
    board.changes.clear()
    board.leave(task)
    assert 1 not in board.tasks and not board.tickets
    assert live.state is TicketState.EXPIRED and past.state is TicketState.LOST
    assert ended(board) == [(live.id, TicketState.EXPIRED)]
    assert dispatch.clients.take_expired("1") == [live.id]


def test_a_task_that_is_left_out_is_called_back_without_a_word_to_its_client_and_waits_for_another_run() -> None:
    dispatch = with_client(2)
    board = dispatch.board
    (ticket,) = take(dispatch, "1")
    board.issue(0.0, board.tasks[1], "1", "a", True)
    board.changes.clear()
    board.leave_out(board.tasks[1], "its input is missing")
    assert board.left_out == {1: "its input is missing"}
    assert 1 not in board.tasks and not board.tickets and list(board.waiting) == [2]
    assert ended(board) == [(1, TicketState.EXPIRED), (2, TicketState.EXPIRED)]
    assert moved(board) == [(1, TaskState.WAITING, "")]
    assert not dispatch.clients.to_call() and not ticket.leased
    assert (board.running, board.in_state[TaskState.WAITING], board.with_slot) == (0, 2, 0)


def test_a_waiting_task_that_is_left_out_leaves_the_queue() -> None:
    dispatch = with_client(3)
    dispatch.board.leave_out(dispatch.board.tasks[2], "its input is missing")
    assert list(dispatch.board.waiting) == [1, 3]
    assert moved(dispatch.board) == [(2, TaskState.WAITING, "")]


def test_a_task_of_another_command_goes_back_to_the_store_when_its_attempt_is_lost() -> None:
    dispatch = with_client(0)
    board = dispatch.board
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.ISSUED))
    dispatch.losses.lose(board.tickets[7], silent=False)
    assert not board.tasks and not board.waiting and not board.tickets
    assert board.in_state[TaskState.WAITING] == 0 and board.running == 0
    assert (board.more, board.looks) == (True, 1), "the store knows whether it is one of today's"
    assert moved(board) == [(1, TaskState.WAITING, "host a left")]


def test_a_task_that_is_tried_again_has_nothing_of_its_earlier_attempts() -> None:
    dispatch = with_client(0)
    task = Task(1, {}, TaskState.FAILED, tickets=[3], past=[4])
    dispatch.board.in_state[TaskState.FAILED] = 1
    dispatch.board.retry(task)
    assert (task.tickets, task.past, task.state) == ([], [], TaskState.WAITING)
    assert dispatch.board.tasks == {1: task} and list(dispatch.board.waiting) == [1]
    assert (dispatch.board.in_state[TaskState.FAILED], dispatch.board.in_state[TaskState.WAITING]) == (0, 1)


# -- what is so now


@pytest.mark.parametrize("draining", [False, True])
@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("runs", [False, True])
def test_a_run_is_over_when_nothing_is_out_and_nothing_will_be(
    draining: bool, more: bool, waits: bool, runs: bool
) -> None:
    dispatch = with_client(waits + runs)
    board = dispatch.board
    if runs:
        assert take(dispatch, "1")
    board.draining, board.more = draining, more
    is_over = not runs and (draining or not (more or waits))
    assert board.over == is_over
    assert board.closed == (draining or is_over)


def test_a_ticket_carries_the_program_of_the_run_and_the_time_of_its_issue() -> None:
    dispatch = with_client(2)
    dispatch.board.program = 5
    (ticket,) = take(dispatch, "1", now=3.0)
    assert ticket == Ticket(1, 1, "1", "a", issued=3.0, word=3.0, leased=True, program=5)
    assert dispatch.board.tasks[1].tickets == [1]


def test_live_and_past_tickets_are_listed_once_however_often_that_is_said() -> None:
    task, ticket = Task(1, {}), ticket_of(1, TicketState.ISSUED)
    for _ in range(2):
        Board.attach(task, ticket)
        assert (task.tickets, task.past) == ([7], [])
    for _ in range(2):
        Board.detach(task, ticket)
        assert (task.tickets, task.past) == ([], [7])
    Board.attach(task, ticket)
    assert (task.tickets, task.past) == ([7], [])


def test_a_ticket_that_arrives_has_no_slot_any_more() -> None:
    dispatch = with_client(1)
    (ticket,) = take(dispatch, "1")
    assert dispatch.board.occupancy.begun == 1
    dispatch.board.move_ticket(ticket, TicketEvent.ARRIVE)
    assert dispatch.board.occupancy.begun == 0
    dispatch.board.move_ticket(ticket, TicketEvent.REJECT)
    assert dispatch.board.occupancy.begun == 0


# -- attempts that nobody needs


def test_an_attempt_that_expires_says_why_and_its_client_is_told_if_it_pings_and_is_here() -> None:
    dispatch = make_dispatch(3)
    for host, pings in (("a", True), ("mute", False), ("gone", True)):
        dispatch.register(0.0, host, "", 1, pings)
    tickets = [take(dispatch, client)[0] for client in ("1", "2", "3")]
    dispatch.clients.leave(dispatch.clients["3"])
    dispatch.board.changes.clear()
    for ticket, why in zip(tickets, ("not begun", "", ""), strict=True):
        dispatch.board.expire(ticket, why)
    assert dispatch.board.changes == [
        TicketEnded(1, TicketState.EXPIRED, failure=Failure("expired", "not begun")),
        TicketEnded(2, TicketState.EXPIRED, failure=None),
        TicketEnded(3, TicketState.EXPIRED, failure=None),
    ]
    assert dispatch.clients.to_call() == ["1"]


def test_a_task_of_an_earlier_run_that_is_none_of_todays_is_called_back_and_goes_to_the_store() -> None:
    dispatch = with_client(0)
    board = dispatch.board
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.ISSUED))
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.LOST, 8))
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.FAILED, 9))
    board.call_back(board.tasks[1])
    assert ended(board) == [(7, TicketState.EXPIRED), (8, TicketState.EXPIRED)]
    assert moved(board) == [(1, TaskState.WAITING, "")]
    assert not board.tasks and not board.tickets and not board.waiting and board.looks == 1
    assert dispatch.clients.take_expired("1") == [7, 8]


def test_a_task_that_is_called_back_while_it_waits_goes_to_the_store() -> None:
    dispatch = with_client(0)
    dispatch.board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.LOST))
    dispatch.board.call_back(dispatch.board.tasks[1])
    assert not dispatch.board.tasks and dispatch.board.looks == 1
    assert moved(dispatch.board) == []


def test_a_failed_task_that_is_called_back_stays_as_it_is() -> None:
    dispatch = with_client(0)
    dispatch.board.restore(Task(1, {}, TaskState.FAILED, planned=False), ticket_of(1, TicketState.LOST))
    dispatch.board.call_back(dispatch.board.tasks[1])
    assert dispatch.board.tasks[1].state is TaskState.FAILED and dispatch.board.looks == 0
    assert dispatch.board.tasks[1].past == [7]


def test_a_result_that_is_being_checked_is_not_called_back() -> None:
    dispatch = with_client(0)
    board = dispatch.board
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.CHECKING))
    board.restore(Task(1, {}, planned=False), ticket_of(1, TicketState.ISSUED, 8))
    board.call_back(board.tasks[1])
    assert board.is_live(7) and not board.is_live(8)
    assert board.tasks[1].tickets == [7] and board.running == 1


def test_a_stop_calls_back_what_runs_or_is_lost_and_leaves_what_is_being_checked() -> None:
    dispatch = with_client(4, slots=4)
    board = dispatch.board
    runs, lost, checked, over = take(dispatch, "1", 4)
    dispatch.losses.lose(lost, silent=False)
    assert dispatch.attempts.arrive(0.0, checked.id)
    dispatch.attempts.fail(0.0, over.id, BROKEN, NO_USAGE)
    board.changes.clear()
    board.stop()
    assert board.draining and not board.over
    assert ended(board) == [(runs.id, TicketState.EXPIRED), (lost.id, TicketState.EXPIRED)]
    assert moved(board) == [(runs.task, TaskState.WAITING, ""), (lost.task, TaskState.WAITING, "")]
    assert list(board.waiting) == [lost.task, over.task, runs.task]
    assert board.tasks[runs.task].past == [runs.id] and board.tasks[runs.task].tickets == []
    assert board.is_live(checked.id)


def test_a_task_whose_copy_still_runs_waits_for_that() -> None:
    dispatch = with_client(1)
    board = dispatch.board
    task = board.tasks[1]
    (first,) = take(dispatch, "1")
    board.issue(0.0, task, "1", "a", True)
    dispatch.losses.lose(first, silent=False)
    assert task.state is TaskState.RUNNING and not board.waiting


def test_a_task_that_waits_already_is_not_queued_twice_when_a_late_attempt_ends() -> None:
    dispatch = with_client(1)
    board = dispatch.board
    board.changes.clear()
    board.settle(board.tasks[1], "")
    assert list(board.waiting) == [1] and moved(board) == [(1, TaskState.WAITING, "")]


def test_the_reason_of_a_failed_task_is_told_anew_and_none_does_not_wipe_it_out() -> None:
    board = Board(Clients(), cores=1)
    task = Task(1, {}, TaskState.FAILED, attempts=2, lost=1, faults={"exit:1": 2})
    board.settle(task, "")
    assert board.changes == []
    board.settle(task, "exit code 1")
    assert board.changes == [TaskMoved(1, TaskState.FAILED, 2, 1, "exit code 1", None, {"exit:1": 2})]
    task.faults["exit:1"] = 3
    assert board.changes[0].faults == {"exit:1": 2}, "a copy of its time"


# -- what others take


def test_a_task_moves_from_one_count_to_the_other() -> None:
    dispatch = with_client(1)
    dispatch.board.move(dispatch.board.tasks[1], TaskEvent.GIVE_UP)
    assert (dispatch.board.in_state[TaskState.WAITING], dispatch.board.in_state[TaskState.FAILED]) == (0, 1)


def test_notes_are_taken_once() -> None:
    board = Board(Clients(), cores=1)
    board.notes.append(Note("a host is benched"))
    assert board.take_notes() == ["a host is benched"]
    assert board.take_notes() == []


def test_the_number_of_running_tasks_is_told_with_the_changes_when_it_is_another_one() -> None:
    dispatch = with_client(3)
    board = dispatch.board
    assert board.take_changes() == []
    one, two = take(dispatch, "1", 2)
    assert board.take_changes()[-1] == TasksOut(2)
    assert board.take_changes() == []
    dispatch.handout.give_back(two.id, "1")
    take(dispatch, "1")
    assert not [change for change in board.take_changes() if isinstance(change, TasksOut)], "one ended, one began"
    assert dispatch.attempts.arrive(0.0, one.id) and dispatch.attempts.accept(one.id, OUT, NO_USAGE)
    assert board.take_changes()[-1] == TasksOut(1)


@pytest.mark.parametrize("tasks", [0, 1, 2])
def test_the_first_changes_tell_how_many_tasks_run(tasks: int) -> None:
    dispatch = make_dispatch(tasks)
    dispatch.register(0.0, "a", "", 2, True)
    take(dispatch, "1", 2)
    assert dispatch.board.take_changes()[-1] == TasksOut(tasks)


def test_a_change_that_says_no_more_changes_nothing_else() -> None:
    assert Decision(3, "a") == Decision(3, "a", (), fresh=False, keep=False, before=1, retry=None)
    assert Settled() == Settled(again=0, retried=0)
    assert TaskMoved(1, TaskState.DONE, 1, 0) == TaskMoved(1, TaskState.DONE, 1, 0, "", None, {}, ())
