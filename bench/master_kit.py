"""For the benchmarks: a real master or a bare server as a process on a core of its own, and what it used."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
PATIENCE = 60.0


@dataclass
class Server:
    """One that runs."""

    pid: int
    host: str
    port: int
    session: str
    runs: Path

    def processor(self) -> float:
        """Seconds so far, all threads."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICK

    def memory(self, key: str = "VmHWM") -> float:
        """MB; VmHWM: the most so far."""
        return int(re.findall(rf"{key}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[0]) / 1024

    def io(self) -> dict[str, int]:
        """Bytes read through system calls (rchar) and from the disk (read_bytes), and the like."""
        lines = Path(f"/proc/{self.pid}/io").read_text().splitlines()
        return {key: int(value) for key, value in (line.split(": ") for line in lines)}


def on_core(number: int) -> None:
    """This process and those it starts."""
    os.sched_setaffinity(0, {CORES[number % len(CORES)]})


def many_files() -> int:
    """Each connection is one; how many there may be. Only root may have more than the system's usual limit."""
    for most in (65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _alone(core: int) -> None:
    on_core(core)
    many_files()


@contextmanager
def master(folder: Path, sweep: str, core: int = 0) -> Iterator[Server]:
    """`spe run --hosts none` of this spe.yaml."""
    (folder / "spe.yaml").write_text(f"name: t\nlisten: 127.0.0.1:0\ntls: false\n{sweep}", encoding="utf-8")
    words = [sys.executable, "-m", "spe", "run", "-q", "--hosts", "none"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=lambda: _alone(core)
        )
    try:
        facts = json.loads(_there(folder / "runs" / "t" / "master.json", process, folder / "log"))
        host, port = facts["url"].rpartition("/")[2].split(":")
        yield Server(process.pid, host, int(port), facts["session"], folder / "runs" / "t")
    finally:
        if process.poll() is not None:
            print(f"the master has ended: {(folder / 'log').read_text()[-2000:]}", file=sys.stderr)
        _stop(process)


def _there(file: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + PATIENCE
    while not file.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the master did not start:\n{log.read_text()}")
        time.sleep(0.01)
    return file.read_text()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As by Ctrl-C, twice; then by force."""
    for patience in (3.0, 20.0):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
    process.kill()
    process.wait()


@contextmanager
def bare(folder: Path, *words: str, core: int = 0) -> Iterator[Server]:
    """bare_server.py."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "bare_server.py"), str(folder), *words],
        stdout=subprocess.PIPE, text=True, preexec_fn=lambda: _alone(core),
    )  # fmt: skip
    assert process.stdout
    try:
        yield Server(process.pid, "127.0.0.1", int(process.stdout.readline()), "", folder)
    finally:
        process.kill()  # it would wait for those that it holds
        process.wait()
