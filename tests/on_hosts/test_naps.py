"""The master sleeps longer than `grace:`, again and again: no host is blamed, and the words say what it was."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from lab import LabHost
from processes import is_alive
from waiting import wait_until

from .test_starts import Sweep, sweep

__all__ = ["sweep"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 1
NAPS = 3  # as many brief starts bench a host
FALSE_WORDS = ("does not stay", "benched", "firewall", "not reachable", "was killed", "holds its SSH session open")


def clients(sweep: Sweep, host: LabHost) -> tuple[int, int]:
    """The numbers of processes of this sweep's clients, on this machine and on the host."""
    home = os.fsencode(f"HOME={sweep.folder}")
    here = [one for one in Path("/proc").glob("[0-9]*") if is_alive(int(one.name)) and _is_client(one, home)]
    return len(here), sum("--master" in one.words for one in host.processes(user_only=True))


def _is_client(process: Path, home: bytes) -> bool:
    try:
        words, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
    except OSError:  # it has ended, or is another user's
        return False
    return b"--master" in words.split(b"\0") and home in variables.split(b"\0")


def test_hosts_whose_clients_end_as_grace_says_while_the_master_sleeps_are_not_blamed(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].shell("touch shut")
    (sweep.folder / "shut").touch()
    sweep.configure("grace: 1s\n")
    sweep.start("h01 slots=1,localhost slots=1")
    assert sweep.process
    naps = 0

    def both_work() -> bool:
        at_work = [one["running"] for one in sweep.hosts().values() if one["state"] == "up"] == [1, 1]
        # Tickets and processes alone may be those of clients that are gone, or have not registered yet.
        log = (sweep.folder / "runs/s/master.log").read_text() if at_work else ""
        return at_work and all(log.count(f"host {host} is up") > naps for host in ("h01", "localhost"))

    def story() -> str:
        return f"{sweep.hosts()}\n{(sweep.folder / 'runs/s/master.log').read_text()}"

    while naps < NAPS:
        wait_until(both_work, "both work", 60, story)
        sweep.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: clients(sweep, hosts[0]) == (0, 0), "all clients have ended as `grace:` says", 90)
        sweep.process.send_signal(signal.SIGCONT)
        naps += 1
    wait_until(both_work, "both work", 60, story)
    hosts[0].shell("rm shut")
    (sweep.folder / "shut").unlink()
    assert sweep.end() == 0
    slept = r"^this machine slept for \d+ s .*; clients have ended as `grace:` says \(1 s\), and are started again$"
    assert len(re.findall(slept, sweep.said, re.M)) == NAPS
    assert [words for words in FALSE_WORDS if words in sweep.said] == []
    sets = [json.loads(sweep.spe("show", str(number), "--json")) for number in range(1, 9)]
    lost = {one["reason"] for task in sets for one in task["tickets"] if one["state"] == "lost"}
    assert lost == {"its client left: the master was silent for longer than `grace:`"}
