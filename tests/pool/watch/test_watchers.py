"""Watchers on real hosts: what they tell, and what becomes of them when somebody hangs, is cut off or is killed."""

from __future__ import annotations

import os
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import Boot, Lab, LabHost
from lab.host import USER
from spe.launch import Options
from spe.model import Host
from spe.pool.watch.seen import Seen
from spe.pool.watch.turns import Turns
from spe.pool.watch.watchers import Watchers
from waiting import wait_until

LAB_HOSTS = 2
pytestmark = pytest.mark.lab
OTHER = 31337  # a user number on the lab's hosts without a name
BUSY = "/usr/bin/python3 -c 'while True: pass'"
Start = Callable[..., Watchers]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Watch hosts of a lab, or others, until the end of the test."""
    made: list[Watchers] = []

    def begin(lab: Lab | None, *hosts: Host, interval: float = 0.5, **more: float) -> Watchers:
        config = lab.ssh_config if lab else tmp_path / "none"
        options = Options(tmp_path, config, **{"connect_limit": 5.0, "login_limit": 10.0, **more})  # type: ignore[arg-type]
        one = Watchers(options, interval)
        made.append(one)
        one.watch({host.name: host for host in hosts})
        return one

    yield begin
    for one in made:
        one.close()


def seen(watchers: Watchers, name: str = "h01", *, after: float = 0.0) -> Seen:
    """What a watcher tells, later than a monotonic time."""

    def look() -> Seen | None:
        at, found = watchers.seen.get(name, (0.0, None))
        return found if at > after else None

    return wait_until(look, f"{name} is heard", story=lambda: watchers.unheard(name))  # type: ignore[return-value]


def watching(host: LabHost) -> list[int]:
    """The watchers' processes there."""
    return [one.pid for one in host.processes() if "-c" in one.words and "SIGALRM" not in one.line and
            any("sent[" in word for word in one.words) and one.words[0].endswith(("python3", "python"))]  # fmt: skip


