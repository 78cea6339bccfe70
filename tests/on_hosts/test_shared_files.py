"""Large inputs and workers on hosts where the user is not root: read-only there, and still writable by their owner."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from lab import USER, Lab, LabHost
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]
LAB_HOSTS = 2
LARGE = bytes(range(256)) * 8192  # 2 MB
WORKER = b"""#!/bin/sh
case $1 in
  5) chmod u+w mesh.dat; echo more >> mesh.dat ;;
  9) chmod u+w work; echo '#' >> work ;;
  12) echo more 2>/dev/null >> mesh.dat || exit 3 ;;
esac
sleep 0.1
echo "$(id -un) $(sha256sum < mesh.dat)"
exit
"""


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_sets_that_write_into_what_they_share_fail_and_no_other_row_suffers(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    (tmp_path / "mesh.dat").write_bytes(LARGE)
    (tmp_path / "work").write_bytes(WORKER + b"#" * (2 << 20))
    (tmp_path / "work").chmod(0o755)
    (tmp_path / "spe.yaml").write_text(
        "name: lab\ncommand: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 40]}}}\nattempts: 2\n"
        "inputs: {mesh.dat: {file: mesh.dat}}\nresults: {y: stdout}\nhosts: ['h[01-02] slots=2']\n"
    )
    before = {host.name: host.files() for host in hosts}
    words = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done
    right = f"{USER} {hashlib.sha256(LARGE).hexdigest()}  -"
    table = rows(tmp_path / "runs/lab/results.csv")
    assert {int(row["x"]): row["y"] for row in table} == {x: right for x in range(1, 41) if x not in (5, 9, 12)}
    assert {row["attempts"] for row in table} == {"1"}
    failed = {row["x"]: row["reason"] for row in rows(tmp_path / "runs/lab/failed.csv")}
    assert set(failed) == {"5", "9", "12"}
    assert failed["5"].startswith("the program changed mesh.dat, which is a read-only link")
    assert failed["9"].startswith("the program changed work, which is a read-only link")
    assert failed["12"].startswith("exit code 3"), "without chmod its user may not write"
    for host in hosts:
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")  # type: ignore[misc]
        assert host.files() == before[host.name], host
