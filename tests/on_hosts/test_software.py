"""`venv:`, `prepare:` and `container:` on real hosts that have no way to the internet."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from needs import need
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]
LAB_HOSTS = 5
PYENV = Path.home() / ".pyenv" / "versions"
PROGRAM = """
import sys, numpy
x = int(sys.argv[1])
print(numpy.arange(x).sum())
print(numpy.__version__, sys.version_info[1], sys.prefix, file=open("where", "w"))
"""


def write(folder: Path, yaml: str, program: str = PROGRAM) -> Path:
    """A sweep of eight sets that runs sim.py."""
    folder.mkdir()
    (folder / "sim.py").write_text(program)
    (folder / "spe.yaml").write_text(
        "name: brought\nparameters: {grid: {x: {range: [1, 8]}}}\ninputs: {sim.py: {file: sim.py}}\n"
        "results: {sum: stdout, where: where}\nping: 1\n" + yaml
    )
    return folder


def run(folder: Path, lab: Lab, *hosts: str, args: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    (folder / "hosts.txt").write_text("\n".join(hosts) + "\n")
    command = [sys.executable, "-m", "spe", "run", "-F", str(lab.ssh_config), "--hosts", "hosts.txt", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL)
    print(done.stdout, done.stderr, sep="\n--- stderr\n")
    return done


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs/brought/results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def made(folder: Path) -> list[str]:
    """Which hosts have made something, from the log of the master."""
    return [line for line in (folder / "runs/brought/master.log").read_text().splitlines() if "making" in line]


def idle(hosts: Sequence[LabHost]) -> None:
    for host in hosts:
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")  # type: ignore[misc]


def test_a_processor_of_another_kind_without_ensurepip_gets_wheels_of_its_own(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, arm64_root: Path
) -> None:
    lab["h04"].boot(Boot(root=arm64_root))
    folder = write(tmp_path / "sweep", "command: python3 sim.py {{ x }}\nvenv: requirements.txt\n")
    (folder / "requirements.txt").write_text("numpy\n")
    assert run(folder, lab, "h04 slots=2").returncode == 0
    assert [int(row["sum"]) for row in rows(folder)] == [x * (x - 1) // 2 for x in range(1, 9)]


def test_what_fails_is_tried_once_a_home_and_its_hosts_get_no_task(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    for name in ("h01", "h02", "h03"):
        lab[name].boot(Boot(shared_home=True))
    before = {host.name: host.files() for host in hosts[:3]}
    tries = lab["h01"].shell("pwd").stdout.strip() + "/tried"
    failing = f"prepare: |\n  echo tried >> {tries}\n  echo no compiler here; exit 7\n"
    folder = write(tmp_path / "sweep", "command: python3 sim.py {{ x }}\n" + failing, "print(1)\n")
    done = run(folder, lab, "h[01-03] slots=1")
    assert done.returncode == 3
    assert ": software: prepare: echo tried" in done.stderr
    told, last = done.stderr.split("spe: nothing could run: ")
    assert told.count("no compiler here") == 1, "one paragraph for all of them"
    assert last.startswith("no host can work: software: prepare: ")
    assert lab["h01"].shell("cat tried; rm tried").stdout == "tried\n", "one host of the home has tried it"
    idle(hosts[:3])
    for host in hosts[:3]:
        assert host.files() == before[host.name], host


def test_builds_that_fail_on_some_hosts_are_told_although_the_sweep_ends_at_once_on_the_others(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    lab["h01"].shell("touch good")
    failing = "prepare: '[ -e ~/good ] || { echo no compiler here; exit 7; }'\n"
    waits = "import os, time\nwhile not os.path.exists(os.path.expanduser('~/go')):\n    time.sleep(0.05)\n"
    waits += "open('where', 'w')\n"
    folder = write(tmp_path / "sweep", "command: python3 sim.py {{ x }}\n" + failing, waits)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, folder, lab, "h[01-03] slots=8")
        for name in ("h02", "h03"):
            noted = f"{name} has noted its failure"
            wait_until(lambda name=name: lab[name].shell("ls ~/.cache/spe/built/*.failed; true").stdout, noted)  # type: ignore[misc]
        lab["h01"].shell("touch go")
        done = running.result()
    assert done.returncode == 0
    assert "software is ready on 1 of 3 hosts" in done.stderr
    assert done.stderr.count("(exit code 7): no compiler here") == 1, "one paragraph"
    assert "h02, h03: software: prepare: " in done.stderr


def test_an_environment_reaches_hosts_without_internet_whatever_their_python_and_processor(
    lab: Lab, hosts: list[LabHost], tmp_path: Path, arm64_root: Path
) -> None:
    old = next(iter(sorted(PYENV.glob("3.6.*"))), None)
    need(old, "needs Python 3.6 from pyenv")
    assert old
    for name in ("h01", "h02"):
        lab[name].boot(Boot(shared_home=True))
    lab["h03"].boot(Boot(binds=((old, str(old)),)))
    lab["h04"].boot(Boot(root=arm64_root))  # without ensurepip
    before = {host.name: host.files() for host in hosts[:4]}
    folder = write(tmp_path / "sweep", "command: python3 sim.py {{ x }}\nvenv: requirements.txt\n")
    (folder / "requirements.txt").write_text("numpy\n")
    done = run(
        folder, lab, "h[01-02,04] slots=1", f"h03 slots=1 python={old}/bin/python3.6"
    )
    assert done.returncode == 0
    table = rows(folder)
    assert [int(row["sum"]) for row in table] == [x * (x - 1) // 2 for x in range(1, 9)]
    idle(hosts[:4])
    for host in hosts[:4]:
        assert host.files() == before[host.name], host


def test_a_host_for_which_the_worker_is_a_binary_of_another_processor_gets_no_task(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    machine = b"\xb7\0" if os.uname().machine == "x86_64" else b"\x3e\0"
    folder = write(tmp_path / "sweep", "command: ./prog {{ x }}\n")
    (folder / "prog").write_bytes(b"\x7fELF\2\1\1" + bytes(9) + b"\2\0" + machine + bytes(44))
    (folder / "prog").chmod(0o755)
    done = run(folder, lab, "h01 slots=1")
    assert done.returncode == 3, "no host came up, and no task was handed out"
    assert "no worker" in done.stderr and "prog is for linux-" in done.stderr
    idle([lab["h01"]])


def test_the_command_of_the_documents_removes_what_was_kept(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "environment.md").read_text()
    (command,) = {one for one in re.findall(r"`([^`\n]+)`", page) if "rm -r" in one}
    yaml = "command: python3 sim.py\nprepare: mkdir below; echo > below/made\nkeep_prepared: true\n"
    folder = write(tmp_path / "sweep", yaml, "print(1)\nopen('where', 'w').close()\n")
    assert run(folder, lab, "h01 slots=1").returncode == 0
    idle([lab["h01"]])
    assert "below" in lab["h01"].shell("ls ~/.cache/spe/built/*").stdout
    lab["h01"].shell(command)  # it raises when the command fails
    lab["h01"].shell("test ! -e ~/.cache/spe/built")
    lab["h01"].shell("rm -rf ~/.cache/spe")