def test_a_host_is_seen_as_it_is_and_nothing_is_left_there(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    before = hosts[0].files()
    found = seen(start(lab, Host("h01")))
    assert found.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.platform == "linux-x86_64"
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.memory > found.free > 0
    assert len(found.load) == 3
    assert found.sees_others
    assert hosts[0].files() == before


def test_the_work_of_another_account_is_told_with_its_name_its_cores_and_no_arguments(
    lab: Lab, hosts: list[LabHost], start: Start
) -> None:
    words = f"setsid setpriv --reuid={OTHER} --regid={OTHER} --clear-groups {BUSY} secret >/dev/null 2>&1 </dev/null &"
    hosts[0].root("sh", "-c", words)
    watchers = start(lab, Host("h01"))
    wait_until(lambda: seen(watchers).accounts.get(str(OTHER), 0) > 0.1, "its work is seen")
    first = next(one for one in seen(watchers).top if one.account == str(OTHER))
    assert first.name.startswith("python3")
    assert first.cores > 0.1
    assert first.memory > 0
    assert "secret" not in repr(seen(watchers))


def test_short_programs_count_for_the_account_that_starts_them(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    words = "while :; do timeout 0.1 sh -c 'while :; do :; done'; done"
    as_other = f"setsid setpriv --reuid={OTHER} --regid={OTHER} --clear-groups sh -c {shlex.quote(words)}"
    hosts[0].root("sh", "-c", f"{as_other} >/dev/null 2>&1 </dev/null &")
    watchers = start(lab, Host("h01"), interval=1.0)
    wait_until(lambda: seen(watchers).accounts.get(str(OTHER), 0) > 0.1, "its work is seen")
    assert seen(watchers).accounts[str(OTHER)] < os.cpu_count() + 0.5  # type: ignore[operator]


def test_the_watcher_ends_when_its_farm_ends(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    watchers = start(lab, Host("h01"))
    seen(watchers)
    assert len(watching(hosts[0])) == 1
    watchers.close()
    wait_until(lambda: not hosts[0].processes(user_only=True), "nothing of it is left")


def test_the_watcher_ends_when_its_session_is_killed_and_is_started_again(
    lab: Lab, hosts: list[LabHost], start: Start
) -> None:
    watchers = start(lab, Host("h01"))
    seen(watchers)
    (old,) = watching(hosts[0])
    for one in hosts[0].connections():
        os.kill(one.pid, 9)
    wait_until(lambda: old not in watching(hosts[0]), "the old one has ended")
    killed = time.monotonic()
    wait_until(lambda: watchers.unheard("h01"), "it is said")
    assert watchers.unheard("h01").startswith("connection lost: ")
    seen(watchers, after=killed)
    assert watchers.unheard("h01") == ""
    assert len(watching(hosts[0])) == 1


def test_a_cut_link_is_said_and_the_host_is_heard_again(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    watchers = start(lab, Host("h01"), Host("h02"))
    seen(watchers)
    (old,) = watching(hosts[0])
    hosts[0].cut()
    cut = time.monotonic()
    wait_until(lambda: watchers.unheard("h01"), "it is said")
    assert watchers.unheard("h01").startswith("timeout: ")
    seen(watchers, "h02", after=cut)
    wait_until(lambda: old not in watching(hosts[0]), "the watcher there ends, though its sshd holds the session")
    hosts[0].heal()
    healed = time.monotonic()
    seen(watchers, after=healed)
    assert watchers.unheard("h01") == ""


def test_a_frozen_host_is_said_and_heard_again(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    watchers = start(lab, Host("h01"))
    seen(watchers)
    hosts[0].freeze()
    wait_until(lambda: watchers.unheard("h01").startswith("timeout: "), "it is said")
    thawed = time.monotonic()
    hosts[0].thaw()
    seen(watchers, after=thawed)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (Boot(refuse_key=True), "login failed: "),
        (Boot(new_host_key=True), "host key changed: "),
        (Boot(no_python=True), "no python3: "),
        (Boot(no_sshd=True), "refused: "),
    ],
    ids=["key", "host key", "python", "sshd"],
)
def test_why_a_host_is_not_heard_is_said_in_the_words_of_a_run(
    lab: Lab, hosts: list[LabHost], start: Start, how: Boot, why: str
) -> None:
    hosts[0].boot(how)
    watchers = start(lab, Host("h01"))
    wait_until(lambda: watchers.unheard("h01"), "it is said")
    assert watchers.unheard("h01").startswith(why)
    assert "h01" not in watchers.seen


def test_hidden_processes_are_said(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    hosts[0].root("mount", "-o", "remount,hidepid=2", "/proc")
    assert not seen(start(lab, Host("h01"))).sees_others


def test_clients_are_told_with_their_slots_and_jobs(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    (lab.folder / "h01" / "tmp" / "spe-client.pyz").write_text("import time; time.sleep(600)")
    hosts[0].shell("setsid python3 /tmp/spe-client.pyz --master x --slots 3 --job f0/17 >/dev/null 2>&1 </dev/null &")
    watchers = start(lab, Host("h01"))
    wait_until(lambda: seen(watchers).clients, "it is seen")
    (client,) = seen(watchers).clients
    assert (client.account, client.slots, client.job) == (USER, 3, "f0/17")


def test_hosts_are_added_and_left_out(lab: Lab, hosts: list[LabHost], start: Start) -> None:
    watchers = start(lab, Host("h01"))
    seen(watchers)
    watchers.watch({"h02": Host("h02")})
    seen(watchers, "h02")
    assert "h01" not in watchers.seen
    assert watchers.unheard("h01") == "it is not watched"
    wait_until(lambda: not hosts[0].processes(user_only=True), "nothing is left on the other")


# -- without a lab


def test_the_farms_own_host_is_watched_by_a_child(start: Start) -> None:
    found = seen(start(None, Host("localhost")), "localhost")
    assert found.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.sees_others


def test_another_interval_starts_the_watchers_anew(start: Start) -> None:
    here = Host("localhost")
    watchers = start(None, here, interval=300)
    watchers.watch({"localhost": here}, 0.5)
    assert watchers.interval == 0.5
    assert seen(watchers, "localhost")  # long before the first line of the one that looks every 5 min


def test_hosts_that_hang_never_block_others(start: Start, tmp_path: Path) -> None:
    """Twenty that accept a connection and say nothing, and one that works."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        hung = [Host(f"hung{number}") for number in range(20)]
        (tmp_path / "none").write_text(f"Host hung*\n  HostName 127.0.0.1\n  Port {silent.getsockname()[1]}\n")
        watchers = start(None, *hung, login_limit=600.0)
        watchers.watch({host.name: host for host in hung} | {"srv": Host("localhost")})
        seen(watchers, "srv")


def test_only_so_many_handshakes_are_at_once_but_for_those_that_hang() -> None:
    turns, inside, most = Turns(3, hangs=60.0), 0, 0
    lock, go = threading.Lock(), threading.Event()

    def shake() -> None:
        nonlocal inside, most
        with turns.turn():
            with lock:
                inside += 1
                most = max(most, inside)
            go.wait()
            with lock:
                inside -= 1

    threads = [threading.Thread(target=shake) for _ in range(9)]
    for one in threads:
        one.start()
    wait_until(lambda: inside == 3, "three have a turn")
    go.set()
    for one in threads:
        one.join()
    assert most == 3
    hanging = Turns(1, hangs=0.05)
    with hanging.turn(), hanging.turn():
        pass
