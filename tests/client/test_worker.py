"""The worker on a host: checked, fetched once, kept or deleted; lock files of the living and the dead."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from spe.client.host.folders import MARKER, make, unmake
from spe.client.host.lock import STALE_AFTER, LockFile
from spe.client.shared.cache import Worker
from spe.client.shared.inputs import InputCache
from spe.client.wire.connection import parse_address
from spe.client.wire.master import Master as Wire
from spe.client.wire.master import MasterConnection
from waiting import wait_until

from .kit import Started
from .pretended_master import SESSION, Master, task

PLATFORM = f"linux-{os.uname().machine}"
PROGRAM = b"#!/bin/sh\necho I am the worker: $1\n"


@pytest.fixture
def worker_master(master: Master) -> Master:
    master.worker("prog", PROGRAM, PLATFORM)
    master.add(task(1, "./prog", "x"))
    return master


def cached(client: Started, master: Master) -> Path:
    return client.cache / "spe" / "workers" / master.config["SHA256"] / "prog"


def test_the_worker_is_fetched_for_our_platform_and_run(worker_master: Master, client: Started) -> None:
    assert client.run()[0] == 0
    assert worker_master.completed[1].parts["stdout"] == b"I am the worker: x\n"
    (asked,) = worker_master.of("/worker")
    assert (asked.query["name"], asked.query["platform"]) == (["prog"], [PLATFORM])
    assert worker_master.of("/task")[0].query["worker"] == ["prog"]


def test_delete_worker_removes_what_was_fetched_and_every_folder_made_for_it(
    worker_master: Master, client: Started
) -> None:
    assert client.run()[0] == 0
    assert not client.cache.exists()
    assert not client.workdir.exists()


def test_a_kept_worker_is_found_by_the_next_run_and_not_fetched(
    worker_master: Master, client: Started, make_client: Callable[..., Started]
) -> None:
    worker_master.config["DeleteWorker"] = "No"
    assert client.run()[0] == 0
    assert cached(client, worker_master).read_bytes() == PROGRAM
    following = make_client(worker_master.url, "next")
    following.cache = client.cache
    worker_master.config["DeleteWorker"] = "Yes"
    worker_master.add(task(2, "./prog", "y"))
    assert following.run()[0] == 0
    assert len(worker_master.of("/worker")) == 1
    assert worker_master.completed[2].parts["stdout"] == b"I am the worker: y\n"
    assert cached(client, worker_master).exists(), "it was not this client that fetched it"


@pytest.mark.parametrize("found", [b"#!/bin/sh\necho wrong\n", b""])
def test_a_wrong_file_in_the_cache_is_replaced(worker_master: Master, client: Started, found: bytes) -> None:
    cached(client, worker_master).parent.mkdir(parents=True)
    cached(client, worker_master).write_bytes(found)
    assert client.run()[0] == 0
    assert worker_master.completed[1].parts["stdout"] == b"I am the worker: x\n"


@pytest.mark.parametrize("missing", ["SHA256", "MD5"])
def test_either_checksum_alone_will_do(worker_master: Master, client: Started, missing: str) -> None:
    del worker_master.config[missing]
    assert client.run()[0] == 0
    assert worker_master.completed[1].parts["stdout"] == b"I am the worker: x\n"


@pytest.mark.parametrize("key", ["SHA256", "MD5"])
def test_a_worker_that_comes_with_a_wrong_checksum_is_not_run(worker_master: Master, client: Started, key: str) -> None:
    worker_master.config[key] = "0" * len(worker_master.config[key])
    code, said = client.run()
    assert code == 9
    assert "the worker prog came 3 times with a wrong checksum" in said
    assert not worker_master.of("/task")
    assert not client.cache.exists()


def test_no_worker_for_this_platform_is_said_with_the_masters_reason(worker_master: Master, client: Started) -> None:
    worker_master.workers = {"vax-780": b""}
    code, said = client.run()
    assert code == 9
    assert "415 no worker for this platform; there are: vax-780" in said
    assert worker_master.of("/bye")


def test_a_worker_name_that_is_a_path_is_refused(worker_master: Master, client: Started) -> None:
    worker_master.config["Worker"] = "../../evil"
    assert client.run()[0] == 9


def test_without_a_usable_cache_folder_it_is_fetched_all_the_same(worker_master: Master, client: Started) -> None:
    client.cache.write_text("a file where a folder should be")
    assert client.run()[0] == 0
    assert worker_master.completed[1].parts["stdout"] == b"I am the worker: x\n"


def test_of_many_clients_that_share_a_home_one_fetches(
    worker_master: Master, make_client: Callable[..., Started], tmp_path: Path
) -> None:
    worker_master.config["DeleteWorker"] = "No"
    clients = [make_client(worker_master.url, f"c{n}") for n in range(4)]
    for one in clients:
        one.cache = tmp_path / "home"
        one.start("--host", one.folder.name)
    assert [one.end()[0] for one in clients] == [0] * 4
    assert len(worker_master.of("/worker")) == 1


def test_a_lock_of_a_dead_process_of_this_host_expires_at_once(worker_master: Master, client: Started) -> None:
    place = cached(client, worker_master)
    place.parent.parent.mkdir(parents=True)
    path = f"{place.parent}.lock"
    code = f"from spe.client.host.lock import LockFile; import os; LockFile({path!r}).__enter__(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Path(path).exists()
    began = time.monotonic()
    assert client.run()[0] == 0
    assert time.monotonic() - began < STALE_AFTER
    assert 1 in worker_master.completed


def test_a_lock_of_another_host_expires_when_it_was_not_refreshed(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("far-away pid:[1]\n12\n345\n           0\n")
    os.utime(path, (2e9, 2e9))  # its times say nothing: another machine's clock
    began = time.monotonic()
    with LockFile(str(path), stale_after=1):
        assert "far-away" not in path.read_text()
    assert 1 <= time.monotonic() - began < STALE_AFTER
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_refreshed_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    order, inside = [], threading.Event()

    def hold() -> None:
        with LockFile(str(path), refresh=0.1):
            inside.set()
            time.sleep(4)
            order.append("first")

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    with LockFile(str(path), stale_after=3):
        order.append("second")
    holder.join()
    assert order == ["first", "second"]


def test_two_that_find_a_stale_lock_do_not_both_get_it(tmp_path: Path) -> None:
    path, counter = tmp_path / "x.lock", tmp_path / "counter"
    counter.write_text("0")
    path.write_text("far-away\n1\n2\n0\n")
    code = f"""
