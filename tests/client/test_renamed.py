"""Another user renames the client's folder and puts one of hers in its place: the client goes on in its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from processes import is_alive
from spe.client.host.folders import MARKER
from waiting import wait_until

from .pretended_master import Master, Request, task
from .shared_folder import EVE, PYTHON, SharedFolder, as_account

pytestmark = pytest.mark.patient
TRUSTED = "--trust-workdir"
WORKER = b'#!/bin/sh\necho "true $1 $FROM_SETUP"; pwd; cat input\n'
TASKS, POINTS = 9, 20
LARGE = b"large\n" * 20_000  # so that it is fetched once and kept for the session


class At(list[Request]):
    """The requests of a run; with the one of this number something happens, before it is answered."""

    def __init__(self, number: int, what: Callable[[], Any]) -> None:
        super().__init__()
        self.number, self.what = number, what

    def append(self, request: Request) -> None:
        super().append(request)
        if len(self) == self.number:
            self.what()


def work(master: Master) -> None:
    """A setup, a worker, tasks with an input each and two results; two of them share a large input."""
    master.config["Ping"] = "1"
    master.config["Setup"] = json.dumps("export FROM_SETUP=set")
    master.worker("prog", WORKER, f"linux-{os.uname().machine}")
    for number in range(1, TASKS + 1):
        inputs = {"input": f"input {number}\n".encode()}
        shared = {"large": LARGE} if number in (2, TASKS) else {}
        results = {"stdout": "stdout", "input": "input", **({"large": "large"} if shared else {})}
        master.add(task(number, "./prog", str(number), inputs=inputs, shared=shared, results=results))
    master.files[sha256(LARGE).hexdigest()] = LARGE


def check(master: Master, shared: SharedFolder) -> None:
    """No forged row, nothing started from Eve's folder or written into it, nothing of ours left."""
    assert not shared.mark.exists(), shared.mark.read_text()
    assert sorted(master.completed) == list(range(1, TASKS + 1)), master.failed
    for number, request in master.completed.items():
        first, where, last = request.parts["stdout"].decode().splitlines()
        assert (first, last) == (f"true {number} set", f"input {number}")
        assert where.startswith(str(shared.common)), "programs see the folder's real path"
        assert request.parts["input"] == f"input {number}\n".encode()
        assert request.parts.get("large", LARGE) == LARGE
    assert shared.theirs() == []
    for path in shared.common.rglob("*"):
        assert path.is_dir() or "EVIL" in path.read_text()


@pytest.mark.parametrize("point", range(1, POINTS + 1))
def test_a_folder_that_is_renamed_and_replaced_runs_nothing_and_forges_no_row(
    master: Master, shared: SharedFolder, point: int
) -> None:
    work(master)
    master.requests = At(point, shared.put_in_place)
    code, said = shared.client(master).run(TRUSTED, "--slots", "1")
    assert code == 0, said
    assert len(master.requests) >= POINTS
    check(master, shared)
    [line] = [line for line in said.splitlines() if "moved-by-eve" in line]
    assert "somebody renamed our folder" in line
    assert "is not ours, and stays" in line
    assert master.of("/bye")[0].query["left"] == [line.removeprefix("spe-client: ")]


# As Eve. The workdir itself, which the client made, gets another name, and hers is put there with another worker in it.
MOVE_WORKDIR = """
import os, sys
os.umask(0)
os.rename(sys.argv[1], sys.argv[1] + "-moved-by-eve")
os.makedirs(sys.argv[1] + "/" + sys.argv[2] + "/worker")
with open(sys.argv[1] + "/" + sys.argv[2] + "/worker/prog", "w") as file:
    file.write("#!/bin/sh\\necho EVIL; echo $0 >> %s\\n" % sys.argv[3])
os.chmod(file.name, 0o777)
"""


@pytest.mark.parametrize("point", [2, 9, 20])
def test_a_workdir_that_is_renamed_itself_runs_nothing_and_forges_no_row(
    master: Master, shared: SharedFolder, point: int
) -> None:
    work(master)
    client = shared.client(master)
    client.workdir = shared.common / "ours"
    master.requests = At(point, lambda: shared.eve(MOVE_WORKDIR, client.workdir, client.base().name, shared.mark))
    code, said = client.run(TRUSTED, "--slots", "1")
    assert code == 0, said
    moved = Path(f"{client.workdir}-moved-by-eve")
    assert [path.name for path in moved.iterdir()] == [MARKER]
    assert f"somebody renamed the workdir {client.workdir}, which we made, to {moved}; it stays" in said
    shutil.rmtree(moved)
    check(master, shared)


# As Eve. Each folder of a client has her folder's name and hers has its, thousands of times a second.
SWAP = r"""
import ctypes, os, sys
common, mark = sys.argv[1:]
os.chdir(common)
os.umask(0)
os.makedirs("evil/worker")
for place in ("evil/worker/prog", "evil/prog"):
    with open(place, "w") as file:
        file.write("#!/bin/sh\necho EVIL; echo $0 >> %s\n" % mark)
    os.chmod(place, 0o777)
rename = ctypes.CDLL(None).renameat2
RENAME_EXCHANGE = 2
while True:
    for name in os.listdir("."):
        if name.startswith("spe-"):
            rename(-100, name.encode(), -100, b"evil", RENAME_EXCHANGE)
"""


