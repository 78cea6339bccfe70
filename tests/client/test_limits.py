"""An account that may start few processes: each step of a client says so, with the limit; no traceback, no silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need_program, need_root
from spe.launch.bundle import client_pyz
from waiting import wait_until

from .pretended_master import SESSION, Master, task

UID = 54321  # nobody else's: the limit counts all processes and threads of an account
AS_USER = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
MOST = 20  # a client with one hand needs fewer


@pytest.fixture
def place() -> Iterator[Path]:
    need_root()
    need_program("prlimit", "util-linux")
    folder = Path(tempfile.mkdtemp(prefix="spe-limit-"))
    (folder / "client.pyz").write_bytes(client_pyz())
    (folder / "client.pyz").chmod(0o644)
    os.chown(folder, UID, UID)
    yield folder
    shutil.rmtree(folder)


def start(place: Path, master: Master, limit: int, *more: str) -> subprocess.Popen[str]:
    words = [*AS_USER, "prlimit", f"--nproc={limit}", "--"]
    words += ["/usr/bin/python3", str(place / "client.pyz"), "--master", master.url, "--host", "h", "--slots", "1"]
    words += ["--workdir", str(place / "work"), *more]
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "SPE_SESSION": SESSION, "SHELL": "/bin/sh"}
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment, cwd="/")


def processes() -> list[str]:
    done = subprocess.run(["ps", "-u", str(UID), "-o", "pid=,stat="], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "Z" not in line]


def words_of_its_end(client: subprocess.Popen[str], master: Master) -> str:
    """Return what a client says until it ends by itself, or is told that all is done once all of it has started."""

    def has_started_or_ended() -> bool:
        return any(request.path == "/task" for request in master.requests) or client.poll() not in (None, 0)

    wait_until(has_started_or_ended, "it asks for tasks, or ends")
    master.finish()
    return client.communicate(timeout=60)[1]


@pytest.mark.parametrize("more", [(), ("--detach",)], ids=["foreground", "detached"])
def test_each_process_and_thread_that_a_client_cannot_start_is_named_with_the_limit(
    place: Path, master: Master, more: tuple[str, ...]
) -> None:
    master.config["Ping"] = "60"  # so that there are two threads
    failures = 0
    for limit in range(1, MOST):
        master.over, master.requests[:] = False, []  # over before its last thread was started, it would need fewer
        client = start(place, master, limit, *more)
        said = words_of_its_end(client, master)
        wait_until(lambda: not processes(), "no process is left")
        assert "Traceback" not in said
        assert "out of memory" not in said
        if client.returncode == 0:
            break
        failures += 1
        assert client.returncode == 13, said
        assert f"(ulimit -u) is {limit}" in said
    assert client.returncode == 0, "with more it works"
    assert failures >= 4, "guard, hand and two threads, each of them once"


def test_a_program_that_cannot_be_started_is_told_with_the_limit(place: Path, master: Master) -> None:
    master.over = False
    client = start(place, master, 1000)
    master.add(task(1, "true"))
    wait_until(lambda: 1 in master.completed, "the first is done")
    for line in processes():
        subprocess.run([*AS_USER, "prlimit", "--nproc=1", "--pid", line.split()[0]], check=True)
    master.add(task(2, "true"))
    wait_until(lambda: 2 in master.failed, "the second has failed")
    master.finish()
    assert client.wait(60) == 0
    reason = master.failed[2].reason
    assert reason.startswith("program 'true' cannot be started on host ")
    assert "(ulimit -u) is 1" in reason
