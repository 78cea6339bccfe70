"""A job whose sweep its user runs meanwhile without the farm: neither harms the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from spe.session.living import living
from waiting import wait_until

from .ada import HERE, JOB, Ada
from .evil_gate import EvilGate, answer


@pytest.fixture
def own_run(ada: Ada) -> Iterator[subprocess.Popen[bytes]]:
    """`spe run` as she types it, while its programs wait."""
    with subprocess.Popen([sys.executable, "-m", "spe", "run", "-q"], cwd=ada.sweep) as process:
        wait_until(lambda: living(ada.runs), "it runs")
        yield process
        (ada.root / "gate").touch()
        assert process.wait(60) == 0


def test_a_job_that_is_cancelled_ends_no_run_that_its_user_has_begun_by_hand(
    ada: Ada, gate: EvilGate, own_run: subprocess.Popen[bytes]
) -> None:
    ada.submit()
    delegate = ada.delegate()
    gate.answers["/report"] = answer({"unknown": []})
    ada.grant(1, {HERE: 2})
    delegate._turn()
    assert delegate._masters[JOB].ended == "", "it waits for its turn"
    ada.grant(2, {}, state="cancelled")
    delegate._turn()
    assert JOB not in delegate._masters
    assert gate.asked[-1][2]["jobs"][str(JOB)]["ended"] == "cancelled"
    found = living(ada.runs)
    assert found and found.pid == own_run.pid and own_run.poll() is None
