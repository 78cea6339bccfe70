"""Hosts that share a home get one copy of the client, the others one each, side by side."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from spe.launch import Homes
from waiting import wait_until

from .kit import spe, write_sweep

LAB_HOSTS = 5
ALL_UP = """
import pathlib, time

def check(task, result):
    log = pathlib.Path("runs/d/master.log")
    while log.read_text().count(" is up") < 5:
        time.sleep(0.05)
    return True
"""


@pytest.mark.lab
def test_three_hosts_of_one_home_and_two_of_their_own_take_three_copies(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    for host in hosts[:3]:
        host.power_on(Boot(shared_home=True))
    for host in hosts[:3]:
        host.wait_until_up()
    before = {host.name: host.files() for host in hosts}
    names = ",".join(host.name for host in hosts)
    write_sweep(tmp_path)
    (tmp_path / "hooks.py").write_text(ALL_UP)  # else a host that is done takes the client away before another begins
    with (tmp_path / "spe.yaml").open("a") as file:
        file.write("validate: hooks.py:check\n")
    done = spe("run", "-F", str(lab.ssh_config), "--hosts", names, cwd=tmp_path)
    assert done.code == 0, done.err
    log = (tmp_path / "runs" / "d" / "master.log").read_text()
    copied = [line.split(": ")[1] for line in log.splitlines() if "copying the client to" in line]
    assert len(copied) == 3, copied
    assert {"h04", "h05"} < set(copied)
    for host in hosts:  # the last client of a shared home removes its file a moment later
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")  # type: ignore[misc]
    assert {host.name: host.files() for host in hosts} == before


def test_hosts_that_know_of_each_other_take_turns_and_strangers_do_not() -> None:
    homes = Homes(patience=0.2)
    one, two, three = homes.nonce(), homes.nonce(), homes.nonce()
    with homes.turn(one, [one]) as first:
        assert first
        with homes.turn(two, [two]) as other:  # a home of its own: at once
            assert other
        with homes.turn(three, [one, three]) as second:  # the same home: not the first, and only when patience ends
            assert not second


def test_a_host_that_saw_the_other_waits_until_it_has_copied() -> None:
    homes, order = Homes(patience=10), []
    one, two = homes.nonce(), homes.nonce()

    def later() -> None:
        with homes.turn(two, [one, two]) as first:
            order.append(("two", first))

    with homes.turn(one, [one]) as first:
        thread = threading.Thread(target=later)
        thread.start()
        thread.join(0.2)
        order.append(("one", first))
    thread.join()
    assert order == [("one", True), ("two", False)]


def test_homes_that_turn_out_to_be_one_become_one() -> None:
    homes = Homes(patience=0.05)
    one, two, three = homes.nonce(), homes.nonce(), homes.nonce()
    with homes.turn(one, []), homes.turn(two, []):
        pass
    with homes.turn(three, [one, two]) as first:
        assert not first
    with homes.turn(two, []) as first:
        assert not first
