"""Hosts that reach the master only through their SSH connection, which outlives their clients."""

from __future__ import annotations

import contextlib
import os
import re
import signal

import pytest
from lab import LabHost
from waiting import wait_until

from .test_starts import Sweep, sweep

__all__ = ["sweep"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 1
CARRIED = "h01: up (h01 reaches the master through its SSH connection)"


def only_ssh(host: LabHost, master: str = "") -> None:
    """A firewall on the host: nothing of it reaches the master's address but answers of its sshd."""
    rules = "add table inet lab; add chain inet lab out { type filter hook output priority 0; }; "
    rules += f"add rule inet lab out ip daddr {master or host.lab.master} tcp sport != 22 reject with tcp reset"
    host._dirty = True
    host.root("nft", rules)


def client_pids(host: LabHost) -> list[int]:
    """The processes of the client: its guard, itself, and those that start tasks."""
    return [one.pid for one in host.processes(user_only=True) if "--master" in one.words]


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it ended with another one
            os.kill(pid, number)


def begin(host: LabHost, sweep: Sweep) -> None:
    """A run that works on this host."""
    only_ssh(host)
    host.shell("touch shut")
    sweep.start("h01 slots=1")
    # A process that is about to become the program still has the words of the client's.
    wait_until(lambda: any("./work" in one.words for one in host.processes(user_only=True)), "a program runs")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works")
    wait_until(lambda: CARRIED in sweep.said, "it is told how the host reaches the master")


def test_where_the_client_is_killed_the_host_is_started_again_although_the_connection_stands(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    begin(hosts[0], sweep)
    [connection] = hosts[0].connections()
    # Nobody is left who could say goodbye.
    signal_all(client_pids(hosts[0]), signal.SIGSTOP)
    signal_all(client_pids(hosts[0]), signal.SIGKILL)
    assert [one.pid for one in hosts[0].connections()] == [connection.pid]
    wait_until(lambda: sweep.said.count("h01: up") == 2, "it is started again")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works again")
    wait_until(lambda: len(hosts[0].connections()) == 1, "the first connection is closed")
    hosts[0].shell("rm shut")
    assert sweep.end() == 0
    assert re.search(r"^h01: .* s after it had registered .*, it is started again", sweep.said, re.M)


def test_a_drained_host_can_be_used_again(hosts: list[LabHost], sweep: Sweep) -> None:
    begin(hosts[0], sweep)
    sweep.spe("hosts", "drain", "h01")
    hosts[0].shell("rm shut")
    wait_until(lambda: not hosts[0].connections(), "its connection is closed")
    assert "h01 is used again" in sweep.spe("hosts", "use", "h01")
    assert sweep.end() == 0
    assert sweep.said.count(CARRIED) == 2


def test_a_client_that_stands_still_hears_of_the_next_connection_and_goes_on(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    begin(hosts[0], sweep)
    stopped = client_pids(hosts[0])
    signal_all(stopped, signal.SIGSTOP)
    wait_until(lambda: "h01: connection lost: its client of before still runs there" in sweep.said, "it is told")
    signal_all(stopped, signal.SIGCONT)
    wait_until(lambda: "h01: its client works on" in sweep.said, "it is heard again")
    assert client_pids(hosts[0]) == stopped
    hosts[0].shell("rm shut")
    assert sweep.end() == 0
    assert sweep.said.count("h01: up") == 1
