"""The document of a running sweep, and the patches that keep a copy of it true."""

from __future__ import annotations

from typing import Any

from dispatch.kit import BROKEN, NO_USAGE, OUT, make_dispatch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spe.desk.events import REMEMBERED, Events
from spe.dispatch.dispatch import Dispatch
from spe.dispatch.tally import BARS, NEWEST, Tally
from spe.model import Licence, Usage
from spe.state.document import Picture
from spe.state.patch import apply, diff

LEAVES = st.booleans() | st.integers() | st.text("xy", max_size=3) | st.lists(st.integers() | st.none(), max_size=3)
NAMES = st.sampled_from("abcd")
DOCUMENTS = st.dictionaries(
    NAMES, st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4)), max_size=4
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types: true is not 1 in JSON."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_makes_the_second_document_of_the_first(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = repr(old)
    assert same(apply(old, diff(old, new)), new)
    assert repr(old) == before
    assert diff(new, new) == {}


def test_patches_mean_what_the_standard_says() -> None:
    assert apply({"a": "b", "c": {"d": "e", "f": "g"}}, {"a": "z", "c": {"f": None}}) == {"a": "z", "c": {"d": "e"}}
    assert apply({"a": ["b"]}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}
    assert apply({"e": 1}, {"a": 1, "e": None}) == {"a": 1}


def picture(dispatch: Dispatch) -> Picture:
    return Picture("pi", dispatch, 1_000_000.0, 1_000_000.0)


def test_the_document_says_who_runs_what_and_how_far_the_sweep_is() -> None:
    dispatch = make_dispatch(5, ping=0)
    dispatch.board.total, dispatch.board.done_before = 7, 2
    client = dispatch.register(100.0, "h1", "linux-x86_64", 2, True)
    one, two = dispatch.handout.take(101.0, client.id, 2)
    shown = picture(dispatch).draw(102.0)
    assert shown["sweep"]["state"] == "running"
    counted = {key: shown["sweep"][key] for key in ("waiting", "running", "done", "failed", "total", "slots")}
    assert counted == {"waiting": 3, "running": 2, "done": 2, "failed": 0, "total": 7, "slots": 2}
    assert "left" not in shown["sweep"], "unknown is left out, a patch cannot say null"
    assert shown["tickets"][str(one.id)] == {"task": 1, "host": "h1", "copy": False, "began": 1_000_101.0}
    host = shown["hosts"]["h1"]
    assert (host["state"], host["slots"], host["running"], host["word"]) == ("up", 2, 2, 1_000_100)
    assert dispatch.attempts.arrive(103.0, one.id) and dispatch.attempts.accept(one.id, OUT, Usage(wall=2.0))
    dispatch.attempts.fail(104.0, two.id, BROKEN, NO_USAGE)
    shown = picture(dispatch).draw(105.0)
    assert shown["hosts"]["h1"]["done"] == 1 and shown["hosts"]["h1"]["failed"] == 1
    failure = {"reason": "exit code 1", "host": "h1", "time": 1_000_104.0, "final": False}
    assert shown["failures"] == {"2": failure}
    assert shown["tickets"] == {}


def test_what_lies_at_a_client_for_later_does_not_run() -> None:
    dispatch = make_dispatch(400, ping=30.0)
    dispatch.board.more = True
    client = dispatch.register(0.0, "h1", "linux-x86_64", 1, True)
    (first,) = dispatch.handout.take(0.0, client.id, 1)
    dispatch.attempts.arrive(1.0, first.id)
    dispatch.attempts.accept(first.id, OUT, Usage(wall=1.0))
    tickets = dispatch.handout.take(1.0, client.id, 4, ahead=3)
    assert len(tickets) == 4
    shown = picture(dispatch).draw(2.0)
    assert list(shown["tickets"]) == [str(tickets[0].id)]
    assert [shown["sweep"][key] for key in ("running", "waiting", "done", "total")] == [1, 398, 1, 400]
    assert shown["hosts"]["h1"]["running"] == 1
    dispatch.board.total = 1000
    assert [picture(dispatch).draw(2.0)["sweep"][key] for key in ("running", "waiting")] == [1, 998]


def test_a_client_that_did_not_register_is_shown_by_its_address() -> None:
    dispatch = make_dispatch(5)
    one, two = dispatch.handout.take(100.0, "", 2, address="10.0.0.7")
    dispatch.handout.take(101.0, "", 1, address="10.0.0.8")
    shown = picture(dispatch).draw(102.0)["hosts"]
    assert {name: (host["state"], host["running"]) for name, host in shown.items()} == {
        "10.0.0.7": ("up", 2), "10.0.0.8": ("up", 1),
    }  # fmt: skip
    assert shown["10.0.0.7"]["word"] == 1_000_100
    for ticket in (one, two):
        assert dispatch.attempts.arrive(103.0, ticket.id) and dispatch.attempts.accept(ticket.id, OUT, Usage(wall=2.0))
    document = picture(dispatch).draw(200.0)
    assert (document["hosts"]["10.0.0.7"]["state"], document["hosts"]["10.0.0.7"]["done"]) == ("gone", 2)
    assert document["hosts"]["10.0.0.8"]["state"] == "up", "it still has something to do"
    assert "efficiency" not in document["sweep"], "nobody knows how many slots there were"


