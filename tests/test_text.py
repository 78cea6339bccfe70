"""Words and numbers for people, and the signatures of files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.session.stamps import identity, stamp
from spe.text import (
    clean_name,
    counted,
    named,
    printable,
    rate,
    said,
    seconds,
    sets,
    shown,
    span,
    span_between,
    time_of_day,
    volume,
)


def test_a_count_stands_with_the_words_that_fit_it() -> None:
    assert [counted(n, "set waits", "sets wait") for n in (0, 1, 2)] == ["0 sets wait", "1 set waits", "2 sets wait"]
    assert [counted(n, "host") for n in (1, 40)] == ["1 host", "40 hosts"]


def test_numbers_are_named_up_to_the_tenth() -> None:
    assert [named(numbers) for numbers in ([], [3], [3, 5], [3, 5, 8])] == ["", "3", "3 and 5", "3, 5 and 8"]
    assert named(range(1, 13)) == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (81, 108, "81 to 108 s"), (83, 120, "83 to 120 s"), (0, 0.3, "0 s"), (240, 420, "4 to 7 min"),
        (100, 400, "2 to 7 min"), (599, 601, "10 min"), (3600, 3700, "60 to 62 min"), (3600, 20_000, "1 to 6 h"),
        (100_000, 101_000, "28 h"), (200_000, 400_000, "2 to 5 days"), (500_000, 510_000, "6 days"),
    ],
)  # fmt: skip
def test_a_range_has_one_unit_in_which_it_is_still_a_range(least: float, most: float, text: str) -> None:
    assert span_between(least, most) == text


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_rounding_hides_less_than_a_unit_of_a_range_however_wide_it_is(one: float, other: float) -> None:
    least, most = sorted((one, other))
    words = span_between(least, most).split()
    size = {"s": 1, "min": 60, "h": 3600, "days": 86400}[words[-1]]
    low, high = (float(word) * size for word in (words[0], words[-2]))
    assert abs(low - least) <= size / 2 and abs(high - most) <= size / 2
    assert words[0] != words[-2] or most - least < 2 * size


def test_sizes_have_a_unit_in_which_they_are_short() -> None:
    sizes = {None: "", 1: "1 byte", 999: "999 bytes", 1500: "1.5 kB", 65_536: "66 kB", 25e9: "25 GB", 3e12: "3.0 TB"}
    assert [volume(size) for size in sizes] == list(sizes.values())


def test_estimates_have_one_unit() -> None:
    lengths = {40: "40 s", 89: "89 s", 360: "6 min", 7200: "2 h", 172_800: "2 days"}
    assert [span(seconds) for seconds in lengths] == list(lengths.values())
    assert [rate(2.5), rate(0.5), rate(0.001)] == ["2.5/s", "30/min", "3.6/h"]


def test_text_from_outside_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\rc\td\ne\u202ef") == "a·[2Jb·c d e·f"


def test_a_stamp_tells_a_file_that_was_written_anew_also_when_its_time_is_set_back(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert stamp(path) is None and identity(path) is None
    path.write_text("1")
    first, times = stamp(path), path.stat()
    other = tmp_path / "b"
    other.write_text("2")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert first is not None and stamp(path) != first


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999.0, "999 bytes"),
        (1000, "1.0 kB"),
        (9940, "9.9 kB"),
        (10_000, "10 kB"),
        (999_000, "999 kB"),
        (10**6, "1.0 MB"),
        (10**9, "1.0 GB"),
        (10**12, "1.0 TB"),
        (25 * 10**12, "25 TB"),
    ],
)
def test_a_size_goes_to_the_next_unit_at_a_thousand(size: float, text: str) -> None:
    assert volume(size) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (None, ""),
        (0.0, "0 s"),
        (0.2512, "0.251 s"),
        (9.994, "9.99 s"),
        (10.0, "10 s"),
        (10.4, "10 s"),
        (119.4, "119 s"),
        (119.6, "2 min 0 s"),
        (185.0, "3 min 5 s"),
        (7199.0, "119 min 59 s"),
        (7200.0, "2 h 0 min"),
        (7859.0, "2 h 10 min"),
        (90_000.0, "25 h 0 min"),
    ],
)
def test_a_measured_time_has_two_units_at_most(length: float | None, text: str) -> None:
    assert seconds(length) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (89.4, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 days"),
        (10**6, "12 days"),
    ],
)
def test_an_estimate_goes_to_the_next_unit_at_one_and_a_half_of_it_and_to_days_at_two(length: float, text: str) -> None:
    assert span(length) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(1.0, "1/s"), (0.99, "59.4/min"), (1 / 60, "1/min"), (0.016, "57.6/h"), (12.345, "12.3/s"), (0.0, "0/h")],
)
def test_a_rate_has_the_unit_that_makes_it_one_or_more(per_second: float, text: str) -> None:
    assert rate(per_second) == text


def test_a_moment_is_told_as_local_time() -> None:
    moment = time.mktime((2026, 1, 2, 14, 35, 2, 0, 0, -1))
    assert [time_of_day(one) for one in (moment, None, 0.0)] == ["14:35:02", "", ""]


def test_a_parameter_set_is_one_line() -> None:
    assert shown({"x": "1", "y": "a"}) == "x=1 y=a"
    assert said({"x": "1", "y": "a"}) == "x=1, y=a"
    assert [sets(count) for count in (0, 1, 2)] == ["0 sets", "1 set", "2 sets"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("my sweep", "my sweep"),
        ("a/b\\c:d", "a-b-c-d"),
        ("../x", "x"),
        (" -x- ", "x"),
        ("", "sweep"),
        ("...", "sweep"),
        ("a+b=c.d_é", "a+b=c.d_é"),
        ("x" * 99 + " yz", "x" * 99),
        ("x" * 101, "x" * 100),
        ("-" + "x" * 101, "x" * 100),
    ],
)
def test_any_text_is_made_into_the_name_of_a_folder(name: str, folder: str) -> None:
    assert clean_name(name) == folder


@given(st.text())
def test_harmless_text_is_as_long_as_it_was_and_keeps_all_that_is_printable(text: str) -> None:
    harmless = printable(text)
    assert harmless.isprintable() and len(harmless) == len(text)
    assert all(after == before for before, after in zip(text, harmless, strict=True) if before.isprintable())
