"""`spe check` on several hosts: the first set runs once on each kind of host, and who cannot work is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from doctor.kit import HOME, Outcome, spe
from lab import Boot, Lab, LabHost

pytestmark = [pytest.mark.lab, pytest.mark.slow]
LAB_HOSTS = 6
SHARED = Boot(shared_home=True)
OTHER_PYTHON = Boot(shared_home=True, path=f"{HOME}/bin:/usr/bin:/bin")
DOWN = Boot(no_sshd=True)
SPE_YAML = """
name: c
command: ./work {{ x }}
worker: work
parameters: {grid: {x: [7, 8]}}
results: {y: stdout}
"""


class Project:
    """A sweep and its hosts, booted as told."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab
        (folder / "spe.yaml").write_text(SPE_YAML)
        self.program("echo y$1")

    def program(self, text: str) -> None:
        (self.folder / "work").write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / "work").chmod(0o755)

    def boot(self, hows: Sequence[Boot]) -> None:
        hosts = self.lab.hosts[: len(hows)]
        for host, how in zip(hosts, hows, strict=True):
            host.power_on(how)
        for host, how in zip(hosts, hows, strict=True):
            if not how.no_sshd:
                host.wait_until_up()

    def check(self, hosts: str, *words: str) -> Outcome:
        done = spe("check", "-F", str(self.lab.ssh_config), "--hosts", hosts, *words, cwd=self.folder, limit=120)
        print(done.out, done.err, sep="\n")
        return done


@pytest.fixture
def project(tmp_path: Path, lab: Lab, hosts: list[LabHost]) -> Project:
    del hosts  # they are only to be plain and clean
    return Project(tmp_path, lab)


def ran_on(out: str) -> list[str]:
    return re.findall(r"set 1 ran on (\S+) in", out)


def test_one_set_runs_on_each_home_and_each_python_and_hosts_that_are_down_are_named_in_one_paragraph(
    project: Project, lab: Lab
) -> None:
    project.boot([SHARED, SHARED, Boot(), OTHER_PYTHON, DOWN, DOWN])
    lab["h04"].shell("mkdir -p bin; cp $(readlink -f /usr/bin/python3) bin/python3")
    done = project.check("h[01-06]")
    first, second, third = sorted(ran_on(done.out))
    assert first in ("h01", "h02") and (second, third) == ("h03", "h04")
    assert re.search(r"^h01 and h02 \(linux-\S+, /usr/bin/python3 3\.\S+, home shared with h04\): .*: y=y7$", done.out, re.M)
    assert f"{HOME}/bin/python3" in done.out
    assert re.search(r"^h05 and h06: refused: nothing listens on ", done.err, re.M)
    assert done.err.count("refused") == 1
    assert done.code == 1
    assert not (project.folder / "runs").exists()
