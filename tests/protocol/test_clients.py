"""Whole clients beside each other: one of curl and sh, ours as the printed lines start it, some that are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from needs import need_program
from processes import processes_with
from waiting import wait_until

from .kit import Master, ended_after, environment

CURL_CLIENT = Path(__file__).with_name("curl_client.sh")
PROGRAM = """#!/bin/sh
# prog NUMBER WORD GO: waits for the file GO, then writes three results.
while [ ! -e "$3" ]; do sleep 0.02; done
cat
printf '%s|' "$2" >word.txt
cat sub/run.ini >>word.txt
cat data.bin data.bin >twice.bin
"""
DATA = bytes(range(256)) + b"\r\n--end content--\n\n[Result]\nName=x\n"
YAML = """\
command: ./{{ worker }} {{ x }} {{ word }} GO
worker: w/prog
parameters:
  grid: {x: {range: [1, 12]}, word: ["a b", "two\\nlines; $(x) 'q'"]}
inputs:
  stdin: "input {{ x }}\\n\\n"
  sub/run.ini: "x = {{ x }}"
  data.bin: {file: data.bin}
results:
  text: stdout
  out: {from: word.txt, as: text}
  twice: {from: twice.bin, as: file}
ping: 1
"""


@pytest.fixture
def go(master: Master) -> Path:
    """While it is not there, all programs wait."""
    return master.folder / "go"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def write(master: Master, go: Path, more: str) -> Master:
    files: dict[str, str | bytes] = {"w/prog": PROGRAM, "data.bin": DATA}
    return master.write(YAML.replace("GO", str(go)) + more, files)


def hosts_at_work(master: Master, states: str = "'issued'") -> set[str]:
    with sqlite3.connect(f"file:{master.runs}/sweep.db?mode=ro", uri=True) as database:
        return {row[0] for row in database.execute(f"SELECT DISTINCT host FROM tickets WHERE state IN ({states})")}


def reasons(master: Master, host: str) -> set[str]:
    with sqlite3.connect(f"file:{master.runs}/sweep.db?mode=ro", uri=True) as database:
        return {
            row[0] for row in database.execute("SELECT reason FROM tickets WHERE host = ? AND state = 'lost'", [host])
        }


def paste(master: Master, folder: Path, stack: ExitStack) -> subprocess.Popen[bytes]:
    """The lines that `spe run --hosts none` prints, pasted into a shell."""
    folder.mkdir()
    lines = wait_until(master.out.read_text, "the run prints its first lines")
    assert master.session in lines
    log = stack.enter_context((folder.parent / f"{folder.name}.log").open("wb"))
    process = subprocess.Popen(
        ["sh", "-e"], cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment(folder.parent)
    )
    assert process.stdin
    process.stdin.write(lines.encode())
    process.stdin.close()
    return stack.enter_context(ended_after(process))


def by_curl(master: Master, stack: ExitStack, **more: str) -> subprocess.Popen[str]:
    surroundings = {**environment(master.folder), "MASTER": master.url, **more}
    process = subprocess.Popen(
        ["sh", str(CURL_CLIENT)], env=surroundings, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(f"{master.session}\n")
    process.stdin.close()
    process.stdin = None
    return stack.enter_context(ended_after(process))


def trust(master: Master) -> str:
    """curl's options for the master's certificate, taken from the printed lines."""
    words = master.out.read_text().split()
    return f"-k --pinnedpubkey {words[words.index('--pinnedpubkey') + 1]}" if "--pinnedpubkey" in words else ""


@pytest.mark.parametrize("more", ["listen: 127.0.0.1:0", "tls: true", "tls: false"])
def test_a_client_of_curl_and_sh_finishes_a_sweep_next_to_ours(
    master: Master, go: Path, stack: ExitStack, more: str
) -> None:
    need_program("curl", "curl")
    write(master, go, more).start()
    assert master.url.startswith("https://" if more == "tls: true" else "http://")
    ours = paste(master, master.folder / "ours", stack)
    theirs = by_curl(master, stack, TRUST=trust(master), HOST_NAME="curl")
    at_work = wait_until(lambda: len(found := hosts_at_work(master)) == 2 and found, "both get tasks")
    assert "curl" in at_work
    processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert master.session not in processes
    go.touch()
    assert master.end(60) == 0, master.err.read_text()
    said, _ = theirs.communicate(timeout=60)
    assert theirs.returncode == 0, said
    assert said.count("200accepted") == said.count("ticket") > 0, said
    assert ours.wait(60) == 0, (master.folder / "ours.log").read_text()
    assert_results(master)
    assert hosts_at_work(master, "'accepted'") == at_work
    assert list((master.folder / "ours").iterdir()) == [], "the client is gone"
    assert list((master.folder / "tmp").iterdir()) == [], "and its folder"


def assert_results(master: Master) -> None:
    rows = master.rows()
    words = ["a b", "two\nlines; $(x) 'q'"]
    expected = [(str(x), f"input {x}\n", f"{word}|x = {x}") for x in range(1, 13) for word in words]
    assert [(row["x"], row["text"], row["out"]) for row in rows] == expected
    for row in rows:
        assert (master.runs / row["twice"]).read_bytes() == DATA + DATA


def ours(master: Master, name: str, stack: ExitStack, *arguments: str) -> subprocess.Popen[str]:
    """Our client, as a machine of its own."""
    folder = master.folder / name
    folder.mkdir()
    path = folder / "spe-client.pyz"
    path.write_bytes(master.ask("/client").body)
    words = [sys.executable, str(path), "--master", master.url, "--host", name, "--slots", "1", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment(folder), text=True
        )
    stack.callback(kill_all_of, folder)
    assert process.stdin
    process.stdin.write(f"{master.session}\n")
    process.stdin.close()
    return stack.enter_context(ended_after(process))


def processes_of(folder: Path) -> list[int]:
    """All processes that run in this folder's environment: the client, its guard, its programs."""
    return list(processes_with(f"TMPDIR={folder / 'tmp'}"))


