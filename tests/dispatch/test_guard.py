"""The black-hole guard by itself: when a host is suspected, benched, probed and trusted again."""

from __future__ import annotations

import pytest
from spe.dispatch.black_holes import Benched, BlackHoleGuard, HostRecord, Trust
from spe.model import Failure

HOSTS = ("bad", "good", "other")


def failure(task: int) -> Failure:
    return Failure("exit:1", f"task {task} failed", 1)


def guard_that_saw(failures: dict[str, list[int]], now: float = 0.0) -> BlackHoleGuard:
    """A guard that has been told of these failures; the ticket of each task has its number."""
    guard = BlackHoleGuard()
    for host, tasks in failures.items():
        for task in tasks:
            guard.failed(now, host, task, failure(task), task)
    return guard


def test_a_host_of_which_nothing_is_known_is_trusted() -> None:
    assert BlackHoleGuard().record("new") == HostRecord(Trust.TRUSTED, {}, set(), 0.0, 60.0, "", False, 0)
    assert list(Trust) == ["trusted", "suspected", "benched"]


def test_the_third_failure_in_a_row_makes_a_host_suspected_and_that_is_said_once() -> None:
    guard = BlackHoleGuard()
    told = [guard.failed(5.0, "bad", task, failure(task), task) for task in (1, 2, 3, 4)]
    assert told == [False, False, True, False]
    assert guard.record("bad") == HostRecord(
        Trust.SUSPECTED, {task: failure(task) for task in (1, 2, 3, 4)}, probe_at=65.0, newest=4
    )
    assert guard.blamed() == {1, 2, 3, 4}


def test_a_task_that_fails_again_on_the_same_host_counts_once() -> None:
    guard = guard_that_saw({"bad": [1, 1, 1, 1]})
    assert guard.record("bad").trust is Trust.TRUSTED


def test_a_failure_told_without_a_ticket_is_older_than_any_ticket() -> None:
    guard = BlackHoleGuard()
    guard.failed(0.0, "bad", 1, failure(1))
    assert guard.record("bad").newest == 0
    guard.failed(0.0, "bad", 2, failure(2), 9)
    guard.failed(0.0, "bad", 3, failure(3), 8)
    assert guard.record("bad").newest == 9


def test_the_failures_of_a_hundred_tasks_are_remembered_of_each_host() -> None:
    guard = guard_that_saw({"bad": list(range(100))})
    assert list(guard.record("bad").streak) == list(range(100))
    guard.failed(0.0, "bad", 100, failure(100))
    guard.failed(0.0, "bad", 101, failure(101))
    assert list(guard.record("bad").streak) == list(range(2, 102))


# -- proofs


def test_two_tasks_that_succeed_elsewhere_bench_a_suspected_host_for_the_reason_of_the_first() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    assert guard.succeeded(100.0, "good", 3) == []
    assert guard.succeeded(100.0, "good", 2) == [Benched("bad", "task 2 failed")]
    record = guard.record("bad")
    assert (record.trust, record.reason, record.probe_at) == (Trust.BENCHED, "task 2 failed", 160.0)
    assert guard.succeeded(101.0, "good", 1) == [], "said once"


def test_one_task_that_succeeds_elsewhere_twice_proves_nothing_more() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    assert guard.succeeded(0.0, "good", 1) == guard.succeeded(0.0, "other", 1) == []
    assert guard.record("bad").trust is Trust.SUSPECTED


def test_proofs_against_a_host_that_is_still_trusted_bench_it_when_it_is_suspected() -> None:
    guard = guard_that_saw({"bad": [1, 2]})
    assert guard.succeeded(0.0, "good", 1) == guard.succeeded(0.0, "good", 2) == []
    guard.failed(1.0, "bad", 3, failure(3))
    assert guard.record("bad").trust is Trust.SUSPECTED
    assert guard.succeeded(2.0, "good", 3) == [Benched("bad", "task 1 failed")]


def test_one_success_may_bench_no_host_but_where_its_task_failed() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3], "other": [4, 5, 6]})
    guard.succeeded(0.0, "good", 1)
    guard.succeeded(0.0, "good", 4)
    assert guard.succeeded(0.0, "good", 2) == [Benched("bad", "task 1 failed")]
    assert guard.record("other").trust is Trust.SUSPECTED


def test_a_success_on_the_host_itself_clears_it_and_proves_nothing_against_it() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    assert guard.succeeded(9.0, "bad", 1, 4) == []
    assert guard.record("bad") == HostRecord(proven=True)


# -- acquittals


