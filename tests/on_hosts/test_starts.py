"""Hosts that are up only for a moment, or never: what is said of them, how often they are started, and what cures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import USER, Boot, Lab, LabHost
from waiting import BACK, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(300)]
LAB_HOSTS = 2
BASH = Boot(shell="/bin/bash")
GATED = '#!/bin/sh\nwhile [ -e "$HOME/shut" ]; do sleep 0.05; done\necho $1\n'
MENDED = "exit 0 # until somebody mends it"
NO_COPIES = "once: true\n"  # a copy of the set that waits on one host would end the run on the other


class Sweep:
    """A sweep of eight sets whose programs wait while the file `shut` is in the home of their user."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab
        self.within: tuple[str, ...] = ()  # words in front of each command: the network in which it runs
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "work").write_text(GATED)
        (folder / "work").chmod(0o755)
        self.configure("")

    def configure(self, more: str, sets: int = 8) -> None:
        (self.folder / "spe.yaml").write_text(
            f"name: s\ncommand: ./work {{{{ x }}}}\nworker: work\nparameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\n"
            f"ping: 1\n{more}"
        )

    def story(self) -> str:
        """What was told, and what the log says."""
        return f"{self.said}\n{(self.folder / 'runs/s/master.log').read_text()}"

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def start(self, hosts: str, *words: str, command: str = "run") -> None:
        """`spe run`; what it says goes to a file."""
        (self.folder / "hosts.txt").write_text(hosts.replace(",", "\n") + "\n")
        line = [*self._spe(command), "-F", str(self.lab.ssh_config), "--hosts", "hosts.txt", *words]
        with (self.folder / "said").open("wb") as said:
            self.process = subprocess.Popen(
                line, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                env={**os.environ, "HOME": str(self.folder)},
            )  # fmt: skip

    def _spe(self, *words: str) -> list[str]:
        return [*self.within, sys.executable, "-m", "spe", *words]

    def end(self, seconds: float = 120) -> int:
        """Its exit code; what it said is shown when the test fails."""
        assert self.process
        try:
            return self.process.wait(seconds)
        finally:
            print(self.said)

    def run(self, hosts: str, *words: str, command: str = "run") -> int:
        self.start(hosts, *words, command=command)
        return self.end()

    def spe(self, *words: str) -> str:
        """What another command prints."""
        done = subprocess.run(self._spe(*words), cwd=self.folder, capture_output=True, text=True, timeout=60)
        if "--json" not in words:
            print(words, done.stdout, done.stderr, sep="\n")
        return done.stdout + ("" if "--json" in words else done.stderr)

    def hosts(self) -> dict[str, dict[str, Any]]:
        """How the running sweep sees its hosts."""
        if not (self.folder / "runs/s/master.json").exists():
            return {}
        return {one["host"]: one for one in json.loads(self.spe("hosts", "--json") or "[]") if "slots" in one}

    def were_up(self) -> set[str]:
        """The hosts of which a client has registered."""
        notes = [json.loads(line)["data"] for line in self.spe("events", "--past").splitlines()]
        return {note["host"] for note in notes if note["kind"] == "host_up"}

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def sweep(tmp_path: Path, lab: Lab) -> Iterator[Sweep]:
    made = Sweep(tmp_path, lab)
    yield made
    made.close()


def break_login(host: LabHost) -> None:
    """Its login shell runs nothing of what it is told, and says nothing."""
    host.boot(BASH)
    host.shell(f"echo '{MENDED}' >.bashrc")


# -- a login that runs nothing


