"""A task's whole tree of processes ends: at its end, at its timeout, when it has expired, when the client ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import is_alive
from spe.client.machine import process_tree
from waiting import wait_until

from .kit import Started
from .pretended_master import Master, task

SH = ("/bin/sh", "-c")
# A program whose grandchild left group and session, lost its parents, cleared its environment and changed its folder.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    {left}
    if os.fork() == 0:
        open({pids!r}, "a").write("%d\\n" % os.getpid())
        print("from the grandchild", flush=True)
        {then}
    os._exit(0)
while not os.path.exists({pids!r}) or not open({pids!r}).read(): time.sleep(0.01)
print("from the program", flush=True)
{last}
"""
STAY = "time.sleep(600)"
BARE = f"os.chdir('/'); os.execve({'/usr/bin/env'!r}, ['env', '-i', 'sleep', '600'], {{}})"


def forking(pids: Path, left: str = "os.setsid()", then: str = STAY, last: str = "") -> list[str]:
    return ["python3", "-c", DAEMON.format(left=left, then=then, pids=str(pids), last=last)]


def pids_in(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.mark.parametrize("left", ["pass", "os.setpgid(0, 0)", "os.setsid()"])
@pytest.mark.parametrize("then", [STAY, BARE])
def test_a_grandchild_is_killed_with_its_task_and_what_was_written_counts(
    master: Master, client: Started, tmp_path: Path, left: str, then: str
) -> None:
    pids = tmp_path / "pids"
    master.add(task(1, *forking(pids, left, then)))  # the grandchild would stay for ten minutes
    code, said = client.run()
    assert code == 0, said
    assert master.completed[1].parts["stdout"].split(b"\n")[:2] == [b"from the grandchild", b"from the program"]
    assert pids_in(pids) and not any(map(is_alive, pids_in(pids)))


def test_the_grandchild_of_one_task_dies_while_another_task_and_its_helpers_run_on(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.over = False
    master.add(task(1, *forking(tmp_path / "long", last="time.sleep(600)")), task(2, *forking(tmp_path / "short")))
    client.start("--slots", "2")
    master.wait_for(lambda: 2 in master.completed)
    wait_until(lambda: pids_in(tmp_path / "long"), "the long program runs")
    assert not is_alive(pids_in(tmp_path / "short")[0])
    assert is_alive(pids_in(tmp_path / "long")[0])


def test_at_the_timeout_the_whole_tree_ends(master: Master, client: Started, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    master.add(task(1, *forking(pids, last="time.sleep(600)"), timeout=5))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "timeout after 5 s"
    assert master.failed[1].parts["stdout"] == b"from the grandchild\nfrom the program\n"
    assert not any(map(is_alive, pids_in(pids)))


def test_a_program_that_is_deaf_to_term_is_killed(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "trap '' TERM; while :; do sleep 0.1; done", timeout=2))
    began = time.monotonic()
    assert client.run()[0] == 0
    assert time.monotonic() - began > 5, "it has some time to end by itself"
    assert master.failed[1].reason == "timeout after 2 s"


def test_a_program_may_tidy_up_at_term_and_it_is_a_timeout_all_the_same(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "trap 'echo tidy; exit 0' TERM; while :; do sleep 0.05; done", timeout=2))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "timeout after 2 s"
    assert master.failed[1].parts["stdout"] == b"tidy\n"


def test_a_stopped_program_is_told_to_end_at_its_timeout_too(master: Master, client: Started) -> None:
    """It hears TERM only once it is continued."""
    master.add(task(1, *SH, "trap 'echo tidy; exit 0' TERM; kill -STOP $$; sleep 600", timeout=2))
    assert client.run()[0] == 0
    assert master.failed[1].reason == "timeout after 2 s"
    assert master.failed[1].parts["stdout"] == b"tidy\n"


def test_an_expired_ticket_is_stopped_dropped_and_its_slot_is_free(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.config["Ping"] = "0.3"
    master.over = False
    pids = tmp_path / "pids"
    master.add(task(1, *forking(pids, last="time.sleep(600)")), task(2, "echo", "next"))
    client.start("--slots", "1")
    wait_until(lambda: pids_in(pids), "the program runs")
    master.expired.add(1)
    master.wait_for(lambda: 2 in master.completed)
    wait_until(lambda: not is_alive(pids_in(pids)[0]), "the program has ended")
    master.finish()
    assert client.end()[0] == 0
    assert 1 not in master.completed
    assert 1 not in master.failed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_tasks_cleans_up_and_says_bye(
    master: Master, client: Started, tmp_path: Path, number: signal.Signals
) -> None:
    master.over = False
    pids = tmp_path / "pids"
    master.add(task(1, *forking(pids, last="time.sleep(600)")))
    client.start()
    wait_until(lambda: pids_in(pids), "the program runs")
    assert client.process
    client.process.send_signal(number)
    assert client.end()[0] == 128 + number
    assert not any(map(is_alive, pids_in(pids)))
    assert not client.workdir.exists()
    assert master.of("/bye")[0].query["client"] == ["7"]
    assert not master.failed, "a task that was stopped has not failed"


def the_client_itself(client: Started) -> int:
    return int((client.base() / "client.lock").read_text().split("\n")[1])


def test_when_the_client_is_killed_its_guard_leaves_nothing(master: Master, client: Started, tmp_path: Path) -> None:
    master.over = False
    pids = tmp_path / "pids"
    master.add(task(1, *forking(pids, last="time.sleep(600)")))
    client.start()
    wait_until(lambda: pids_in(pids), "the program runs")
    os.kill(the_client_itself(client), signal.SIGKILL)
    code, said = client.end()
    assert code == 12
    assert "killed by signal 9" in said
    assert not any(map(is_alive, pids_in(pids)))
    assert not client.workdir.exists()


def test_when_the_guard_is_killed_the_client_ends_and_leaves_nothing(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.over = False
    pids = tmp_path / "pids"
    master.add(task(1, *forking(pids, last="time.sleep(600)")))
    client.start()
    wait_until(lambda: pids_in(pids), "the program runs")
    inner = the_client_itself(client)
    assert client.process
    client.process.kill()
    wait_until(lambda: not is_alive(inner), "the client has ended")
    assert not any(map(is_alive, pids_in(pids)))
    assert not client.workdir.exists()


# A program whose helper leaves group and session, and notes that it was told to end; the program ends after that.
HELPED = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    def told(*_):
        open({told!r}, "w").close()
        os._exit(0)
    signal.signal(signal.SIGTERM, told)
    open({helper!r}, "w").write(str(os.getpid()))
    while True: time.sleep(60)
signal.signal(signal.SIGTERM, lambda *_: None)
while not os.path.exists({told!r}): time.sleep(0.02)
"""


@pytest.fixture
def helped(master: Master, tmp_path: Path) -> Callable[..., int]:
    """Start a client with that program; the process of its helper."""

    def start(client: Started, timeout: float = 0) -> int:
        helper = tmp_path / "helper"
        script = HELPED.format(told=str(tmp_path / "told"), helper=str(helper))
        master.add(task(1, "python3", "-c", script, timeout=timeout))
        client.start()
        wait_until(lambda: helper.exists() and helper.read_text(), "the helper runs")
        return int(helper.read_text())

    return start


def test_who_left_the_group_of_a_program_is_told_to_end_before_it_is_killed(
    master: Master, client: Started, helped: Callable[..., int], tmp_path: Path
) -> None:
    helper = helped(client, timeout=5)
    assert client.end()[0] == 0
    assert (tmp_path / "told").exists()
    assert not is_alive(helper)
    assert master.failed[1].reason == "timeout after 5 s"


def test_who_left_the_group_of_a_program_is_stopped_and_goes_on_with_it(
    master: Master, client: Started, helped: Callable[..., int], tmp_path: Path
) -> None:
    master.config["Ping"] = "30"
    helper = helped(client)
    for do, states in (("stop", "T"), ("continue", "SR")):
        assert master.end_of(master.order(do, ticket=1))["exit"] == ["0"]
        wait_until(lambda wanted=states: state_of(helper) in wanted, f"the helper is in one of the states {states}")  # type: ignore[misc]
    os.kill(helper, signal.SIGTERM)
    assert client.end()[0] == 0
    assert 1 in master.completed


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("left", ["pass", "os.setsid()"])
def test_what_a_hand_that_was_killed_leaves_has_ended_before_the_client_says_goodbye(
    master: Master, client: Started, tmp_path: Path, left: str
) -> None:
    pids, alive = tmp_path / "pids", list[int]()
    noted = f"open({str(pids)!r}, 'a').write('%d\\n' % os.getpid()); time.sleep(600)"
    master.add(task(1, *forking(pids, left, last=noted)))

    def bye(handler: Any) -> None:
        alive.extend(filter(is_alive, pids_in(pids)))
        handler.reply(200, {}, b"bye")

    master.script["/bye"].append(bye)
    client.start("--slots", "1")
    wait_until(lambda: len(pids_in(pids)) == 2, "both processes run")
    os.kill(hands_of(client)[0], signal.SIGKILL)
    master.expired = {1}
    client.end()
    master.wait_for(lambda: master.of("/bye"))
    assert alive == []


def hands_of(client: Started) -> list[int]:
    inner = the_client_itself(client)
    return [int(word) for word in Path(f"/proc/{inner}/task/{inner}/children").read_text().split()]


def test_the_next_client_clears_what_a_client_of_any_session_left_when_all_was_killed(
    master: Master, other_master: Master, make_client: Callable[..., Started], tmp_path: Path
) -> None:
    master.over = False
    dead, pids = make_client(master.url, "dead"), tmp_path / "pids"
    master.add(task(1, *forking(pids, last="time.sleep(600)")))
    dead.start()
    wait_until(lambda: pids_in(pids), "the program runs")
    assert dead.process
    inner = the_client_itself(dead)
    all_of_it = [dead.process.pid, inner, *map(int, Path(f"/proc/{inner}/task/{inner}/children").read_text().split())]
    for number in (signal.SIGSTOP, signal.SIGKILL):  # first, so that nobody can act when another is killed
        for pid in all_of_it:
            os.kill(pid, number)
    dead.end()
    left = dead.base().rename(dead.base().with_name("spe-0123456789ab-other"))  # as of another session
    assert is_alive(pids_in(pids)[0])
    following = make_client(other_master.url, "next")
    following.workdir = dead.workdir
    other_master.add(task(2, "echo", "works"))
    code, said = following.run()
    assert code == 0, said
    assert 2 in other_master.completed
    wait_until(lambda: not is_alive(pids_in(pids)[0]), "the program has ended")
    assert not left.exists()


AWAY = "cd /; echo $$ > {0}/own; env -i sh -c 'echo $$ > {0}/below; sleep 600; :' & sleep 600; :"


def test_the_next_client_ends_what_stands_elsewhere_when_all_of_a_client_was_killed(
    master: Master, other_master: Master, make_client: Callable[..., Started], tmp_path: Path
) -> None:
    master.over = False
    dead = make_client(master.url, "dead")
    master.add(task(1, *SH, AWAY.format(tmp_path)))
    dead.start()
    files = [tmp_path / "own", tmp_path / "below"]
    master.wait_for(lambda: master.of("/task"))
    wait_until(lambda: all(pids_in(file) for file in files), "all programs run")
    assert dead.process
    inner = the_client_itself(dead)
    all_of_it = [dead.process.pid, inner, *hands_of(dead)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in all_of_it:
            os.kill(pid, number)
    dead.end()
    survivors = [pid for file in files for pid in pids_in(file)]
    assert all(map(is_alive, survivors))
    following = make_client(other_master.url, "next")
    following.workdir = dead.workdir
    other_master.add(task(2, *SH, f"for pid in {' '.join(map(str, survivors))}; do ps -o state= -p $pid; done"))
    code, said = following.run()
    for pid in filter(is_alive, survivors):
        os.kill(pid, signal.SIGKILL)
    assert code == 0, said
    assert set(other_master.completed[2].parts["stdout"].split()) <= {b"Z"}, "they end before anything begins"
    assert "what a dead client left" in said


def test_of_what_has_the_mark_of_a_dead_client_only_our_own_is_ended(tmp_path: Path) -> None:
    marked, other = ({**os.environ, "SPE_CLIENT": mark} for mark in ("1-2", "1-3"))
    ours = subprocess.Popen(["sleep", "600"], env=marked, cwd="/")
    spared = [subprocess.Popen(["sleep", "600"], env=other, cwd="/")]
    if os.geteuid() == 0:
        spared.append(subprocess.Popen(["sleep", "600"], env=marked, cwd="/", preexec_fn=lambda: os.setuid(12345)))
    try:
        names = [Path(f"/proc/{one.pid}/comm") for one in (ours, *spared)]
        wait_until(lambda: all("sleep" in name.read_text() for name in names), "all have become sleep")
        assert process_tree.kill_inside(str(tmp_path), "1-2") == 1
        assert ours.wait(10) == -signal.SIGKILL
        assert [one.poll() for one in spared] == [None] * len(spared)
    finally:
        for one in (ours, *spared):
            one.kill()
            one.wait()


ESCAPES = {
    "its output": "cd /; exec env -i sleep 600 2>/dev/null",
    "its errors": "cd /; exec env -i sleep 600 >/dev/null",
    "its program": "cp /bin/sleep {0}/own; cd /; exec env -i {0}/own 600 >/dev/null 2>&1",
}


@pytest.mark.parametrize("by", ESCAPES)
def test_what_hides_directory_and_environment_is_told_by_what_it_still_has_of_a_dead_client(
    tmp_path: Path, by: str
) -> None:
    inside = tmp_path / "spe-1"
    inside.mkdir()
    with (inside / "out").open("w") as out, (inside / "err").open("w") as err:
        hidden = subprocess.Popen([*SH, ESCAPES[by].format(inside)], cwd=inside, stdout=out, stderr=err)
    with (inside / "out").open() as read:  # as of somebody who looks with `tail -f`
        spared = subprocess.Popen(["sleep", "600"], cwd="/", stdin=read)
    try:
        line = Path(f"/proc/{hidden.pid}/cmdline")
        wait_until(lambda: "600" in line.read_text().split("\0")[1:2], "it sleeps")
        assert not Path(f"/proc/{hidden.pid}/environ").read_bytes()
        assert os.readlink(f"/proc/{hidden.pid}/cwd") == "/"
        assert process_tree.kill_inside(str(inside), "1-2") == 1
        assert hidden.wait(10) == -signal.SIGKILL
        assert spared.poll() is None
    finally:
        for one in (hidden, spared):
            one.kill()
            one.wait()


def test_what_a_dead_client_owed_is_removed_but_not_the_file_that_the_next_one_runs(
    client: Started, master: Master, tmp_path: Path
) -> None:
    fetched = tmp_path / "fetched"
    fetched.write_text("a worker that the dead client took")
    left = client.workdir / "spe-0123456789ab-other"
    left.mkdir(parents=True)
    left.joinpath("client.lock").write_text(f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}\n1\n0\n")
    left.joinpath("owed").write_text("".join(f"{json.dumps(str(path))}\n" for path in (client.pyz, fetched)))
    master.add(task(1, "echo", "works"))
    code, said = client.run()
    assert code == 0, said
    assert not left.exists()
    assert not fetched.exists()
    assert client.pyz.exists()


def test_a_helper_group_of_a_running_task_survives_its_leader(master: Master, client: Started, tmp_path: Path) -> None:
    """The helper left session and group, and its leader ends; the task still needs the rest."""
    script = f"""
import os, subprocess, sys, time
subprocess.run(["setsid", "sh", "-c", "(sleep 1.5; echo written > {tmp_path}/late) & exit 0"])
time.sleep(2.5)
print(os.path.exists("{tmp_path}/late"))
"""
    master.add(task(1, "python3", "-c", script), task(2, "sleep", "0.5"), task(3, "sleep", "0.7"))
    assert client.run("--slots", "3")[0] == 0
    assert master.completed[1].parts["stdout"] == b"True\n"


def test_a_process_in_a_folder_whose_name_is_nearly_a_number_is_nobodys(
    master: Master, client: Started, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    moved = BARE.replace("os.chdir('/')", "os.mkdir('../../²'); os.chdir('../../²')")
    moving = f"while open('/proc/%s/environ' % open({str(pids)!r}).read().strip()).read(): time.sleep(0.01)"
    master.add(task(1, *forking(pids, then=moved, last=moving)), *(task(n, "echo", str(n)) for n in range(2, 9)))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert len(master.completed) == 8 and not client.workdir.exists()
    assert pids_in(pids) and not any(map(is_alive, pids_in(pids)))


# A Python that has nothing which only Linux has: no /proc, no prctl, no waitid, no affinity.
ELSEWHERE = """
import builtins, os, runpy, sys, ctypes
def hidden(function):
    def call(path, *more, **named):
        if str(path).startswith("/proc"):
            raise FileNotFoundError(2, "no such file", path)
        return function(path, *more, **named)
    return call
builtins.open, os.listdir, os.readlink, os.stat = map(hidden, (builtins.open, os.listdir, os.readlink, os.stat))
def nothing(*_, **__): raise OSError("no libc here")
ctypes.CDLL = nothing
del os.waitid, os.sched_getaffinity
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_works_where_there_is_nothing_that_only_linux_has(master: Master, client: Started, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/elsewhere.py "$@"\n')
    wrapper.chmod(0o755)
    master.worker("prog", b"#!/bin/sh\necho w; sleep 600 & echo $! > pid; cat pid\n", f"linux-{os.uname().machine}")
    master.add(task(1, "./prog"), *(task(n, "echo", str(n)) for n in range(2, 20)))
    pids = tmp_path / "pids"
    master.add(task(20, *forking(pids, left="os.setsid()", last="time.sleep(600)"), timeout=5))
    code, said = client.run("--slots", "2", python=str(wrapper))
    assert code == 0, said
    assert len(master.completed) == 19
    assert not is_alive(int(master.completed[1].parts["stdout"].split()[1]))
    assert master.failed[20].reason == "timeout after 5 s"
    assert not client.workdir.exists()
    for pid in pids_in(pids):  # left its group and lost its parents before the timeout: not found without /proc
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


WAITING = """
import ctypes, os, select, signal, sys, time
from spe.client.hand import wakeup as mail
def nothing(*_, **__): raise OSError("no libc here")
if sys.argv[1] == "elsewhere": ctypes.CDLL = nothing
one = mail.WakeupPipe()
one.hear_signals(lambda *_: None)
told = []
one.hear_by_file(lambda number, sender: told.append((number, sender)))
for moment in (0, 0.1):
    if not os.fork():
        time.sleep(moment)
        os._exit(0)
    began = time.monotonic()
    one.wait(60)
    assert time.monotonic() - began < 30 and os.wait()[1] == 0
    assert not select.select(one._bells + one._signals, [], [], 0)[0], "heard once"
handler_is_called = signal.SIGCHLD not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
assert handler_is_called == (sys.argv[1] == "elsewhere")
os.kill(os.getpid(), signal.SIGTERM)
one.wait(60)
assert told == ([] if handler_is_called else [(signal.SIGTERM, os.getpid())])
"""


@pytest.mark.parametrize("where", ["linux", "elsewhere"])
def test_the_end_of_a_child_is_heard_at_once(where: str) -> None:
    subprocess.run([sys.executable, "-c", WAITING, where], check=True, timeout=90)


def test_a_hand_calls_no_handler_when_a_program_ends_and_programs_have_none_of_that(
    master: Master, client: Started
) -> None:
    master.add(task(1, "sh", "-c", "cat /proc/$PPID/status /proc/self/status | grep SigBlk"))
    assert client.run()[0] == 0
    hand, program = master.completed[1].parts["stdout"].splitlines()
    assert int(hand.split()[1], 16) & (1 << (signal.SIGCHLD - 1))  # whoever started us may have blocked others
    assert int(program.split()[1], 16) == 0


def test_the_c_library_is_opened_before_the_client_forks_and_not_again() -> None:
    """In a hand the loader may be as a thread had left it that was just ending when the hand was forked."""
    words = "import ctypes; from spe.client.machine import process_tree as tree; "
    words += "assert tree.adopt_orphans(); ctypes.CDLL = None; "
    subprocess.run([sys.executable, "-c", f"{words}assert tree.adopt_orphans()"], check=True, timeout=60)
