"""A client that somebody stops (SIGSTOP) while its guard works on, and a group that is suspended as a whole."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from processes import is_alive
from spe.client.exits import KILLED
from waiting import wait_out, wait_until

from .kit import Started
from .pretended_master import Master, task
from .test_host_ends import all_of, goodbye, send


def begun(master: Master, client: Started, folder: Path, before: str = "") -> tuple[int, int, list[int], list[int]]:
    """The processes of a client whose one program waits for a file."""
    master.over = False
    text = f"{before} : > {folder}/ready; while [ ! -e {folder}/gate ]; do sleep 0.05; done; echo k"
    master.add(task(1, "sh", "-c", text))
    client.start("--slots", "1")
    wait_until((folder / "ready").exists, "the program has begun")
    return all_of(client)


@pytest.mark.parametrize("by", ["its program", "somebody else"])
def test_a_client_that_is_stopped_counts_as_killed(master: Master, client: Started, tmp_path: Path, by: str) -> None:
    stop = "kill -STOP $(ps -o ppid= -p $PPID);"
    _, inner, hands, programs = begun(master, client, tmp_path, stop if by == "its program" else "")
    if by == "somebody else":
        send([inner], signal.SIGSTOP)
    code, said = client.end()
    assert code == KILLED and "the client was stopped for 5 s" in said
    assert goodbye(master).query["killed"] == ["1"]
    assert not any(map(is_alive, [inner, *hands, *programs])) and not client.workdir.exists()


@pytest.mark.parametrize("first", ["the guard", "the client"])
def test_a_group_that_is_suspended_as_a_whole_goes_on_when_it_is_continued(
    master: Master, client: Started, tmp_path: Path, first: str
) -> None:
    guard, inner, hands, programs = begun(master, client, tmp_path)
    others = [inner, *hands, *programs]
    for _ in range(2):
        for pids in ([guard], others) if first == "the guard" else (others, [guard]):
            send(pids, signal.SIGSTOP)
            wait_out(1)
        wait_out(6)
        for pids in ([guard], others):
            send(pids, signal.SIGCONT)
            wait_out(1)
    (tmp_path / "gate").touch()
    master.wait_for(lambda: 1 in master.completed)
    master.finish()
    code, said = client.end()
    assert code == 0 and "stopped" not in said, said
    assert not master.failed and "killed" not in goodbye(master).query


def test_a_client_that_is_stopped_and_goes_on_in_time_is_left_alone(
    master: Master, client: Started, tmp_path: Path
) -> None:
    _, inner, _, _ = begun(master, client, tmp_path)
    for _ in range(3):
        send([inner], signal.SIGSTOP)
        wait_out(3)
        send([inner], signal.SIGCONT)
    (tmp_path / "gate").touch()
    master.wait_for(lambda: 1 in master.completed)
    master.finish()
    assert client.end()[0] == 0


def test_a_client_that_is_stopped_is_continued_when_its_guard_is_told_to_end(
    master: Master, client: Started, tmp_path: Path
) -> None:
    guard, inner, _, _ = begun(master, client, tmp_path)
    send([inner], signal.SIGSTOP)
    send([guard], signal.SIGTERM)
    code, said = client.end()
    assert code == 128 + signal.SIGTERM and "stopped" not in said, said
    assert "killed" not in goodbye(master).query


def test_a_client_that_is_stopped_again_and_again_leaves_nothing_and_blames_nobody_when_its_guard_is_told_to_end(
    master: Master, client: Started, tmp_path: Path
) -> None:
    stop = "setsid sh -c 'while kill -STOP $0; do :; done' $(ps -o ppid= -p $PPID) &"
    guard, inner, hands, programs = begun(master, client, tmp_path, stop)
    send([guard], signal.SIGTERM)
    client.end()
    assert "killed" not in goodbye(master).query
    assert not any(map(is_alive, [inner, *hands, *programs])) and not client.workdir.exists()


def test_a_hand_that_is_stopped_is_continued_when_its_client_is_told_to_end(
    master: Master, client: Started, tmp_path: Path
) -> None:
    """Otherwise its programs would not hear that they are to end: they would be killed together with it."""
    tidy = f"trap 'echo tidy > {tmp_path}/tidy; exit' TERM;"
    guard, _, hands, _ = begun(master, client, tmp_path, tidy)
    send(hands, signal.SIGSTOP)
    send([guard], signal.SIGTERM)
    code, said = client.end()
    assert code == 128 + signal.SIGTERM, said
    assert (tmp_path / "tidy").exists()


@pytest.mark.parametrize("then", ["", "exit;"], ids=["while it runs", "at its end"])
def test_a_client_that_is_stopped_ends_though_its_guard_was_killed(
    master: Master, client: Started, tmp_path: Path, then: str
) -> None:
    stop = f"c=$(ps -o ppid= -p $PPID); g=$(ps -o ppid= -p $c); kill -STOP $c; kill -KILL $g; {then}"
    master.over = False
    master.add(task(1, "sh", "-c", f"echo $PPID > {tmp_path}/hand; {stop} sleep 600"))
    client.start("--slots", "1")
    wait_until((tmp_path / "hand").exists, "the program runs")
    _, said = client.end(60)
    assert "guards the client was killed" in said
    assert goodbye(master).query["killed"] == ["1"]
    assert not is_alive(int((tmp_path / "hand").read_text())) and not client.workdir.exists()


def test_a_guard_that_is_stopped_clears_up_all_the_same_after_a_client_that_is_killed(
    master: Master, client: Started, tmp_path: Path
) -> None:
    guard, inner, hands, programs = begun(master, client, tmp_path)
    send([guard], signal.SIGSTOP)
    send([inner], signal.SIGKILL)
    code, _ = client.end()
    assert code == KILLED
    assert goodbye(master).query["killed"] == ["1"]
    assert not any(map(is_alive, [*hands, *programs])) and not client.workdir.exists()


def test_a_client_goes_on_that_is_stopped_together_with_its_guard_alone(
    master: Master, client: Started, tmp_path: Path
) -> None:
    """No batch system leaves the hands out."""
    guard, inner, _, _ = begun(master, client, tmp_path)
    send([guard, inner], signal.SIGSTOP)
    (tmp_path / "gate").touch()
    master.wait_for(lambda: 1 in master.completed, 60)
    master.finish()
    assert client.end()[0] == 0
    assert not master.failed and "killed" not in goodbye(master).query
