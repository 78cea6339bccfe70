"""Which messages are due: each once a run, and again in another run."""

from __future__ import annotations

import pytest
from spe.config.notify.recipients import EVENTS
from spe.notify.address_book import Target
from spe.notify.addresses import address
from spe.notify.due import Decider, Due, Sight


def target(name: str = "me", *on: str, after: float = 900.0) -> Target:
    return Target(address("cmd: true", name, "here"), on or EVENTS, after)


def sight(**changed: object) -> Sight:
    usual: dict[str, object] = {
        "left": 5, "running": 2, "moves": 1, "mean": 1.0, "failed": 0, "is_quiet_for_good_reason": False,
        "gave_up": False,
    }  # fmt: skip
    return Sight(**{**usual, **changed})  # type: ignore[arg-type]


def keys(due: list[Due]) -> list[str]:
    return [one.key for one in due]


def quiet(decider: Decider, seconds: int, since: int = 0, **changed: object) -> list[str]:
    """Look once a second, while nothing moves; return what became due."""
    return [key for now in range(since, since + seconds) for key in keys(decider.look(now, sight(**changed)))]


def test_the_first_failure_is_told_once_to_each() -> None:
    decider = Decider([target(), target("you", "first_failure"), target("them", "done")])
    assert keys(decider.look(0, sight())) == []
    assert keys(decider.look(1, sight(failed=1))) == ["first_failure me", "first_failure you"]
    assert keys(decider.look(2, sight(failed=7))) == []


def test_the_end_is_told_as_done_or_as_given_up() -> None:
    assert keys(Decider([target()]).end(0, has_worked=True, by_people=False)) == ["done me"]
    assert keys(Decider([target()]).end(3, has_worked=True, by_people=False)) == ["given_up me"]


def test_who_has_ended_a_run_is_told_only_that_all_is_done() -> None:
    assert Decider([target()]).end(3, has_worked=True, by_people=True) == []
    assert keys(Decider([target()]).end(0, has_worked=True, by_people=True)) == ["done me"]


def test_a_run_with_nothing_to_do_tells_nothing() -> None:
    assert Decider([target()]).end(0, has_worked=False, by_people=False) == []


def test_a_run_that_gives_up_tells_it_while_the_last_sets_run_and_not_again() -> None:
    decider = Decider([target()])
    assert keys(decider.look(0, sight(gave_up=True))) == ["given_up me"]
    assert keys(decider.look(1, sight(gave_up=True))) == []
    assert decider.end(3, has_worked=True, by_people=False) == []


def test_nothing_is_given_up_where_all_that_is_left_runs() -> None:
    assert Decider([target()]).look(0, sight(gave_up=True, left=2)) == []


def test_what_was_told_before_a_kill_is_not_told_again() -> None:
    decider = Decider([target()], ["first_failure me"])
    assert decider.look(0, sight(failed=1)) == []
    assert keys(decider.end(0, has_worked=True, by_people=False)) == ["done me"]


def test_new_sets_after_the_message_that_all_are_done_are_another_run() -> None:
    decider = Decider([target()], ["first_failure me", "done me"])
    assert decider.end(0, has_worked=True, by_people=False) == []
    assert decider.begin_anew()
    assert keys(decider.look(0, sight(failed=1))) == ["first_failure me"]
    assert keys(decider.end(0, has_worked=True, by_people=False)) == ["done me"]
    assert not Decider([target()], ["first_failure me"]).begin_anew(), "a run that was killed on its way goes on"


def test_a_run_whose_hosts_are_all_gone_has_stalled_after_its_time() -> None:
    decider = Decider([target(), target("soon", after=60)])
    assert quiet(decider, 60, running=0) == []
    assert quiet(decider, 2, since=60, running=0) == ["stalled soon"]
    assert quiet(decider, 838, since=62, running=0) == []
    assert quiet(decider, 200, since=900, running=0) == ["stalled me"], "and once"


def test_a_move_begins_the_quiet_time_anew() -> None:
    decider = Decider([target(after=60)])
    assert quiet(decider, 50, running=0) == []
    assert quiet(decider, 50, since=50, running=0, moves=2) == []
    assert quiet(decider, 15, since=100, running=0, moves=2) == ["stalled me"]


def test_sets_that_run_have_stalled_when_they_take_ten_times_as_long_as_the_others() -> None:
    assert quiet(Decider([target(after=60)]), 999, mean=100.0) == []
    assert quiet(Decider([target(after=60)]), 1002, mean=100.0) == ["stalled me"]
    assert quiet(Decider([target(after=60)]), 62, mean=0.1) == ["stalled me"], "not before its time"


def test_nobody_knows_how_long_the_first_sets_may_take() -> None:
    assert quiet(Decider([target(after=60)]), 100_000, mean=0.0) == []


@pytest.mark.parametrize("reason", [{"is_quiet_for_good_reason": True}, {"left": 0}])
def test_a_run_that_is_quiet_for_a_good_reason_has_not_stalled(reason: dict[str, object]) -> None:
    assert quiet(Decider([target(after=60)]), 1000, running=0, **reason) == []


def test_a_run_that_has_given_up_does_not_stall_besides() -> None:
    assert quiet(Decider([target(after=60)]), 1000, running=0, gave_up=True) == ["given_up me"]


def test_the_time_in_which_the_master_was_suspended_does_not_count() -> None:
    decider = Decider([target(after=60)])
    decider.look(0, sight(running=0))
    assert decider.look(100_000, sight(running=0)) == []


def test_who_is_named_twice_is_told_once_of_all_events_of_both() -> None:
    decider = Decider([target("me", "done"), target("me", "first_failure"), target("me", "done")])
    assert keys(decider.look(0, sight(failed=1))) == ["first_failure me"]
    assert keys(decider.end(0, has_worked=True, by_people=False)) == ["done me"]
