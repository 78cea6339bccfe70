"""Figures: dots, means with their errors, histograms and heat maps, and what cannot be drawn."""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from itertools import pairwise

import pytest
from spe.errors import UsageError
from spe.plot.asked import Asked, Form
from spe.plot.csv_lines import csv_lines
from spe.plot.figure import Axis, Figure
from spe.plot.forms import figure
from spe.plot.scales import Scale
from spe.plot.svg import WIDTH, svg

Raw = int | float | str | None


def made(form: str, y: Sequence[Raw], x: Sequence[Raw], by: Sequence[Raw] = (), **more: bool) -> Figure:
    asked = Asked("y", "x", "by" if by else "", Form(form), **more)
    every: dict[str, Sequence[Raw]] = {"y": y, "x": x, "by": by}
    return figure(asked, range(1, len(y) + 1), {name: every[name] for name in asked.names})


def elements(drawn: Figure, tag: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg(drawn, saved=True))
    return list(root.iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def rows(drawn: Figure) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(csv_lines(drawn)).decode())))


def test_a_dot_stands_for_each_set_and_what_is_no_number_is_left_out_and_told() -> None:
    drawn = made("dots", ["1.0", "3.0", "2", "nan", "2", ""], [0, 10, 5, 5, 5, 5])
    (series,) = drawn.series
    assert [(one.number, one.x, one.y) for one in series.points] == [(1, 0, 1), (2, 10, 3), (3, 5, 2), (5, 5, 2)]
    assert drawn.remarks == ["2 sets are left out: a value is missing, or has no place here"]
    assert len(elements(drawn, "circle")) == 4
    assert rows(drawn)[:2] == [["number", "x", "y"], ["1", "0.0", "1.0"]]


def test_groups_have_a_colour_a_shape_and_a_name_each() -> None:
    drawn = made("dots", [1, 2, 3, 4], [1, 2, 3, 4], ["fine", "coarse", "fine", ""])
    assert drawn.labels == ["no by", "by coarse", "by fine"]
    assert [len(one.points) for one in drawn.series] == [1, 1, 2]
    shapes = [re.sub(r"[\d.,-]+", "", one.get("points") or "circle") for one in elements(drawn, "polygon")]
    assert len(shapes) == 3 + 2, "three sets in groups that are no circles, and two in the key"
    assert len({one.get("fill") for one in [*elements(drawn, "circle"), *elements(drawn, "polygon")]}) == 3
    assert rows(drawn)[1] == ["4", "4.0", "4.0", ""] and rows(drawn)[2][-1] == "coarse"


def test_a_third_column_with_many_numbers_is_a_scale_of_colours() -> None:
    drawn = made("dots", list(range(20)), list(range(20)), [n / 2 for n in range(20)])
    assert drawn.shades == (0.0, 9.5) and drawn.labels == []
    colours = {one.get("fill") for one in elements(drawn, "circle")}
    assert len(colours) > 10
    words = " ".join(one.text or "" for one in elements(drawn, "text"))
    assert "by: 0" in words and "9.5" in words


def test_means_over_repeats_have_the_standard_error_as_their_band() -> None:
    y = [1.0, 3.0, 5.0, 10.0, 14.0, 7.0]
    drawn = made("lines", y, [1, 1, 1, 2, 2, 3], log_y=False)
    first, second, third = drawn.series[0].points
    assert (first.x, first.y, first.count) == (1, 3.0, 3)
    assert first.error == pytest.approx(statistics.stdev(y[:3]) / math.sqrt(3))
    assert (second.y, third.y, third.error) == (12.0, 7.0, None)
    assert drawn.has_errors and "The band is the standard error" in drawn.caption()
    assert len(elements(drawn, "polyline")) == 1 and len(elements(drawn, "polygon")) == 1
    assert rows(drawn)[0] == ["x", "mean of y", "standard error", "sets"]
    alone = made("lines", [1, 2], [1, 2])
    assert not alone.has_errors and not elements(alone, "polygon"), "no repeats, no band"


def test_lines_are_one_a_group_and_equal_to_twelve_digits_is_not_equal_to_six() -> None:
    drawn = made("lines", [1, 2, 3, 4], [1, 2, 1, 2], [0.1234567, 0.1234567, 0.1234568, 0.1234568])
    assert [[one.y for one in line.points] for line in drawn.series] == [[1, 2], [3, 4]]
    dashes = {one.get("stroke-dasharray") for one in elements(drawn, "polyline")}
    assert len(dashes) == 2, "colour is not the only sign"
    many = made("lines", list(range(20)), [1] * 20, [n * 0.5 for n in range(20)])
    assert len(many.series) == 20 and many.series[3].shade == 1.5


def test_very_many_values_across_are_put_into_ranges_which_is_told() -> None:
    drawn = made("lines", [n % 7 for n in range(1000)], [n * 0.1 for n in range(1000)])
    assert len(drawn.series[0].points) == 40 and "40 equal ranges" in drawn.caption()
    assert drawn.count == 1000