import sys
from spe.client.host.lock import LockFile
for _ in range(20):
    with LockFile({str(path)!r}, stale_after=3):
        number = int(open({str(counter)!r}).read())
        open({str(counter)!r}, "w").write(str(number + 1))
"""
    made = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [one.wait(60) for one in made] == [0, 0, 0]
    assert counter.read_text() == "60"


def test_folders_that_were_there_before_stay(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    make(str(tmp_path / "theirs" / "a" / "b"))
    assert (tmp_path / "theirs" / "a" / "b" / MARKER).exists()
    unmake(str(tmp_path / "theirs" / "a" / "b"))
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_folder_that_somebody_uses_stays_and_is_still_known_as_ours(tmp_path: Path) -> None:
    make(str(tmp_path / "a" / "b"))
    (tmp_path / "a" / "other").touch()
    unmake(str(tmp_path / "a" / "b"))
    assert sorted(one.name for one in (tmp_path / "a").iterdir()) == [MARKER, "other"]
    (tmp_path / "a" / "other").unlink()
    unmake(str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


@pytest.fixture
def connection(master: Master) -> MasterConnection:
    return Wire(parse_address(master.url, ""), SESSION, lambda: None).connection()


@pytest.fixture
def sums(master: Master) -> list[str]:
    """Those of five files of 1000 bytes that the master has."""
    master.files = {hashlib.sha256(one).hexdigest(): one for one in (bytes([n]) * 1000 for n in range(5))}
    return list(master.files)


def test_shared_files_are_kept_within_a_limit(
    tmp_path: Path, master: Master, connection: MasterConnection, sums: list[str]
) -> None:
    files = InputCache(str(tmp_path / "files"), limit=2500)
    for one in [*sums, sums[4], sums[0]]:
        assert Path(files.have(connection, one).path).read_bytes() == master.files[one]
    assert sorted(one.name for one in (tmp_path / "files").iterdir()) == sorted([sums[4], sums[0]])
    assert len(master.of("/file")) == 6


def test_a_shared_file_that_a_task_needs_stays_whatever_the_limit(
    tmp_path: Path, connection: MasterConnection, sums: list[str]
) -> None:
    """One set may have inputs that together are larger: all must be there when its directory is made."""
    files = InputCache(str(tmp_path / "files"), limit=2500, needed=lambda: set(sums[:3]))
    for one in [*sums, sums[3]]:
        files.have(connection, one)
    assert {one.name for one in (tmp_path / "files").iterdir()} == {*sums[:3], sums[3]}


def test_a_shared_file_that_somebody_removed_is_no_trouble_when_room_is_made(
    tmp_path: Path, connection: MasterConnection, sums: list[str]
) -> None:
    files = InputCache(str(tmp_path / "files"), limit=2500)
    Path(files.have(connection, sums[0]).path).unlink()
    for one in sums[1:]:
        files.have(connection, one)
    assert {one.name for one in (tmp_path / "files").iterdir()} == {*sums[3:]}


@pytest.mark.parametrize("how", ["append", "write as much", "write as much and restore the mode", "replace", "remove"])
def test_a_shared_file_that_was_changed_is_brought_again_and_tasks_keep_what_they_have(
    tmp_path: Path, master: Master, connection: MasterConnection, sums: list[str], how: str
) -> None:
    """Also in the moment after it came, within one tick of the kernel's clock."""
    files = InputCache(str(tmp_path / "files"))
    original = files.have(connection, sums[1])
    path = Path(original.path)
    assert path.stat().st_mtime < time.time() - 5, "older than what any write leaves, however coarse the clock"
    os.link(path, tmp_path / "of a task")
    if how in ("replace", "remove"):
        path.unlink()
    if how != "remove":
        path.touch()
        path.chmod(0o644)
        with path.open("ab" if how == "append" else "r+b") as file:
            file.write(b"x" * 1000)
        path.chmod(0o444)
    assert not original.is_right()
    again = files.have(connection, sums[1])
    assert again.is_right() and path.read_bytes() == master.files[sums[1]]
    assert again.stamp[2] != original.stamp[2] or how in ("replace", "remove")
    assert os.stat(tmp_path / "of a task").st_ino == original.stamp[2]


