"""Whole sweeps over SSH where others of a host may write: refused, warned of once, or trusted and held up in vain."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab, LabHost
from lab.host import UID
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 2
SETS, EVE, GROUP = 60, 2002, 2003
OPEN = "/tmp/open"

# As Eve: every client's folder in the workdir is renamed, and one of hers with another worker put in its place.
PUT_IN_PLACE = """
import os, sys
workdir = sys.argv[1]
os.umask(0)
for name in os.listdir(workdir):
    path = os.path.join(workdir, name)
    if name.startswith("spe-") and os.stat(path).st_uid != os.getuid():
        os.rename(path, path + "-moved")
        os.mkdir(path)
        os.mkdir(path + "/worker")
        with open(path + "/worker/work", "w") as file:
            file.write("#!/bin/sh\\necho EVIL; touch /tmp/evil-ran\\n")
        os.chmod(path + "/worker/work", 0o777)
        open("/tmp/replaced", "w").close()
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A worker that takes its time."""
    (tmp_path / "work").write_text('#!/bin/sh\nsleep 0.2\necho "true $1"\n')
    (tmp_path / "work").chmod(0o755)
    (tmp_path / "spe.yaml").write_text(
        f"name: s\ncommand: ./work {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {SETS}]}}}}}}\nping: 2\n"
    )
    return tmp_path


def begin(folder: Path, lab: Lab, options: str, command: str = "run") -> subprocess.Popen[str]:
    (folder / "hosts.txt").write_text(f"h0[1-2] slots=2 {options}\n")
    words = [sys.executable, "-m", "spe", command, "-F", str(lab.ssh_config), "--hosts", "hosts.txt"]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=200)
    print(out, err, sep="\n--- stderr\n")
    return process.returncode, err


def rows(folder: Path) -> list[str]:
    with (folder / "runs/s/results.csv").open(newline="") as file:
        return [row["stdout"] for row in csv.DictReader(file)]


RIGHT = [f"true {x}" for x in range(1, SETS + 1)]


@pytest.mark.parametrize("command", ["run", "check"])
def test_everybody_is_refused_and_nothing_runs(lab: Lab, hosts: list[LabHost], sweep: Path, command: str) -> None:
    for host in hosts:
        host.root("mkdir", "-m", "777", OPEN)
    code, said = end(begin(sweep, lab, f"workdir={OPEN}/deep", command))
    assert code == 3
    for host in hosts:
        assert host.name in said and ": workdir writable by others: " in said
        assert host.root("ls", "-A", OPEN).stdout == ""


def test_a_group_is_one_warning_for_all_hosts(lab: Lab, hosts: list[LabHost], sweep: Path) -> None:
    for host in hosts:
        host.root("install", "-d", "-m", "2770", "-o", str(UID), "-g", str(GROUP), OPEN)
    code, said = end(begin(sweep, lab, f"workdir={OPEN}"))
    assert code == 0
    assert rows(sweep) == RIGHT
    [warning] = [line for line in said.splitlines() if line.startswith("warning: ")]
    assert f"the group {GROUP} may write into {OPEN}" in warning


def test_who_renames_the_folders_on_all_hosts_forges_no_row(lab: Lab, hosts: list[LabHost], sweep: Path) -> None:
    for host in hosts:
        host.root("mkdir", "-m", "777", OPEN)
    # Until she was on both hosts: the run may be over before one of them has come up, or before she looks.
    (sweep / "work").write_text('#!/bin/sh\nuntil [ -e /tmp/go-on ]; do sleep 0.1; done\nsleep 0.2\necho "true $1"\n')
    run = begin(sweep, lab, f"workdir={OPEN} trust_workdir=yes")
    replaced: set[str] = set()
    while run.poll() is None:
        for host in hosts:
            eve = ["setpriv", f"--reuid={EVE}", f"--regid={EVE}", "--clear-groups"]
            host.root(*eve, "python3", "-c", PUT_IN_PLACE, OPEN, check=False)
            replaced |= {host.name} if host.root("test", "-e", "/tmp/replaced", check=False).returncode == 0 else set()
        if len(replaced) == len(hosts):
            for host in hosts:
                host.root("touch", "/tmp/go-on")
    code, said = end(run)
    assert code == 0
    assert rows(sweep) == RIGHT
    assert replaced == {"h01", "h02"}
    for host in hosts:
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")  # type: ignore[misc]
        assert host.root("test", "-e", "/tmp/evil-ran", check=False).returncode == 1
        assert host.root("find", OPEN, "-user", str(UID)).stdout == "", "nothing of ours stays"
        assert f"warning: {host.name}: somebody renamed our folder" in said
