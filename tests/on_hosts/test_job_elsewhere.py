"""`--job ID` of a job that was submitted on another machine: the command runs there, by ssh."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from delegate.ada import Ada
from delegate.conftest import ada, gate
from delegate.evil_gate import EvilGate, answer
from lab import Lab, LabHost
from spe.pool.joining.cards import save_card

from .test_elsewhere import far, installed, run

__all__ = ["ada", "far", "gate", "installed"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
LAB_HOSTS = 3
ORDER = (
    "import os; from spe.delegate import orders; from spe.pool.joining.knocking import own_name; "
    "home = os.path.expanduser('~/sweeps/far'); "
    "orders.save(orders.Order('f00d', 17, [], home, home + '/runs/far', own_name()))"
)


@pytest.fixture
def submitted(far: LabHost, ada: Ada, gate: EvilGate) -> Iterator[LabHost]:
    """Job 17 has run on the host, where its order is. Here, only its farm knows it."""
    python = "env PYTHONPATH=$HOME/lib:$HOME/site python3"
    done = far.shell(f"touch gate; {python} -c {shlex.quote(ORDER)}; cd sweeps/far; ~/.local/bin/spe run -q")
    assert done.returncode == 0, done.stderr
    save_card(replace(ada.card, accepted=["h01"]))
    gate.answers["/jobs"] = answer({"jobs": [{"id": 17, "owner": "ada", "place": "h01"}]})
    yield far


def test_a_command_about_a_job_of_another_machine_runs_there_and_says_so_once(
    lab: Lab, submitted: LabHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", _without_its_ssh())
    by_job = ("--job", "17", "-F", str(lab.ssh_config))
    table = run(tmp_path, "results", *by_job)
    assert table.returncode == 0 and table.stdout.count("\n") == 4
    assert table.stderr == "spe: job 17 is on h01: this runs there, in ~\n"
    assert "== task 2 (x=2)" in run(tmp_path, "log", "2", *by_job).stdout
    gone = run(tmp_path, "show", "7", *by_job)
    assert gone.returncode == 2 and "there is no task 7" in gone.stderr
    submitted.shut()
    away = run(tmp_path, "status", *by_job)
    assert away.returncode == 2 and "job 17: its folder is on h01, and ssh cannot connect" in away.stderr


def _without_its_ssh() -> str:
    """PATH without the `ssh` of the fixture, which reaches nothing."""
    return os.environ["PATH"].partition(os.pathsep)[2]

