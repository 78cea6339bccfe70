"""The counts for people: what each host did, how fast tasks end, what failed last."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from spe.dispatch.tally import FailedTask, History, HostTally, Tally
from spe.model import Usage

from .kit import BROKEN, OUT, make_dispatch, take

# -- hosts and failures


def test_every_end_counts_at_its_host_with_the_seconds_of_its_program() -> None:
    tally = Tally()
    tally.done(0.0, "a", 1, 2.0)
    tally.done(1.0, "a", 2, 3.0)
    tally.failed(2.0, "a", 3, "exit code 1", 0.5)
    tally.failed(2.0, "c", 3, "exit code 1", 0.25)
    tally.lost("a")
    tally.lost("b")
    assert tally.hosts == {
        "a": HostTally(done=2, failed=1, lost=1, seconds=5.5),
        "b": HostTally(done=0, failed=0, lost=1, seconds=0.0),
        "c": HostTally(done=0, failed=1, lost=0, seconds=0.25),
    }


def test_the_newest_failures_are_kept_each_task_once_and_the_latest_last() -> None:
    tally = Tally()
    for number in range(25):
        tally.failed(float(number), "a", number, "exit code 1", 1.0)
    assert list(tally.failures) == list(range(5, 25)), "twenty of them"
    tally.failed(30.0, "b", 7, "exit code 2", 1.0)
    assert list(tally.failures) == [5, 6, *range(8, 25), 7]
    assert tally.failures[7] == FailedTask(7, "exit code 2", "b", 30.0, final=False)


def test_a_failure_is_forgotten_when_its_task_is_done_or_wanted_again() -> None:
    tally = Tally()
    for number in (1, 2, 3):
        tally.failed(0.0, "a", number, "exit code 1", 1.0)
    tally.done(1.0, "b", 2, 1.0)
    tally.forget(3)
    tally.forget(77)
    assert list(tally.failures) == [1]


def test_a_task_that_failed_for_good_keeps_the_host_of_its_last_failure() -> None:
    tally = Tally()
    tally.failed(1.0, "a", 1, "exit code 1", 1.0)
    tally.gave_up(2.0, 1, "exit code 1")
    tally.gave_up(3.0, 2, "3 clients were lost")
    known = FailedTask(1, "exit code 1", "a", 2.0, final=True)
    unknown = FailedTask(2, "3 clients were lost", "", 3.0, final=True)
    assert tally.failures == {1: known, 2: unknown}
    assert tally.take_given_up() == [known, unknown]
    assert tally.take_given_up() == []


def test_of_very_many_tasks_that_are_given_up_at_once_twenty_are_told() -> None:
    tally = Tally()
    for number in range(30):
        tally.gave_up(0.0, number, "exit code 1")
    assert [one.task for one in tally.take_given_up()] == list(range(20))


def test_the_dispatch_counts_each_end_of_an_attempt_and_each_end_of_a_task() -> None:
    dispatch = make_dispatch(4, attempts=1)
    client = dispatch.register(0.0, "lab01", "", 4, True).id
    done, failed, hooked, lost = take(dispatch, client, 4)
    assert dispatch.attempts.arrive(5.0, done.id) and dispatch.attempts.accept(done.id, OUT, Usage(wall=4.0))
    dispatch.attempts.fail(6.0, failed.id, BROKEN, Usage(wall=2.0))
    assert dispatch.attempts.arrive(7.0, hooked.id)
    dispatch.attempts.suspend(hooked.id, "hooks.py:3: it raised", OUT, Usage(wall=1.0))
    dispatch.bye(8.0, client)
    assert dispatch.tally.hosts == {"lab01": HostTally(done=1, failed=2, lost=1, seconds=7.0)}
    assert dispatch.tally.failures == {
        failed.task: FailedTask(failed.task, "exit code 1", "lab01", 6.0, final=True),
        hooked.task: FailedTask(hooked.task, "hooks.py:3: it raised", "lab01", 7.0, final=True),
    }
    assert dispatch.tally.recent(8.0, 0.0) == (3, 8.0), "the lost one waits again: that is no end of a task"
    assert lost.task in dispatch.board.waiting


# -- how fast


def test_without_ends_the_rate_is_over_the_whole_time_and_at_least_a_second() -> None:
    tally = Tally()
    assert tally.recent(30.0, 10.0) == (0, 20.0)
    assert tally.recent(10.5, 10.0) == (0, 1.0)


def test_the_rate_looks_back_sixty_seconds_and_further_until_twenty_ends_are_found() -> None:
    tally = Tally()
    for second in range(30):
        tally.done(float(second), "a", second, 1.0)
    assert tally.recent(31.0, 0.0) == (30, 31.0)
    assert tally.recent(100.0, 0.0) == (20, 90.0), "twenty ends, the oldest of them in second 10"
    assert tally.recent(100.0, 12.0) == (20, 88.0), "nobody was there before"


def test_an_end_just_sixty_seconds_ago_is_within_the_window_and_an_earlier_one_is_not() -> None:
    tally = Tally()
    for second in [39.0, 40.0, *[50.0] * 20]:
        tally.done(second, "a", 1, 1.0)
    assert tally.recent(100.0, 0.0) == (21, 60.0)


def test_ends_of_one_second_are_counted_however_many_they_are() -> None:
    tally = Tally()
    for number in range(2000):
        tally.done(5.0 + number / 4000, "a", number, 1.0)
    assert tally.recent(6.0, 0.0) == (2000, 6.0)


# -- the history


def test_every_end_of_a_task_is_in_the_history_and_a_failed_attempt_is_none() -> None:
    tally = Tally()
    tally.done(5.0, "a", 1, 1.0)
    tally.failed(6.0, "a", 2, "exit code 1", 1.0)
    tally.gave_up(7.5, 2, "exit code 1")
    tally.lost("a")
    assert tally.history == History(began=5.0, width=1.0, bars=[1, 0, 1])


def history_of(times: list[float]) -> History:
    history = History()
    for time in times:
        history.add(time)
    return history


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 40_000), min_size=1).map(sorted), st.integers(0, 1000))
def test_each_bar_of_the_history_counts_the_ends_in_its_stretch_of_time(eighths: list[int], began: int) -> None:
    times = [began + eighth / 8 for eighth in eighths]
    width = 1.0
    while (times[-1] - times[0]) / width >= 120:
        width *= 2
    expected = Counter(int((time - times[0]) / width) for time in times)
    history = history_of(times)
    assert (history.began, history.width) == (times[0], width)
    assert history.bars == [expected[place] for place in range(max(expected) + 1)]


def test_the_history_goes_on_with_empty_bars_while_nothing_ends_up_to_a_limit() -> None:
    history = history_of([10.0])
    assert history.until(9.0) == history.until(10.0) == [1]
    assert history.until(13.5) == [1, 0, 0, 0]
    assert history.until(1e6) == [1] + [0] * 1200
    assert History().until(100.0) == [] and History() == History(began=0.0, width=1.0, bars=[])


def test_empty_bars_are_as_wide_as_the_others() -> None:
    history = history_of([0.0, 120.0])
    assert history.width == 2.0
    assert history.until(125.9) == [1] + [0] * 59 + [1, 0, 0]
