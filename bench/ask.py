"""How soon a question about a running task is answered, with many clients: `ls` in each task's directory.

    python bench/ask.py [CLIENTS] [QUESTIONS]

Real clients, started by hand and reached only by the requests that they hold; one task each. Two figures: the
request to the master alone, and the whole command `spe ask`, start of Python included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from master_kit import Server, master
from measure import scratch
from spe.launch.bundle import client_pyz
from spe.session.calling import answers, snapshot

SWEEP = "command: sleep 3600\nparameters: {{repeat: {count}}}\nping: 10\n"
PATIENCE = 120.0


def main(count: int = 40, questions: int = 40) -> int:
    with scratch() as folder, master(folder, SWEEP.format(count=count)) as server, clients(folder, server, count):
        wait_until(lambda: running(server) == count)
        alone = [timed(lambda n=n: ask(server, 1 + n % count)) for n in range(questions)]  # type: ignore[misc]
        whole = [timed(lambda n=n: command(folder, 1 + n % count)) for n in range(min(questions, 10))]  # type: ignore[misc]
    for name, found in (("the request", alone), ("spe ask", whole)):
        found.sort()
        middle, worst = 1000 * found[len(found) // 2], 1000 * found[-1]
        print(f"{name:12} {len(found)} questions to {count} clients: median {middle:.0f} ms, slowest {worst:.0f} ms")
    return 0


def ask(server: Server, task: int) -> None:
    last = [data for event, data in answers(server.runs, "/ask", {"task": task, "words": ["ls"]}) if event == "exit"]
    assert last == [0], last


def command(folder: Path, task: int) -> None:
    subprocess.run([sys.executable, "-m", "spe", "ask", str(task), "--", "ls"], cwd=folder, check=True)


def running(server: Server) -> int:
    found = snapshot(server.runs)
    return len(found["tickets"]) if found else 0


def timed(what: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the clients did not come to work")
        time.sleep(0.2)


@contextmanager
def clients(folder: Path, server: Server, count: int) -> Iterator[None]:
    """So many, of one slot each."""
    program = folder / "spe-client.pyz"
    program.write_bytes(client_pyz())
    url = f"http://{server.host}:{server.port}"
    started = []
    for number in range(count):
        words = [sys.executable, str(program), "--master", url, "--host", f"h{number}", "--slots", "1"]
        words += ["--workdir", str(folder / "work")]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "SHELL": "/bin/sh"}
        )
        assert process.stdin
        process.stdin.write(f"{server.session}\n".encode())
        process.stdin.close()
        started.append(process)
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