def test_a_task_that_fails_on_two_hosts_speaks_against_neither() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    assert guard.failed(1.0, "other", 1, failure(1), 7) is False
    assert guard.record("bad").trust is Trust.TRUSTED
    assert list(guard.record("bad").streak) == [2, 3]
    assert not guard.record("other").streak
    assert guard.failed(1.0, "good", 1, failure(1), 8) is False
    assert guard.blamed() == {2, 3}


def test_a_host_stays_suspected_while_three_of_its_failures_are_its_own() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3, 4], "other": [1]})
    assert guard.record("bad").trust is Trust.SUSPECTED
    guard.failed(0.0, "other", 2, failure(2))
    assert guard.record("bad").trust is Trust.TRUSTED


def test_a_benched_host_stays_benched_when_one_of_its_tasks_fails_elsewhere() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    guard.succeeded(0.0, "good", 1)
    guard.succeeded(0.0, "good", 2)
    guard.failed(0.0, "other", 3, failure(3))
    assert guard.record("bad").trust is Trust.BENCHED


def test_a_task_that_is_acquitted_after_it_was_a_proof_is_none_any_more() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3, 4]})
    guard.succeeded(0.0, "good", 1)
    guard.failed(0.0, "good", 1, failure(1))
    guard.failed(0.0, "other", 1, failure(1))
    assert guard.succeeded(0.0, "good", 2) == []
    assert guard.succeeded(0.0, "good", 3) == [Benched("bad", "task 2 failed")]


def test_a_task_that_left_the_sweep_and_comes_again_begins_anew() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    guard.forget(1)
    guard.forget(77)
    guard.failed(0.0, "other", 1, failure(1))
    assert guard.record("bad").trust is Trust.SUSPECTED
    assert list(guard.record("other").streak) == [1]


# -- trust again


def test_a_result_of_a_ticket_that_is_as_new_as_the_latest_failure_clears_a_host_and_an_older_one_does_not() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    guard.succeeded(0.0, "bad", 9, ticket=2)
    assert guard.record("bad").trust is Trust.SUSPECTED
    guard.succeeded(0.0, "bad", 3, ticket=3)
    assert guard.record("bad") == HostRecord(proven=True)


def test_a_success_after_failures_that_were_acquitted_leaves_no_trace_of_them() -> None:
    guard = BlackHoleGuard()
    guard.succeeded(0.0, "bad", 9)
    guard.failed(0.0, "bad", 1, failure(1), 5)
    guard.failed(0.0, "other", 1, failure(1), 6)
    guard.succeeded(0.0, "bad", 2, 7)
    assert guard.record("bad") == HostRecord(proven=True)


def test_a_success_clears_a_failure_that_was_told_without_a_ticket() -> None:
    guard = BlackHoleGuard()
    guard.succeeded(0.0, "bad", 9)
    guard.failed(0.0, "bad", 1, failure(1))
    guard.succeeded(0.0, "bad", 2)
    assert not guard.record("bad").streak


def test_somebody_who_vouches_for_a_host_is_told_whether_anything_was_held_against_it() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    assert guard.trusts_again("good") is False
    assert guard.trusts_again("bad") is True
    assert guard.record("bad") == HostRecord()
    assert guard.trusts_again("bad") is False


# -- what a host gets


def test_a_suspected_host_gets_nothing_until_its_probe_is_due_and_then_one_task() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]}, now=5.0)
    assert guard.room(64.9, "bad", HOSTS) == 0
    assert guard.room(65.0, "bad", HOSTS) == 1
    assert guard.room(65.0, "good", HOSTS) is None
    assert guard.doubted("bad", HOSTS) and not guard.doubted("good", HOSTS)


def test_nobody_is_held_back_while_no_other_host_is_trusted() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3], "other": [4, 5, 6]})
    for others in (("bad",), ("bad", "other"), ()):
        assert guard.room(0.0, "bad", others) is None
        assert not guard.doubted("bad", others)


def test_probes_are_handed_out_at_growing_distances_up_to_sixteen_minutes() -> None:
    guard = guard_that_saw({"bad": [1, 2, 3]})
    pauses = []
    for _ in range(6):
        now = guard.record("bad").probe_at
        guard.probing(now, "bad")
        pauses.append(guard.record("bad").probe_at - now)
    assert pauses == [120.0, 240.0, 480.0, 960.0, 960.0, 960.0]


@pytest.mark.parametrize("spoiled", ["unproven", "suspected", "failed"])
def test_only_a_proven_host_without_a_fresh_failure_may_prefetch(spoiled: str) -> None:
    guard = BlackHoleGuard()
    if spoiled != "unproven":
        guard.succeeded(0.0, "bad", 9)
        assert guard.may_hoard("bad")
        for task in range(3 if spoiled == "suspected" else 1):
            guard.failed(0.0, "bad", task, failure(task))
    assert not guard.may_hoard("bad")