def kill_all_of(folder: Path) -> None:
    """As when the machine loses its power."""
    for pid in processes_of(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_clients_come_and_go_and_the_task_of_a_dead_one_is_done_by_another(
    master: Master, go: Path, stack: ExitStack
) -> None:
    write(master, go, "listen: 127.0.0.1:0").start()
    killed = ours(master, "killed", stack)
    wait_until(lambda: hosts_at_work(master) == {"killed"}, "only the host that is killed later works")
    leaving = ours(master, "leaving", stack)
    wait_until(lambda: "leaving" in hosts_at_work(master), "the host that leaves later works")
    kill_all_of(master.folder / "killed")
    killed.wait(10)
    leaving.send_signal(signal.SIGTERM)
    leaving.wait(20)
    said = (master.folder / "leaving" / "log").read_text()
    assert "could not" not in said
    assert processes_of(master.folder / "leaving") == []
    wait_until(lambda: "leaving" not in hosts_at_work(master), f"not given back: {said}")
    assert reasons(master, "leaving") == {"its client left"}, "not because its lease ran out"
    staying = ours(master, "staying", stack)
    wait_until(lambda: hosts_at_work(master, "'lost'") >= {"killed"}, "the lease runs out")
    go.touch()
    late = ours(master, "late", stack)
    assert master.end(60) == 0, master.err.read_text()
    assert staying.wait(20) == late.wait(20) == 0
    assert_results(master)
    assert hosts_at_work(master, "'accepted'") <= {"staying", "late"}
    with sqlite3.connect(master.runs / "sweep.db") as database:
        once = "SELECT count(*) FROM tickets WHERE state = 'accepted' GROUP BY task"
        assert [row[0] for row in database.execute(once)] == [1] * 24


def test_nothing_of_a_client_stays_when_the_master_was_stopped(master: Master, go: Path, stack: ExitStack) -> None:
    write(master, go, "listen: 127.0.0.1:0").start()
    client = ours(master, "c", stack)
    wait_until(lambda: hosts_at_work(master) == {"c"}, "the client works")
    assert master.process
    master.process.send_signal(signal.SIGINT)
    wait_until(lambda: "interrupted" in master.err.read_text(), "the run has heard Ctrl-C")
    master.process.send_signal(signal.SIGINT)
    assert master.end() == 130
    assert client.wait(20) == 0
    assert processes_of(master.folder / "c") == []
    assert not (master.folder / "c" / "spe-client.pyz").exists()
    assert list((master.folder / "c" / "tmp").iterdir()) == []
