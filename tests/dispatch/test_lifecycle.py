"""Every state met with every event; and that nothing but the table moves a state."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import spe
from spe.dispatch.lifecycle import (
    CLIENT_MOVES,
    LIVE,
    TASK_MOVES,
    TICKET_MOVES,
    ClientEvent,
    IllegalMove,
    TaskEvent,
    TicketEvent,
    move_client,
    move_task,
    move_ticket,
)
from spe.model import Client, ClientState, Task, TaskState, Ticket, TicketState
from spe.record import Word

SOURCES = sorted(Path(spe.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("event", TaskEvent)
@pytest.mark.parametrize("state", TaskState)
def test_a_task_moves_as_the_table_says_or_not_at_all(state: TaskState, event: TaskEvent) -> None:
    task = Task(7, {}, state)
    if (state, event) in TASK_MOVES:
        move_task(task, event)
        assert task.state is TASK_MOVES[state, event]
    else:
        with pytest.raises(IllegalMove, match=f"task 7: {event} while {state}"):
            move_task(task, event)
        assert task.state is state


@pytest.mark.parametrize("event", TicketEvent)
@pytest.mark.parametrize("state", TicketState)
def test_a_ticket_moves_as_the_table_says_or_not_at_all(state: TicketState, event: TicketEvent) -> None:
    ticket = Ticket(9, 7, "1", "lab01", 0.0, state)
    if (state, event) in TICKET_MOVES:
        move_ticket(ticket, event)
        assert ticket.state is TICKET_MOVES[state, event]
    else:
        with pytest.raises(IllegalMove, match=f"ticket 9: {event} while {state}"):
            move_ticket(ticket, event)
        assert ticket.state is state


@pytest.mark.parametrize("event", ClientEvent)
@pytest.mark.parametrize("state", ClientState)
def test_a_client_moves_as_the_table_says_or_not_at_all(state: ClientState, event: ClientEvent) -> None:
    client = Client("3", "lab01", "linux-x86_64", 2, 2, 0.0, 0.0, state=state)
    if (state, event) in CLIENT_MOVES:
        move_client(client, event)
        assert client.state is CLIENT_MOVES[state, event]
    else:
        with pytest.raises(IllegalMove, match=f"client 3: {event} while {state}"):
            move_client(client, event)
        assert client.state is state


def test_a_client_that_has_left_stays_away_and_one_that_has_asked_has_asked_for_ever() -> None:
    for (before, event), after in CLIENT_MOVES.items():
        assert after.is_gone >= before.is_gone
        assert after.has_asked >= before.has_asked
        assert after.knows_the_end >= before.knows_the_end
        assert after.is_gone == (before.is_gone or event is ClientEvent.LEAVE)


def test_any_word_of_a_client_that_was_cut_off_clears_that_and_only_a_broken_connection_makes_it_so() -> None:
    for (before, event), after in CLIENT_MOVES.items():
        if event is ClientEvent.WORD:
            assert not after.is_cut_off
        elif event is ClientEvent.BREAK:
            assert after.is_cut_off or after.is_gone
        elif after.is_cut_off:
            assert before.is_cut_off


def test_every_client_may_speak_lose_its_connection_and_hear_the_end_whatever_came_before() -> None:
    for event in (ClientEvent.WORD, ClientEvent.BREAK, ClientEvent.END):
        assert {state for state, known in CLIENT_MOVES if known is event} == set(ClientState)


def test_a_done_task_leaves_that_state_only_when_the_user_says_so() -> None:
    assert [event for state, event in TASK_MOVES if state is TaskState.DONE] == [TaskEvent.RETRY]


def test_an_accepted_ticket_is_at_its_end() -> None:
    assert not [event for state, event in TICKET_MOVES if state is TicketState.ACCEPTED]


def test_only_a_result_that_was_looked_at_is_accepted() -> None:
    assert [s for s, event in TICKET_MOVES if event is TicketEvent.ACCEPT] == [TicketState.CHECKING]


def test_every_ticket_that_is_not_accepted_may_still_bring_a_result() -> None:
    bringing = {state for state, event in TICKET_MOVES if event is TicketEvent.ARRIVE}
    assert bringing == set(TicketState) - {TicketState.ACCEPTED, TicketState.CHECKING}


def test_every_state_of_tasks_tickets_and_clients_can_be_reached() -> None:
    assert {TaskState.WAITING, *TASK_MOVES.values()} == set(TaskState)
    assert {TicketState.ISSUED, *TICKET_MOVES.values()} == set(TicketState)
    assert {ClientState.SETTING_UP, *CLIENT_MOVES.values()} == set(ClientState)
    assert frozenset({TicketState.ISSUED, TicketState.CHECKING}) == LIVE


@pytest.mark.parametrize("words", [TaskEvent, TicketEvent, ClientEvent, TaskState, TicketState])
def test_an_event_or_state_is_called_in_words_as_it_is_named(words: type[Word]) -> None:
    assert [word.value for word in words] == [word.name.lower().replace("_", " ") for word in words]


def _assignments_of_state(source: str) -> list[int]:
    """Lines where some object's `state` is set: by assignment, setattr or deletion."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr == "state" and not isinstance(node.ctx, ast.Load):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            words = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if name in ("setattr", "__setattr__") and "state" in words:
                found.append(node.lineno)
    return found


def test_no_other_module_assigns_a_state() -> None:
    assert len(SOURCES) > 40
    places = {
        f"{path.name}:{line}"
        for path in SOURCES
        if path.name != "lifecycle.py"
        for line in _assignments_of_state(path.read_text(encoding="utf-8"))
    }
    assert not places


@pytest.mark.parametrize("line", ["task.state = x", "a.b.state: X = y", "t.state, z = 1, 2", "setattr(t, 'state', 1)"])
def test_the_search_for_assignments_finds_them(line: str) -> None:
    assert _assignments_of_state(line) == [1]
