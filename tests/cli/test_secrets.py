"""No secret where others can read it; a client by hand; the page."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from needs import need_program
from waiting import wait_until

from .kit import Bench

WAITING = 'env > "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo "$1"\n'


class Watcher(threading.Thread):
    """Reads the command lines of all processes of the machine, over and over."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue


def environment_of(pid: int) -> bytes:
    """Nothing of one that has ended meanwhile, as the programs' `sleep` does."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def test_no_secret_is_on_a_command_line_in_an_environment_or_in_the_log(bench: Bench) -> None:
    bench.worker(WAITING)
    bench.write("hooks.py", "def check(task, result):\n    return True\n")
    keys = "parameters: {grid: {x: [1, 2]}}\nvalidate: hooks.py:check\nsetup: 'true'\n"
    bench.write("spe.yaml", "command: ./work {{ x }}\n" + keys)
    watcher = Watcher()
    watcher.start()
    try:
        running = bench.start("run", "-vv")
        wait_until(bench.logged, "a program runs")
        facts = json.loads((bench.runs() / "master.json").read_text())
        kept = json.loads((bench.runs() / "session/secrets.json").read_text())
        environments = [environment for pid in bench.processes() if (environment := environment_of(pid))]
        bench.open_gate()
        done = running.end()
    finally:
        watcher.over.set()
        watcher.join()
    assert done.code == 0, done
    assert facts["session"] == kept["session"]
    secrets = [facts["session"], kept["act"], kept["read"]]
    assert all(len(secret) >= 22 for secret in secrets)
    assert any(b"--master" in words for words in watcher.seen)  # it has seen the client
    assert any(b"SPE_TICKET=" in environment for environment in environments)  # and a program
    for secret in map(str.encode, secrets):
        assert not [words for words in watcher.seen if secret in words]
        assert not [one for one in environments if secret in one]
        assert secret not in bench.log.read_bytes()
        assert secret not in (bench.runs() / "master.log").read_bytes()
        for file in bench.folder.rglob("*"):
            assert not file.is_file() or secret not in file.read_bytes(), file
    for secret in (facts["session"], kept["act"]):
        assert secret not in done.out + done.err


def test_the_page_wants_its_token(bench: Bench) -> None:
    bench.worker(WAITING)
    running = bench.start("run", "-p", "x=1", "--", "./work", "{{ x }}")
    wait_until(bench.logged, "a program runs")
    page = json.loads((bench.runs("work") / "master.json").read_text())["page"]
    assert page.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(page, timeout=10) as reply:
        assert "work" in reply.read().decode()
    for wrong in (page.partition("?")[0], page[:-2] + "xx"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong, timeout=10)
        assert refused.value.code in (401, 403)
    bench.open_gate()
    assert running.end().code == 0


def test_hosts_none_prints_lines_that_start_a_client_when_pasted(bench: Bench) -> None:
    need_program("curl", "curl")
    bench.worker(WAITING)
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\n")
    running = bench.start("run", "--hosts", "none")
    assert running.process.stdout
    lines = [running.process.stdout.readline() for _ in range(6)]
    assert "https://" in "".join(lines)
    session = json.loads((bench.runs() / "master.json").read_text())["session"]
    assert [line for line in lines if session in line and not line.startswith(("url = ", session))] == []
    bench.open_gate()
    elsewhere = bench.root / "elsewhere"
    elsewhere.mkdir()
    words = ["sh", "-ec", "".join(lines)]
    client = subprocess.run(words, cwd=elsewhere, env=bench.environment, capture_output=True, text=True, timeout=60)
    assert client.returncode == 0, client
    done = running.end()
    assert done.code == 0, done
    assert bench.column("stdout") == ["1", "2", "3"]
    assert list(elsewhere.iterdir()) == []  # the client removes its own file, too
    bench.assert_nothing_left(done)
