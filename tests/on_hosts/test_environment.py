"""Which variables a task gets: on this machine those of the shell of `spe run`, on an SSH host those of its login."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(200)]
LAB_HOSTS = 1
# Of spe itself, of the connection, and of the shell that starts a program.
OWN = ("SPE_", "SSH_", "_", "PWD", "OLDPWD", "SHLVL", "LANG", "LC_")
THREADS = {f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "JULIA")}
THREADS.add("VECLIB_MAXIMUM_THREADS")


def variables_of_tasks(folder: Path, lab: Lab, host: str, **more: str) -> dict[str, str]:
    (folder / "spe.yaml").write_text(
        "command: /usr/bin/python3 -c 'import json, os; print(json.dumps(dict(os.environ)))'\n"
        f"results: {{found: {{from: stdout, as: json}}}}\nhosts: [{host} slots=1]\nname: {host}\n"
    )
    words = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config)]
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, timeout=150,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done
    with (folder / f"runs/{host}/results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return dict(json.loads(row["found"]))


def others(found: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in found.items() if not name.startswith(OWN) and name not in THREADS}


MINE = {"FOO": "bar", "LD_LIBRARY_PATH": "/opt/mine", "VIRTUAL_ENV": "/home/me/venv"}


def test_a_task_here_has_the_variables_of_the_shell_of_spe_run(lab: Lab, tmp_path: Path) -> None:
    found = variables_of_tasks(tmp_path, lab, "localhost", **MINE)
    assert {name: found.get(name) for name in MINE} == MINE
    assert others(found) == others({**os.environ, **MINE})


def test_a_task_on_an_ssh_host_has_what_a_command_of_ssh_has(lab: Lab, tmp_path: Path) -> None:
    (host,) = lab.hosts
    found = variables_of_tasks(tmp_path, lab, host.name, **MINE)
    assert not {*MINE} & {*found}
    words = ["ssh", "-F", str(lab.ssh_config), host.name, "env"]
    plain = subprocess.run(words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
    assert others(found) == others(dict(line.split("=", 1) for line in plain.splitlines() if "=" in line))
