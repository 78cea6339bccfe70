"""A client that is killed while it works is told as killed, in `spe run`, in the hosts table and in the events."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from lab import Lab, LabHost
from waiting import wait_until

from .test_starts import BASH, Sweep, sweep

__all__ = ["sweep"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 1


def test_a_client_that_is_killed_at_work_is_told_as_killed_and_its_start_has_not_failed(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].boot(BASH)
    hosts[0].shell("echo 'while [ -e closed ]; do sleep 0.1; done' >.bashrc; touch shut")
    sweep.start("h01 slots=1")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works")
    hosts[0].shell("touch closed")  # the next start waits until the tables were read
    guard, client = [p.pid for p in hosts[0].processes(user_only=True) if "--master" in p.words][:2]
    assert guard != client
    os.kill(client, signal.SIGKILL)
    wait_until(lambda: sweep.hosts().get("h01", {}).get("why") == "its client was killed", "the table says so")
    assert "its client was killed" in sweep.spe("hosts")
    hosts[0].shell("rm closed")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works again")
    hosts[0].shell("rm shut")
    assert sweep.end() == 0
    killed = r"^h01: its client was killed \d+ s after it had registered, it is started again"
    assert re.search(killed, sweep.said, re.M)
    assert "start failed" not in sweep.said
    assert "h01: its client was killed" in sweep.spe("events", "--past")


def test_of_a_client_that_falls_silent_it_is_told_that_it_was_killed_or_its_host_went_down(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].shell("touch shut")
    sweep.start("h01 slots=1")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works")
    hosts[0].root("pkill", "-KILL", "-u", "tester")
    wait_until(lambda: sweep.said.count("h01: up") == 2, "it is started again", 120)
    hosts[0].shell("rm shut")
    assert sweep.end() == 0
    gone = r"^h01: its client is gone \d+ s after it had registered \(killed, or its host went down\), it is started"
    assert re.search(gone, sweep.said, re.M)
    assert "start failed" not in sweep.said


def test_a_client_that_is_killed_while_its_start_is_still_on_its_way_has_registered_all_the_same(
    hosts: list[LabHost], sweep: Sweep, lab: Lab, tmp_path: Path
) -> None:
    del lab, tmp_path
    kill = "kill -9 $(pgrep -u $(id -u) -f -- '--master .*--detach')"
    (sweep.folder / "work").write_text(f'#!/bin/sh\nmkdir "$HOME/once" 2>/dev/null && {kill}\necho $1\n')
    assert sweep.run("h01 slots=1") == 0
    assert re.search(r"^h01: its client .* s after it had registered", sweep.said, re.M)
    assert "as it was started" not in sweep.said and "start failed" not in sweep.said
