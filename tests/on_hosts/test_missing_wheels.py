"""Packages without a wheel for some hosts, and software that fails on several: each is one paragraph, told in time."""

from __future__ import annotations

import ensurepip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from needs import need
from software.kit import wheel

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]
LAB_HOSTS = 4
PYENV = Path.home() / ".pyenv" / "versions"
YAML = (
    "name: brought\ncommand: python3 sim.py {{ x }}\nvenv: requirements.txt\nparameters: {grid: {x: [1, 2, 3]}}\n"
    "inputs: {sim.py: {file: sim.py}}\nresults: {said: stdout}\nping: 1\n"
)


@pytest.fixture
def old_python() -> str:
    found = next(iter(sorted(PYENV.glob("3.8.*"))), None)
    need(found, "needs Python 3.8 from pyenv")
    return str(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep that needs `tool`, of which version 1.0 has no wheel for Python 3.8."""
    bundled = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    (tmp_path / "wheels").mkdir()
    shutil.copy(bundled, tmp_path / "wheels" / bundled.name)
    wheel(tmp_path / "wheels", "tool", "0.9", tag="py38-none-any")
    wheel(tmp_path / "wheels", "tool", "1.0", tag="py311-none-any")
    made = tmp_path / "sweep"
    made.mkdir()
    (made / "sim.py").write_text("import tool\nprint(tool.VERSION)\n")
    (made / "requirements.txt").write_text("tool==1.0\n")
    (made / "spe.yaml").write_text(YAML)
    return made


def spe(folder: Path, lab: Lab, command: str, hosts: Sequence[str], *args: str) -> subprocess.CompletedProcess[str]:
    (folder / "hosts.txt").write_text("\n".join(hosts) + "\n")
    words = [sys.executable, "-m", "spe", command, "-F", str(lab.ssh_config), "--hosts", "hosts.txt", *args]
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder.parent / "wheels")}
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=250, stdin=subprocess.DEVNULL,
        env={**os.environ, **found},
    )  # fmt: skip
    print(done.stdout, done.stderr, sep="\n--- stderr\n")
    return done


def with_old(lab: Lab, python: str, *names: str) -> list[str]:
    """Boot these hosts with Python 3.8; return their lines of the hosts file."""
    for name in names:
        lab[name].boot(Boot(binds=((Path(python), python),)))
    return [f"{name} slots=1 python={python}/bin/python3.8" for name in names]


def test_a_package_without_a_wheel_is_told_once_with_all_its_hosts_before_any_host_works(
    lab: Lab, hosts: list[LabHost], folder: Path, old_python: str
) -> None:
    old = with_old(lab, old_python, "h02", "h03")
    done = spe(folder, lab, "run", ["h01 slots=1", *old])
    assert done.returncode == 0
    assert done.stderr.count("no wheel of") == 1
    paragraph = done.stderr[done.stderr.index("h02, h03: software: venv: requirements.txt") :]
    assert "Python 3.8" in paragraph
    assert "0.9" in paragraph, "the versions that there are"
    assert done.stderr.index("no wheel of tool") < done.stderr.index("h01: up")


def test_a_run_in_which_no_host_has_a_wheel_runs_nothing_and_says_what_to_do(
    lab: Lab, hosts: list[LabHost], folder: Path, old_python: str
) -> None:
    done = spe(folder, lab, "run", with_old(lab, old_python, "h01", "h02"))
    assert done.returncode == 3
    told, last = done.stderr.split("spe: nothing could run: ")
    assert told.count("no wheel of tool==1.0") == 1
    assert last.startswith("no host can work: software: venv: requirements.txt: no wheel of tool==1.0 for ")
    assert "h01, h02: software: venv: requirements.txt: no wheel of tool==1.0" in done.stderr
    assert "requirements.txt" in told.split("no wheel of tool==1.0")[1]
    assert "python=PATH" in told


def test_spe_check_names_the_hosts_without_a_wheel_too(
    lab: Lab, hosts: list[LabHost], folder: Path, old_python: str
) -> None:
    done = spe(folder, lab, "check", ["h01 slots=1", *with_old(lab, old_python, "h02", "h03")])
    assert done.stderr.count("no wheel of tool==1.0") == 1
    assert "h02, h03: software: venv: requirements.txt: no wheel of tool==1.0" in done.stderr
    assert "tool==1.0: there is a wheel of 0.9" in done.stderr, "the paragraph that tells more"
    assert "`spe run`" not in done.stderr


def test_a_host_that_hangs_in_its_login_does_not_hold_up_the_others(
    lab: Lab, hosts: list[LabHost], folder: Path, old_python: str
) -> None:
    old = with_old(lab, old_python, "h02")
    lab["h03"].freeze()
    try:
        done = spe(folder, lab, "run", ["h01 slots=1", *old, "h03 slots=1"])
    finally:
        lab["h03"].thaw()
    assert done.returncode == 0
    assert done.stderr.index("h02: software: venv: requirements.txt: no wheel of tool==1.0") < done.stderr.index(
        "h01: up"
    )


def test_hosts_without_apptainer_are_one_paragraph(lab: Lab, hosts: list[LabHost], folder: Path) -> None:
    (folder / "spe.yaml").write_text("name: brought\ncommand: echo\ncontainer: image.sif\nping: 1\n")
    (folder / "image.sif").write_text("the image")
    done = spe(folder, lab, "run", ["h[01-04] slots=1"])
    assert done.returncode == 3
    assert done.stderr.split("spe: nothing could run: ")[0].count("there is no apptainer") == 1
    assert "h01, h02, h03, h04: software: there is no apptainer or singularity on this host" in done.stderr
