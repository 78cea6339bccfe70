"""Attempts that have not begun: asked back from all hands in rounds, and given back to the master once."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from spe.client.loop.recall import Recall, Returner
from spe.client.wire.connection import parse_address

from .loop_kit import Parts, PlayedMaster, reply
from .pretended_master import SESSION, Master


def heard_names(parts: Parts) -> list[list[str]]:
    return [[name for name, _ in one.heard()] for one in parts.played]


@pytest.fixture
def two(make_parts: Callable[..., Parts]) -> Parts:
    return make_parts(1, 1)


def test_a_round_asks_each_hand_once_and_ends_with_the_last_answer(two: Parts) -> None:
    recall = Recall(two.hands, two.demand)
    assert not recall.is_under_way()
    recall.begin()
    recall.begin()
    assert heard_names(two) == [["back"], ["back"]]
    assert recall.is_under_way()
    assert not recall.note_answer() and recall.is_under_way()
    assert not recall.note_answer(), "the master is owed nothing"
    assert not recall.is_under_way()
    recall.begin()
    assert heard_names(two) == [["back"], ["back"]], "a new round"


def test_what_is_owed_to_the_master_is_known_after_the_last_answer_and_paid_once(two: Parts) -> None:
    recall = Recall(two.hands, two.demand)
    recall.owe(1)
    assert heard_names(two) == [["back"], ["back"]] and recall.is_under_way()
    assert not recall.note_answer()
    assert recall.note_answer()
    assert recall.take_owed() == 1
    assert recall.take_owed() == 0
    recall.begin()
    assert not recall.note_answer() and not recall.note_answer()


def test_a_master_that_wants_tickets_back_during_a_round_gets_them_at_its_end(two: Parts) -> None:
    recall = Recall(two.hands, two.demand)
    recall.begin()
    recall.owe(7)
    assert heard_names(two) == [["back"], ["back"]]
    assert not recall.note_answer() and recall.note_answer()
    assert recall.take_owed() == 7


def test_while_others_wait_for_tasks_nothing_more_is_fetched_ahead(two: Parts) -> None:
    two.demand.change(2, 2, 10)
    assert two.wanted() == (10, 10)
    Recall(two.hands, two.demand).owe(1)
    assert two.wanted() == (0, 0)


@pytest.mark.parametrize(("reason", "more"), [("", []), ("a program changed it", [("reason", "a program changed it")])])
def test_tickets_are_given_back_in_one_request_and_then_cleared_away(
    parts: Parts, reason: str, more: list[tuple[str, str]]
) -> None:
    attempts = [parts.attempt(1), parts.attempt(2)]
    for one in attempts:
        one.place.make()
    returner = Returner(parts.shared, attempts, reason)
    line = returner.connection = PlayedMaster(parts.master, reply(200))
    returner.talk()
    assert line.asked == [("/back", [("ticket", 1), ("ticket", 2), *more])]
    assert line.closed == 1
    assert not os.listdir(parts.base)


def test_a_thread_of_its_own_gives_tickets_back(parts: Parts, master: Master) -> None:
    parts.master.address = parse_address(master.url, "")
    returner = Returner(parts.shared, [parts.attempt(7)])
    returner.start()
    returner.join(20)
    assert [one.query for one in master.requests] == [{"sessionID": [SESSION], "ticket": ["7"]}]
    assert not parts.events()


def test_nothing_is_asked_when_nothing_is_given_back(parts: Parts) -> None:
    returner = Returner(parts.shared, [])
    line = returner.connection = PlayedMaster(parts.master)
    returner.talk()
    assert not line.asked and line.closed == 1