def test_of_what_fails_at_one_address_the_guard_blames_no_other() -> None:
    dispatch = make_dispatch(20)
    for now in range(8):
        for ticket in dispatch.handout.take(float(now), "", 1, address="10.0.0.7"):
            dispatch.attempts.fail(float(now), ticket.id, BROKEN, NO_USAGE)
    assert set(dispatch.guard.records) >= {"10.0.0.7"} and "" not in dispatch.guard.records
    assert not dispatch.guard.record("10.0.0.8").streak and dispatch.guard.record("10.0.0.7").streak


def test_a_failure_that_was_mended_is_no_longer_told_and_only_the_newest_are() -> None:
    tally = Tally()
    for task in range(1, NEWEST + 3):
        tally.failed(float(task), "h1", task, "exit code 1", 0.1)
    assert list(tally.failures) == list(range(3, NEWEST + 3))
    tally.done(50.0, "h2", 7, 0.1)
    assert 7 not in tally.failures
    tally.gave_up(51.0, 8, "exit code 1")
    assert tally.failures[8].final and tally.failures[8].host == "h1"
    assert [one.task for one in tally.take_given_up()] == [8]


def test_the_history_keeps_every_end_in_few_bars() -> None:
    tally = Tally()
    for second in range(3000):
        tally.done(float(second), "h1", second, 1.0)
    assert sum(tally.history.bars) == 3000
    assert len(tally.history.bars) <= BARS
    assert tally.history.width == 32
    assert tally.history.until(2999.0) == tally.history.bars
    assert tally.history.until(2999.0 + 64) == [*tally.history.bars, 0, 0]


def test_the_rate_is_that_of_the_last_minute_and_of_slow_sweeps_that_of_more() -> None:
    tally = Tally()
    for second in range(1000):
        tally.done(float(second), "h1", second, 1.0)
    count, span = tally.recent(1000.0, 0.0)
    assert 0.9 < count / span < 1.1 and span < 70
    slow = Tally()
    for hour in range(1, 6):
        slow.done(3600.0 * hour, "h1", hour, 3600.0)
    assert slow.recent(5.5 * 3600.0, 0.0) == (5, 5.5 * 3600.0)


def test_events_are_numbered_and_bounded() -> None:
    events = Events(clock=lambda: 5.0)
    for number in range(REMEMBERED + 10):
        events.note("failed", f"task {number}", "h1", number)
    assert len(events.since()) == REMEMBERED
    (last,) = events.since(events.last - 1)
    assert last == (events.last, {"time": 5.0, "kind": "failed", "text": last[1]["text"], "host": "h1", "task": 1009})
    assert events.since(events.last) == []


def test_the_document_says_what_waiting_sets_wait_for() -> None:
    dispatch = make_dispatch(5, ping=0, licences=(Licence("abaqus", 1, 2),), retry_after=60.0)
    client = dispatch.register(100.0, "h1", "linux-x86_64", 4, True)
    shown = picture(dispatch).draw(100.0)["sweep"]
    assert "waits_for" not in shown and "back_offs" not in shown
    first, _ = dispatch.handout.take(101.0, client.id, 4)
    assert picture(dispatch).draw(102.0)["sweep"]["waits_for"] == "a licence of abaqus: 2 of 2 in use"
    dispatch.attempts.fail(103.0, first.id, BROKEN, NO_USAGE)
    shown = picture(dispatch).draw(104.0)["sweep"]
    assert shown["back_offs"] == {"sets": 1, "first": 1_000_163.0} and "waits_for" not in shown


def test_the_expected_end_of_a_sweep_is_no_earlier_than_its_limit_allows() -> None:
    dispatch = make_dispatch(8, ping=0, at_once=1)
    client = dispatch.register(0.0, "h1", "linux-x86_64", 8, True)
    for second in range(4):
        (ticket,) = dispatch.handout.take(10.0 * second, client.id, 8)
        dispatch.attempts.arrive(10.0 * second + 10, ticket.id)
        dispatch.attempts.accept(ticket.id, OUT, Usage(wall=10.0))
    dispatch.board.total = 8
    low, high = picture(dispatch).draw(40.0)["sweep"]["left"]
    assert low <= 40.0 <= high, "four sets of 10 s, one after the other, however many slots are free"
