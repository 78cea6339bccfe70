"""Limits over several hosts."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, LabHost

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 2


def sweep(folder: Path, lab: Lab, *limits: str) -> subprocess.CompletedProcess[str]:
    """Run twelve sets on both hosts, three slots each."""
    lines = [
        'command: sh -c "sleep 0.3; exit {{ code }}"',
        "parameters: {grid: {x: {range: [1, 12]}, code: [0]}}",
        "attempts: 1",
        *limits,
    ]
    (folder / "spe.yaml").write_text("\n".join(lines) + "\n")
    (folder / "hosts.txt").write_text("h[01-02] slots=3\n")
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config), "--hosts", "hosts.txt"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)


def attempts(folder: Path) -> list[tuple[str, float, float]]:
    """Host, beginning and end of each attempt, as the master stored them."""
    (database,) = folder.glob("runs/*/sweep.db")
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT host, issued, issued + seconds FROM tickets ORDER BY id").fetchall()
    finally:
        connection.close()


def test_at_once_and_delay_hold_over_all_hosts(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    done = sweep(tmp_path, lab, "at_once: 2", "delay: 50 ms")
    assert done.returncode == 0, done.stderr
    found = attempts(tmp_path)
    assert len(found) == 12
    for _, begin, _ in found:
        assert sum(start <= begin < end for _, start, end in found) <= 2
    assert {host for host, _, _ in found} == {"h01", "h02"}, "the place that is free goes to any host"
