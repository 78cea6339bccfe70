"""What spe shows fits terminals of 60 to 200 columns, also when a window changes its size."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from waiting import wait_until

from .kit import Bench, Started
from .tmux import Window, window

WIDTHS = (60, 80, 120, 200)
COUNTS = "0 of 3 sets done, 0 failed, 2 running, 1 waiting"
WORK = "echo $1 >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\necho $1\n"
SWEEP = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=2]\n"


@pytest.fixture
def sweep(bench: Bench) -> Iterator[Bench]:
    bench.worker(WORK)
    bench.write("spe.yaml", SWEEP)
    yield bench
    bench.open_gate()


@pytest.fixture
def running(sweep: Bench) -> Started:
    started = sweep.start("run")
    wait_until(lambda: len(sweep.logged()) == 2, "two programs run")
    return started


def picture(shown: Window) -> list[str]:
    """The lines of the screen below that of the page."""
    return [line for line in shown.screen.splitlines() if line]


def is_whole(shown: Window) -> bool:
    """Whether the counts, the head of the table and the row of the host are there once each."""
    text = "\n".join(picture(shown))
    return all(len(re.findall(one, text)) == 1 for one in (COUNTS, "host +state", r"localhost +up +2 of 2"))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_picture_of_a_run_fits(sweep: Bench, width: int) -> None:
    with window(sweep, width, "run") as shown:
        wait_until(lambda: is_whole(shown), "the picture")
        assert "…" not in "\n".join(picture(shown))
        sweep.open_gate()
        shown.wait_for("ended 0")


@pytest.mark.parametrize("command", ["run", "top", "status"])
def test_a_window_that_changes_its_size_keeps_one_picture(
    sweep: Bench, request: pytest.FixtureRequest, command: str
) -> None:
    started = None if command == "run" else request.getfixturevalue("running")
    words = ("status", "--watch") if command == "status" else (command,)
    wanted = "last word" if command == "status" else "host +state"
    with window(sweep, 120, *words) as shown:
        shown.wait_for("0 of 3 sets done")
        for width, height in ((60, 24), (200, 24), (70, 12), (60, 24), (120, 24)):
            shown.resize(width, height)
            wait_until(lambda: settled(shown, wanted), f"one picture of {width} columns")
        sweep.open_gate()
        if started:
            started.end()
        shown.wait_for("ended 0")
        assert "2 running" not in shown.screen, "the picture goes with its run"


def settled(shown: Window, wanted: str) -> bool:
    """Whether the screen shows one whole picture, in lines that are not broken, and nothing of an older one."""
    text = shown.screen
    return all(len(re.findall(one, text)) == 1 for one in ("sets done", r"2 running, 1 waiting", wanted))


def test_attach_on_a_narrow_terminal_keeps_to_one_line(running: Started, sweep: Bench) -> None:
    with window(sweep, 40, "attach") as shown:
        shown.wait_for("0 of 3 sets done")
        sweep.open_gate()
        running.end()
        shown.wait_for("ended 0")
        lines = [line for line in picture(shown) if re.match(r"\d of 3 sets", line)]
        assert len(lines) <= 2, "that of the last counts, and that of the end"


@pytest.mark.parametrize("command", ["run", "status", "attach", "top"])
def test_a_plain_command_draws_no_picture_and_has_no_colours(
    sweep: Bench, request: pytest.FixtureRequest, command: str
) -> None:
    started = None if command == "run" else request.getfixturevalue("running")
    extra = ("--watch",) if command == "status" else ()
    with window(sweep, 100, command, "--plain", *extra) as shown:
        wait_until(lambda: re.search("page: http|0 of 3 sets done", shown.screen), "its first line")
        sweep.open_gate()
        if started:
            started.end()
        shown.wait_for("ended 0")
        assert "\x1b" not in shown.everything and "━" not in shown.everything


def test_no_color_keeps_the_picture_and_drops_its_colours(sweep: Bench) -> None:
    with window(sweep, 100, "run", NO_COLOR="1") as shown:
        wait_until(lambda: is_whole(shown), "the picture")
        assert not re.search(r"\x1b\[[0-9;]*3[0-8][;m]", shown.everything)
        sweep.open_gate()
        shown.wait_for("ended 0")


def test_the_same_words_stand_in_run_top_status_and_attach(running: Started, sweep: Bench) -> None:
    assert f"sweep: {COUNTS}" in sweep.start("top").end().out
    assert COUNTS in sweep.start("status").end().out
    attached = sweep.start("attach")
    assert attached.process.stderr
    while not (line := attached.process.stderr.readline()).startswith("0 of"):
        assert line
    assert line.strip() == COUNTS
    sweep.open_gate()
    assert "3 of 3 sets done, 0 failed" in running.end().err
    assert "3 of 3 sets done, 0 failed" in attached.end().err
