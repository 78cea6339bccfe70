"""The line of docs/from-parallel.md for other machines, beside GNU parallel on the same two hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, LabHost
from needs import need_program

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 2
PAGE = Path(__file__).resolve().parents[2] / "docs" / "from-parallel.md"


def test_two_other_machines_print_the_same(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    need_program("parallel", "parallel")
    need_program("rsync", "rsync")
    (pair,) = [one for one in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S) if "-S h01,h02" in one]
    theirs, ours = pair.splitlines()
    (tmp_path / "prog").write_text('#!/bin/sh\necho "did $*"\n')
    (tmp_path / "prog").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/spe").write_text(f'#!/bin/sh\nexec {sys.executable} -m spe "$@"\n')
    (tmp_path / "bin/spe").chmod(0o755)
    (tmp_path / ".parallel").mkdir()
    (tmp_path / ".parallel/will-cite").touch()
    environment = {
        **os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "PARALLEL_SSH": f"ssh -F {lab.ssh_config}", "PARALLEL_RSYNC_OPTS": f"-rlDzR -e 'ssh -F {lab.ssh_config}'",
    }  # fmt: skip
    printed = []
    for line in (theirs, ours.replace("spe run", f"spe run -F {lab.ssh_config}")):
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        print(done)
        assert done.returncode == 0
        printed.append(sorted(done.stdout.splitlines()))
    assert printed[0] == printed[1] == sorted(f"did {number}" for number in range(1, 10))
