"""The ways to a host: jump hosts, commands, IPv6, and the master's port carried back where a host cannot reach it."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from spe.errors import Fault
from spe.launch import Launcher
from spe.launch.ssh.ssh import SshLauncher
from waiting import wait_in_loop

from .minimal import MinimalMaster
from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 4


def only_from(host: LabHost, *others: LabHost) -> None:
    """A firewall: SSH to this host only from these others."""
    allowed = ", ".join(other.address for other in others)
    rules = f"add table inet door; add chain inet door in {{ type filter hook input priority 0; }}; " \
            f"add rule inet door in tcp dport 22 ip saddr != {{ {allowed} }} drop"  # fmt: skip
    host._dirty = True
    host.root("nft", rules)


def config(lab: Lab, starter: Starter, tmp_path: Path, text: str) -> None:
    """The lab's ssh_config with lines before it that win."""
    starter.ssh_config = tmp_path / "ssh_config"
    starter.ssh_config.write_text(text + "\n" + lab.ssh_config.read_text())


# -- jumps -------------------------------------------------------------------------------------------------


def test_a_jump_host_is_gone_through(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    only_from(hosts[0], hosts[1])
    config(lab, starter, tmp_path, "Host h01\n  ProxyJump h02")
    assert starter.start("h01") == [None]
    assert starter.master.callers == {"h01": hosts[0].address}


def test_jump_hosts_in_a_row_are_gone_through(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    only_from(hosts[0], hosts[2])
    only_from(hosts[2], hosts[1])
    config(lab, starter, tmp_path, f"Host h01\n  ProxyJump h02,tester@{hosts[2].address}:22")
    assert starter.start("h01") == [None]


def test_a_jump_host_with_a_jump_host_of_its_own(
    lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    only_from(hosts[0], hosts[2])
    only_from(hosts[2], hosts[1])
    config(lab, starter, tmp_path, "Host h01\n  ProxyJump h03\nHost h03\n  ProxyJump h02")
    assert starter.start("h01") == [None]


def test_many_hosts_behind_one_jump_host(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    hosts[1].boot(Boot(sshd=("MaxStartups 3:50:6",)))
    names = [f"inner{number:02d}" for number in range(12)]
    text = "".join(f"Host {name}\n  HostName {hosts[0].address}\n  ProxyJump h02\n" for name in names)
    config(lab, starter, tmp_path, text)
    assert starter.start(*names) == [None] * 12
    assert sorted(starter.master.hosts) == names


def test_a_jump_host_that_is_down_is_the_one_that_is_named(
    lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    hosts[1].boot(Boot(no_sshd=True))
    config(lab, starter, tmp_path, "Host h01\n  ProxyJump h02")
    error = starter.fault("h01")
    assert error.fault is Fault.REFUSED
    assert error.where == "h01"
    assert "at h02, on the way to h01" in error.what


def test_a_host_that_is_down_behind_a_jump_host(
    lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    hosts[0].boot(Boot(no_sshd=True))
    config(lab, starter, tmp_path, "Host h01\n  ProxyJump h02")
    error = starter.fault("h01")
    assert error.fault is Fault.REFUSED
    assert "jump host h02" in error.what


def test_a_jump_host_that_forbids_forwarding_is_named(
    lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    hosts[1].boot(Boot(sshd=("AllowTcpForwarding no",)))
    config(lab, starter, tmp_path, "Host h01\n  ProxyJump h02")
    assert "AllowTcpForwarding" in starter.fault("h01").what


def test_jump_hosts_in_a_circle_are_an_error(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    config(lab, starter, tmp_path, "Host h01\n  ProxyJump h02\nHost h02\n  ProxyJump h01")
    error = starter.fault("h01")
    assert "circle" in error.what


def test_a_proxy_command_is_gone_through_and_the_port_carried_back(
    lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    only_from(hosts[0], hosts[1])
    config(lab, starter, tmp_path, f"Host h01\n  ProxyCommand ssh -F {lab.ssh_config} -W %h:%p h02")

    async def story(up: Launcher, master: MinimalMaster) -> None:
        await up.start()
        assert "through its SSH connection" in up.note

    play(starter, story)


def test_a_proxy_command_that_fails_is_quoted(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    config(lab, starter, tmp_path, "Host h01\n  ProxyCommand sh -c 'echo no such tunnel >&2; exit 1'")
    error = starter.fault("h01")
    assert error.fault is Fault.REFUSED
    assert "no such tunnel" in error.what


def test_an_ipv6_host_is_given_the_masters_ipv6_address(
    lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path
) -> None:
    six = str(ipaddress.ip_address(f"fd91:{lab.id:x}::b"))
    config(lab, starter, tmp_path, f"Host six\n  HostName {six}\n  HostKeyAlias h01")
    assert starter.start("six") == [None]
    assert starter.master.callers == {"six": six}


def test_an_include_is_read_where_it_stands(lab: Lab, hosts: list[LabHost], starter: Starter, tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text(f"Host inner\n  HostName {hosts[0].address}\n")
    config(lab, starter, tmp_path, f"Include {tmp_path}/*.conf")
    assert starter.start("inner") == [None]


# -- the port carried back ---------------------------------------------------------------------------------

Story = Callable[[Launcher, MinimalMaster], Awaitable[None]]


def play(starter: Starter, story: Story, host: str = "h01") -> None:
    """A story with one launcher, which is closed whatever happens."""

    async def whole() -> None:
        up = starter.launcher(host)
        try:
            await story(up, starter.master)
        finally:
            await up.close()

    asyncio.run(whole())


async def asks_again(master: MinimalMaster, limit: float = 60, host: str = "h01") -> None:
    """The client reaches the master, now."""
    before = master.asked.get(host, 0)
    async with asyncio.timeout(limit):
        while master.asked.get(host, 0) < before + 2:
            await asyncio.sleep(0.05)


def client_pids(host: LabHost) -> list[int]:
    return sorted(p.pid for p in host.processes(user_only=True) if "client-" in p.line)


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_behind_a_firewall_the_ssh_connection_carries_the_port(
    hosts: list[LabHost], starter: Starter, how: str
) -> None:
    hosts[0].block(starter.master.port, how)

    async def story(up: Launcher, master: MinimalMaster) -> None:
        await up.start()
        assert up.note == "h01 reaches the master through its SSH connection"
        await asks_again(master)

    play(starter, story)
    assert starter.master.callers == {"h01": "127.0.0.1"}


def test_a_host_that_reaches_the_master_keeps_no_connection(hosts: list[LabHost], starter: Starter) -> None:
    async def story(up: Launcher, master: MinimalMaster) -> None:
        await up.start()
        assert up.note == ""
        assert up.silence_counts_since == -math.inf
        await asyncio.wait_for(up.watch(), 60)  # nothing to keep
        async with asyncio.timeout(60):
            while hosts[0].connections():
                await asyncio.sleep(0.05)

    play(starter, story)


def test_a_site_that_forbids_forwarding_is_told_which_line_to_change(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(sshd=("AllowTcpForwarding no",)))
    before = hosts[0].files()
    hosts[0].block(starter.master.port, "reject")
    error = starter.fault("h01")
    assert error.fault is Fault.UNREACHABLE
    assert "AllowTcpForwarding" in error.todo
    assert str(starter.master.port) in error.todo
    assert hosts[0].files() == before


def test_a_lost_carrying_connection_is_made_again(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].block(starter.master.port)

    async def story(up: Launcher, master: MinimalMaster) -> None:
        await up.start()
        watching = asyncio.create_task(up.watch())
        await asks_again(master)
        client = client_pids(hosts[0])
        since = up.silence_counts_since
        assert since < time.monotonic()
        for connection in hosts[0].connections():
            os.kill(connection.pid, signal.SIGKILL)
        await wait_in_loop(lambda: up.silence_counts_since == math.inf, "meanwhile the client cannot be heard")
        await wait_in_loop(hosts[0].connections, "it is connected again")
        await wait_in_loop(lambda: since < up.silence_counts_since < math.inf, "its silence counts again")
        await asks_again(master)
        assert client_pids(hosts[0]) == client  # the same one, living on
        await up.close()
        await asyncio.wait_for(watching, 60)

    play(starter, story)


def test_where_the_old_port_is_held_the_client_is_told_another(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].block(starter.master.port)

    async def story(up: Launcher, master: MinimalMaster) -> None:
        assert isinstance(up, SshLauncher)
        await up.start()
        watching = asyncio.create_task(up.watch())
        await asks_again(master)
        client = client_pids(hosts[0])
        held = hosts[0].connections()
        for connection in held:
            os.kill(connection.pid, signal.SIGSTOP)  # a connection that is dead, but not for the host
        port = up._port
        assert up._connection is not None
        up._connection.transport.close()
        async with asyncio.timeout(60):
            while up._port == port:
                await asyncio.sleep(0.05)
        for connection in held:
            os.kill(connection.pid, signal.SIGKILL)
        await asks_again(master)
        assert client_pids(hosts[0]) == client
        await up.close()
        await asyncio.wait_for(watching, 60)

    play(starter, story)


def test_a_host_that_does_not_come_back_is_lost_after_the_grace_time(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].block(starter.master.port, "reject")
    starter.grace = 3

    async def story(up: Launcher, master: MinimalMaster) -> None:
        await up.start()
        watching = asyncio.create_task(up.watch())
        hosts[0].boot(Boot(no_sshd=True))
        with pytest.raises(Exception, match="connection lost") as caught:
            await asyncio.wait_for(watching, 60)
        assert caught.value.fault is Fault.LOST  # type: ignore[attr-defined]

    play(starter, story)
