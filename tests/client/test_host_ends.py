"""A host that is told to end, in the middle of work: what its programs say from then on counts for nothing."""

from __future__ import annotations

import os
import signal
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from processes import is_alive
from spe.client.exits import FAULT, KILLED
from waiting import wait_out, wait_until

from .kit import Started, python_that
from .pretended_master import Master, Request, task

# Reports wait longer in some tests: for any machine to do something meanwhile.
HELD_BACK = "from spe_client.hand import held_back; held_back"
ENDS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


def below(pid: int) -> list[int]:
    """All processes below one, the deepest last."""
    found: list[int] = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *below(int(child))]
    return found


def send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:  # the signal before it was its end
            continue


def all_of(client: Started) -> tuple[int, int, list[int], list[int]]:
    """The guard, the client, its hands, and all below them."""
    assert client.process
    (inner,) = (int(word) for word in children(client.process.pid))
    hands = [int(word) for word in children(inner)]
    return client.process.pid, inner, hands, [pid for hand in hands for pid in below(hand)]


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def goodbye(master: Master) -> Request:
    (bye,) = master.of("/bye")
    return bye


def catching(log: Path, code: int, number: int = signal.SIGTERM) -> tuple[str, ...]:
    """A program that catches the signal, writes what it has, and exits."""
    text = (
        "import signal, sys\n"
        f"def end(*_):\n print('half a result', flush=True)\n sys.exit({code})\n"
        f"signal.signal({int(number)}, end)\nopen({str(log)!r}, 'w').close()\nwhile True: signal.pause()\n"
    )
    return ("python3", "-c", text)


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("order", ["programs first", "client first"])
def test_nothing_counts_that_ends_when_the_host_is_told_to_end(
    master: Master, client: Started, tmp_path: Path, order: str, number: int
) -> None:
    master.over = False
    ready = [tmp_path / f"ready-{n}" for n in range(5)]
    codes = [0, 1, 143]
    master.add(
        task(1, "sh", "-c", f"trap : {int(number)}; : > {ready[3]}; sleep 300; echo k"),
        task(2, "sh", "-c", f": > {ready[4]}; sleep 300; echo k"),
        *(task(n + 3, *catching(ready[n], code, number)) for n, code in enumerate(codes)),
    )
    client.start("--slots", "5")
    wait_until(lambda: all(one.exists() for one in ready), "all programs have begun")
    wait_until(lambda: len(all_of(client)[3]) >= 7, "all processes of the programs run")
    guard, inner, hands, programs = all_of(client)
    ours = [guard, inner, *hands]
    if order == "programs first":
        wait_out(4)  # reports wait for a twentieth of this, while signals are on their way to all
    send({"client first": ours + programs, "programs first": [*reversed(programs), *ours]}[order], number)
    code, said = client.end()
    assert (master.completed, master.failed) == ({}, {}), said
    assert code == 128 + number
    assert "killed" not in goodbye(master).query, "nobody is blamed"
    left = sorted(map(str, client.workdir.rglob("*")))
    assert not any(map(is_alive, programs)) and not client.workdir.exists(), (left, said)


def test_what_had_ended_and_been_reported_before_stays(master: Master, client: Started, tmp_path: Path) -> None:
    master.over = False
    master.add(task(1, "echo", "whole"), task(2, *catching(tmp_path / "ready", 0)))
    client.start("--slots", "2")
    master.wait_for(lambda: 1 in master.completed)
    wait_until((tmp_path / "ready").exists, "the program has begun")
    guard, inner, hands, programs = all_of(client)
    send([*programs, guard, inner, *hands], signal.SIGTERM)
    client.end()
    assert set(master.completed) == {1} and not master.failed


@pytest.mark.parametrize("how", ["kill -TERM $$", "kill -KILL $$", "kill -HUP $$", "kill -INT $$",
                                 "exit 129", "exit 130", "exit 137", "exit 143"])  # fmt: skip
def test_the_report_of_a_program_that_was_ended_waits_while_its_slot_works_on(
    master: Master, client: Started, tmp_path: Path, how: str
) -> None:
    master.add(task(1, "sh", "-c", how), *(task(n, "echo", "k") for n in range(2, 5)))
    code, said = client.run("--slots", "1", python=python_that(tmp_path, f"{HELD_BACK}.LONGEST = 6.0"))
    assert code == 0, said
    assert set(master.failed) == {1} and set(master.completed) == {2, 3, 4}
    assert all(master.failed[1].at > master.completed[n].at for n in (2, 3, 4))