def test_a_histogram_counts_each_set_once_and_stacks_groups() -> None:
    y = [n * n % 101 for n in range(400)]
    drawn = made("histogram", y, [], [("a", "b")[n % 2] for n in range(400)])
    assert sum(one.count for one in drawn.boxes) == 400 and drawn.groups == ["by a", "by b"]
    assert (min(one.x0 for one in drawn.boxes), max(one.x1 for one in drawn.boxes)) == (min(y), max(y))
    by_range: dict[float, list[tuple[float, float]]] = {}
    for one in drawn.boxes:
        by_range.setdefault(one.x0, []).append((one.y0, one.y1))
    assert all(pairs[0][0] == 0 and all(a[1] == b[0] for a, b in pairwise(pairs))
               for pairs in by_range.values()), "one stands on the other"  # fmt: skip
    assert sum(int(row[-1]) for row in rows(drawn)[1:]) == 400


def test_a_heat_map_has_a_cell_for_each_place_of_the_grid() -> None:
    points = [(x, mesh, rep) for x in (0.1, 0.2, 10) for mesh in ("coarse", "fine") for rep in (1, 3)]
    drawn = made("heat", [mesh for _, mesh, _ in points], [x for x, _, _ in points], [x + rep for x, _, rep in points])
    assert drawn.x.categories == ["0.1", "0.2", "10"] and drawn.y.categories == ["coarse", "fine"]
    assert [one.shade for one in drawn.boxes] == pytest.approx([2.1, 2.1, 2.2, 2.2, 12, 12])
    assert rows(drawn)[1] == ["0.1", "coarse", "2.1", "2"]
    count = made("heat", [1, 1, 2], [1, 1, 2])
    assert [one.shade for one in count.boxes] == [2.0, 1.0] and count.asked.title == "number of sets at x and y"
    fine = made("heat", list(range(100)), list(range(100)))
    assert len(fine.boxes) == 40 and sum(one.count for one in fine.boxes) == 100


def test_logarithmic_axes_leave_out_what_has_no_logarithm() -> None:
    drawn = made("dots", [1, 10, 1000, 0, -3], [1, 2, 3, 4, 5], log_y=True)
    heights = [float(one.get("cy") or 0) for one in elements(drawn, "circle")]
    assert heights[0] - heights[1] == pytest.approx((heights[1] - heights[2]) / 2, abs=0.2)
    assert "2 sets are left out" in drawn.caption()
    for form in ("lines", "histogram", "heat"):
        assert elements(made(form, [1, 10, 1000, 0], [1, 2, 4, 5], log_x=True, log_y=True), "text")


@pytest.mark.parametrize(
    ("low", "high", "is_log", "labels"),
    [
        (0, 10, False, "0 2 4 6 8 10"), (7, 7, False, "2 4 6 8 10 12"), (-0.1, 0.3, False, "-0.1 0 0.1 0.2 0.3"),
        (1, 12, True, "1 2 5 10 20"), (0.001, 1000, True, "0.001 0.1 10 1000"), (3, 3, True, "2 5"),
        (-1e300, 1e300, False, "-1e+300 -5e+299 0 5e+299 1e+300"),
        (5, 5 + 1e-7, False, "5 5.00000002 5.00000004 5.00000006 5.00000008 5.0000001"),
    ],
)  # fmt: skip
def test_marks_are_round_numbers(low: float, high: float, is_log: bool, labels: str) -> None:
    scale = Scale(Axis("a", low, high, is_log))
    marks = scale.marks()
    assert " ".join(one.label for one in marks) == labels
    assert all(-1e-9 <= one.at <= 1 + 1e-9 for one in marks)
    assert 0 <= scale.place(low) <= scale.place(high) <= 1


