"""Results of several files, and what failed sets left, brought home from hosts over SSH."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, LabHost
from lab.together import GATE, ended_together

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]
LAB_HOSTS = 2
SETS = 30
WORK = f"""#!/bin/sh
{GATE}
mkdir -p frames/sub
for i in 1 2 3 4 5; do echo "$1 $i" > "frames/$i.png"; done
echo "$1" > frames/sub/deep.txt
echo "$1" > "out_$1.dat"
[ $(($1 % 10)) != 7 ] || exit 3
"""
YAML = """
name: many
command: ./work {{ x }}
parameters: {grid: {x: {range: [1, 30]}}}
attempts: 2
keep_failed: 100 kB
results:
  frames: {from: "frames/*.png", as: files}
  all: {from: frames, as: folder}
  out: "out_{{ x }}.dat"
"""


def test_files_come_home_from_all_hosts(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    (tmp_path / "work").write_text(WORK)
    (tmp_path / "work").chmod(0o755)
    (tmp_path / "spe.yaml").write_text(YAML)
    (tmp_path / "hosts.txt").write_text("".join(f"{host.name} slots=2\n" for host in hosts))
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config), "--hosts", "hosts.txt"]
    pipe = subprocess.PIPE

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    ended_together(start, hosts, 300, code=1)
    runs = tmp_path / "runs/many"
    with (runs / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SETS - 3
    assert {row["host"] for row in rows} == {host.name for host in hosts}
    for row in rows:
        x = row["x"]
        assert (row["frames"], row["all"]) == (f"files/{x}/frames", f"files/{x}/frames")
        found = {path.name: path.read_text() for path in (runs / "files" / x).rglob("*") if path.is_file()}
        frames = {f"{i}.png": f"{x} {i}\n" for i in range(1, 6)}
        assert found == {**frames, "deep.txt": f"{x}\n", f"out_{x}.dat": f"{x}\n"}
    for x in ("7", "17", "27"):
        assert (runs / f"failed/{x}/out_{x}.dat").read_text() == f"{x}\n"
        assert (runs / f"failed/{x}/frames/5.png").read_text() == f"{x} 5\n"
