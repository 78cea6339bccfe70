"""Towns of two tests that run at once have the same accounts, and do not mistake each other's processes."""

from __future__ import annotations

import subprocess
import sys

from waiting import wait_until

from .people import ADA, town


def test_a_town_finds_and_kills_its_own_delegate_alone() -> None:
    with town() as mine, town() as other:
        words = [*mine.account(ADA), sys.executable, "-c", "input()", "farm", "delegate", "f1"]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, env=other.environment(ADA))
        wait_until(lambda: other.delegate(ADA) == process.pid, "its own town finds it")
        assert mine.delegate(ADA) == 0
        mine.remove()
        assert process.poll() is None
        other.kill_delegate(ADA)
        process.wait(20)
