"""Hosts that did not work to the end of a run are named at its end, and to those who look after it."""

from __future__ import annotations

import json
import os
import signal

import pytest
from lab import LabHost
from waiting import wait_until

from .test_starts import Sweep, sweep

__all__ = ["sweep"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 2
NO_COPIES = "once: true\n"  # a copy on the other host would end the run


def test_hosts_that_were_set_aside_are_named_at_the_end_and_afterwards(hosts: list[LabHost], sweep: Sweep) -> None:
    for host in hosts:  # h02, were it up first, would do all
        host.shell("touch shut")
    sweep.configure(NO_COPIES)
    sweep.start("h01 slots=1,h02,nowhere.invalid,n[1-4].invalid")
    wait_until(lambda: sweep.hosts().get("nowhere.invalid", {}).get("state") == "fault", "its name is not found", 60)
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "h01 works", 60)
    told = sweep.spe("hosts", "drain", "nobody")
    assert "There is h01, h02, n1.invalid and 4 more. `spe hosts` shows all." in told
    wait_until(lambda: sweep.hosts().get("h02", {}).get("running"), "h02 works, too", 60)
    assert "h02" in sweep.spe("hosts", "drain", "h02")
    for host in hosts:
        host.shell("rm shut")
    assert sweep.end() == 0
    names = ", ".join(f"n{number}.invalid (name not found)" for number in range(1, 5))
    line = f"6 hosts were set aside at the end: h02 (drained), {names} and nowhere.invalid (name not found)\n"
    assert line in sweep.said
    assert line in sweep.spe("status")
    assert line in sweep.spe("hosts")
    why = {one["host"]: one.get("why") for one in json.loads(sweep.spe("hosts", "--json"))}
    assert why["nowhere.invalid"] == "name not found"
    sweep.configure("", sets=9)
    assert sweep.run("h01") == 0
    assert "set aside" not in sweep.said and "set aside" not in sweep.spe("status")


def is_there(host: LabHost, folder: str) -> bool:
    return "yes" in str(host.shell(f"if test -d {folder}; then echo yes; fi").stdout)


def test_where_a_client_is_killed_with_all_its_processes_its_folder_there_is_named_and_the_next_one_removes_it(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].shell("touch shut")
    hosts[1].shell("touch shut")
    sweep.configure(NO_COPIES)
    sweep.start("h01 slots=1,h02 slots=1")
    wait_until(lambda: [one["running"] for one in sweep.hosts().values()] == [1, 1], "both work", 60)
    hosts[0].shell("rm shut")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("done") == 7, "all but one are done", 60)
    hosts[1].root("pkill", "-KILL", "-u", "tester")
    assert sweep.end() == 0
    [line] = [one for one in sweep.said.splitlines() if "did not say goodbye" in one]
    assert "the next client of this account there removes it" in line
    folder = line.partition(" lies there in ")[2].split()[0]
    assert is_there(hosts[1], folder)
    hosts[1].shell("rm shut")
    sweep.configure("", sets=16)
    assert sweep.run("h02") == 0
    assert not is_there(hosts[1], folder)


def test_status_and_attach_say_in_the_same_moment_that_a_master_was_killed(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].shell("touch shut")
    sweep.start("h01 slots=1")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works", 60)
    assert sweep.process
    os.kill(sweep.process.pid, signal.SIGKILL)  # and nobody has read its exit status yet
    for command in ("status", "attach"):
        told = sweep.spe(command)
        assert "the master was killed, or its machine went down" in told
        assert "does not answer" not in told and "nothing runs here" not in told
