"""The master sleeps, as a laptop does whose lid is closed, for longer than a lease; its clients work on."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from waiting import wait_out

from .kit import LEASE, Drill

pytestmark = [pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(400)]
SLEEPS = 3  # as many as lost hosts make a task fail
AWAKE = 2.0  # seconds between two of them


def test_a_master_that_sleeps_past_the_lease_blames_nobody_and_nothing_runs_again(
    make_drill: Callable[..., Drill],
) -> None:
    drill = make_drill(by_hand=True)
    drill.open_gate(10)
    process = drill.start_run("--hosts", "none")
    for name in ("one", "two"):
        drill.start_client(name)
    drill.wait_done(10)
    at_work = drill.wait_at_gate(slots=4)
    for number in range(1, SLEEPS + 1):
        process.send_signal(signal.SIGSTOP)
        if number == SLEEPS:
            drill.open_gate()  # its clients finish what they have, and cannot bring it
        wait_out(LEASE + 1)
        if number == SLEEPS:
            assert at_work <= set(drill.times_ended())
        process.send_signal(signal.SIGCONT)
        if number < SLEEPS:
            wait_out(AWAKE)
            drill.assert_undone()
            blamed = [int(row[0]) for row in drill.query("SELECT number FROM tasks WHERE lost > 0", "drill")]
            assert not blamed, f"blamed for hosts that were there all the time\n{drill.story()}"
    drill.end()
    drill.wait_for_clients()
    blamed = drill.query("SELECT number, lost FROM tasks WHERE lost > 0", "drill")
    again = {x: times for x, times in drill.times_begun().items() if times != 1}
    assert (blamed, again) == ([], {}), drill.story()
    assert "is silent" not in drill.log_text, "who could not be heard was not silent"
    assert not drill.failed_attempts
    drill.five_checks("master stopped (SIGSTOP, as a laptop that sleeps) past the lease, then continued", SLEEPS)
