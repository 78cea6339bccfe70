"""Lines about neighbours: when they are said, how hosts are put together, and that nothing is said twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.launch import neighbours
from spe.launch.neighbours import (
    GATHERING,
    MOST_ACCOUNT,
    MOST_LINES,
    MOST_SLOTS,
    Neighbour,
    NeighbourLines,
    read_neighbour,
)

ALICE = Neighbour("alice", 8)


def test_a_line_waits_for_the_hosts_that_come_a_little_later() -> None:
    lines = NeighbourLines(0.0)
    assert lines.take_due(1000.0) == []
    lines.note(1000.0, "h2", ALICE)
    lines.note(1004.0, "h1", Neighbour("alice", 2))
    assert lines.take_due(1000.0 + GATHERING - 0.1) == []
    [line] = lines.take_due(1000.0 + GATHERING)
    assert line.startswith("alice runs spe, too, on h1 and h2 (2 to 8 slots each). To share these hosts: set `max_load")
    assert lines.take_due(2000.0) == lines.take_all() == []


def test_a_host_is_told_once_and_one_that_comes_later_gets_a_line_of_its_own() -> None:
    lines = NeighbourLines(0.0)
    lines.note(1.0, "h1", ALICE)
    assert len(lines.take_all()) == 1
    lines.note(100.0, "h1", Neighbour("alice", 4))
    lines.note(100.0, "h2", ALICE)
    [line] = lines.take_due(100.0 + GATHERING)
    assert line.startswith("alice runs spe, too, on h2 (8 slots). ")


def test_with_max_load_nothing_is_to_be_done() -> None:
    lines = NeighbourLines(0.8)
    lines.note(1.0, "h1", Neighbour("bob", 1))
    assert lines.take_all() == [
        "bob runs spe, too, on h1 (1 slot); with your `max_load` tasks wait there while the load is high"
    ]


def test_a_client_that_makes_accounts_up_does_not_fill_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST_LINES", 3)
    lines = NeighbourLines(0.0)
    for number in range(5):
        lines.note(1.0, "h1", Neighbour(f"account-{number}", 1))
    assert len(lines.take_all()) == 3
    lines.note(1.0, "h2", ALICE)
    assert lines.take_all() == []
    assert MOST_LINES > 3


@given(st.one_of(st.text(), st.tuples(st.integers(), st.text()).map(lambda pair: f"{pair[0]} {pair[1]}")))
def test_whatever_a_host_reports_is_a_neighbour_that_can_be_shown_or_nothing(text: str) -> None:
    found = read_neighbour(text)
    if found:
        assert found.account
        assert found.account.isprintable()
        assert len(found.account) <= MOST_ACCOUNT
        assert 1 <= found.slots <= MOST_SLOTS
    else:
        assert not text.startswith("1 alice")