def test_a_shared_file_of_which_two_threads_know_that_it_was_changed_is_brought_again_once(
    tmp_path: Path, master: Master, connection: MasterConnection, sums: list[str]
) -> None:
    """One finds it when it asks for tasks, the other was told by a hand."""
    files = InputCache(str(tmp_path / "files"))
    changed = files.have(connection, sums[1])
    Path(changed.path).chmod(0o644)
    again = files.have(connection, sums[1])
    assert files.have(connection, sums[1], changed) == again != changed
    assert len(master.of("/file")) == 2
    assert files.have(connection, sums[1], again) != again, "also where it looks right, as a tree may"
    assert len(master.of("/file")) == 3


def test_a_worker_that_is_fetched_again_is_a_new_file_and_tasks_keep_what_they_have(
    worker_master: Master, connection: MasterConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    worker = Worker(worker_master.config, PLATFORM, str(tmp_path / "worker"))
    first = worker.have(connection)
    os.link(first.path, tmp_path / "of a task")
    (tmp_path / "of a task").chmod(0o755)
    (tmp_path / "of a task").write_bytes(b"changed")
    assert not first.is_right()
    again = worker.have(connection)
    assert again.is_right() and Path(again.path).read_bytes() == PROGRAM
    assert (tmp_path / "of a task").read_bytes() == b"changed" and again.stamp[2] != first.stamp[2]


def test_a_checksum_that_is_a_path_is_refused_and_removes_nothing(tmp_path: Path, connection: MasterConnection) -> None:
    (tmp_path / "precious.part").touch()
    with pytest.raises(OSError, match="not a SHA-256"):
        InputCache(str(tmp_path / "files")).have(connection, "../precious")
    assert (tmp_path / "precious.part").exists()


def test_delete_client_removes_the_one_file_and_the_folder_made_for_it(master: Master, client: Started) -> None:
    master.config["DeleteClient"] = "Yes"
    make(str(client.folder / "made"))
    client.pyz = client.pyz.rename(client.folder / "made" / "spe-client.pyz")
    assert client.run()[0] == 0
    assert not (client.folder / "made").exists()


def test_without_delete_client_it_stays(master: Master, client: Started) -> None:
    assert client.run()[0] == 0
    assert client.pyz.exists()


def test_clean_up_comes_before_bye(master: Master, client: Started) -> None:
    master.config["DeleteClient"] = "Yes"
    seen: list[bool] = []

    def bye(handler: object) -> None:
        seen.append(client.pyz.exists() or client.workdir.exists())
        handler.reply(200, {}, b"")  # type: ignore[attr-defined]

    master.script["/bye"].append(bye)
    assert client.run()[0] == 0
    wait_until(lambda: seen, "the worker was seen")
    assert seen == [False]
