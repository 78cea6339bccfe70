"""`--at`: how ssh is called. That it works is shown on real hosts, in tests/on_hosts/test_elsewhere.py."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from spe.cli.elsewhere import FIND, _without, ssh_command
from spe.cli.far_command import SAY_MARK, FarOutput
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
    words = shlex.split(command)
    assert words == ["exec", "env", f"SPE_AT={at}", "sh", "-c", SAY_MARK + FIND, folder, "status", "-n", "it's"]
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
    assert done.stdout == "\nspe: begin\n.venv/bin why 1 $x\n"


def test_without_ssh_it_says_what_is_needed(bench: Bench) -> None:
    assert "needs the program ssh" in bench.refused("status", "--at", "a:b", PATH=str(bench.root))


@pytest.mark.parametrize("command", READING)
def test_every_command_that_reads_takes_it(bench: Bench, command: str) -> None:
    words = [command, "1"] if command in ("show", "log", "why") else [command]
    assert "host:folder" in bench.refused(*words, "--at", "nowhere")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    "login", [b"", b"Welcome", b"Welcome\n\r\n", b"spe: begin\nspe: be\nspe: begin it", b"\r\r", b"a\nspe:\n"]
)
def test_the_mark_is_found_in_whatever_pieces_it_arrives(login: bytes, end: bytes, size: int) -> None:
    text = login + end + b"spe: begin" + end + b"\nspe: begin\nresults\r\n"
    output = FarOutput()
    pieces = [output.split(text[n : n + size]) for n in range(0, len(text), size)]
    pieces.append(output.split(b""))
    assert b"".join(piece for piece, _ in pieces) == login.rstrip(b"\r")
    assert b"".join(piece for _, piece in pieces) == b"\nspe: begin\nresults\r\n"


def test_without_a_mark_all_is_the_logins() -> None:
    output = FarOutput()
    pieces = [output.split(data) for data in (b"Bye\r\n", b"spe: be", b"")]
    assert b"".join(piece for piece, _ in pieces) == b"Bye\r\nspe: be"
    assert not output.has_begun
    assert output.first_words == ["Bye", "spe: be"]


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("at", [["--at", "me@lab01:sweeps/pi"], ["--at=me@lab01:sweeps/pi"]])
def test_what_begins_a_run_says_where_to_begin_one_elsewhere(bench: Bench, command: str, at: list[str]) -> None:
    said = bench.refused(command, *at, "-p", "x=1:3", "--", "./work", "{{ x }}")
    assert said.splitlines() == [
        f"spe: `spe {command}` works on the machine where it is typed: no --at",
        "  Log in there (ssh me@lab01) and start it with `spe run --detach`.",
    ]


@pytest.mark.parametrize("command", ["collect", "doctor", "init"])
def test_whatever_does_not_take_it_says_where_to_type_it(bench: Bench, command: str) -> None:
    said = bench.refused(command, "--at", "lab01:pi")
    assert "Log in there (ssh lab01) and type it in the folder of the sweep." in said
    assert "--name" not in said


@pytest.mark.parametrize("words", [("cancel", "5"), ("attach",), ("pause",), ("ask", "1", "--", "ls"), ("events",)])
def test_an_error_there_names_the_place_and_its_advice_is_for_there(bench: Bench, words: tuple[str, ...]) -> None:
    """As a command is called there by --at: otherwise `spe run` would be typed here."""
    bench.worker("echo $1")
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1]}}\nhosts: [localhost]\n")
    said = bench.refused(words[0], *words[1:], SPE_AT="h01:sweep")
    assert said.startswith("spe: h01:sweep: ")
    assert "This is about h01:sweep: log in there first, or add --at h01:sweep" in said
    assert "h01" not in bench.refused(*words)