@pytest.mark.parametrize(
    ("form", "y", "x", "by", "sentence"),
    [
        ("dots", ["a", "b"], [1, 2], (), "y is text, such as 'a': what is drawn upwards is a number"),
        ("lines", [None, ""], [1, 2], (), "y is empty in all sets"),
        ("dots", [1.0], ["nan"], (), "nothing can be drawn"),
        ("dots", list(range(99)), [f"t{n}" for n in range(99)], (), "x has 99 different texts, and an axis"),
        ("dots", list(range(9)), list(range(9)), [f"t{n}" for n in range(9)], "9 different texts, and 8 colours"),
        ("lines", list(range(99)), list(range(99)), list(range(99)), "no more than 40 lines can be read"),
        ("heat", [1, 2], [1, 2], ["a", "b"], "by is text, such as 'a': the colour of a heat map is a number"),
        ("heat", [None], [1], (), "nothing can be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    form: str, y: list[Raw], x: list[Raw], by: list[Raw], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        made(form, y, x, by)
    assert sentence in refused.value.what and refused.value.todo


@pytest.mark.parametrize(
    ("form", "y", "x", "more", "sentence"),
    [
        ("dots", [-1, -2, 0], [1, 2, 3], {"log_x": True, "log_y": True}, "y has no value greater than 0"),
        ("lines", [1, 2, 3], [-1, -2, 0], {"log_x": True, "log_y": True}, "x has no value greater than 0"),
        ("heat", [-1, -2, 0], [1, 2, 3], {"log_y": True}, "y has no value greater than 0"),
        ("histogram", [-1, -2, 0], [], {"log_x": True}, "y has no value greater than 0"),
        ("dots", [-1, 2], [1, -2], {"log_x": True, "log_y": True}, "no set has a value of each of x, y that has a"),
    ],
)
def test_a_logarithm_without_a_place_names_its_column_and_itself_as_the_reason(
    form: str, y: list[Raw], x: list[Raw], more: dict[str, bool], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        made(form, y, x, **more)
    assert refused.value.what.startswith(sentence) and "logarithmic" in refused.value.what
    assert "nothing can be drawn" in refused.value.what and refused.value.todo


@pytest.mark.parametrize("form", ["dots", "lines", "histogram", "heat"])
@pytest.mark.parametrize("width", [0, 300, 500, 1800])
def test_no_label_lies_on_another_or_leaves_the_drawing_at_any_width(form: str, width: int) -> None:
    long = [f"runs/wing/inputs/mesh-{n:03}.dat" for n in range(50)]
    wide = [10.0**n for n in range(-12, 13)] * 2
    for x in (long, wide, list(range(50))):
        y: list[Raw] = [1e7 + n for n in range(50)]
        root = ElementTree.fromstring(svg(made(form, y, x, log_x=x is wide), width=width))
        left, _, whole, _ = map(float, str(root.get("viewBox")).split())
        assert whole == pytest.approx(width or WIDTH, abs=0.01)
        below = [one for one in root.iter("text") if float(one.get("y") or 0) == 320 + 24]
        boxes = [(float(one.get("x") or 0), 7.5 * len(one.text or "") / 2) for one in below]
        assert boxes
        for (at, half), (then, other) in pairwise(boxes):
            assert at + half < then - other
        assert all(left <= at - half and at + half <= left + whole for at, half in boxes)
        beside = [one for one in root.iter("text") if one.get("text-anchor") == "end" and one.get("x") == "-8.0"]
        assert all(7.5 * len(one.text or "") + 8 < -left for one in beside)


def test_texts_that_begin_alike_are_told_by_their_ends() -> None:
    marks = Scale(made("dots", [1, 2], [f"runs/wing/inputs/mesh-{n}.dat" for n in "ab"]).x).marks()
    assert [one.label for one in marks] == ["…nputs/mesh-a.dat", "…nputs/mesh-b.dat"]


def test_an_axis_that_ends_at_its_values_has_marks_also_without_a_round_number() -> None:
    assert [one.label for one in Scale(Axis("a", 3.1, 4.0, True), is_exact=True).marks()] == ["3.1", "4"]
    within = Scale(Axis("a", 1.5, 8.5), is_exact=True)
    assert [one.label for one in within.marks()] == ["2", "4", "6", "8"]
    assert (within.place(1.5), within.place(8.5)) == (0, 1)


def test_no_dot_lies_on_the_frame() -> None:
    for form in ("dots", "lines"):
        drawn = made(form, [0, 10], [0, 10])
        for one in elements(drawn, "circle"):
            x, y = float(one.get("cx") or 0), float(one.get("cy") or 0)
            assert 4 < x < WIDTH - 60 - 24 and 4 < y < 320 - 4


@pytest.mark.parametrize("form", ["dots", "lines", "histogram", "heat"])
def test_few_many_and_strange_values_are_drawn_or_refused_in_one_sentence(form: str) -> None:
    one = made(form, [1.5], [2])
    assert one.count == 1 and "1 set." in one.caption()
    svg(one)
    strange = made(form, ["nan", "inf", "-inf", 1.0, 2.0], [1, 2, 3, 4, 5])
    assert strange.count == 2 and "3 sets are left out" in strange.caption() and "nan" not in svg(strange).lower()
    with pytest.raises(UsageError, match=r"y has no number in any set|y is empty in all sets|nothing can be drawn"):
        made(form, ["nan", "inf"], [1, 2])
    with pytest.raises(UsageError):
        made(form, [], [])
    texts = [f"g{n}" for n in range(500)]
    with pytest.raises(UsageError) as refused:
        made(form, list(range(500)), list(range(500)), texts)
    assert ("500 different texts, and 8 colours" in refused.value.what) or form == "heat"
    numbers = list(range(500))
    if form in ("dots", "heat"):
        assert made(form, numbers, numbers, numbers).count == 500
    else:
        with pytest.raises(UsageError, match=r"no more than 40 lines|more than 8 different values"):
            made(form, numbers, numbers, numbers)


def test_a_text_has_no_logarithm() -> None:
    with pytest.raises(UsageError, match="a logarithmic axis is one of numbers"):
        made("dots", [1, 2], ["a", "b"], log_x=True)


def test_names_and_texts_are_words_of_the_svg_and_no_markup() -> None:
    asked = Asked("<b>&", '"x"', "by")
    drawn = figure(asked, [1], {"<b>&": [1.0], '"x"': ["</svg>"], "by": ["<script>"]})
    for saved in (True, False):
        text = svg(drawn, saved)
        assert "<script>" not in text and "<b>" not in text and text.count("</svg>") == 1
        ElementTree.fromstring(text)
        assert "style=" not in text, "the page allows no style of its own"
