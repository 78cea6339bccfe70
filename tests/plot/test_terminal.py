"""Figures in the terminal."""

from __future__ import annotations

import sys

import pytest
from needs import need
from spe.errors import UsageError
from spe.plot.terminal import text

from .test_figures import made


@pytest.fixture
def plotext() -> None:
    try:
        import plotext  # noqa: F401
    except ImportError:
        need(False, "needs plotext: pip install plotext")


def test_each_form_is_drawn_in_the_room_that_there_is(plotext: None) -> None:
    figures = [
        made("dots", [1, 2, 3], [1, 2, 3]),
        made("dots", list(range(30)), list(range(30)), list(range(30))),
        made("lines", [1, 2, 3, 9], [1, 1, 2, 2], ["a", "b", "a", "b"]),
        made("histogram", [n % 7 for n in range(99)], [], [("a", "b")[n % 2] for n in range(99)]),
        made("heat", [1, 1, 2, 2], [1, 2, 1, 2], [1.0, 2.0, 3.0, 4.0]),
        made("lines", [1, 10, 1000], [1, 2, 3], log_y=True),
    ]
    for one in figures:
        for width, height in ((79, 20), (30, 8)):
            lines = text(one, width, height, with_colours=False).splitlines()
            assert "\x1b" not in "".join(lines)
            assert max(map(len, lines[:height])) <= width and len(lines) in (height, height + 1)
        assert "\x1b[" in text(one, 79, 20, with_colours=True)


def test_groups_are_told_by_their_signs(plotext: None) -> None:
    drawn = text(made("dots", [1, 2, 3, 4], [1, 2, 3, 4], ["a", "b", "a", "b"]), 60, 15, with_colours=False)
    assert drawn.splitlines()[-1] == "• by a   + by b"
    assert drawn.count("•") == 3 and drawn.count("+") == 3


def test_each_mean_of_several_sets_has_a_bar_of_its_error_and_no_mean_is_hidden(plotext: None) -> None:
    with_errors = made("lines", [1, 5, 3, 9], [1, 1, 2, 2])
    drawn = text(with_errors, 60, 15, with_colours=False)
    alone = text(made("lines", [3, 6], [1, 2]), 60, 15, with_colours=False)
    bars = [line[2:-1].count("│") for line in drawn.splitlines()]
    assert sum(bars) > sum(line[2:-1].count("│") for line in alone.splitlines()) + 4
    assert drawn.count("•") > 2
    on_log = text(made("lines", [1, 1000, 10, 20], [1, 1, 2, 2], log_y=True), 60, 15, with_colours=False)
    assert "•" in on_log, "a mean less its error may be below 0"


def test_without_plotext_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotext", None)
    with pytest.raises(UsageError) as refused:
        text(made("dots", [1], [1]), 60, 15, with_colours=False)
    assert refused.value.todo == "pip install 'spe[plot]'" and "plotext" in refused.value.what
