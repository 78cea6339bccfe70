"""The words for a terminal, made of the document; and how much of it fits."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from spe.session import calling
from spe.state import lines as display
from spe.state.terminal import picture
from spe.text import rate

NOW = 1_800_000_000.0


def document(hosts: int = 2, failures: int = 1, **sweep: Any) -> dict[str, Any]:
    said = {
        "name": "pi", "state": "running", "waiting": 50, "running": 4, "done": 40, "failed": 6, "cancelled": 0,
        "total": 100, "rate": 2.0, "slots": 4, "began": NOW - 60, "paused": False, "left": [240.0, 400.0],
    }  # fmt: skip
    one = {"state": "up", "slots": 2, "running": 2, "done": 20, "failed": 3, "lost": 0, "word": int(NOW)}
    return {
        "sweep": {**said, **sweep},
        "hosts": {f"lab{n:02}": dict(one) for n in range(1, hosts + 1)},
        "tickets": {},
        "failures": {
            str(n): {"reason": "exit code 1", "host": "lab01", "time": NOW + n, "final": True}
            for n in range(1, failures + 1)
        },
    }


def test_the_line_of_the_sweep_has_counts_rate_and_expected_end() -> None:
    assert display.counts(document()) == "40 of 100 sets done, 6 failed, 4 running, 50 waiting"
    assert display.pace(document(), NOW).startswith("2/s, ends in 4 to 7 min (about ")
    told = display.counts(document(failed=0, cancelled=2, paused_sets=1))
    assert told == "40 of 100 sets done, 0 failed, 2 cancelled, 3 running, 1 paused, 50 waiting"


def test_a_sweep_that_does_not_go_on_says_that_in_place_of_its_end() -> None:
    assert display.pace(document(state="paused", paused=True), NOW) == "paused, 2/s"
    shown = document(rate=0.0)
    del shown["sweep"]["left"]
    assert display.pace(shown, NOW) == ""


@pytest.mark.parametrize(
    ("per_second", "text"), [(12.5, "12.5/s"), (1.0, "1/s"), (0.5, "30/min"), (0.001, "3.6/h"), (0.0001, "0.36/h")]
)
def test_a_rate_is_told_in_a_unit_that_can_be_read(per_second: float, text: str) -> None:
    assert rate(per_second) == text


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [(3, 8, "ends in 3 to 8 s"), (30, 55.4, "ends in 30 to 55 s"), (40, 40.2, "ends in 40 s"),
     (60, 600, "ends in 1 to 10 min ("), (7200, 9000, "ends in 120 to 150 min ("),
     (200_000, 400_000, "ends in 2 to 5 days (")],
)  # fmt: skip
def test_the_expected_end_is_a_range_in_one_unit_where_it_can_be(least: float, most: float, text: str) -> None:
    assert display.expected_end(least, most, NOW).startswith(text)


def test_where_not_all_hosts_fit_those_with_trouble_are_shown_and_the_others_counted() -> None:
    shown = document(hosts=40)
    shown["hosts"]["lab33"] |= {"state": "fault", "why": "refused: nobody\x1b[2J listens"}
    rows = display.host_rows(shown, NOW, 5)
    assert [row[0] for row in rows] == ["lab33", "lab01", "lab02", "lab03", "… and 36 more"]
    assert rows[0][1] == "fault" and rows[0][-1] == "refused: nobody·[2J listens"
    assert len(display.host_rows(shown, NOW, 40)) == 40


def test_a_host_that_is_silent_says_for_how_long() -> None:
    shown = document()
    shown["hosts"]["lab02"]["word"] = int(NOW) - 45
    assert [row[7] for row in display.host_rows(shown, NOW, 9)] == ["", "45 s ago"]


def test_failures_are_shown_in_their_order_and_one_that_is_tried_again_says_so() -> None:
    shown = document(failures=7)
    shown["failures"]["7"] |= {"final": False, "host": ""}
    lines = display.failure_lines(shown, 2)
    assert lines == [
        "6 × exit code 1; the newest is task 6 on lab01", "task 7: exit code 1 (it is tried again)",
    ]  # fmt: skip
    for number in range(1, 7):
        shown["failures"][str(number)]["reason"] = "exit code 1: " + "abcdef"[number - 1]
    lines = display.failure_lines(shown, 2)
    assert lines == ["task 6 on lab01: exit code 1: f", "task 7: exit code 1 (it is tried again)"]
    assert display.failure_lines(shown, 0) == []


@pytest.mark.parametrize(("width", "height", "hosts"), [(80, 24, 200), (40, 10, 8), (200, 60, 40), (60, 24, 0)])
def test_the_picture_fits_on_the_screen(width: int, height: int, hosts: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    shown = document(hosts=hosts, failures=9)
    for failure in shown["failures"].values():
        failure["reason"] = "a long reason " * 20
    lines = console.render_lines(picture(shown, NOW, width, height), pad=False)
    assert len(lines) <= height
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)


def drawn(shown: dict[str, Any], width: int, activity: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=24)
    lines = console.render_lines(picture(shown, NOW, width, 24, activity), pad=False)
    return ["".join(segment.text for segment in line) for line in lines]


def test_a_long_fault_of_one_host_leaves_the_other_columns_as_they_are() -> None:
    shown = document(hosts=2)
    shown["hosts"]["lab01"] |= {"state": "fault", "why": "software: no wheel of a package " * 9}
    lines = drawn(shown, 90)
    assert [line for line in lines if line.startswith("lab01  fault")], lines
    assert [line for line in lines if line.startswith("lab02  up")], lines
    assert [line for line in lines if "software: no wheel" in line and line.rstrip().endswith("…")], lines


def test_what_goes_on_before_tasks_run_stands_below_the_line_of_the_sweep() -> None:
    lines = drawn(document(), 90, "venv: requirements.txt: downloading wheels for linux-x86_64, Python 3.11")
    place = next(n for n, line in enumerate(lines) if line.startswith("venv: requirements.txt: downloading"))
    head = next(n for n, line in enumerate(lines) if line.startswith("host "))
    assert 0 < place < head


def test_what_the_stream_sends_is_read_event_by_event() -> None:
    lines = [
        b"event: state\n", b'data: {"a": "x: y"}\n', b"\n", b": still here\n", b"\n",
        b"id: 7\n", b"event: note\n", b'data: {"text": "\xc3\xa4"}\n', b"\n", b"event: change\n",
    ]  # fmt: skip
    assert list(calling._frames(iter(lines))) == [("state", {"a": "x: y"}, ""), ("note", {"text": "ä"}, "7")]


def test_the_line_of_the_sweep_says_what_sets_wait_for() -> None:
    shown = document(rate=0.0, waits_for="a licence of abaqus: 2 of 2 in use", back_offs={"sets": 1, "first": NOW + 40})
    del shown["sweep"]["left"]
    assert display.pace(shown, NOW) == (
        "sets wait for a licence of abaqus: 2 of 2 in use, "
        "1 set pauses before the next attempt, the first for 40 s"
    )
    assert "the first for 0 s" in display.pace(shown, NOW + 99)
    shown["sweep"]["state"] = "draining"
    assert display.pace(shown, NOW) == "draining"
