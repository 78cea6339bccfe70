"""The choice of the next task, and when an attempt is lost or long."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.dispatch.rules import Rules
from spe.dispatch.scheduler import is_lost, lease, pick, room_beside, stragglers
from spe.model import Task, Ticket, TicketState


def tasks_that_shun(*shunned: str) -> dict[int, Task]:
    """Tasks 1, 2, … of which each had a failure on these hosts, written as letters."""
    return {number: Task(number, {}, shunned=set(hosts)) for number, hosts in enumerate(shunned, 1)}


@pytest.mark.parametrize(
    ("shunned", "others", "chosen"),
    [
        (["", "", ""], True, 1),
        (["a", "", ""], True, 2),
        (["a", "a", ""], True, 3),
        (["a", "ab", "b"], True, 3),
        (["b", "a", ""], True, 1),
        (["a", "a", "a"], True, 1),
        (["a", "", ""], False, 1),
    ],
)
def test_the_next_task_is_the_first_that_did_not_go_wrong_on_this_host(
    shunned: list[str], others: bool, chosen: int
) -> None:
    tasks = tasks_that_shun(*shunned)
    waiting = deque(tasks)
    assert pick(waiting, tasks, "a", others) is tasks[chosen]
    assert list(waiting) == [number for number in tasks if number != chosen]


def test_when_nothing_waits_there_is_no_next_task() -> None:
    assert pick(deque(), {}, "a", True) is None


@pytest.mark.parametrize(("shunning", "chosen"), [(63, 64), (64, 1)])
def test_the_search_for_another_task_looks_at_sixty_four_of_them(shunning: int, chosen: int) -> None:
    tasks = tasks_that_shun(*["a"] * shunning, *[""] * 9)
    assert pick(deque(tasks), tasks, "a", True) is tasks[chosen]


@pytest.mark.parametrize(
    ("load", "cores", "task_cores", "running", "room"),
    [
        (0.0, 8.0, 1, 0, 8),
        (0.0, 8.0, 1, 3, 5),
        (0.0, 8.0, 3, 0, 2),
        (1.5, 8.0, 1, 2, 4),
        (9.0, 8.0, 1, 0, 0),
        (7.9, 8.0, 1, 0, 0),
        (0.0, 0.3, 0.1, 0, 3),  # 0.3 / 0.1 is a little less than 3
        (0.0, 4.0, 1, 9, 0),
    ],
)
def test_beside_the_load_of_others_whole_tasks_fit_and_never_less_than_none(
    load: float, cores: float, task_cores: int, running: int, room: int
) -> None:
    assert room_beside(load, cores, task_cores, running) == room


def ticket(leased: bool, issued: float = 0.0, word: float = 0.0, state: TicketState = TicketState.ISSUED) -> Ticket:
    return Ticket(1, 1, "1", "a", issued, state, word=word, leased=leased)


def test_an_attempt_of_a_client_that_pings_is_lost_after_its_lease_whatever_its_timeout_is() -> None:
    for timeout in (0.0, 1.0, 1e9):
        assert not is_lost(ticket(True, word=10.0), 30.0, 20.0, timeout)
        assert is_lost(ticket(True, word=10.0), 30.1, 20.0, timeout)


def test_an_attempt_without_a_lease_is_lost_thirty_seconds_after_its_timeout() -> None:
    for client_pings, seconds in ((False, 20.0), (True, 0.0)):
        attempt = ticket(client_pings, issued=5.0, word=500.0)
        assert not is_lost(attempt, 135.0, seconds, 100.0)
        assert is_lost(attempt, 135.1, seconds, 100.0)
        assert not is_lost(attempt, 1e9, seconds, 0.0), "without a timeout it has all the time of the world"
        assert is_lost(attempt, 35.6, seconds, 0.5)


@pytest.mark.parametrize("state", sorted(set(TicketState) - {TicketState.ISSUED}))
def test_only_an_attempt_that_is_out_can_be_lost(state: TicketState) -> None:
    assert not is_lost(ticket(True, state=state), 1e9, 20.0, 1.0)


@pytest.mark.parametrize(("ping", "seconds"), [(30.0, 95.0), (1.0, 8.0), (0.5, 6.5), (0.0, 0.0), (-1.0, 0.0)])
def test_a_lease_is_three_pings_and_five_seconds_or_nothing(ping: float, seconds: float) -> None:
    assert lease(ping) == seconds


@pytest.mark.parametrize(("median", "patience"), [(0.0, 30.0), (0.1, 1.0), (0.5, 1.0), (10.0, 15.0)])
def test_an_attempt_is_long_after_one_and_a_half_medians_and_at_least_a_second(median: float, patience: float) -> None:
    assert stragglers([ticket(False, issued=100.0)], 100.0 + patience, median) == [1]
    assert stragglers([ticket(False, issued=100.0)], 99.9 + patience, median) == []


# -- how often a task may be tried


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=1), st.integers(1, 6), st.data())
def test_reasons_with_a_limit_count_by_themselves_and_all_others_together(
    faults: dict[str, int], attempts: int, data: st.DataObject
) -> None:
    limits = {"a": 2, "b": 4}
    kind = data.draw(st.sampled_from(sorted(faults)))
    others = sum(count for one, count in faults.items() if one not in limits)
    is_spent = faults[kind] >= limits[kind] if kind in limits else others >= attempts
    assert Rules(attempts=attempts, retry=limits.get).spent(faults, kind) == is_spent


def test_without_rules_a_task_is_tried_three_times_and_copied_once() -> None:
    rules = Rules()
    assert (rules.attempts, rules.ping, rules.copies, rules.max_load, rules.cores, rules.timeout) == (
        3, 30.0, 1, 0.0, 1, 0.0
    )  # fmt: skip
    assert rules.retry("exit:1") is None and rules.stop_after(10, 10) is False
    assert [rules.spent({"exit:1": count}, "exit:1") for count in (2, 3)] == [False, True]
