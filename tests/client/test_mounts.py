"""What is mounted in a client's folder belongs to somebody: clearing up never goes into it, also on the same disk."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from needs import need_root
from spe.client.host import removal
from spe.client.task.place import FreePlaces, TaskPlace
from waiting import wait_until

from .kit import Started
from .pretended_master import Master, task

MOUNTED = "something is mounted there"
PLATFORM = f"linux-{os.uname().machine}"


@pytest.fixture
def precious(tmp_path: Path) -> Iterator[Path]:
    """A user's folder, in which all is still there at the end. Whatever is mounted below the test's folder goes."""
    need_root()
    folder = tmp_path / "precious"
    for name in ("a", "sub/b", "work/a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("gold")
    (folder / "work").chmod(0o700)
    before = sorted(folder.rglob("*"))
    modes = [path.stat().st_mode for path in before]
    yield folder
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        if line.split()[1].startswith(str(tmp_path)):
            subprocess.run(["umount", line.split()[1]], check=True)
    assert sorted(folder.rglob("*")) == before
    assert [path.stat().st_mode for path in before] == modes


def bind(source: Path, target: Path) -> None:
    subprocess.run(["mount", "--bind", source, target], check=True)


@pytest.mark.parametrize("where", ["", "data", "deep/down/data"])
def test_a_folder_of_the_same_disk_that_is_mounted_in_a_tree_is_left_alone(
    tmp_path: Path, precious: Path, where: str
) -> None:
    top = tmp_path / "top"
    (top / where).mkdir(parents=True)
    (top / "ours").touch()
    bind(precious, top / where)
    assert removal.remove_tree(str(top)) == f"{top / where}: {MOUNTED}"
    assert (top / "ours").exists() == (not where and (precious / "ours").exists())


def test_a_mount_is_seen_where_only_device_numbers_tell_it(
    tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on systems without /proc."""
    monkeypatch.setattr(removal, "MOUNT_IDS", str(tmp_path / "nowhere" / "%d"))
    inside = tmp_path / "top" / "mounted"
    inside.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", inside], check=True)
    (inside / "theirs").touch()
    assert removal.remove_tree(str(tmp_path / "top")) == f"{inside}: {MOUNTED}"
    assert (inside / "theirs").exists()


def test_a_file_that_is_mounted_over_a_file_stays(tmp_path: Path, precious: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").touch()
    bind(precious / "a", top / "file")
    assert removal.remove_tree(str(top)) == f"{top}/file: Device or resource busy"


@pytest.mark.parametrize("what", ["work", ".", "work/file"])
def test_a_place_with_something_mounted_goes_to_no_other_ticket(tmp_path: Path, precious: Path, what: str) -> None:
    places, place = FreePlaces(kept=True), TaskPlace(str(tmp_path / "1"))
    places.make(place)
    place.outputs()
    Path(place.work, "file").touch()
    source = {"work": precious / "work", ".": precious, "work/file": precious / "a"}[what]
    bind(source, Path(place.path, what))
    assert not places.put(place)


def test_a_place_whose_directory_is_mounted_over_itself_goes_to_no_other_ticket(tmp_path: Path, precious: Path) -> None:
    """It has the same number on the same disk as before, but `noexec`, say, would be the next ticket's."""
    places = FreePlaces(kept=True)
    first, second, third = (TaskPlace(str(tmp_path / name)) for name in "123")
    for place in (first, second):
        places.make(place)
        place.outputs()
    bind(Path(first.work), Path(first.work))
    assert places.put(second), "nothing is mounted there"
    assert not places.put(first)
    places.make(third)
    assert sorted(os.listdir(tmp_path)) == ["1", "3", "precious"]


MOUNTS = ["mkdir data; mount --bind {0} data", "mkdir -p x/y/data; mount --bind {0} x/y/data",
          "mount --bind {0}/work ../work", "mount --bind {0} ..", "touch f; mount --bind {0}/a f"]  # fmt: skip


@pytest.mark.parametrize("batch", ["Yes", "No"])
@pytest.mark.parametrize("command", MOUNTS)
def test_what_a_program_leaves_mounted_is_left_alone_and_told_in_one_line(
    master: Master, client: Started, precious: Path, batch: str, command: str
) -> None:
    master.config.update(Batch=batch, Ping="0.5")
    master.add(*(task(n, "sh", "-c", f"{command.format(precious)}; echo {n}") for n in (1, 2)))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert len(master.completed) + len(master.failed) == 2  # what is mounted over stdout hides it
    line = line_of_mount(said)
    assert master.of("/bye")[0].query["left"] == [line.removeprefix("spe-client: ")]


def test_a_directory_that_a_program_mounts_over_itself_is_its_own_alone(
    master: Master, client: Started, precious: Path
) -> None:
    master.config.update(Batch="Yes", Ping="0.5")
    master.worker("prog", b"#!/bin/sh\n[ $1 != 1 ] || mount --bind -o noexec . . || exit\necho $1\n", PLATFORM)
    master.add(*(task(n, "./prog", str(n)) for n in range(1, 5)))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert not master.failed, "noexec is for the one that asked for it"
    assert line_of_mount(said).endswith(MOUNTED)


def test_the_guard_too_goes_into_nothing_that_is_mounted(master: Master, client: Started, precious: Path) -> None:
    master.over = False
    master.add(task(1, "sh", "-c", f"mkdir data; mount --bind {precious} data; touch done; sleep 600"))
    client.start()
    inside = client.base()
    wait_until((inside / "1" / "work" / "done").exists, "the program is done")
    os.kill(int((inside / "client.lock").read_text().split()[2]), signal.SIGKILL)
    _, said = client.end()
    assert said.count("could not remove") == 1
    assert MOUNTED in said


@pytest.mark.parametrize("where", ["1/work/data", "."])
def test_the_next_client_goes_into_nothing_that_is_mounted_in_a_dead_ones_folder(
    master: Master, other_master: Master, make_client: Callable[..., Started], precious: Path, where: str
) -> None:
    dead, following = make_client(master.url, "dead"), make_client(other_master.url, "next")
    master.over = False
    master.add(task(1, "sh", "-c", "mkdir data; touch done; exec sleep 600"))
    dead.start()
    inside = dead.base()
    wait_until((inside / "1" / "work" / "done").exists, "the program is done")
    kill_all_of(dead)
    bind(precious, inside / where)
    following.workdir = dead.workdir
    other_master.add(task(2, "echo", "works"))
    code, said = following.run()
    assert code == 0, said
    assert 2 in other_master.completed
    assert any(str(dead.workdir) in line and is_of_mount(line) for line in said.splitlines())


def line_of_mount(said: str) -> str:
    [line] = filter(is_of_mount, said.splitlines())
    return line


def is_of_mount(line: str) -> bool:
    return MOUNTED in line or "Device or resource busy" in line


def kill_all_of(client: Started) -> None:
    """Guard, client and hands in one moment."""
    assert client.process
    pids = [client.process.pid]
    for pid in pids:
        pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids[:-1]:  # the last one is the program
            os.kill(pid, number)
    client.end()
