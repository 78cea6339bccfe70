"""`spe replay --hosts`: the sets of a zip run on hosts that are reached by SSH, and give the same results."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, LabHost

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 2
WORKER = "#!/bin/sh\necho $(($1 * $1))\necho \"of $1\" > out.txt\n"
SPE_YAML = """name: squares
command: ./work {{ x }}
parameters: {grid: {x: {range: [1, 8]}}}
results: {y: {from: stdout, as: int}, out: out.txt}
"""


def spe(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spe", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_replay_on_hosts_gives_the_results_of_this_machine(tmp_path: Path, lab: Lab, hosts: list[LabHost]) -> None:
    (tmp_path / "work").write_text(WORKER, encoding="utf-8")
    (tmp_path / "work").chmod(0o755)
    (tmp_path / "spe.yaml").write_text(SPE_YAML, encoding="utf-8")
    assert spe(tmp_path, "run", "-q").returncode == 0
    assert spe(tmp_path, "export", "--program").returncode == 0
    names = ",".join(host.name for host in hosts)
    done = spe(tmp_path, "replay", "squares.zip", "--into", "there", "-F", str(lab.ssh_config), "--hosts", names)
    assert done.returncode == 0, done
    assert "8 sets compared: all are the same" in done.stderr
    with (tmp_path / "there" / "runs" / "squares" / "results.csv").open(newline="") as stream:
        assert {row["host"] for row in csv.DictReader(stream)} <= {host.name for host in hosts}
