"""All hosts gone for a whole minute, with a lease as long as in a lab."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from lab import Lab
from spe.dispatch.scheduler import lease
from waiting import wait_out, wait_until

from .kit import OPEN, Drill

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 2
PING, OUTAGE = 10, 62.0
Maker = Callable[..., Drill]


def test_all_hosts_gone_for_a_minute(make_drill: Maker, lab: Lab) -> None:
    drill = make_drill(lab, 2, yaml=f"ping: {PING}\n")
    drill.open_gate(20)
    drill.start_run()
    drill.wait_done(20)
    drill.wait_at_gate(slots=4)
    held = drill.running
    for host in lab.hosts:
        host.cut()
    cut = time.monotonic()
    drill.open_gate(OPEN)  # what they hold comes to its end meanwhile, and is kept
    wait_until(lambda: drill.lost >= held, "what was out is back in the queue", lease(PING) + 20)
    assert time.monotonic() - cut > lease(PING) - 2 * PING, "not before the lease is over"
    wait_out(OUTAGE, cut)
    assert drill.done == 20, "a cut is a cut in both directions"
    for host in lab.hosts:
        host.heal()
    drill.end()
    # Who is back first may get what another one has ready and brings a moment later; nothing begins a third time.
    assert max(drill.times_begun().values()) <= 2
    drill.five_checks("all hosts cut off for 62 s, lease 35 s, then back")
