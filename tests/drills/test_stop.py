"""The user stops it, or goes away: Ctrl-C, SIGTERM, a closed terminal."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Callable

import pytest
from waiting import wait_until

from .kit import Drill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Maker = Callable[..., Drill]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stopped_three_times_and_continued(make_drill: Maker, number: signal.Signals) -> None:
    """It drains: what runs is finished and counts, so nothing is begun twice."""
    drill = make_drill()
    for count in (8, 18, 28):
        drill.open_gate(count)
        drill.start_run()
        drill.wait_done(count)
        drill.wait_at_gate()
        assert drill.process
        drill.process.send_signal(number)
        wait_until(lambda: "interrupted" in drill.said.read_text(), "it drains")
        drill.open_gate()
        drill.end(130)
        assert drill.done == count + drill.slots
        assert not drill.processes()
    drill.start_run()
    drill.end()
    assert set(drill.times_begun().values()) == {1}
    drill.five_checks(f"{'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}, then `spe run` again", 3)


def test_stopped_at_once_by_a_second_ctrl_c(make_drill: Maker) -> None:
    drill = make_drill()
    drill.open_gate(10)
    drill.start_run()
    drill.wait_done(10)
    wait_until(lambda: len(drill.times_begun()) == 12, "two wait at the gate")
    assert drill.process
    drill.process.send_signal(signal.SIGINT)
    wait_until(lambda: "interrupted" in drill.said.read_text(), "it drains")
    drill.process.send_signal(signal.SIGINT)
    drill.end(130)
    assert not drill.processes()
    drill.open_gate()
    drill.start_run()
    drill.end()
    drill.five_checks("Ctrl-C twice, then `spe run` again")


def test_a_closed_terminal_ends_nothing(make_drill: Maker) -> None:
    drill = make_drill()
    ours, theirs = pty.openpty()
    drill.open_gate(10)
    process = drill.start_run(terminal=theirs)
    os.close(theirs)
    drill.wait_done(10)
    os.close(ours)  # the kernel hangs up: SIGHUP to the session's leader, and errors for whoever writes there
    wait_until((drill.runs("drill") / "run.log").exists, "it has heard")
    drill.open_gate()
    drill.end()
    assert process.returncode == 0
    drill.five_checks("terminal closed")


def test_a_hang_up_signal_ends_nothing(make_drill: Maker) -> None:
    """As some shells send it to all that they started."""
    drill = make_drill()
    drill.open_gate(8)
    process = drill.start_run()
    for count in (8, 20):
        drill.open_gate(count)
        drill.wait_done(count)
        process.send_signal(signal.SIGHUP)
        drill.assert_undone()
    drill.open_gate()
    drill.end()
    drill.five_checks("SIGHUP", 2)