def test_where_the_only_hosts_login_runs_nothing_three_starts_are_made_and_the_exit_code_is_3(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    break_login(hosts[0])
    before = hosts[0].files()
    assert sweep.run("h01") == 3
    assert "h01: up" not in sweep.said, "no client of it has ever registered"
    assert "the third start holds its SSH session open" in sweep.said
    assert sweep.said.count("h01: login runs nothing: ") == 3
    assert "h01: login runs nothing: 3 starts in a row came to nothing, so it is benched" in sweep.said
    assert ".bashrc" in sweep.said
    assert sweep.said.splitlines()[-2] == "spe: nothing could run: no host came up; h01: login runs nothing"
    assert sweep.were_up() == set()
    assert hosts[0].files() == before
    status = json.loads(sweep.spe("status", "--json"))["waiting_because"]
    assert [one["sets"] for one in status] == [8] and "h01: login runs nothing" in status[0]["reason"]
    assert "h01: login runs nothing" in sweep.spe("why", "3")


def test_a_host_whose_login_runs_nothing_is_benched_and_why_and_hosts_and_the_end_say_so(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    break_login(hosts[0])
    hosts[1].shell("touch shut")
    sweep.start("h01,h02")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("state") == "benched", "it is benched")
    assert "login runs nothing" in sweep.hosts()["h01"]["why"] and "3 starts" in sweep.hosts()["h01"]["why"]
    wait_until(lambda: "h01 is benched" in sweep.spe("why", "8"), "why tells it")
    assert "login runs nothing" in sweep.spe("why", "8")
    hosts[1].shell("rm shut")
    assert sweep.end() == 0
    assert "h01: benched in this run: login runs nothing" in sweep.said, "at its end"
    assert sweep.were_up() == {"h02"}


def test_a_host_whose_login_is_mended_takes_part_when_somebody_asks_for_it(hosts: list[LabHost], sweep: Sweep) -> None:
    break_login(hosts[0])
    hosts[1].shell("touch shut")
    sweep.configure(NO_COPIES)
    sweep.start("h01 slots=1,h02 slots=1")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("state") == "benched", "it is benched")
    hosts[0].shell("rm .bashrc")
    assert "h01 is used again" in sweep.spe("hosts", "use", "h01")
    wait_until(lambda: sweep.hosts()["h01"]["done"], "it works")
    hosts[1].shell("rm shut")
    assert sweep.end() == 0
    assert "benched in this run" not in sweep.said


def test_a_login_that_reads_what_is_meant_for_us_is_told_with_its_words(hosts: list[LabHost], sweep: Sweep) -> None:
    hosts[0].boot(BASH)
    hosts[0].shell("echo 'echo the menu of this site; cat >/dev/null; exit 5' >.bashrc")
    assert sweep.run("h01") == 3
    assert "the menu of this site" in sweep.said


def test_check_names_a_login_that_runs_nothing(hosts: list[LabHost], sweep: Sweep) -> None:
    break_login(hosts[0])
    sweep.run("h01,h02", command="check")
    assert "h01: login runs nothing: " in sweep.said
    assert sweep.process and sweep.process.returncode in (0, 1)
    assert "set 1 ran on h02" in sweep.said


# -- processes that are killed when their user has logged out


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_where_processes_are_killed_at_logout_the_third_start_holds_the_session_and_the_sweep_goes_on(
    hosts: list[LabHost], sweep: Sweep, number: str
) -> None:
    before = hosts[0].files()
    hosts[0].kill_at_logout(number)
    hosts[0].shell("touch shut")
    sweep.start("h01 slots=2")
    wait_until(lambda: "the third start holds its SSH session open" in sweep.said, "it is told", 120)
    wait_until(lambda: sweep.hosts()["h01"]["running"] == 2, "it works")
    wait_until(lambda: len(hosts[0].connections()) == 1, "it is connected, and the earlier connections have ended")
    hosts[0].shell("rm shut")
    assert sweep.end() == 0
    assert "benched" not in sweep.said
    wait_until(lambda: not hosts[0].processes(user_only=True), "no process of ours is there")
    wait_until(lambda: not hosts[0].connections(), "no connection of ours is there")
    left = hosts[0].files() - before
    assert not left, left


def test_short_sets_that_end_between_two_logouts_do_not_hide_that_they_kill(hosts: list[LabHost], sweep: Sweep) -> None:
    hosts[0].kill_at_logout()
    sweep.configure("once: true\n", sets=400)
    (sweep.folder / "work").write_text("#!/bin/sh\nsleep 0.05\necho $1\n")
    assert sweep.run("h01 slots=1") == 0
    assert "the third start holds its SSH session open" in sweep.said
    assert sweep.said.count("is started again") == 2, "not for ever"


