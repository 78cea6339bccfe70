"""`--at`: how ssh is called. That it works is shown on real hosts, in tests/on_hosts/test_elsewhere.py."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from spe.cli.elsewhere import FIND, _without, ssh_command
from spe.errors import UsageError

from .kit import Bench

READING = ("status", "show", "log", "why", "results", "top", "events", "hosts")


@pytest.mark.parametrize(
    ("at", "target", "folder"),
    [("lab01:sweeps/pi", "lab01", "sweeps/pi"), ("me@lab01:/srv/a b", "me@lab01", "/srv/a b"), ("lab01:", "lab01", "."),
     ("me@[fe80::1]:x:y", "me@fe80::1", "x:y"), ("lab01:~/pi", "lab01", "pi"), ("lab01:~", "lab01", ".")],
)  # fmt: skip
def test_host_and_folder_reach_ssh_as_they_were_meant(at: str, target: str, folder: str) -> None:
    *options, dashes, host, command = ssh_command(at, None, ["status", "-n", "it's"])
    assert (dashes, host) == ("--", target)
    assert shlex.split(command) == ["exec", "sh", "-c", FIND, folder, "status", "-n", "it's"]
    assert "BatchMode=yes" in options and "-T" in options  # no terminal is here: nobody can be asked


@pytest.mark.parametrize("at", ["", "lab01", ":x", "a b:x", "-oProxyCommand=x:y", "[nothing:x"])
def test_what_is_no_host_and_folder_is_refused(at: str) -> None:
    with pytest.raises(UsageError, match="host:folder"):
        ssh_command(at, None, ["status"])


def test_the_words_for_this_machine_stay_here() -> None:
    words = ["log", "--at", "a:b", "-F", "config", "7", "-Fother", "--at=c:d", "-f", "x.yaml", "--failed"]
    assert _without(words) == ["log", "7", "-f", "x.yaml", "--failed"]
    assert ssh_command("a:b", Path("config"), [])[1:3] == ["-F", "config"]


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_whatever_shell_hands_it_on_the_first_spe_that_is_there_is_run(tmp_path: Path, shell: str) -> None:
    for place in (".venv/bin", "venv/bin"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "spe").write_text(f'#!/bin/sh\necho {place} "$@"\n')
        (tmp_path / place / "spe").chmod(0o755)
    command = ssh_command(f"h:{tmp_path}", None, ["why", "1 $x"])[-1]
    done = subprocess.run([shell, "-c", command], capture_output=True, text=True, cwd="/")
    assert done.stdout == ".venv/bin why 1 $x\n"


def test_without_ssh_it_says_what_is_needed(bench: Bench) -> None:
    assert "needs the program ssh" in bench.refused("status", "--at", "a:b", PATH=str(bench.root))


@pytest.mark.parametrize("command", READING)
def test_every_command_that_reads_takes_it(bench: Bench, command: str) -> None:
    words = [command, "1"] if command in ("show", "log", "why") else [command]
    assert "host:folder" in bench.refused(*words, "--at", "nowhere")
