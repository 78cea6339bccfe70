"""Limits over several hosts."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from lab import USER, Boot, Lab, LabHost
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 2
# One host alone does twelve short sets in a moment: the programs wait until the other one has come up.
WAITS = "until [ -e /tmp/go-on ]; do sleep 0.05; done; "


def start(folder: Path, lab: Lab, *limits: str, code: str = "0", first: str = "") -> subprocess.Popen[str]:
    """Start a run of twelve sets on both hosts, three slots each."""
    lines = [
        f'command: sh -c "{first}sleep 0.3; exit {code}"',
        "parameters: {grid: {x: {range: [1, 12]}}}",
        "attempts: 1",
        *limits,
    ]
    (folder / "spe.yaml").write_text("\n".join(lines) + "\n")
    (folder / "hosts.txt").write_text("h[01-02] slots=3\n")
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config), "--hosts", "hosts.txt"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)


def sweep(folder: Path, lab: Lab, *limits: str, code: str = "0") -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return end(start(folder, lab, *limits, code=code))


def end(run: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = run.communicate(timeout=200)
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)


def are_up(folder: Path, *hosts: LabHost) -> bool:
    log = "".join(one.read_text() for one in folder.glob("runs/*/master.log"))
    return all(f"host {host.name} is up" in log for host in hosts)


def attempts(folder: Path) -> list[tuple[str, float, float]]:
    """Host, beginning and end of each attempt, as the master stored them."""
    (database,) = folder.glob("runs/*/sweep.db")
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT host, issued, issued + seconds FROM tickets ORDER BY id").fetchall()
    finally:
        connection.close()


def test_at_once_and_delay_hold_over_all_hosts(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    run = start(tmp_path, lab, "at_once: 2", "delay: 50 ms", first=WAITS)
    wait_until(lambda: are_up(tmp_path, *hosts), "both hosts are up")
    for host in hosts:
        host.root("touch", "/tmp/go-on")
    done = end(run)
    assert done.returncode == 0, done.stderr
    found = attempts(tmp_path)
    assert len(found) == 12
    for _, begin, _ in found:
        assert sum(start <= begin < end for _, start, end in found) <= 2
    assert {host for host, _, _ in found} == {"h01", "h02"}, "the place that is free goes to any host"


def test_of_two_hosts_where_all_fails_alike_both_have_tried(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    done = sweep(tmp_path, lab, "stop_alike: 4", code="7")
    assert done.returncode == 1 and "12 sets wait: the first" in done.stderr, done.stderr
    assert "exit code 7" in done.stderr
    assert {host for host, _, _ in attempts(tmp_path)} == {"h01", "h02"}


def test_a_host_where_all_fails_alike_does_not_stop_the_run_while_another_is_to_come(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    """The first host that comes up lacks a library; the second one is slower to come up and has it."""
    hosts[0].root("touch", "/tmp/broken")
    hosts[1].boot(Boot(shell="/bin/bash"))
    hosts[1].root("sh", "-c", f"echo 'sleep 6' > /home/{USER}/.bashrc")
    done = sweep(tmp_path, lab, "stop_alike: 2", code="$(test ! -e /tmp/broken; echo $?)")
    assert "stop_alike" not in done.stderr and "sets wait" not in done.stderr, done.stderr
    on = [host for host, _, _ in attempts(tmp_path)]
    # Three slots: what had begun there when the second attempt failed, and no more. The others did not wait in vain.
    assert 2 <= on.count("h01") <= 6 <= on.count("h02"), done.stderr
