"""Figures in the terminal."""

from __future__ import annotations

import sys

import pytest
from needs import need
from spe.errors import UsageError
from spe.plot.terminal import picture, text

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


def test_all_bars_of_a_histogram_are_equally_wide_in_any_room(plotext: None) -> None:
    y = [n * n % 101 for n in range(400)]
    drawn = made("histogram", [value for value in y for _ in range(1 + value // 40)], [])
    bars = {round((one.x0 - drawn.x.low) / (one.x1 - one.x0)) for one in drawn.boxes}
    for width in (40, 57, 79, 120):
        lines = text(drawn, width, 20, with_colours=False).splitlines()
        lowest = next(line for line in reversed(lines) if "█" in line)
        inside = lowest[lowest.index(next(sign for sign in "┤│" if sign in lowest)) + 1 : lowest.rindex("│")]
        count = max(bars) + 1
        assert len(inside) % count == 0 or len(inside) < count
        if len(inside) >= count:
            each = len(inside) // count
            pieces = [inside[n * each : (n + 1) * each] for n in range(count)]
            assert all(set(piece) in ({"█"}, {" "}) for piece in pieces), inside


def test_what_other_points_hide_is_counted_and_no_dot_is_on_the_frame(plotext: None) -> None:
    drawn, hidden = picture(made("dots", [1, 1, 2, 2, 3], [1, 1, 2, 2, 3], ["a", "b", "a", "b", "a"]), 60, 15, False)
    assert hidden == "2 points are hidden behind others."
    assert drawn.splitlines()[0] == "y", "the axis upwards is named above it"
    assert sum(line[4:].count("•") + line[4:].count("+") for line in drawn.splitlines()[:-1]) == 3
    drawn, hidden = picture(made("dots", [0, 10], [0, 10]), 60, 15, False)
    assert not hidden
    rows = [line for line in drawn.splitlines() if "•" in line]
    assert len(rows) == 2 and all(" •" in row and "• " in row for row in rows)


def test_without_plotext_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotext", None)
    with pytest.raises(UsageError) as refused:
        text(made("dots", [1], [1]), 60, 15, with_colours=False)
    assert refused.value.todo == "pip install 'spe[plot]'" and "plotext" in refused.value.what
