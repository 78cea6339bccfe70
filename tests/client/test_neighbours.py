"""Neighbours: clients of other accounts are counted with their slots, whatever else runs there or is written there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needs import need, need_program, need_root
from spe.client.machine.neighbours import neighbours
from spe.launch.bundle import client_module, client_pyz, installed_client
from waiting import wait_until

from .kit import Started, python_that
from .pretended_master import SESSION, Master, task
from .shared_folder import as_account

ALICE, BOB = 54331, 54332  # no other test has clients of these
PYTHON = "/usr/bin/python3"  # one that every account may run
PAUSE = "-cimport signal; signal.pause()"  # one word, as the options of a client's Python are
ALONE = "\nfor one in neighbours(): print(*one)\n"


class Street:
    """A folder of this machine where the clients of several accounts work."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spe-street-"))
        self.folder.chmod(0o1777)
        self.started: list[subprocess.Popen[Any]] = []

    def process(self, account: int, *words: str | bytes, stdin: str = "") -> None:
        """Start a program of an account; the words are those of its Python."""
        line = [*as_account(account).split(), PYTHON, *words]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "SHELL": "/bin/sh"}
        one = subprocess.Popen(
            line, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/", text=True
        )
        self.started.append(one)
        assert one.stdin
        one.stdin.write(stdin)
        one.stdin.close()

    def client(self, master: Master, account: int, *words: str, name: str = "spe-client.pyz") -> None:
        """Start a client from one file, and wait until it has registered."""
        file = self.folder / name
        file.write_bytes(client_pyz())
        place = self.folder / f"work-{len(self.started)}"
        more = ["--host", place.name, "--workdir", str(place), *words]
        self.process(account, str(file), "--master", master.url, *more, stdin=f"{SESSION}\n")
        master.wait_for(lambda: any(one.query["host"] == [place.name] for one in master.of("/config")), "it is here")

    def close(self) -> None:
        for one in self.started:
            one.terminate()
        for one in self.started:
            one.wait()
        for account in (ALICE, BOB):
            wait_until(lambda account=account: not pids(account), "nobody is left")
        shutil.rmtree(self.folder)


def pids(account: int) -> list[str]:
    done = subprocess.run(["ps", "-u", str(account), "-o", "pid=,stat="], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "Z" not in line]


@pytest.fixture
def street() -> Iterator[Street]:
    need_root()
    need_program("setpriv", "util-linux")
    need(Path(PYTHON).exists(), "needs /usr/bin/python3, which every account may run")
    made = Street()
    yield made
    made.close()


def slots_of(account: int) -> int:
    return dict(neighbours()).get(account, 0)


def seen_by(account: int, inside: str = "") -> dict[int, int]:
    """What another account sees, perhaps after a change of what it finds there."""
    words = [*as_account(account).split(), PYTHON, "-c", client_module("machine/neighbours.py") + ALONE]
    if inside:
        words = ["unshare", "--mount", "sh", "-c", f'{inside} && exec "$@"', "sh", *words]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = (line.split() for line in done.stdout.splitlines())
    return {int(user): int(slots) for user, slots in found}


# -- clients as they are


def test_guard_client_and_hands_are_one_client_with_the_slots_that_it_was_given(
    street: Street, master: Master
) -> None:
    master.over = False
    street.client(master, ALICE, "--slots", "3")
    wait_until(lambda: len(pids(ALICE)) >= 3, "guard, client and hand")
    assert slots_of(ALICE) == 3
    assert slots_of(BOB) == 0
    street.client(master, ALICE, "--slots=40", name="client-0123456789abcdef.pyz")
    street.client(master, BOB, "--slots", "5")
    assert (slots_of(ALICE), slots_of(BOB)) == (43, 5)
    assert ALICE not in seen_by(ALICE)
    assert seen_by(ALICE)[BOB] == 5
    master.finish()


def test_without_slots_a_client_has_as_many_as_the_host_has_cores(street: Street, master: Master) -> None:
    master.over = False
    street.client(master, ALICE)
    assert slots_of(ALICE) == os.cpu_count()
    master.finish()


def test_an_installed_client_is_one_too(street: Street, master: Master) -> None:
    """As that of a sweep on the master's own machine."""
    master.over = False
    shutil.copytree(installed_client().parent, street.folder / "spe" / "client")
    file = str(street.folder / "spe" / "client" / "installed.py")
    words = ["--master", "-", "--host", "localhost", "--slots", "2", "--workdir", str(street.folder / "work")]
    street.process(ALICE, "-I", "-S", file, *words, stdin=f"{master.url}\n{SESSION}\n")
    master.wait_for(lambda: master.of("/task"), "it has its hands")
    assert slots_of(ALICE) == 2
    master.finish()


@pytest.mark.parametrize("more", [(), ("--hold",)], ids=["detached", "held"])
def test_a_client_in_the_background_is_one(street: Street, master: Master, more: tuple[str, ...]) -> None:
    master.over = False
    street.client(master, ALICE, "--slots", "6", "--detach", "--log", str(street.folder / "log"), *more)
    master.wait_for(lambda: master.of("/task"), "it has its hands")
    if not more:
        assert street.started[0].wait(60) == 0
    assert slots_of(ALICE) == 6
    master.finish()