@pytest.mark.parametrize("seconds", [0, 2], ids=["at once", "after two seconds"])
def test_where_even_an_open_session_does_not_help_the_host_is_benched_with_the_count(
    hosts: list[LabHost], sweep: Sweep, seconds: int
) -> None:
    hosts[0].kill_clients(seconds, once_registered=seconds > 0)
    hosts[0].shell("touch shut")
    assert sweep.run("h01") == 3
    assert "h01: client does not stay: 3 starts in a row came to nothing, so it is benched" in sweep.said
    assert "Something there may kill the processes of this account" in sweep.said
    if seconds:
        assert "although its SSH session was held open" in sweep.said and sweep.were_up() == {"h01"}
    assert sweep.said.splitlines()[-2] == "spe: nothing could run: no host came up; h01: client does not stay"


def test_when_the_only_host_is_benched_after_it_had_done_sets_their_rows_are_in_the_table_and_the_exit_code_is_3(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].boot(BASH)
    (sweep.folder / "work").write_text(GATED.replace("while", '[ "$1" -le 3 ] || while'))
    hosts[0].shell("touch shut")
    sweep.start("h01 slots=1")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("done") == 3, "it has done some, and one waits")
    hosts[0].shell(f"echo '{MENDED}' >.bashrc")
    hosts[0].root("pkill", "-KILL", "-u", USER)
    assert sweep.end() == 3
    rows = (sweep.folder / "runs/s/results.csv").read_text().splitlines()
    assert len(rows) == 4
    assert "5 sets wait: no host is left; h01: login runs nothing" in sweep.said


def test_sets_that_kill_their_client_are_given_up_and_their_host_is_not_benched(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    kill = "kill -9 $(pgrep -u $(id -u) -f -- '--master .*--detach')"
    (sweep.folder / "work").write_text(f'#!/bin/sh\n[ "$1" -gt 2 ] && {{ echo "$1"; exit 0; }}\n{kill}\n')
    sweep.configure("", sets=4)
    sweep.start("h01 slots=1")
    assert sweep.end(240) == 1
    assert "2 of 4 sets done, 2 failed" in sweep.said and "clients were lost while they ran it" in sweep.said
    assert "benched" not in sweep.said


def test_a_client_that_stands_still_is_neither_up_nor_gone_and_goes_on_when_it_can(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].shell("touch shut")
    sweep.start("h01 slots=1")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("running"), "it works")
    stopped = [p.pid for p in hosts[0].processes(user_only=True) if "--master" in p.words]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: "h01: connection lost: its client of before still runs there" in sweep.said, "it is told", 90)
    assert sweep.said.count("h01: up") == 1
    hosts[0].shell("rm shut")
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    assert sweep.end() == 0
    assert "benched" not in sweep.said


# -- hosts that are lost while they are being started


def cut_off(host: LabHost) -> None:
    """Its SSH connections end, as those of a machine that goes down."""
    host.root("pkill", "-KILL", "-f", "^sshd: ", check=False)


def hang_once(host: LabHost, command: str) -> set[str]:
    """The first login with such a command stands still; the files of the host before it."""
    host.boot(BASH)
    pause = "touch seen; sleep 300"
    host.shell(f"echo 'case $BASH_EXECUTION_STRING in {command}) [ -e seen ] || {{ {pause}; }} ;; esac' >.bashrc")
    return host.files()


def hangs(host: LabHost) -> bool:
    return "seen" in host.shell("ls").stdout


@pytest.mark.parametrize("command", ["/bin/sh*", "scp*"], ids=["as its client is looked for", "as it is copied"])
@pytest.mark.parametrize("only", [True, False], ids=["the only host", "one of two"])
def test_a_host_that_is_lost_while_it_is_started_is_tried_again(
    hosts: list[LabHost], sweep: Sweep, only: bool, command: str
) -> None:
    before = hang_once(hosts[0], command)
    sweep.configure(NO_COPIES)
    if not only:
        hosts[1].shell("touch shut")
    sweep.start("h01 slots=1" if only else "h01 slots=1,h02 slots=1")
    wait_until(lambda: hangs(hosts[0]), "its login has begun")
    cut_off(hosts[0])
    wait_until(lambda: "h01: connection lost" in sweep.said, "it is told")
    wait_until(lambda: "h01: it is tried again" in sweep.said, "and what is done now")
    wait_until(lambda: "h01: up" in sweep.said, "it is up after all", BACK, sweep.story)
    if not only:
        wait_until(lambda: sweep.hosts()["h01"]["done"], "it works")
        hosts[1].shell("rm shut")
    assert sweep.end() == 0
    wait_until(lambda: not hosts[0].connections(), "what the first start had begun is gone, too")
    wait_until(lambda: not [p for p in hosts[0].processes(user_only=True) if "--master" in p.words], "its client left")
    assert {one for one in hosts[0].files() - before if "/seen|" not in one} == set()


