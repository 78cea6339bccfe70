"""Many wrong session IDs, connections that say nothing: the sweep goes on beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from drills.by_hand_kit import Drill
from spe.wire.accepting import MOST
from waiting import wait_until

from .flood import UNDER_WAY
from .kit import Target, ends_as_without, is_closed, report, status_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
RATE, LEAST = 1300, 1000  # asked for a second, and what must have been reached on a busy machine


def test_1000_wrong_session_ids_a_second_cost_the_sweep_less_than_a_quarter_of_its_time(
    drill: Drill, other: Drill
) -> None:
    for one in (drill, other):
        one.sweep(160).start()
    target = Target(drill)
    words = [sys.executable, str(Path(__file__).with_name("flood.py")), *map(str, target.place), str(RATE)]
    flood = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        for number in range(1, 5):
            for one in (drill, other):  # side by side, so that what else this machine does burdens both
                one.host(f"h{number}", SLEEP="0.25")
        assert drill.end() == 0
        flood.terminate()
        sent, refused, rate = map(int, flood.communicate(timeout=20)[0].split())
    finally:
        flood.kill()
        flood.wait()
    assert other.end() == 0
    extra = drill.seconds / other.seconds - 1
    report("a flood of wrong session IDs", drill, f"{sent} sent, {rate} a second, {extra:+.1%} time")
    assert refused >= sent - UNDER_WAY
    assert rate >= LEAST
    assert extra < 0.25
    assert (drill.runs / "master.log").read_text().count("wrong session ID") <= 2 + sent // 1000
    drill.checked()
    other.checked()


def test_idle_connections_without_end_keep_no_host_out(drill: Drill) -> None:
    drill.sweep(30).start()
    target = Target(drill)
    silent = []
    try:
        for _ in range(MOST + 500):
            silent.append(target.open())
        assert status_of(target.send(target.head("GET", "/nothing"))) == 404
        wait_until(lambda: is_closed(silent[0]), "the oldest is closed")
        assert not is_closed(silent[-1])
        ends_as_without(drill, target.session)
        report("idle connections", drill, f"{len(silent)} of them")
    finally:
        for sock in silent:
            sock.close()
