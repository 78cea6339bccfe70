"""Clients are started over SSH on real hosts: copied when absent, not when present, once on a shared home."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost, Process
from needs import need_program
from spe.errors import Fault
from spe.launch.ssh import ssh
from spe.model import Host
from waiting import wait_in_loop, wait_until

from .minimal import SESSION
from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 8
CLIENTS = ".cache/spe/client-*.pyz"

THIEF = """#!/bin/sh
case $1 in *.pyz) for one in %s; do [ -e stolen$one ] || { mv "$1" stolen$one; break; }; done ;; esac
exec /usr/bin/python3 "$@"
"""


def copies(host: LabHost) -> list[str]:
    """The client's file on a host, with inode and time: a second copy is another one."""
    return host.shell(f"stat -c '%n %i %Z' {CLIENTS}", check=False).stdout.splitlines()


def clients(host: LabHost) -> list[Process]:
    return [p for p in host.processes(user_only=True) if "client-" in p.line]


def test_a_client_is_copied_where_it_is_absent_and_registers(hosts: list[LabHost], starter: Starter) -> None:
    assert starter.start("h01") == [None]
    assert starter.master.hosts == ["h01"]
    assert len(copies(hosts[0])) == 1


def test_a_client_that_is_there_is_started_without_a_copy(hosts: list[LabHost], starter: Starter) -> None:
    starter.keep_client = True
    assert starter.start("h01") == [None]
    before = copies(hosts[0])
    # a second session on a host without scp and without room for another copy
    hosts[0].boot(Boot(no_scp=True))
    hosts[0].root("chmod", "-w", "/home/tester/.cache/spe")
    assert starter.start("h01") == [None]
    assert starter.master.hosts == ["h01", "h01"]
    assert copies(hosts[0]) == before


def test_a_broken_client_file_is_replaced(hosts: list[LabHost], starter: Starter) -> None:
    name = starter.offer.client_name
    hosts[0].shell(f"mkdir -p .cache/spe; echo half >.cache/spe/{name}")
    assert starter.start("h01") == [None]
    assert hosts[0].shell(f"cat .cache/spe/{name} | wc -c").stdout.strip() == str(len(starter.client))


def test_eight_hosts_with_one_home_copy_once_and_all_start(lab: Lab, hosts: list[LabHost], starter: Starter) -> None:
    lab.boot(Boot(shared_home=True))
    names = [host.name for host in hosts]
    assert starter.start(*names) == [None] * 8
    assert sorted(starter.master.hosts) == names
    assert len(copies(hosts[0])) == 1
    # the folder's marks are there once, and no temporary file is left
    listing = hosts[0].shell("ls -A .cache/spe").stdout.split()
    assert sorted(listing) == sorted([".spe-made", starter.offer.client_name])


def test_eight_hosts_with_homes_of_their_own_start_side_by_side(hosts: list[LabHost], starter: Starter) -> None:
    assert starter.start(*(host.name for host in hosts)) == [None] * 8
    assert sorted(starter.master.hosts) == [host.name for host in hosts]


def test_a_host_without_scp_gets_its_copy_another_way(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(no_scp=True))
    assert starter.start("h01") == [None]


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/dash", "/bin/tcsh"])
def test_any_login_shell_will_do(hosts: list[LabHost], starter: Starter, shell: str) -> None:
    need_program(shell.rpartition("/")[2], shell.rpartition("/")[2])
    hosts[0].boot(Boot(shell=shell))
    hosts[0].shell("echo 'echo welcome to this machine' | tee .bashrc .cshrc .profile")
    assert starter.start("h01") == [None]


def test_the_session_is_in_no_command_line_and_no_environment(hosts: list[LabHost], starter: Starter) -> None:
    assert starter.start("h01") == [None]
    running = hosts[0].processes(user_only=True)
    assert any("client-" in process.line for process in running)
    for process in running:
        assert SESSION not in process.line
        assert SESSION.encode() not in process.environ


def test_the_client_outlives_the_ssh_connection_and_ends_with_the_sweep(hosts: list[LabHost], starter: Starter) -> None:
    assert starter.start("h01") == [None]
    wait_until(lambda: not hosts[0].connections(), "the SSH connection closed")
    begun = starter.master.asked.get("h01", 0)
    wait_until(lambda: starter.master.asked.get("h01", 0) > begun + 1, "the client asks on")
    starter.master.over.set()
    wait_until(lambda: not hosts[0].processes(user_only=True), "the client gone")
    assert starter.master.gone == ["h01"]


def test_hosts_are_left_as_they_were_found(hosts: list[LabHost], starter: Starter) -> None:
    before = {host.name: host.files() for host in hosts}
    assert starter.start(*(host.name for host in hosts)) == [None] * 8
    starter.master.over.set()
    for host in hosts:
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")
        assert host.files() == before[host.name]


def test_a_client_that_others_take_away_as_it_begins_is_copied_again_each_time(
    hosts: list[LabHost], starter: Starter
) -> None:
    """As hosts of the same home do whose clients end in this moment: there may be many of them."""
    starter.keep_client = True
    assert starter.start("h01") == [None]
    assert starter.start(stealing(hosts[0], "1 2 3 4")) == [None]
    assert hosts[0].shell("ls stolen4").stdout


def test_a_client_that_vanishes_each_time_is_a_fault_in_the_end(
    hosts: list[LabHost], starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_PATIENCE", 0.5)
    fault = starter.fault(stealing(hosts[0], "$(seq 1000)"))
    assert fault.fault is Fault.COPY and "vanished each time after it was copied" in str(fault)


def stealing(host: LabHost, times: str) -> Host:
    """Return the host with a Python that takes the client's file away before it runs it, so many times."""
    thief = shlex.quote(THIEF % times)
    host.shell(f"mkdir bin; printf %s {thief} >bin/python3; chmod +x bin/python3")
    return Host(host.name, python="~/bin/python3")


def test_a_second_start_hands_over_to_the_living_client(hosts: list[LabHost], starter: Starter) -> None:
    assert starter.start("h01") == [None]
    wait_until(lambda: starter.master.asked.get("h01"), "its hands are there, and it asks for tasks")
    first = clients(hosts[0])
    assert first
    assert starter.start("h01") == [None]
    assert clients(hosts[0]) == first


def test_a_host_line_names_slots_workdir_and_python(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].shell("mkdir bin; ln -s /usr/bin/python3 bin/mine")
    assert starter.start(Host("h01", slots=3, workdir="~/scratch/deep", python="~/bin/mine")) == [None]
    assert all("--slots 3" in process.line for process in clients(hosts[0]))
    assert hosts[0].shell("ls -d scratch/deep/spe-*").stdout


def test_a_host_of_another_architecture_is_started_like_any_other(
    hosts: list[LabHost], starter: Starter, arm64_root: Path
) -> None:
    hosts[0].boot(Boot(root=arm64_root))
    assert starter.start("h01", "h02") == [None, None]
    assert hosts[0].root("uname", "-m").stdout.strip() == "aarch64"


def test_a_run_that_ends_while_a_host_starts_leaves_nothing_there(hosts: list[LabHost], starter: Starter) -> None:
    before = hosts[0].files()
    up = starter.launcher("h01")

    async def story() -> None:
        starting = asyncio.create_task(up.start())
        await wait_in_loop(hosts[0].connections, "the start has an SSH connection")
        starting.cancel()
        await up.close()

    asyncio.run(story())
    starter.master.over.set()
    wait_until(lambda: not hosts[0].connections() and not hosts[0].processes(user_only=True), "h01 idle")
    assert hosts[0].files() == before
