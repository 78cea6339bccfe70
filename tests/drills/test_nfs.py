"""A home on NFS: shared by hosts that see each other's changes seconds later, and one whose server is away.

The mounts are lab/stalefs.py's: attributes and names, missing ones too, are up to 3 s old; locks are each host's own.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from doctor.kit import free_port
from lab import USER, Lab, LabHost
from lab.host import UID
from lab.mounts import Mount, mounts
from spe.fleet.fleet import LONG
from waiting import wait_out, wait_until

from .kit import WORKER, Drill, signal_to

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.patient, pytest.mark.timeout(400)]
LAB_HOSTS = 3
LARGE = 3_000_000  # bytes of the worker, so that the network tells who fetched it
Maker = Callable[..., Drill]


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder with the home, on the server."""
    folder = tmp_path / "export"
    (folder / USER).mkdir(parents=True)
    shutil.chown(folder / USER, UID, UID)
    return folder


@pytest.fixture
def views(lab: Lab, served: Path, tmp_path: Path) -> Iterator[list[Mount]]:
    """The same folder as each host of the lab sees it."""
    with mounts(served, [tmp_path / "views" / host.name for host in lab.hosts]) as made:
        yield made
        for host in lab.hosts:
            host.power_off()


def enlarge_worker(drill: Drill) -> None:
    drill.worker(WORKER.format(each=drill.each) + "exit 0\n" + "#" * LARGE)


def sent(host: LabHost) -> int:
    """Bytes that went to it."""
    return int(Path(f"/sys/class/net/{host.device}/statistics/tx_bytes").read_text())


def fetchers(lab: Lab, before: Mapping[str, int]) -> list[LabHost]:
    """The hosts that the worker was sent to since then."""
    return [host for host in lab.hosts if sent(host) - before[host.name] > LARGE]


def log_of(drill: Drill) -> str:
    return (drill.runs("drill") / "master.log").read_text()


def is_empty(served: Path) -> bool:
    return not list((served / USER).iterdir())


def test_a_shared_home_is_copied_to_once_and_a_client_that_leaves_disturbs_nobody(
    make_drill: Maker, lab: Lab, served: Path, views: list[Mount]
) -> None:
    drill = make_drill(lab, 3, sets=60, homes=[view.path for view in views])
    enlarge_worker(drill)
    before = {host.name: sent(host) for host in lab.hosts}
    drill.open_gate(30)
    drill.start_run()
    wait_for_all(drill)
    drill.wait_done(20)
    assert log_of(drill).count("copying the client") == 1, log_of(drill)
    (first,) = fetchers(lab, before)
    old = drill.client_of(first)
    signal_to(old[:1], signal.SIGTERM)  # it leaves, and takes worker and client in the home along
    wait_until(lambda: set(drill.client_of(first) or old) - set(old), "it is started again")
    drill.open_gate()
    drill.end()
    assert not drill.failed_attempts
    assert all(drill.done_by(host.name) for host in lab.hosts)
    wait_until(lambda: is_empty(served), "the home is as it was")
    drill.five_checks("home on NFS (3 s stale) shared by 3 hosts; a client leaves")


def test_a_host_that_loses_its_power_with_the_lock_of_a_home_on_nfs_holds_up_the_others_for_half_a_minute(
    make_drill: Maker, lab: Lab, served: Path, views: list[Mount]
) -> None:
    port = free_port()
    yaml = f"ping: 0.3\ngrace: 20\nlisten: {port}\n"
    drill = make_drill(lab, 3, sets=60, homes=[view.path for view in views], yaml=yaml)
    enlarge_worker(drill)
    for host in lab.hosts:  # none gets all of the worker, until the one that fetches it is down
        rules = "add table inet half; add chain inet half in { type filter hook input priority 0; }; "
        host.root("nft", f"{rules}add rule inet half in tcp sport {port} quota over 1 mbytes drop")
    drill.start_run()
    (lock,) = wait_until(lambda: list(served.glob(f"{USER}/.cache/spe/workers/*.lock")), "somebody fetches the worker")
    name = wait_until(lambda: lock.read_text().split(" ")[0], "the lock is written")
    lab[name].power_off()
    assert lock.exists(), "it died while it had the lock"
    for host in lab.hosts:
        if host.name != name:
            host.unblock()
    drill.end()
    assert not drill.done_by(name)
    wait_until(lambda: is_empty(served), "the home is as it was")
    drill.hosts.remove(lab[name])
    drill.five_checks("a host dies with the worker's lock in a home on NFS")


def wait_for_all(drill: Drill) -> None:
    """Each host has a client that works."""

    def story() -> str:
        there = {host.name: [p.line for p in host.processes(user_only=True)] for host in drill.hosts}
        return f"{there}\n{drill.story()}"

    wait_until(lambda: all(drill.client_of(host) for host in drill.hosts), "all hosts work", story=story)


def doctor(drill: Drill, lab: Lab) -> dict[str, Any]:
    """Return what `spe doctor` says of each host. It takes 10 s on a machine that has nothing else to do."""
    done = subprocess.run(
        [sys.executable, "-m", "spe", "doctor", "--json", "-F", str(lab.ssh_config)],
        cwd=drill.folder, env=drill.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return {one["host"]: one for one in json.loads(done.stdout)["hosts"]}


def test_a_host_whose_home_hangs_is_named_and_the_others_go_on(
    make_drill: Maker, lab: Lab, served: Path, views: list[Mount]
) -> None:
    drill = make_drill(lab, 3, sets=54, homes=[view.path for view in views])
    drill.open_gate(30)
    views[1].hang()
    said = doctor(drill, lab)
    assert [said[name]["works"] for name in ("h01", "h02", "h03")] == [True, False, True]
    assert said["h02"]["verdict"] == "timeout"
    assert "does its home hang?" in said["h02"]["findings"][0]["what"]
    assert said["h01"]["shared_home"] == said["h03"]["shared_home"] == 1
    drill.start_run()
    wait_until(lambda: drill.client_of(lab["h03"]), "it works")
    working = time.monotonic()
    drill.wait_done(20)
    views[2].hang()
    wait_out(LONG, working)
    drill.open_gate()
    drill.end()
    assert drill.done_by("h03") & set(range(31, 55)), "its tasks need no home"
    told = drill.said.read_text()
    assert "h02: timeout: it was still being started after" in told
    assert "h03: its client did not say goodbye" in told
    wait_until(lambda: not lab["h03"].processes(user_only=True), "its client does not wait for the home")
    views[1].heal()
    views[2].heal()
    wait_until(lambda: not lab["h02"].connections(), "whoever waited there goes on, and ends")
    again(drill, 60)  # what h03 could not take away, its next client does
    wait_until(lambda: is_empty(served), "the home is as it was")
    drill.five_checks("home hangs on 2 of 3 hosts, at the start and at work; then again with 6 sets more")


def again(drill: Drill, sets: int) -> None:
    """`spe run` with more sets, in which all hosts take part."""
    drill.open_gate(drill.sets)
    drill.sets = sets
    drill.rewrite()
    drill.start_run()
    wait_for_all(drill)
    drill.open_gate()
    drill.end()
