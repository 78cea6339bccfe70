"""Disks that fill, and files that are damaged: nothing is lost, and what fails says why."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import threading
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from spe.client.host.lock import STALE_AFTER
from waiting import wait_out, wait_until

from .by_hand_kit import WORK, Drill, report, small_disk, undisturbed
from .figures import Figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def is_told_to_make_room(drill: Drill) -> bool:
    return "make room" in drill.said + (drill.runs / "master.log").read_text()


def two_hosts(drill: Drill, slots: int = 2, sleep: float = 0.1) -> None:
    for name in ("h1", "h2"):
        drill.host(name, slots=slots, SLEEP=f"{sleep}")


def test_a_full_disk_on_the_master_holds_the_sweep_up_until_there_is_room_and_costs_nothing(
    drill: Drill, figures: Figures
) -> None:
    with small_disk(drill.folder / "runs", "1m") as resize:
        drill.sweep(200).start()
        filler = drill.folder / "runs" / "filler"
        two_hosts(drill)
        wait_until(lambda: drill.done() > 5, "some are done")
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                continue
        wait_until(partial(is_told_to_make_room, drill), "the user is told")
        before = drill.done()
        assert before < 150, "there is work left to hold up"
        wait_out(4)
        assert drill.done() <= before + 4
        assert drill.master and drill.master.poll() is None
        resize("64m")
        assert drill.end() == 0
        failed = drill.query("SELECT count(*) FROM tickets WHERE state IN ('failed', 'rejected')")[0][0]
        assert failed == 0
        assert "Traceback" not in drill.said
        drill.checked()
        report(figures, "master's disk full for 4 s, then room again", drill, plain=undisturbed(drill, two_hosts))


def test_large_results_wait_while_the_disk_of_the_master_is_full(drill: Drill, figures: Figures) -> None:
    work = WORK.replace('echo "$1"\n', 'head -c 1500000 /dev/zero >large\necho "$1"\n')
    yaml = (drill.sweep(6, work=work).folder / "spe.yaml").read_text()
    large = "large: {from: large, as: file}, data:"
    (drill.folder / "spe.yaml").write_text(yaml.replace("data:", large))
    with small_disk(drill.folder / "runs", "3m") as resize:
        drill.start()
        drill.host("h1", slots=3)
        wait_until(partial(is_told_to_make_room, drill), "the user is told")
        wait_out(12)
        resize("64m")
        assert drill.end() == 0
        failed = drill.query("SELECT count(*) FROM tickets WHERE state IN ('failed', 'rejected')")[0][0]
        assert failed == 0
        drill.checked()
        for row in drill.rows():
            assert (drill.runs / row["large"]).stat().st_size == 1_500_000
        plain = undisturbed(drill, lambda one: one.host("h1", slots=3))
        report(figures, "no room for uploads of 1.5 MB for 12 s, then room again", drill, plain=plain)


def test_a_host_whose_home_is_full_does_without_the_cache(drill: Drill, figures: Figures) -> None:
    worker = WORK.encode() + b"exit 0\n" + bytes(100_000)
    with small_disk(drill.root / "full", "16k"):
        drill.sweep(20, work=worker).start()
        full = drill.host("h1", XDG_CACHE_HOME=str(drill.root / "full"), HOME=str(drill.root / "full"))
        assert drill.end() == 0
        assert "No space left on device" in full.said
        assert not [path for path in (drill.root / "full").rglob("*") if path.is_file()]
        drill.checked()
        plain = undisturbed(drill, lambda one: one.host("h1"))
        report(figures, "a host's home full (the worker comes without the cache)", drill, plain=plain)


def test_tasks_on_a_host_with_a_full_disk_go_to_others_and_it_is_benched(drill: Drill, figures: Figures) -> None:
    with small_disk(drill.root / "full", "64k"):
        drill.sweep(100).start()
        (drill.root / "full" / "filler").write_bytes(bytes(44 * 1024))  # the client finds room, a result does not
        two_hosts(drill, slots=1, sleep=0.05)
        drill.host("full", "--workdir", str(drill.root / "full"), slots=8)
        assert drill.end() == 0
        lost = drill.query("SELECT host, count(*) FROM tickets WHERE state IN ('failed', 'rejected') GROUP BY host")
        assert {host for host, _ in lost} <= {"full"}
        assert "full is benched" in drill.said
        assert os.listdir(drill.root / "full") == ["filler"]
        drill.checked()
        plain = undisturbed(drill, lambda one: two_hosts(one, slots=1, sleep=0.05))
        what = (
            f"task directory full on one host of 8 slots, two good ones beside it ({dict(lost)['full']} attempts lost)"
        )
        report(figures, what, drill, plain=plain)


@pytest.mark.parametrize("careless", [False, True], ids=["careful program", "program that ignores it"])
def test_on_the_only_host_a_full_disk_is_the_reason_of_every_failure_and_retry_mends_it(
    drill: Drill, figures: Figures, careless: bool
) -> None:
    work = WORK.replace(" || exit 1", "") + "exit 0\n" if careless else WORK
    with small_disk(drill.root / "full", "64k"):
        drill.sweep(6, work=work).start()
        filler = drill.root / "full" / "filler"
        drill.host("h1", "--workdir", str(drill.root / "full"), SLEEP="0.3")
        wait_until(drill.started, "a program runs")
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1024)):
                continue
        assert drill.end() == 1
        failures = drill.rows("failed.csv")
        assert failures
        for row in failures:
            assert "No space left on device" in row["reason"], row
        filler.unlink()
        assert drill.spe("retry").returncode in (0, 1)
        if drill.states().get("done") != drill.sets:
            drill.start()
            drill.host("h1", "--workdir", str(drill.root / "full"))
            assert drill.end() == 0
        drill.checked()
        report(
            figures, f"the only task directory full, then mended and `spe retry` ({len(failures)} had failed)", drill
        )


def test_a_worker_damaged_in_the_cache_harms_no_run_and_is_replaced_by_the_next(drill: Drill, figures: Figures) -> None:
    cache = {"XDG_CACHE_HOME": str(drill.root / "cache")}
    drill.sweep(12, "delete_worker: false\n").start()
    drill.host("h1", SLEEP="0.3", **cache)
    wait_until(lambda: drill.done() > 2, "it runs")
    (kept,) = drill.root.glob("cache/spe/workers/*/work")
    good = kept.read_bytes()
    kept.write_bytes(b"#!/bin/sh\necho wrong; exit 0\n")
    second = drill.host("h2", SLEEP="0.3", **cache)  # comes meanwhile, and finds the damaged one
    wait_until(lambda: kept.exists() and kept.read_bytes() == good, "it is fetched again")
    wait_until(lambda: "registered with" in second.said, "it has looked at it for the last time")
    assert "fetching the worker" in second.said
    kept.write_bytes(good[:-1])  # cut short, for the next run
    assert drill.end() == 0
    drill.checked(keeps=True)
    drill.sweep(24, "delete_worker: false\n").start()
    third = drill.host("h1", **cache)
    assert drill.end() == 0
    assert "fetching the worker" in third.said
    assert kept.read_bytes() == good
    drill.checked(keeps=True)
    report(figures, "worker damaged in the cache, which is to stay (fetched again)", drill, 2)


class Stalling(socketserver.ThreadingTCPServer):
    """A way to the master on which the answer to `GET /worker` never comes."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 0)
        self.stalled = threading.Event()
        super().__init__(("127.0.0.1", 0), _Pass)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Pass(socketserver.BaseRequestHandler):
    server: Stalling

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as there:
            threading.Thread(target=self._back, args=(there,), daemon=True).start()
            with contextlib.suppress(OSError):
                while data := self.request.recv(65536):
                    if b"GET /worker" in data:
                        self.server.stalled.set()
                        continue
                    there.sendall(data)

    def _back(self, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := there.recv(65536):
                self.request.sendall(data)


def test_a_client_that_dies_with_the_lock_of_a_shared_home_holds_up_nobody_for_long(
    drill: Drill, figures: Figures
) -> None:
    """Others of its host; those of other hosts are in test_nfs.py."""
    drill.sweep(30).start()
    home = {"XDG_CACHE_HOME": str(drill.root / "shared")}
    way = Stalling(drill.facts["url"])
    victim = drill.host("h1", url=way.url, **home)
    wait_until(way.stalled.is_set, "it asks for the worker")
    (lock,) = drill.root.glob("shared/spe/workers/*.lock")
    victims = [pid for pid in drill.processes() if host_of(pid) == "h1"]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    victim.process.wait()
    assert lock.exists()
    died = time.monotonic()
    for name in ("h2", "h3"):
        drill.host(name, SLEEP="0.3", **home)
    wait_until(drill.started, "the others go on")
    waited = time.monotonic() - died
    assert drill.left(), "nobody was alive to clear up on h1"
    drill.host("h1", **home)  # its next client does
    assert drill.end() == 0
    way.shutdown()
    way.server_close()
    assert waited < STALE_AFTER, "a lock of a living host that nobody holds is not waited for"
    left = {path.name for path in (drill.root / "shared").rglob("*") if path.is_file() and path.name != ".spe-made"}
    assert not {name for name in left if name.endswith(".lock")}
    drill.checked()
    plain = undisturbed(drill, lambda one: two_hosts(one, slots=1, sleep=0.3))
    what = f"client and guard die with the worker's lock in a shared home (others wait {waited:.1f} s)"
    report(figures, what, drill, plain=plain)


def host_of(pid: int) -> str:
    """WHO of a process of this drill."""
    with contextlib.suppress(OSError):
        for one in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if one.startswith(b"WHO="):
                return one[4:].decode()
    return ""
