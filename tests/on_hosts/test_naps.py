"""The master sleeps longer than `grace:`, again and again: no host is blamed, and the words say what it was."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lab import LabHost
from processes import is_alive
from spe.fleet.waking import STOPPED
from waiting import wait_out, wait_until

from .test_carried import CARRIED, only_ssh
from .test_starts import Sweep, sweep

__all__ = ["sweep"]  # the fixture
pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 3
HOSTS = ("h01", "h02", "localhost")
NAPS = 3  # as many brief starts bench a host
FALSE_WORDS = ("does not stay", "benched", "firewall", "not reachable", "was killed", "holds its SSH session open")


class Laptop:
    """The master in the network of a lab host of its own, so that nothing of this machine's network is touched.

    `direct` reaches it, `carried` only through its SSH connection.
    """

    def __init__(self, sweep: Sweep, direct: LabHost, carried: LabHost, laptop: LabHost) -> None:
        self.sweep, self.direct, self.carried, self.laptop = sweep, direct, carried, laptop
        self.naps = 0
        sweep.within = ("nsenter", f"--net=/run/netns/{laptop.space}")
        only_ssh(carried, laptop.address)
        self.gate(is_shut=True)

    def gate(self, is_shut: bool) -> None:
        """Make all programs wait, or go on."""
        for host in (self.direct, self.carried):
            host.shell("touch shut" if is_shut else "rm shut")
        if is_shut:
            (self.sweep.folder / "shut").touch()
        else:
            (self.sweep.folder / "shut").unlink()

    @property
    def log(self) -> str:
        return (self.sweep.folder / "runs/s/master.log").read_text()

    def all_work(self) -> bool:
        at_work = [one["running"] for one in self.sweep.hosts().values() if one["state"] == "up"] == [1] * len(HOSTS)
        # Tickets and processes alone may be those of clients that are gone, or have not registered yet.
        log = self.log if at_work else ""
        return at_work and all(log.count(f"host {host} is up") > self.naps for host in HOSTS)

    def wait_until_all_work(self) -> None:
        wait_until(self.all_work, "all work", 60, lambda: f"{self.sweep.hosts()}\n{self.log}")

    def clients(self) -> tuple[int, ...]:
        """The numbers of processes of this sweep's clients: on this machine and on the hosts."""
        home = os.fsencode(f"HOME={self.sweep.folder}")
        here = [one for one in Path("/proc").glob("[0-9]*") if is_alive(int(one.name)) and _is_client(one, home)]
        hosts = (self.direct, self.carried)
        return len(here), *(sum("--master" in one.words for one in host.processes(user_only=True)) for host in hosts)

    def nap(self) -> None:
        """Sleep until all clients have ended."""
        assert self.sweep.process
        began = time.monotonic()
        self.sweep.process.send_signal(signal.SIGSTOP)
        with self.unreachable():
            wait_until(lambda: not any(self.clients()), "all clients have ended as `grace:` says", 90)
            wait_out(STOPPED + 1, began)  # less is no sleep
        self.sweep.process.send_signal(signal.SIGCONT)
        self.naps += 1

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Connections to the master are refused.

        A process that is stopped keeps its connections: without this, clients would wait for their answers for half
        a minute, longer than they wait for a machine that sleeps.
        """
        url = json.loads((self.sweep.folder / "runs/s/master.json").read_text())["url"]
        refuse(self.laptop, url)
        [client, *_] = [one.words for one in self.carried.processes(user_only=True) if "--master" in one.words]
        refuse(self.carried, client[client.index("--master") + 1])
        yield
        for host in (self.laptop, self.carried):
            host.root("nft", "delete table inet nap")


def refuse(host: LabHost, url: str) -> None:
    """Have the host answer connections to the port of this URL with a reset, those that are there too."""
    rules = "add table inet nap; add chain inet nap in { type filter hook input priority 0; }; "
    host.root("nft", f"{rules}add rule inet nap in tcp dport {urlsplit(url).port} reject with tcp reset")


def _is_client(process: Path, home: bytes) -> bool:
    try:
        words, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
    except OSError:  # it has ended, or is another user's
        return False
    return b"--master" in words.split(b"\0") and home in variables.split(b"\0")


def test_hosts_whose_clients_end_as_grace_says_while_the_master_sleeps_are_not_blamed(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    laptop = Laptop(sweep, *hosts)
    sweep.configure("grace: 1s\n")
    sweep.start(",".join(f"{host} slots=1" for host in HOSTS))
    for _ in range(NAPS):
        laptop.wait_until_all_work()
        laptop.nap()
    laptop.wait_until_all_work()
    laptop.gate(is_shut=False)
    assert sweep.end() == 0
    assert CARRIED.replace("h01", "h02") in sweep.said
    slept = r"^this machine slept for \d+ s .*; clients have ended as `grace:` says \(1 s\), and are started again$"
    assert len(re.findall(slept, sweep.said, re.M)) == NAPS
    assert [words for words in FALSE_WORDS if words in sweep.said] == []
    sets = [json.loads(sweep.spe("show", str(number), "--json")) for number in range(1, 9)]
    lost = {one["reason"] for task in sets for one in task["tickets"] if one["state"] == "lost"}
    assert lost == {"its client left: the master was silent for longer than `grace:`"}
