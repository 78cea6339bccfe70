"""The bound of a farm's grant in the loop: obeyed by all hands first, and only then said to be followed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from spe.client.loop.talker import Talker, tell_bound
from spe.client.wire.bound import Bound, told

from .loop_kit import Parts, reply
from .test_loop_attempts import Way
from .test_loop_attempts import told as hand_tells


def answer(way: Way, number: int) -> None:
    for _ in way.parts.played:
        way.pipeline.hear_bounded(number)
    way.pipeline.note_begun()


@pytest.mark.parametrize("text", [None, "", "3", "3 4 5", "-1 2", "x 2", "3 x", "3 99999999999"])
def test_what_is_no_bound_is_none(text: str | None) -> None:
    assert told(text) is None


def test_a_bound_has_programs_and_a_number() -> None:
    assert told("3 17") == (3, 17)


def test_a_client_without_a_farm_says_nothing_of_it() -> None:
    assert Bound().words == []


def test_only_a_newer_bound_is_told_to_the_loop(parts: Parts) -> None:
    assert tell_bound(parts.shared, "3 1") and parts.events() == [("bound", (3, 1))]
    parts.shared.bound.number = 1
    assert not tell_bound(parts.shared, "9 1") and not tell_bound(parts.shared, None) and parts.events() == []
    assert Talker(parts.shared).hear_bound(reply(204, Slots="2 2")) and parts.events() == [("bound", (2, 2))]


def test_the_hands_share_the_bound_and_each_is_told_how_many_slots_stay_free(make_parts: Callable[..., Parts]) -> None:
    way = Way(make_parts(2, 2, 1))
    way.pipeline.follow((4, 1))
    assert way.heard() == [[("bound", (0, 1))], [("bound", (1, 1))], [("bound", (0, 1))]]
    way.pipeline.follow((1, 2))
    assert way.heard() == [[("bound", (1, 2))], [("bound", (2, 2))], [("bound", (1, 2))]]


def test_the_master_hears_that_a_bound_is_followed_once_all_hands_follow_it(make_parts: Callable[..., Parts]) -> None:
    way = Way(make_parts(2, 2))
    bound = way.parts.shared.bound
    way.pipeline.follow((2, 1))
    way.pipeline.hear_bounded(1)
    assert bound.words == []
    way.pipeline.hear_bounded(1)
    assert bound.words == [("granted", 1), ("begun", 0)]
    assert way.parts.lease.wait_for_request(0), "a ping says so at once"


def test_the_answer_to_an_overtaken_bound_counts_for_nothing(parts: Parts) -> None:
    way = Way(parts)
    way.pipeline.follow((2, 1))
    way.pipeline.follow((1, 2))
    way.pipeline.hear_bounded(1)
    assert parts.shared.bound.words == []
    way.pipeline.follow((9, 1))
    way.pipeline.hear_bounded(2)
    assert parts.shared.bound.words == [("granted", 2), ("begun", 0)] and parts.hand.process.limit == 1


def test_no_more_attempts_are_given_to_hands_than_the_bound_allows(make_parts: Callable[..., Parts]) -> None:
    way = Way(make_parts(2, 2))
    way.pipeline.follow((1, 1))
    answer(way, 1)
    way.heard()
    way.begin(1, 2, 3)
    assert way.heard() == [[("begin", [1])], []] and way.waiting() == [2, 3]
    assert way.parts.shared.bound.begun == 0, "it is counted when the loop has turned"
    way.pipeline.note_begun()
    assert way.parts.shared.bound.begun == 1


def test_programs_beyond_a_lower_bound_go_on_and_nothing_begins_in_their_place(parts: Parts) -> None:
    way = Way(parts)
    way.pipeline.follow((2, 1))
    answer(way, 1)
    way.begin(1, 2)
    way.heard()
    way.pipeline.follow((1, 2))
    answer(way, 2)
    assert parts.shared.bound.words == [("granted", 2), ("begun", 2)]
    way.begin(3)
    assert way.heard() == [[("bound", (1, 2))]], "nothing begins while two run"
    parts.lease.wait_for_request(0)
    parts.hand.process.leave_slots([hand_tells(1)])
    way.pipeline.note_begun()
    assert parts.shared.bound.begun == 1 and parts.lease.wait_for_request(0), "its end is said at once"
    way.pipeline.feed_hands()
    assert way.heard() == [[]], "the one slot is taken"


def test_what_does_not_fit_a_lower_bound_goes_back_to_the_master(parts: Parts) -> None:
    way = Way(parts)
    way.begin(1, 2, 3)
    way.pipeline.follow((1, 1))
    way.pipeline.hear_unbegun([hand_tells(2)])
    parts.hand.process.leave_slots([hand_tells(2)])
    answer(way, 1)
    assert ("back", None) in way.heard()[0], "a round in which all that has not begun is returned"


def test_a_bound_of_nothing_leaves_one_request_through_which_the_master_reaches_the_client(parts: Parts) -> None:
    way = Way(parts)
    way.pipeline.follow((0, 1))
    answer(way, 1)
    assert parts.wanted() == (1, 0)
    way.begin(1)
    assert way.heard() == [[("bound", (2, 1))]], "what it still gets is not begun"
    way.pipeline.follow((2, 2))
    way.pipeline.feed_hands()
    assert way.heard() == [[("bound", (0, 2)), ("begin", [1])]]


def test_tasks_are_prefetched_for_the_slots_that_are_granted(parts: Parts) -> None:
    way = Way(parts)
    parts.prefetch.note_success(0.1)
    way.pipeline.follow((1, 1))
    assert parts.prefetch.ahead() == 10
