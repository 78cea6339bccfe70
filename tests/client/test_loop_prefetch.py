"""The number of tasks to ask for: free slots, and tasks ahead of them as long as tasks are short."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from spe.client.loop.prefetch import DOUBT, MOST_AT_ONCE, MOST_UNDELIVERED, Demand, Prefetch
from spe.client.task.attempt import SHORT
from waiting import wait_until


def is_waiting(demand: Demand) -> bool:
    """Tell whether there is nothing to ask for."""
    return not demand._is_worth_asking()


def test_each_free_slot_is_asked_for() -> None:
    demand = Demand(3)
    assert demand.wait() == (3, 0)
    demand.change(2, 2)
    assert demand.wait() == (1, 0)
    demand.change(1, 1)
    assert is_waiting(demand)
    demand.change(1, 1)  # more than there are slots
    assert is_waiting(demand)


def test_one_request_asks_for_no_more_than_a_master_gives() -> None:
    assert Demand(MOST_AT_ONCE + 1).wait() == (MOST_AT_ONCE, 0)
    assert MOST_AT_ONCE == 1000


def test_a_request_for_free_slots_asks_for_what_is_ahead_as_well() -> None:
    demand = Demand(2)
    demand.change(1, 1, 10)
    assert demand.wait() == (11, 10)
    demand.change(1, 1)
    assert demand.wait() == (10, 10)
    demand.change(3, 3)
    assert demand.wait() == (7, 7), "no slot is free, and three of those ahead are here"


def test_tasks_ahead_are_asked_for_once_half_of_them_is_used_up() -> None:
    demand = Demand(2)
    demand.change(8, 8, 10)
    assert is_waiting(demand), "four of ten are missing"
    demand.change(-1, -1)
    assert demand.wait() == (5, 5)


def test_with_nothing_worth_fetching_ahead_a_full_client_asks_for_nothing() -> None:
    demand = Demand(2)
    demand.change(2, 2, 0)
    assert is_waiting(demand)
    demand.change(0, 0, 1)
    assert demand.wait() == (1, 1)
    demand.change(0, 0)
    assert demand.wait() == (1, 1), "without a new number, the old one stays"
    demand.change(0, 0, 0)
    assert is_waiting(demand)


def test_after_a_refusal_nothing_is_asked_for_ahead_until_a_slot_is_free() -> None:
    demand = Demand(2)
    demand.change(2, 2, 10)
    demand.refuse()
    assert is_waiting(demand)
    demand.change(-1, -1)
    assert demand.wait() == (11, 10)
    demand.change(1, 1)
    assert demand.wait() == (10, 10), "the refusal is over"


def test_results_that_cannot_be_delivered_take_slots_in_the_end() -> None:
    demand = Demand(2)
    demand.change(0, MOST_UNDELIVERED + 1)
    assert demand.wait() == (1, 0)
    demand.change(0, 1)
    assert is_waiting(demand)
    demand.change(0, 10, 10)  # as many may wait more as are fetched ahead
    assert demand.wait() == (10, 10)
    assert MOST_UNDELIVERED == 32


def test_it_is_known_whether_anything_is_held() -> None:
    demand = Demand(2)
    demand.change(1, 1)
    assert demand.something_held.is_set() and not demand.nothing_held.is_set()
    demand.change(1, 1)
    assert demand.something_held.is_set() and not demand.nothing_held.is_set()
    demand.change(-2, -2)
    assert demand.nothing_held.is_set() and not demand.something_held.is_set()
    demand.change(1, 1)
    assert demand.something_held.is_set() and not demand.nothing_held.is_set()


@pytest.mark.parametrize("change", [(-1, -1, None), (0, 0, 4)])
def test_a_thread_that_waits_for_demand_is_woken_by_a_change(change: Any) -> None:
    demand = Demand(1)
    demand.change(1, 1)
    found: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: found.append(demand.wait()), daemon=True)
    thread.start()
    wait_until(lambda: demand._changed._waiters, "somebody waits")  # type: ignore[attr-defined]
    demand.change(*change)
    thread.join(10)
    assert found == [(1, 0) if change[2] is None else (4, 4)]


def test_a_tenth_of_each_new_length_goes_into_the_mean() -> None:
    prefetch = Prefetch(1)
    prefetch.note_success(0.1)
    assert prefetch.ahead() == 10
    prefetch.note_success(1.1)
    assert prefetch.ahead() == 5, "the mean is 0.2 s"
    prefetch.note_success(0.0)
    assert prefetch.ahead() == 5, "the mean is 0.18 s"


def test_each_slot_has_a_second_of_work_ahead_up_to_256_tasks() -> None:
    prefetch = Prefetch(3)
    prefetch.note_success(0.3)
    assert prefetch.ahead() == 9
    prefetch.note_success(-2.68)  # the mean is 2 ms
    assert prefetch.ahead() == 256


def test_no_task_is_ahead_of_tasks_that_take_longer_than_a_second() -> None:
    prefetch = Prefetch(3)
    prefetch.note_success(1.0)
    assert prefetch.ahead() == 3
    prefetch.note_success(1.1)
    assert prefetch.ahead() == 0


def test_results_go_together_when_tasks_take_less_than_a_short_moment() -> None:
    prefetch = Prefetch(1)
    assert not prefetch.is_quick()
    prefetch.note_success(SHORT)
    assert not prefetch.is_quick()
    prefetch.note_success(0.0)
    assert prefetch.is_quick()


def test_three_failures_in_a_row_make_the_host_doubtful_and_one_success_ends_that() -> None:
    prefetch = Prefetch(1)
    for _ in range(DOUBT - 1):
        prefetch.note_failure()
    assert not prefetch.is_doubtful
    prefetch.note_success(0.1)
    for _ in range(DOUBT - 1):
        prefetch.note_failure()
    assert not prefetch.is_doubtful and prefetch.ahead() == 10
    prefetch.note_failure()
    assert prefetch.is_doubtful and prefetch.ahead() == 0
    prefetch.note_success(0.1)
    assert not prefetch.is_doubtful and prefetch.ahead() == 10
    assert DOUBT == 3


def test_tasks_lie_ready_at_a_hand_for_60_ms_but_not_after_a_failure() -> None:
    prefetch = Prefetch(1)
    assert prefetch.near() == 0
    prefetch.note_success(0.02)
    assert prefetch.near() == 3
    prefetch.note_failure()
    assert prefetch.near() == 0
    prefetch.note_success(0.02)
    assert prefetch.near() == 3


def test_nothing_lies_ready_at_a_hand_when_nothing_is_fetched_ahead() -> None:
    prefetch = Prefetch(0)
    prefetch.note_success(0.01)
    assert prefetch.near() == 0
    prefetch = Prefetch(1)
    prefetch.note_success(0.01)
    prefetch.limit(0)
    assert prefetch.near() == 0


def test_the_lowest_limit_of_tasks_ahead_stays() -> None:
    prefetch = Prefetch(1)
    prefetch.note_success(0.01)
    prefetch.limit(5)
    assert prefetch.ahead() == 5
    prefetch.limit(7)
    assert prefetch.ahead() == 5
    prefetch.limit(4)
    assert prefetch.ahead() == 4
