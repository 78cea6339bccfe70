"""`spe clean` on real hosts: what kept clients, workers and prepared folders leave is found and removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lab import Boot, Lab, LabHost
from waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]
LAB_HOSTS = 3
KEPT = (
    "name: kept\ncommand: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3, 4]}}\n"
    "prepare: mkdir below; echo > below/made; ln -s ~/precious below/link\nkeep_prepared: true\n"
    "delete_client: false\ndelete_worker: false\nping: 1\n"
)


class Project:
    """A sweep that leaves all that it may leave on its hosts."""

    def __init__(self, folder: Path, lab: Lab, work: str = "echo $1") -> None:
        self.folder, self.lab = folder, lab
        (folder / "sweep").mkdir()
        (folder / "sweep/work").write_text(f"#!/bin/sh\n{work}\n")
        (folder / "sweep/work").chmod(0o755)
        (folder / "sweep/spe.yaml").write_text(KEPT)
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_STATE_HOME": str(folder / "state"),
            "SPE_NO_LIST": "",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "spe", *words, "-F", str(self.lab.ssh_config)],
            cwd=self.folder / "sweep", env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def spe(self, *words: str) -> tuple[int, str, str]:
        begun = self.start(*words)
        out, err = begun.communicate(timeout=300)
        print(out, err, sep="\n--- stderr\n")
        return begun.returncode, out, err

    def leave_on(self, *hosts: str) -> None:
        """Run on each host alone: a run that is soon over may end before another host has come up."""
        for host in hosts:
            code, _, err = self.spe("run", "--fresh", "--hosts", f"{host} slots=1")
            assert code == 0, err

    def cleaned(self, *words: str) -> Any:
        """Return what `spe clean --json` tells."""
        code, out, err = self.spe("clean", "--json", *words)
        assert code == 0, err
        return json.loads(out)["things"]


def idle(hosts: Sequence[LabHost]) -> None:
    for host in hosts:
        wait_until(lambda host=host: not host.processes(user_only=True), f"{host} idle")  # type: ignore[misc]


def kinds(things: Any) -> list[tuple[str, str, bool]]:
    return sorted((one["host"], one["kind"], one["goes"]) for one in things)


def cache(host: LabHost) -> str:
    return host.shell("find ~/.cache/spe 2>/dev/null; true").stdout


def age(host: LabHost) -> None:
    """Make all that lies in the cache two days old."""
    host.shell("find ~/.cache/spe -exec touch -h -d '2 days ago' {} +")


def test_clean_removes_what_runs_have_left_and_nothing_else(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    h01, h02 = hosts[:2]
    before = {host.name: host.files() for host in (h01, h02)}
    h01.shell("mkdir ~/precious; echo 1 > ~/precious/data")
    project = Project(tmp_path, lab)
    project.leave_on("h01", "h02")
    idle(hosts)
    h01.shell("echo mine > ~/.cache/spe/mine")
    wanted = [(name, kind) for name in ("h01", "h02") for kind in ("built", "client", "worker")]
    dry = project.cleaned("--dry", "--hosts", "h01,h02")
    assert kinds(dry) == [(name, kind, True) for name, kind in wanted]
    assert "client-" in cache(h01) and "below/made" in cache(h02), "--dry removes nothing"
    code, out, err = project.spe("clean", "--hosts", "h01,h02")
    assert code == 0 and out.count(": removed: ") == 6 and "6 things removed" in err
    assert sorted(Path(one).name for one in cache(h01).split()) == [".spe-made", "mine", "spe"]
    assert h01.shell("cat ~/precious/data").stdout == "1\n", "links are not followed"
    h01.shell("rm -r ~/precious ~/.cache/spe/mine; rm -f ~/.cache/spe/.spe-made; rmdir ~/.cache/spe")
    assert cache(h02) == ""
    assert h02.files() == before["h02"]
    assert project.cleaned("--hosts", "h01,h02") == []


def test_older_keeps_what_was_used_since(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    project = Project(tmp_path, lab)
    project.leave_on("h01", "h02")
    idle(hosts)
    age(hosts[0])
    things = project.cleaned("--older", "1d", "--hosts", "h01,h02")
    assert {(one["host"], one["goes"]) for one in things} == {("h01", True), ("h02", False)}
    assert {one["why"] for one in things if not one["goes"]} == {"it was used since"}
    assert cache(hosts[0]) == "" and "below/made" in cache(hosts[1])


def test_what_a_run_that_goes_on_uses_stays(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    for host in hosts[:2]:
        host.boot(Boot(shared_home=True))
    project = Project(tmp_path, lab, "while [ ! -e ~/gate ]; do sleep 0.05; done; echo $1")
    run = project.start("run", "--hosts", "h01 slots=1")
    wait_until(lambda: any("./work" in one.line for one in hosts[0].processes(user_only=True)), "a program runs")
    age(hosts[0])
    things = project.cleaned("--hosts", "h01")
    assert {one["why"] for one in things} == {"in use: a client of yours is at work there"}
    # A host of the same home, at which nothing works: the run of this account is known all the same.
    things = project.cleaned("--hosts", "h01,h02")
    assert not any(one["goes"] for one in things)
    assert "below/made" in cache(hosts[0])
    hosts[0].shell("touch ~/gate")
    _, err = run.communicate(timeout=200)
    assert run.returncode == 0, err
    idle(hosts)
    hosts[0].shell("rm ~/gate")
    assert all(one["goes"] for one in project.cleaned("--hosts", "h01,h02"))
    assert cache(hosts[0]) == ""


def test_a_killed_client_s_mark_stays_until_it_is_old(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    project = Project(tmp_path, lab)
    project.leave_on("h01")
    idle(hosts)
    hosts[0].shell("for users in ~/.cache/spe/built/*.users; do touch $users/killed; done")
    stays = [one for one in project.cleaned("--hosts", "h01") if not one["goes"]]
    assert [one["kind"] for one in stays] == ["built"] and "in use by 1 client" in stays[0]["why"]
    age(hosts[0])
    assert kinds(project.cleaned("--hosts", "h01", "--older", "1d")) == [("h01", "built", True)]
    assert cache(hosts[0]) == ""


def test_clean_says_which_host_it_did_not_reach_and_cleans_the_others(
    lab: Lab, hosts: list[LabHost], tmp_path: Path
) -> None:
    project = Project(tmp_path, lab)
    project.leave_on("h01")
    idle(hosts)
    hosts[1].boot(Boot(no_sshd=True))
    code, out, err = project.spe("clean", "--hosts", "h01,h02")
    assert code == 1 and "h02" in err and out.count("h01: removed: ") == 3
    assert cache(hosts[0]) == ""


def test_what_lies_in_a_working_folder_and_here_is_found(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    project = Project(tmp_path, lab)
    home = hosts[0].shell("pwd").stdout.strip()
    project.leave_on(f"h01 workdir={home}/scratch", "localhost")
    idle(hosts)
    there = project.cleaned("--hosts", f"h01 workdir={home}/scratch")
    assert ("h01", "built", True) in kinds(there)
    here = [one for one in there if one["host"] == "localhost"]
    assert {one["kind"] for one in here} == {"built", "worker"}
    # Other tests of this account may have clients at work on this machine.
    assert all(one["goes"] or "in use" in one["why"] for one in here)
    assert (tmp_path / "cache/spe/built").exists() is any(one["why"] for one in here)
    assert hosts[0].shell("find ~/scratch -type f ! -name .spe-made 2>/dev/null; true").stdout == ""
