"""A login that does not run what it is told is named in the same words by `spe doctor`, `spe run` and `spe check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from spe.errors import Fault

from .kit import spe

pytestmark = pytest.mark.lab
LAB_HOSTS = 4
START_FILES = {
    "h01": "printf 'Which project? '; read project\n",
    "h02": "echo Welcome\nexec fish\n",
    "h04": "ulimit -u 1\n",
    "h03": "echo Under repair; exit 3\n",
}


def test_doctor_run_and_check_say_the_same_of_a_login_that_runs_nothing(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    for host in hosts:
        host.boot(Boot(shell="/bin/bash"))
        (host.folder / "home" / "tester" / ".bashrc").write_text(START_FILES[host.name])
    (tmp_path / "spe.yaml").write_text("command: echo 1\nname: d\nparameters: {repeat: 2}\nhosts: hosts.txt\n")
    (tmp_path / "hosts.txt").write_text("h01\nh02\nh03\nh04\n")
    found = spe("doctor", "-F", str(lab.ssh_config), "--json", cwd=tmp_path)
    sentences = []
    for name in START_FILES:
        [finding] = found.hosts[name]["findings"]
        assert finding["fault"] == (Fault.PROCESSES if name == "h04" else Fault.NO_COMMANDS), finding
        sentences += [finding["what"], finding["todo"]]
    assert "it waits for input" in sentences[0]
    assert "Which project?" in sentences[0]
    assert "Welcome" in sentences[2]
    assert "(ulimit -u) is 1" in sentences[4]
    assert "exit 3; it printed: Under repair" in sentences[6]
    for command in ("run", "check"):
        done = spe(command, "-F", str(lab.ssh_config), cwd=tmp_path, limit=120)
        assert done.code != 0
        said = " ".join(done.err.split())
        assert [one for one in sentences if " ".join(one.split()) not in said] == [], done.err
