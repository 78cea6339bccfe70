"""Two people on the same hosts: the run of the second one, and `spe doctor`, say whose clients work there, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, LabHost
from lab.together import WAITS, ended_together
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 3
ALICE = 2010
ACCOUNT = f"""
echo 'alice:x:{ALICE}:{ALICE}::/home/alice:/bin/sh' >>/etc/passwd
echo 'alice:*:19000:0:99999:7:::' >>/etc/shadow
mkdir -p /home/alice && chown {ALICE}:{ALICE} /home/alice
"""
TODO = "set `max_load: 1` in spe.yaml, or fewer `slots=` in the hosts file"


def write(folder: Path, hosts: str, command: str) -> Path:
    folder.mkdir()
    (folder / "spe.yaml").write_text(f"name: s\ncommand: {command}\nparameters: {{repeat: 20}}\nhosts: hosts.txt\n")
    (folder / "hosts.txt").write_text(hosts)
    return folder


def spe(lab: Lab, folder: Path, *words: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "spe", *words, "-F", str(lab.ssh_config)]
    environment = {**os.environ, "HOME": str(folder)}
    pipe = subprocess.PIPE
    return subprocess.Popen(line, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment)


def works(host: LabHost) -> bool:
    """Tell whether a program of Alice runs there."""
    return any(one.words == ("sleep", "600") for one in host.processes())


@pytest.fixture
def alice(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> Iterator[None]:
    """Alice has a sweep at work on all hosts, with three slots each."""
    for host in hosts:
        host._dirty = True
        host.root("sh", "-c", ACCOUNT)
    hosts[2].root("mount", "-o", "remount,hidepid=2", "/proc")
    folder = write(tmp_path / "alice", "alice@h0[1-3] slots=3\n", "sleep 600")
    run = spe(lab, folder, "run")
    try:
        wait_until(lambda: all(works(host) for host in hosts), "her clients work")
        yield
    finally:
        stop = [sys.executable, "-m", "spe", "stop", "--now"]
        subprocess.run(stop, cwd=folder, capture_output=True, check=False)
        print(*run.communicate(timeout=120))
    for host in hosts:
        host.root("rm", "-rf", "/home/alice")


def test_the_second_run_says_once_who_else_is_there_and_with_how_many_slots(
    lab: Lab, hosts: list[LabHost], alice: None, tmp_path: Path
) -> None:
    folder = write(tmp_path / "bob", "h0[1-3] slots=2\n", WAITS)
    told = [line for line in said_by_a_run(lab, folder, hosts, "run") if "runs spe" in line]
    assert told == [f"alice runs spe, too, on h01 and h02 (3 slots each). To share these hosts: {TODO}"]
    again = said_by_a_run(lab, folder, hosts, "run", "--fresh")
    assert len([line for line in again if "runs spe, too" in line]) == 1, "once a run"


def said_by_a_run(lab: Lab, folder: Path, hosts: list[LabHost], *words: str) -> list[str]:
    """Return what a run of Bob says."""
    return ended_together(lambda: spe(lab, folder, *words), hosts).splitlines()


def test_doctor_names_them_and_what_leaves_room(lab: Lab, hosts: list[LabHost], alice: None, tmp_path: Path) -> None:
    folder = write(tmp_path / "bob", "h0[1-3] slots=2\n", "echo 1")
    examined = spe(lab, folder, "doctor", "--json")
    out, err = examined.communicate(timeout=120)
    print(out, err)
    assert examined.returncode == 0
    found: dict[str, list[dict[str, Any]]] = {
        one["host"]: [each for each in one["findings"] if each["fault"] == "shared with others"]
        for one in json.loads(out)["hosts"]
    }
    expected = {
        "fault": "shared with others",
        "what": "alice (3 slots) runs spe there, too",
        "todo": f"To share it: {TODO}",
        "stops": False,
    }
    assert found == {"h01": [expected], "h02": [expected], "h03": []}