def test_what_runs_a_client_is_none(street: Street) -> None:
    client = ["/x/spe-client.pyz", "--master", "http://h:1"]
    for words in (
        [PAUSE, PYTHON, *client],  # as `sudo -u bob python3 spe-client.pyz …`, `timeout 9 …`, `nohup …`
        [PAUSE, " ".join(client)],
        [PAUSE, "/x/spe-client.pyz", "--version"],
        [PAUSE, "/x/other.pyz", "--master", "http://h:1"],
        [PAUSE, "/x/spe-client.pyz.txt", "--master", "http://h:1"],
    ):
        street.process(ALICE, *words)
    street.process(BOB, PAUSE, *client, "--slots", "7")
    wait_until(lambda: slots_of(BOB) == 7, "the real one is seen")
    wait_until(lambda: len(pids(ALICE)) == 5, "all are there")
    assert slots_of(ALICE) == 0


# -- what a client tells


def test_a_client_tells_its_master_who_else_is_there_and_not_itself(
    street: Street, master: Master, make_client: Callable[..., Started]
) -> None:
    master.over = False
    street.client(master, ALICE, "--slots", "3")
    street.client(master, BOB, "--slots", "5")
    first, second = (one.query.get("neighbour", []) for one in master.of("/config")[:2])
    assert f"3 {ALICE}" in second
    assert [one for one in first + second if one.endswith(f" {BOB}")] == []
    master.add(task(1, "true"))
    ours = make_client(master.url).start()
    wait_until(lambda: len(master.of("/config")) == 3, "ours is there")
    assert {f"3 {ALICE}", f"5 {BOB}"} <= set(master.of("/config")[2].query["neighbour"])
    master.finish()
    assert ours.end()[0] == 0


def test_a_look_that_hangs_holds_no_client_up(
    master: Master, make_client: Callable[..., Started], tmp_path: Path
) -> None:
    master.add(task(1, "true"))
    hangs = "import time\nimport spe_client.machine.neighbours as one\none.glob = lambda pattern: time.sleep(10**6)"
    code, said = make_client(master.url).run(python=python_that(tmp_path, hangs))
    assert (code, list(master.completed)) == (0, [1]), said
    assert "neighbour" not in master.of("/config")[0].query


# -- systems that do not show it


def test_where_proc_shows_no_processes_of_others_nobody_is_seen(street: Street) -> None:
    street.process(BOB, PAUSE, "/x/spe-client.pyz", "--master", "http://h:1", "--slots", "7")
    wait_until(lambda: slots_of(BOB) == 7, "it is seen")
    assert seen_by(ALICE)[BOB] == 7
    for how in ("1", "2"):
        assert seen_by(ALICE, f"mount -t proc -o hidepid={how} proc /proc") == {}
    assert seen_by(ALICE, "mount -t tmpfs none /proc") == {}


def test_processes_that_end_meanwhile_are_no_fault(street: Street) -> None:
    for _ in range(20):
        for _ in range(3):
            street.process(ALICE, "-cpass", "/x/spe-client.pyz", "--master", "http://h:1", "--slots", "1")
        while any(one.poll() is None for one in street.started):
            assert slots_of(ALICE) <= 3
        street.started.clear()


# -- command lines that somebody made up

WORDS = st.one_of(
    st.sampled_from([b"--slots", b"--slots=99999999999", b"--slots=-1", b"--slots=7", b"--master", b"--master=x", b"-",
                     b"", b"/x/client.pyz", b"client/installed.py", b"--slots=\xd9\xa3", b"8", b"0", b"client" * 900]),
    st.binary(max_size=50).map(lambda word: word.replace(b"\0", b"")),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(WORDS, max_size=8), min_size=1, max_size=5))
def test_no_command_line_is_a_fault_or_more_than_the_most_slots(street: Street, lines: list[list[bytes]]) -> None:
    for words in lines:
        street.process(ALICE, PAUSE, b"/x/client.pyz", b"--master", *words)
    wait_until(lambda: len(pids(ALICE)) == len(lines), "all are there")
    found = neighbours()
    assert all(isinstance(user, int) and 0 <= slots <= 5 * 99999 for user, slots in found)
    for one in street.started:
        one.kill()
        one.wait()
    street.started.clear()


def test_a_client_in_a_container_works_on_a_host_of_its_own(street: Street) -> None:
    """Root sees it. Everybody else sees no difference, and counts it."""
    need_program("unshare", "util-linux")
    file = street.folder / "spe-client.pyz"
    file.write_bytes(b"import signal; signal.pause()")
    client = [*as_account(ALICE).split(), PYTHON, str(file), "--master", "x", "--slots", "3"]
    with subprocess.Popen(["unshare", "--pid", "--fork", *client], stdin=subprocess.DEVNULL):
        try:
            wait_until(lambda: pids(ALICE), "it is being started")
            wait_until(lambda: seen_by(BOB).get(ALICE) == 3, "it runs, and others count it")
            assert ALICE not in dict(neighbours())
        finally:
            for line in pids(ALICE):  # unshare does not pass on a TERM, and ends with its child
                os.kill(int(line.split()[0]), signal.SIGKILL)
