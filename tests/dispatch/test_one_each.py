"""The rule of `spe check`: each kind of host gets one task, and another one when that is lost with its host."""

from __future__ import annotations

from spe.dispatch.dispatch import Dispatch
from spe.dispatch.rules import TRIES, OneEach
from spe.model import Client, Ticket

from .kit import BROKEN, NO_USAGE, OUT, make_dispatch


def make(kinds: dict[str, str]) -> tuple[Dispatch, OneEach]:
    dispatch = make_dispatch(tasks=20, attempts=1, copies=0)
    dispatch.handout.one_each = OneEach(kinds)
    return dispatch, dispatch.handout.one_each


def came(dispatch: Dispatch, host: str) -> Client:
    return dispatch.register(0.0, host, "linux", 8, pings=True)


def take(dispatch: Dispatch, client: Client) -> list[Ticket]:
    return dispatch.handout.take(1.0, client.id, 8, ahead=4)


def test_the_first_host_of_each_kind_that_asks_gets_one_task_however_many_slots_it_has() -> None:
    dispatch, _ = make({"a": "one", "b": "one", "c": "two"})
    a, b, c = (came(dispatch, name) for name in "abc")
    assert [len(take(dispatch, client)) for client in (b, a, c, b, c)] == [1, 0, 1, 0, 0]


def test_a_host_that_is_not_known_is_a_kind_of_its_own() -> None:
    dispatch, _ = make({"a": "one"})
    assert [len(take(dispatch, came(dispatch, name))) for name in ("a", "new", "other")] == [1, 1, 1]


def test_a_task_that_has_ended_well_or_badly_is_not_repeated_by_its_kind() -> None:
    dispatch, rule = make({"a": "one", "b": "one", "c": "two"})
    good, bad = came(dispatch, "a"), came(dispatch, "c")
    [done], [failed] = take(dispatch, good), take(dispatch, bad)
    dispatch.attempts.arrive(2.0, done.id)
    dispatch.attempts.accept(done.id, OUT, NO_USAGE)
    dispatch.attempts.fail(2.0, failed.id, BROKEN, NO_USAGE)
    assert not any(rule.wants(host) for host in "abc")
    assert take(dispatch, good) == take(dispatch, bad) == take(dispatch, came(dispatch, "b")) == []


def test_a_task_that_is_lost_with_its_host_goes_to_another_host_of_the_kind_up_to_three_times() -> None:
    dispatch, rule = make({"a": "one", "b": "one"})
    for turn in range(TRIES):
        assert rule.wants("b"), turn
        client = came(dispatch, "ab"[turn % 2])
        assert len(take(dispatch, client)) == 1
        dispatch.bye(2.0, client.id, killed=True)
    assert not rule.wants("a")
    assert len(rule.tickets("a")) == TRIES
