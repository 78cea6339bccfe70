"""A client that was stopped for longer than its lease, as by the sleep of its host, asks before it does anything."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.client.hand.hand import LONGEST_WAIT
from waiting import wait_out, wait_until

from .kit import Started
from .pretended_master import Master, task

BOOT = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a clock of Linux")
SH = ("/bin/sh", "-c")
PING = 0.1
LEASE = 3 * PING + 5


def below(pid: int) -> list[int]:
    """Its children."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def members(client: Started) -> list[int]:
    """The guard, the client below it, and its hands: as a batch system suspends them, or a host that sleeps."""
    assert client.process
    itself = below(client.process.pid)[0]
    return [client.process.pid, itself, *below(itself)]


def tell(pids: list[int], number: int) -> None:
    """A signal to each."""
    for pid in pids:
        os.kill(pid, number)


@pytest.fixture
def asleep(master: Master, client: Started, tmp_path: Path) -> Iterator[Any]:
    """Tickets 1 (ends meanwhile) and 2 (runs on); stopped past the lease, while 3 is on its way to it."""
    master.config["Ping"], master.over = str(PING), False
    master.add(task(1, *SH, f"touch {tmp_path}/one; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo 1"))
    master.add(task(2, *SH, f"touch {tmp_path}/two; exec sleep 60"))
    client.start("--slots", "3")
    master.wait_for(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists())
    pids = members(client)
    master.wait_for(lambda: any(one.query["ticket"] == ["1", "2"] for one in master.of("/ping")))
    tell(pids, signal.SIGSTOP)
    (tmp_path / "go").touch()
    master.add(task(3, *SH, f"touch {tmp_path}/three; echo 3"))
    wait_out(LEASE + 0.3)
    yield pids
    (tmp_path / "go").touch()


def deeds(master: Master, since: int) -> list[tuple[str, list[str]]]:
    """What it sent, beside the held pings that carry nothing."""
    return [(one.path, one.query.get("ticket", [])) for one in master.requests[since:] if one.path != "/held"]


def test_it_asks_first_and_drops_what_was_called_back(
    master: Master, client: Started, asleep: list[int], tmp_path: Path
) -> None:
    master.expired = {1, 2, 3}
    since = len(master.requests)
    tell(asleep, signal.SIGCONT)
    master.wait_for(lambda: any(path == "/task" for path, _ in deeds(master, since)))
    master.finish()
    assert client.end()[0] == 0
    done = deeds(master, since)
    assert done[0][0] == "/ping" and {"1", "2"} <= set(done[0][1]), done
    assert not master.completed and not master.failed, "nothing of what was called back was sent"
    assert not (tmp_path / "three").exists(), "nor begun"
    assert not client.workdir.exists()


def test_what_still_counts_is_delivered_after_it_has_asked(
    master: Master, client: Started, asleep: list[int], tmp_path: Path
) -> None:
    master.expired = {2}
    since = len(master.requests)
    tell(asleep, signal.SIGCONT)
    master.wait_for(lambda: {1, 3} <= set(master.completed))
    master.finish()
    assert client.end()[0] == 0
    assert deeds(master, since)[0][0] == "/ping"
    assert master.completed[1].parts["stdout"] == b"1\n"
    assert 2 not in master.completed and 2 not in master.failed


def test_a_result_whose_master_was_away_too_long_is_asked_about_before_it_is_sent_again(
    master: Master, client: Started
) -> None:
    """The link was cut in the middle of sending; meanwhile another host has done it."""
    master.config.update(Ping=str(PING), Grace="30")
    gone = threading.Event()
    healed = threading.Event()

    def cut(handler: Any) -> None:
        if handler.path.startswith("/complete"):
            gone.set()
        healed.wait(20)
        handler.connection.close()

    master.add(task(1, *SH, "echo 1"))
    master.script["/complete"].append(cut)
    master.script["/ping"].extend([])
    client.start()
    master.wait_for(gone.is_set)
    master.script["/ping"].append(cut)  # pings get no answer either
    wait_out(LEASE + 0.5)
    master.expired = {1}
    seen = len(master.requests)
    healed.set()
    assert client.end()[0] == 0
    assert ("/complete", ["1"]) not in deeds(master, seen)


def test_the_time_of_being_stopped_does_not_count_for_the_timeout_of_a_program(
    master: Master, client: Started, tmp_path: Path
) -> None:
    master.config["Ping"] = str(PING)
    script = f"touch {tmp_path}/one; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo 1"
    master.add(task(1, *SH, script, timeout=15))
    client.start()
    wait_until((tmp_path / "one").exists, "the program has begun")
    pids = members(client)
    tell(pids, signal.SIGSTOP)
    wait_out(16)
    since = len(master.requests)
    tell(pids, signal.SIGCONT)
    master.wait_for(lambda: master.requests[since:])
    wait_out(4 * LONGEST_WAIT)  # a hand has surely looked at the clock by then
    (tmp_path / "go").touch()
    assert client.end()[0] == 0
    assert master.completed[1].parts["stdout"] == b"1\n"


# A Python on a host that slept for an hour, as the clock tells that also goes meanwhile, when the file is there.
SLEPT = """
import os, runpy, sys, time
real, slept = time.clock_gettime, {slept!r}
time.clock_gettime = lambda number: real(number) + (3600.0 if number == 7 and os.path.exists(slept) else 0.0)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@BOOT
def test_the_sleep_of_the_host_does_not_count_for_the_timeout_of_a_program(
    master: Master, client: Started, tmp_path: Path
) -> None:
    """The monotonic clock stands still meanwhile."""
    (tmp_path / "slept.py").write_text(SLEPT.format(slept=str(tmp_path / "slept")))
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/slept.py "$@"\n')
    wrapper.chmod(0o755)
    master.config["Ping"] = str(PING)
    script = f"touch {tmp_path}/$1; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo $1"
    master.add(*(task(number, *SH, script, "sh", str(number), timeout=600) for number in (1, 2)))
    client.start("--slots", "1", python=str(wrapper))
    wait_until((tmp_path / "1").exists, "the program has begun")
    (tmp_path / "slept").touch()
    since = len(master.of("/ping"))
    wait_out(4 * LONGEST_WAIT)  # a hand has surely looked at the clock by then
    master.wait_for(lambda: master.of("/ping")[since:])
    (tmp_path / "go").touch()
    assert client.end()[0] == 0
    assert sorted(master.completed) == [1, 2], master.failed
