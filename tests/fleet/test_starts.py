"""How often a host is started: what counts as a start that came to nothing, and what clears it."""

from __future__ import annotations

import pytest
from spe.errors import Fault, LaunchError
from spe.fleet.starts import (
    AGAIN_FIRST,
    AGAIN_MOST,
    MOST_HUNG,
    MOST_LOST,
    MOST_UNFINISHED,
    SHORT,
    Starts,
    benched,
    left_early,
    never_came,
)  # fmt: skip


def brief(starts: Starts, had_tasks: bool = True, finished: bool = False) -> None:
    """A client that was gone in a second."""
    starts.lived(1.0, had_tasks, finished)


def test_after_two_starts_that_came_to_nothing_the_session_is_held_and_after_the_third_it_is_enough() -> None:
    starts = Starts()
    starts.was_silent()
    assert not starts.turns_to_holding() and not starts.is_hopeless
    brief(starts)
    assert not starts.is_trial
    assert starts.turns_to_holding() and starts.holds and not starts.is_hopeless
    assert not starts.turns_to_holding(), "it is said once"
    assert starts.is_trial
    starts.stayed = True
    assert not starts.is_trial, "one is enough"
    brief(starts, had_tasks=False)
    assert starts.is_hopeless
    error = benched(left_early("h", 2.0, held=True), starts)
    assert "3 starts in a row came to nothing" in error.what and "its SSH session was held open" in error.what
    assert "`spe hosts use h`" in error.todo


def test_brief_clients_that_finish_tasks_have_the_session_held_and_are_never_too_many() -> None:
    starts = Starts()
    for _ in range(20):
        brief(starts, finished=True)
    assert starts.turns_to_holding() and not starts.is_hopeless


def test_a_client_that_is_killed_with_its_tasks_may_be_killed_by_them_so_more_starts_are_made() -> None:
    starts, here = Starts(), Starts(by_ssh=False)
    for _ in range(MOST_UNFINISHED - 1):
        brief(starts)
        brief(here)
        assert not starts.is_hopeless and not here.is_hopeless
    brief(starts)
    brief(here)
    assert starts.is_hopeless and here.is_hopeless
    assert not here.turns_to_holding(), "on this machine it is no logout that kills"


def test_the_sets_that_ran_at_the_end_of_each_start_are_named_when_the_host_is_benched() -> None:
    starts = Starts(by_ssh=False)
    starts.lived(1.0, True, True, {2, 9})
    for ran in ({2, 5, 7}, {5, 2}, {2, 5, 8}):
        starts.lived(1.0, True, False, ran)
    error = benched(left_early("h", 1.0, held=False, why="killed"), starts)
    assert "killed; sets 2 and 5 ran there each time" in error.what
    starts.lived(1.0, True, False, {8})
    assert "ran there" not in benched(left_early("h", 1.0, held=False, why="killed"), starts).what


def test_a_child_on_this_machine_that_never_comes_to_work_is_not_started_for_ever() -> None:
    here = Starts(by_ssh=False)
    for _ in range(3):
        assert not here.is_hopeless
        here.was_silent()
    assert here.is_hopeless


def test_a_client_that_worked_for_long_clears_what_was_before_it_but_its_session_stays_held() -> None:
    starts = Starts()
    for _ in range(2):
        brief(starts)
    assert starts.turns_to_holding()
    starts.lived(SHORT, had_tasks=True, finished=False)
    assert not starts.is_trial
    assert starts.holds and starts.next_pause() == AGAIN_FIRST
    starts.was_silent()
    starts.was_silent()
    assert not starts.is_hopeless


def test_a_client_that_was_only_cut_off_does_not_count() -> None:
    starts = Starts()
    brief(starts)
    brief(starts)
    starts.lives_on()
    brief(starts, had_tasks=False)
    assert not starts.turns_to_holding() and not starts.is_hopeless


def test_pauses_grow_up_to_a_minute() -> None:
    starts = Starts()
    pauses = [starts.next_pause() for _ in range(8)]
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0] and pauses[-1] == AGAIN_MOST


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.TIMEOUT, Fault.NO_PYTHON, Fault.DISK_FULL, Fault.START])
def test_a_host_that_was_never_reached_or_names_its_fault_is_not_tried_again(fault: Fault) -> None:
    assert not Starts().failed(LaunchError(fault, "whatever", where="h"))


def test_a_host_that_hangs_is_tried_a_few_times_and_one_that_was_lost_as_long_as_there_is_work() -> None:
    hangs, lost = Starts(), Starts()
    error = LaunchError(Fault.TIMEOUT, "nothing came of the start", where="h", broke_off=True)
    assert [hangs.failed(error) for _ in range(MOST_HUNG)] == [True] * (MOST_HUNG - 1) + [False]
    assert lost.failed(LaunchError(Fault.LOST, "closed", where="h"))
    for number in range(2, 30):
        assert lost.failed(LaunchError(Fault.REFUSED, "its machine boots", where="h"))
        assert lost.is_not_waited_for is (number >= MOST_LOST)
    lost.came_up()
    assert not lost.is_not_waited_for


def test_what_is_known_of_a_start_without_a_client_is_told() -> None:
    assert "no client of it has registered within 20 s" in never_came("h", 20.2).what
    assert left_early("h", 3.0, held=False, why="killed by signal 9").detail == "killed by signal 9"