@pytest.mark.parametrize("how", ["kill -SEGV $$", "kill -ABRT $$"])
def test_a_crash_is_reported_at_once(master: Master, client: Started, tmp_path: Path, how: str) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    master.add(task(1, "sh", "-c", how), task(2, "cat", str(gate)))
    client.start("--slots", "1")
    master.wait_for(lambda: 1 in master.failed)
    assert not master.completed
    gate.write_text("go")
    assert client.end()[0] == 0


def test_a_result_of_a_long_program_waits_for_a_part_of_its_time_while_its_slot_works_on(
    master: Master, client: Started, tmp_path: Path
) -> None:
    """A twentieth; here three times as long as it ran, as the next program may take a while to begin."""
    longer = f"{HELD_BACK}.LONGEST, held_back.SHARE = 60.0, 3.0"
    master.add(task(1, "sleep", "2"), task(2, "echo", "k"))
    code, said = client.run("--slots", "1", python=python_that(tmp_path, longer))
    assert code == 0, said
    assert master.completed[1].at > master.completed[2].at


def test_a_signal_to_a_hand_alone_ends_the_client_and_nothing_counts(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.over = False
    master.add(*(task(n, *catching(tmp_path / f"ready-{n}", 0)) for n in (1, 2)))
    client.start("--slots", "2")
    wait_until(lambda: all((tmp_path / f"ready-{n}").exists() for n in (1, 2)), "both programs have begun")
    send(all_of(client)[2][:1], signal.SIGTERM)
    code, said = client.end()
    assert code == 128 + signal.SIGTERM, said
    assert (master.completed, master.failed) == ({}, {})
    assert "killed" not in goodbye(master).query


def test_a_program_that_tells_its_hand_to_end_ends_nothing(master: Master, client: Started) -> None:
    """Or else it would end one client after the other, and never be charged for it."""
    master.add(task(1, "sh", "-c", "kill $PPID; echo k"), task(2, "sh", "-c", "kill -INT $PPID; echo k"))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert set(master.completed) == {1, 2}


@pytest.mark.parametrize("told", ["all", "the guard"])
def test_a_client_that_is_killed_after_it_was_told_to_end_is_nobodys_fault(
    master: Master, client: Started, tmp_path: Path, told: str
) -> None:
    master.over = False
    master.add(task(1, "sh", "-c", f"trap '' TERM; : > {tmp_path}/ready; sleep 300; sleep 300"))
    client.start()
    wait_until((tmp_path / "ready").exists, "the program has begun")
    guard, inner, hands, programs = all_of(client)
    if told == "the guard":
        send([inner], signal.SIGSTOP)  # so that nobody else hears of it
        send([guard], signal.SIGTERM)
    else:
        send([guard, inner, *hands, *programs], signal.SIGTERM)
        master.wait_for(lambda: not any(map(is_alive, programs)))
    send([inner], signal.SIGKILL)
    client.end()
    assert "killed" not in goodbye(master).query
    assert not any(map(is_alive, programs))


def test_the_guard_says_goodbye_for_a_client_that_is_killed_between_its_cleaning_up_and_its_goodbye(
    master: Master, client: Started, tmp_path: Path
) -> None:
    killed = "import os; from spe_client import cleanup; cleanup.say_bye = lambda *_: os.kill(os.getpid(), 9)"
    master.add(task(1, "echo", "k"))
    client.run("--slots", "1", python=python_that(tmp_path, killed))
    assert set(master.completed) == {1}
    bye = goodbye(master)
    assert "killed" not in bye.query and bye.query["client"] == master.of("/task")[-1].query["client"]


# -- reports that wait, held back or for their turn


def held_up(master: Master) -> tuple[threading.Event, list[Request]]:
    """The master answers no more results until the event is set, and then cuts the connection."""
    go_on = threading.Event()
    before = len(master.of("/results"))
    master.script["/results"].append(lambda handler: go_on.wait(60))
    master.add(task(1, "echo", "k"))
    master.wait_for(lambda: len(master.of("/results")) > before)
    return go_on, master.of("/task")


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("who", ["the guard", "the client", "a hand"])
def test_a_result_that_waits_for_its_turn_counts_for_nothing_once_the_host_is_told_to_end(
    master: Master, client: Started, who: str, number: int
) -> None:
    """It may have been ended by the same signal, a moment earlier."""
    master.over = False
    master.config["Batch"] = "Yes"
    client.start("--slots", "1")
    go_on, asked = held_up(master)
    master.add(task(2, "sh", "-c", "exit 3"))
    master.wait_for(lambda: len(master.of("/task")) > len(asked))  # its slot is free
    guard, inner, hands, _ = all_of(client)
    send([{"the guard": guard, "the client": inner, "a hand": hands[0]}[who]], number)
    wait_until(lambda: not any(map(is_alive, hands)), "the hands have ended")
    go_on.set()
    code, said = client.end()
    assert (master.completed, master.failed) == ({}, {}), said
    assert code == 128 + number


def test_a_result_that_waits_for_longer_than_reports_are_held_back_is_still_brought(
    master: Master, client: Started
) -> None:
    master.over = False
    master.config["Batch"] = "Yes"
    client.start("--slots", "1")
    go_on, _ = held_up(master)
    wait_out(2.5)
    send([all_of(client)[1]], signal.SIGTERM)
    go_on.set()
    client.end()
    assert set(master.completed) == {1}


@pytest.mark.parametrize("who", ["the guard", "a hand", "guard and client"])
def test_programs_that_are_killed_together_with_a_process_of_the_client_are_lost(
    master: Master, client: Started, tmp_path: Path, who: str
) -> None:
    master.over = False
    master.add(*(task(n, "sh", "-c", f": > {tmp_path}/ready-{n}; exec sleep 300") for n in (1, 2)))
    client.start("--slots", "2")
    wait_until(lambda: all((tmp_path / f"ready-{n}").exists() for n in (1, 2)), "both programs have begun")
    guard, inner, hands, programs = all_of(client)
    send(programs, signal.SIGKILL)
    send({"the guard": [guard], "a hand": hands[:1], "guard and client": [guard, inner]}[who], signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, [guard, inner, *hands])), "all processes of the client have ended")
    assert (master.completed, master.failed) == ({}, {})