@contextmanager
def swapping(shared: SharedFolder) -> Iterator[None]:
    words = [*as_account(EVE).split(), str(PYTHON), "-c", SWAP, str(shared.common), str(shared.mark)]
    eve = subprocess.Popen(words)
    try:
        wait_until((shared.common / "evil" / "prog").exists, "the other program is in its place")
        yield
    finally:
        eve.kill()
        eve.wait()


def test_a_folder_that_is_exchanged_all_the_time_runs_nothing_and_forges_no_row(
    master: Master, shared: SharedFolder
) -> None:
    work(master)
    with ExitStack() as stack:

        def begin(handler: Any) -> None:
            stack.enter_context(swapping(shared))
            handler.reply(200, {}, "".join(f"{key}={value}\n" for key, value in master.config.items()).encode())

        master.script["/config"].append(begin)
        code, said = shared.client(master).run(TRUSTED, "--slots", "2")
    assert code == 0, said
    check(master, shared)


@pytest.mark.parametrize("time", range(5))
def test_who_exchanges_it_from_the_first_moment_on_can_only_keep_the_client_away(
    master: Master, shared: SharedFolder, time: int
) -> None:
    work(master)
    with swapping(shared):
        code, said = shared.client(master).run(TRUSTED, "--slots", "2")
    if code == 6:
        assert "belongs to somebody else" in said
        assert not shared.mark.exists()
    else:
        check(master, shared)


def test_the_guard_clears_up_after_a_killed_client_whose_folder_was_renamed(
    master: Master, shared: SharedFolder
) -> None:
    master.over = False
    master.add(task(1, "sh", "-c", "echo $$ > pid; touch deep; sleep 600"))
    client = shared.client(master).start(TRUSTED)
    assert client.process
    inside = client.base()
    wait_until(lambda: (inside / "1" / "work" / "deep").exists(), "the program has made its folder")
    program, holder = ((inside / name).read_text().split() for name in ("1/work/pid", "client.lock"))
    shared.put_in_place()
    os.kill(int(holder[2]), signal.SIGKILL)
    code, said = client.end()
    assert code == 12
    assert "somebody renamed our folder" in said
    assert shared.theirs() == []
    assert not is_alive(int(program[0]))
    [bye] = master.of("/bye")
    assert "moved-by-eve" in bye.query["left"][0]
    assert bye.query["killed"] == ["1"]


def test_a_second_start_finds_eves_folder_and_tells_it_nothing(master: Master, shared: SharedFolder) -> None:
    master.over = False
    client = shared.client(master).start(TRUSTED)
    client.base()
    master.wait_for(lambda: master.of("/task"))
    shared.put_in_place()
    code, said = shared.client(master).run(TRUSTED)
    assert code == 6
    assert "belongs to somebody else" in said
    [evil] = shared.common.glob("spe-*")
    assert "EVIL" in (evil / "address").read_text()
    master.add(task(1, "echo", "still here"))
    master.finish()
    assert client.end()[0] == 0
    assert master.completed[1].parts["stdout"] == b"still here\n"


def test_questions_about_a_running_task_are_answered_from_its_own_folder(master: Master, shared: SharedFolder) -> None:
    master.over = False
    master.config["Ping"], master.config["Ask"] = "1", "ls cat"
    master.add(task(1, "sh", "-c", "echo true > mine; until [ -e go ]; do sleep 0.05; done"))
    client = shared.client(master).start(TRUSTED)
    place = client.base() / "1" / "work"
    wait_until((place / "mine").exists, "the new folder stands in the place of the old one")
    shared.put_in_place()
    evil = place.parents[1] / "1" / "work"
    shared.eve("import os, sys; os.makedirs(sys.argv[1]); open(sys.argv[1] + '/mine', 'w').write('EVIL')", evil)
    order = master.order("run", words=["cat", "mine"], ticket=1, limit=60, most=1000)
    assert master.end_of(order)["exit"] == ["0"]
    assert master.said[order] == b"true\n"
    [moved] = shared.common.glob("moved-by-eve-*")
    (moved / "1" / "work" / "go").touch()
    master.finish()
    assert client.end()[0] == 0


def test_faults_name_real_paths(master: Master, shared: SharedFolder) -> None:
    master.add(task(1, "cat", "large", shared={"large": LARGE}))
    master.files[sha256(LARGE).hexdigest()] = LARGE

    def block(handler: Any) -> None:
        """What is to be written there cannot be, as a folder has its name."""
        [base] = shared.common.glob("spe-*")
        (base / "files" / sha256(LARGE).hexdigest()).mkdir(parents=True, exist_ok=True)
        handler.reply(200, {}, LARGE)

    master.script["/file"].append(block)
    assert shared.client(master).run(TRUSTED)[0] == 0
    reason = master.failed[1].reason
    assert str(shared.common) in reason
    assert "/proc" not in reason
