"""A look into running sets on hosts that nobody can connect to: `ask`, `log -f`, `ps`, by requests that clients hold.

One host lets nobody in any more once it works, one cannot even reach the master but through the SSH connection of its
start, and one was behind its firewall all the time: somebody started a client there by hand.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import USER, Lab, LabHost
from spe.launch import bundle
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 3
WORKER = """#!/bin/sh
echo "begin $1"
echo "set $1" > part.txt
while [ ! -e "$HOME/gate" ]; do sleep 0.05; done
echo "end $1"
"""


@dataclass
class Behind:
    """A sweep of three sets, one at work on each host."""

    folder: Path
    hosts: list[LabHost]
    listening: dict[str, set[str]]  # what listened on each host before

    def spe(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command beside the run, to its end; how long it took is shown when the test fails."""
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "spe", *words], cwd=self.folder, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        print(words, f"{time.perf_counter() - began:.2f} s", done.returncode, done.stdout, done.stderr, sep="\n")
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self.spe(*words, "--json").stdout)

    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "runs/behind/master.json").read_text()))

    def at_work(self) -> dict[str, int]:
        """Host -> the set that runs there."""
        return {one["host"]: one["task"] for one in self.json("top")["tickets"].values()}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


def is_open(host: LabHost) -> bool:
    """Whether one gets in there, by the port that every other host has open."""
    try:
        socket.create_connection((host.address, 22), 1).close()
    except OSError:
        return False
    return True


def listening(host: LabHost) -> set[str]:
    """Addresses and ports."""
    return {line.split()[3] for line in host.root("ss", "-Hltn").stdout.splitlines()}


def start_by_hand(lab: Lab, host: LabHost, facts: dict[str, Any]) -> None:
    """As somebody at that machine does, who was sent the client and the session."""
    (host.folder / "home" / USER / "client.pyz").write_bytes(bundle.client_pyz())
    port = facts["url"].rpartition(":")[2]
    words = f"--master https://{lab.master}:{port} --fingerprint {facts['fingerprint']} --host {host.name} --slots 1"
    host.shell(f"SPE_SESSION={facts['session']} python3 client.pyz {words} >/dev/null 2>said </dev/null &")


@pytest.fixture(scope="module")
def behind(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """One for all tests of this file: each looks at it, the last one ends it."""
    folder, (first, second, third) = tmp_path_factory.mktemp("behind"), lab.hosts
    (folder / "work").write_text(WORKER)
    (folder / "work").chmod(0o755)
    port = free_port()
    (folder / "spe.yaml").write_text(
        "name: behind\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nonce: true\nping: 5\n"
        f"listen: {port}\nhosts: [h01 slots=1, h02 slots=1]\n"
    )
    made = Behind(folder, lab.hosts, {host.name: listening(host) for host in lab.hosts})
    second.block(port)
    third.shut()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config)], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=said, stderr=said, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
    try:
        wait_until(lambda: (folder / "runs/behind/master.json").exists(), "the run begins")
        start_by_hand(lab, third, made.facts())
        wait_until(lambda: len(made.at_work()) == 3, "a set is given to each host")
        # A set that was given out has not begun yet.
        begun = "find /home /tmp -name part.txt 2>/dev/null; true"
        wait_until(lambda: all(host.shell(begun).stdout for host in lab.hosts), "its program has written")
        told = "h02 reaches the master through its SSH connection"
        wait_until(lambda: told in (folder / "said").read_text(), "it is told")
        first.shut()
        second.shut()
        yield made
    finally:
        for host in lab.hosts:
            host.shell("touch gate")
        try:
            process.wait(60)
        finally:
            process.kill()


def test_nobody_gets_in_and_nothing_of_ours_listens_there(behind: Behind) -> None:
    assert not any(is_open(host) for host in behind.hosts)
    assert "h02 reaches the master through its SSH connection" in (behind.folder / "said").read_text()
    here = {host.name: listening(host) for host in behind.hosts}
    assert (here["h01"], here["h03"]) == (behind.listening["h01"], behind.listening["h03"])
    carried = here["h02"] - behind.listening["h02"]
    assert carried and all(one.startswith(("127.0.0.1:", "[::1]:")) for one in carried), "the end of the connection"


@pytest.mark.parametrize("host", ["h01", "h02", "h03"])
def test_a_question_reaches_a_running_set_and_its_host(behind: Behind, host: str) -> None:
    task = str(behind.at_work()[host])
    asked = behind.spe("ask", task, "--", "cat", "part.txt")
    assert (asked.returncode, asked.stdout) == (0, f"set {task}\n")
    assert "client.lock" in behind.spe("ask", "--host", host, "--", "ls").stdout
    assert f"{host}: task {task}" in behind.spe("ps", host).stdout


def test_all_are_looked_at_in_one_go(behind: Behind) -> None:
    found = behind.json("ps")
    assert found["silent"] == [] and {row["host"] for row in found["processes"]} == {"h01", "h02", "h03"}


@pytest.mark.parametrize("host", ["h01", "h02", "h03"])
def test_what_a_set_prints_is_followed_to_its_end(behind: Behind, host: str) -> None:
    task = behind.at_work()[host]
    command = [sys.executable, "-m", "spe", "log", str(task), "-f"]
    with subprocess.Popen(command, cwd=behind.folder, stdout=subprocess.PIPE, text=True) as following:
        guard = threading.Timer(60, following.kill)
        guard.start()
        assert following.stdout and following.stdout.readline() == f"begin {task}\n"
        next(one for one in behind.hosts if one.name == host).shell("touch gate")
        assert following.stdout.read() == f"end {task}\n"
    guard.cancel()
    assert following.returncode == 0
    assert re.search(rf"task {task}.*on {host}: accepted", behind.spe("log", str(task)).stdout)