def test_a_host_that_hangs_up_in_the_middle_of_the_key_exchange_is_tried_again(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    rules = "add table inet lab; add chain inet lab in { type filter hook input priority 0; }; "
    rules += f"add rule inet lab in ip saddr {hosts[0].lab.master} tcp dport 22 meta length > 600 reject with tcp reset"
    hosts[0]._dirty = True
    hosts[0].root("nft", rules)  # its banner comes, and what is offered then is answered by a reset
    hosts[1].shell("touch shut")
    sweep.configure(NO_COPIES)
    sweep.start("h01 slots=1,h02 slots=1")
    wait_until(lambda: "h01: connection lost: in the middle of the key exchange" in sweep.said, "it is told")
    hosts[0].unblock()
    wait_until(lambda: sweep.hosts().get("h01", {}).get("done"), "it works", BACK)
    hosts[1].shell("rm shut")
    assert sweep.end() == 0


def test_a_host_whose_power_fails_while_it_is_started_is_tried_again(hosts: list[LabHost], sweep: Sweep) -> None:
    hang_once(hosts[0], "*")
    hosts[1].shell("touch shut")
    sweep.configure(NO_COPIES)
    sweep.start("h01 slots=1,h02 slots=1")
    wait_until(lambda: hangs(hosts[0]), "its login has begun")
    cut_off(hosts[0])
    hosts[0].power_off()
    wait_until(lambda: "h01: connection lost" in sweep.said, "it is told")
    wait_until(lambda: "h01: timeout" in sweep.said, "it was tried again, in vain")
    hosts[0].boot(BASH)
    wait_until(lambda: sweep.hosts().get("h01", {}).get("done"), "it works", BACK)
    hosts[1].shell("rm shut")
    assert sweep.end() == 0


def test_a_host_whose_link_is_cut_while_it_is_started_is_tried_again(hosts: list[LabHost], sweep: Sweep) -> None:
    hang_once(hosts[0], "*")
    hosts[1].shell("touch shut")
    sweep.configure(NO_COPIES)
    sweep.start("h01 slots=1,h02 slots=1")
    wait_until(lambda: hangs(hosts[0]), "its login has begun")
    hosts[0].cut()
    wait_until(lambda: "h01: connection lost" in sweep.said, "its silence is noticed", 150)
    hosts[0].heal()
    wait_until(lambda: sweep.hosts().get("h01", {}).get("done"), "it works", BACK)
    hosts[1].shell("rm shut")
    assert sweep.end() == 0


def test_a_run_whose_only_host_is_lost_again_and_again_as_it_is_started_ends_with_exit_code_3(
    hosts: list[LabHost], sweep: Sweep
) -> None:
    hosts[0].boot(BASH)
    hosts[0].shell("echo 'kill -9 $PPID' >.bashrc")
    assert sweep.run("h01") == 3
    assert sweep.said.count("h01: connection lost") == 1, "what is the same each time is said once"
    assert "nothing could run: no host came up" in sweep.said


def test_a_host_that_is_still_being_started_when_the_run_ends_is_named(hosts: list[LabHost], sweep: Sweep) -> None:
    hosts[0].boot(BASH)
    hosts[0].shell("echo 'touch seen; sleep 60' >.bashrc")
    hosts[1].shell("touch shut")
    sweep.start("h01,h02")
    wait_until(lambda: hosts[0].shell("ls").stdout, "its login has begun")
    wait_until(lambda: sweep.hosts().get("h01", {}).get("state") == "starting", "it is being started")
    hosts[1].shell("rm shut")
    assert sweep.end() == 0
    assert "h01: timeout: it was still being started" in sweep.said or "h01 was still being started" in sweep.said