# -- a program that kills or stops what it works for


def test_of_a_program_that_kills_its_hand_the_ticket_is_blamed_and_no_other(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.over = False
    master.add(
        task(1, "sh", "-c", f"while [ ! -e {tmp_path}/ready ]; do sleep 0.05; done; kill -9 $PPID; sleep 60"),
        task(2, *catching(tmp_path / "ready", 0)),
    )
    code, said = client.start("--slots", "2").end()
    assert code == KILLED and "a process of the client was killed by signal 9" in said
    assert [one.query["ticket"] for one in master.of("/back")] == [["2"]]
    assert goodbye(master).query["killed"] == ["1"]
    assert (master.completed, master.failed) == ({}, {})
    assert not client.workdir.exists()


def test_a_hand_that_is_stopped_counts_as_killed(master: Master, client: Started, tmp_path: Path) -> None:
    master.over = False
    pid = tmp_path / "pid"
    master.add(task(1, "sh", "-c", f"echo $$ > {pid}; kill -STOP $PPID; exec sleep 600", timeout=3600))
    code, said = client.start("--slots", "1").end()
    assert code == KILLED and "killed by signal 9" in said
    assert goodbye(master).query["killed"] == ["1"]
    assert not is_alive(int(pid.read_text()))


def test_of_a_program_that_kills_the_guard_the_ticket_is_blamed(master: Master, client: Started) -> None:
    master.over = False
    master.add(task(1, "sh", "-c", "kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID)); exec sleep 60"))
    client.start("--slots", "1")
    master.wait_for(lambda: master.of("/bye"))
    assert goodbye(master).query["killed"] == ["1"]
    assert client.process
    client.process.communicate(timeout=60)


def put_fault_into(pyz: Path) -> None:
    """Have this client fail at the first order that it receives: no other answer of a master is known to do that."""
    with zipfile.ZipFile(pyz) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in files if name.endswith("loop/orders.py")]
    assert b"reply.body.splitlines()" in files[name]
    files[name] = files[name].replace(b"reply.body.splitlines()", b"[1 // 0]")
    with zipfile.ZipFile(pyz, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_of_a_client_that_ends_by_a_fault_of_its_own_the_tickets_that_had_begun_are_blamed(
    master: Master, client: Started, tmp_path: Path
) -> None:
    """A program may be why, and it would end one client after the other."""
    put_fault_into(client.pyz)
    master.over = False
    master.add(task(1, "sh", "-c", f": > {tmp_path}/ready; exec sleep 60"))
    client.start("--slots", "2")
    wait_until((tmp_path / "ready").exists, "the program has begun")
    master.order("processes")
    code, said = client.end()
    assert code == FAULT and "a fault of spe's own" in said
    assert goodbye(master).query["killed"] == ["1"]
    assert not master.of("/back")
