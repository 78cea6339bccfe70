"""Removing what programs leave: folders thousands deep, unwritable and immutable ones; one line for what stays."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from needs import need_root
from spe.client.host import removal
from waiting import wait_until

from .kit import Started
from .pretended_master import Master, task
from .shared_folder import OURS, PYTHON, as_account

FS_IOC_SETFLAGS, IMMUTABLE = 0x40086602, 0x10

# Leaves so many folders one in another, with a file at each end, in the working directory of a task.
NESTED = """
import os, sys
for number in range(int(sys.argv[1])):
    os.mkdir("d")
    os.chdir("d")
open("deepest", "w").close()
"""


def nested(folder: Path, depth: int, name: str = "d") -> None:
    """Folders one in another; no path is used, as there is none so long."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("deepest", os.O_CREAT, dir_fd=at))
    os.close(at)


@pytest.fixture
def immutable() -> Iterator[Callable[[Path], None]]:
    """As `chattr +i`, and back at the end, whatever the path is then."""
    need_root()
    made: list[int] = []

    def make(path: Path) -> None:
        made.append(os.open(path, os.O_RDONLY))
        try:
            set_flags(made[-1], IMMUTABLE)
        except OSError as fault:
            pytest.skip(f"no immutable files on this file system: {fault}")

    yield make
    for file in made:
        set_flags(file, 0)
        os.close(file)


def set_flags(file: int, flags: int) -> None:
    fcntl.ioctl(file, FS_IOC_SETFLAGS, struct.pack("i", flags))


# -- trees


@pytest.mark.parametrize(("depth", "name"), [(1_500, "d"), (50_000, "d"), (200, "n" * 250)])
def test_folders_one_in_another_are_removed_however_many(depth: int, name: str) -> None:
    memory = Path("/dev/shm")
    top = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    nested(top, depth, name)
    nested(top / name, depth // 2, "other")
    assert removal.remove_tree(str(top)) == ""
    assert not top.exists()


def test_all_kinds_of_files_go_and_links_are_not_followed(tmp_path: Path) -> None:
    kept, top = tmp_path / "kept", tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    kept.mkdir()
    (kept / "file").touch()
    (top / "link").symlink_to(kept)
    (top / "a" / "dangling").symlink_to("nowhere")
    os.mkfifo(top / "a" / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(top / "sock"))
    (top / os.fsdecode(b"not utf-8 \xff")).touch()
    assert removal.remove_tree(str(top)) == ""
    assert list(tmp_path.iterdir()) == [kept]
    assert (kept / "file").exists()
    (tmp_path / "link").symlink_to(kept)
    assert removal.remove_tree(str(tmp_path / "link")) == ""
    assert list(tmp_path.iterdir()) == [kept]
    assert removal.remove_tree(str(tmp_path / "not there")) == ""


UNWRITABLE = """
import os, sys
sys.path.insert(0, sys.argv[2])
from spe_client.host import removal
os.chdir(sys.argv[1])
for name in ("top/0000/inner", "top/0555/inner", "top/0300/inner", "top/0444/inner", "top/0111/inner/deep"):
    os.makedirs(name)
    open(name + "/file", "w").close()
    os.chmod(name, 0o500)
    os.chmod(name[:8], int(name[4:8], 8))
os.mkdir("top/empty")
os.chmod("top/empty", 0o400)
os.chmod("top", 0)
print(repr(removal.remove_tree("top")), os.listdir())
"""


def test_what_a_program_made_unwritable_is_removed_by_its_owner(client: Started, tmp_path: Path) -> None:
    where = tmp_path / "where"
    where.mkdir()
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as other:
            Path(other).chmod(0o777)
            pyz = Path(other, "client.pyz")
            pyz.write_bytes(client.pyz.read_bytes())
            words = [*as_account(OURS).split(), str(PYTHON), "-c", UNWRITABLE, other, str(pyz)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert done.stdout == "'' ['client.pyz']\n"
    else:
        words = [sys.executable, "-c", UNWRITABLE, str(where), str(client.pyz)]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "'' []\n"


def test_what_stays_is_one_line_and_the_rest_goes(tmp_path: Path, immutable: Callable[[Path], None]) -> None:
    top = tmp_path / "top"
    for name in ("a/one", "a/two", "b/deep/three", "c/four"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    immutable(top / "a" / "one")
    immutable(top / "b" / "deep")
    said = removal.remove_tree(str(top))
    first = re.escape(f"{top}/a/one: Operation not permitted")
    other = re.escape(f"{top}/b/deep/three: Operation not permitted")
    assert re.fullmatch(f"({first}|{other}) \\(and 1 more\\)", said), said
    assert sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()) == ["a/one", "b/deep/three"]


def test_a_long_path_is_shortened_for_people(tmp_path: Path, immutable: Callable[[Path], None]) -> None:
    deep = tmp_path / "top"
    for _ in range(10):
        deep = deep / ("n" * 200)
    deep.mkdir(parents=True)
    (deep / "the last").touch()
    immutable(deep / "the last")
    said = removal.remove_tree(str(tmp_path / "top"))
    assert said.startswith(str(tmp_path))
    assert said.endswith("/the last: Operation not permitted")
    assert len(said) < 400


def test_what_is_mounted_inside_is_not_emptied(tmp_path: Path) -> None:
    need_root()
    inside = tmp_path / "top" / "mounted"
    inside.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(inside)], check=True)
    try:
        (inside / "theirs").touch()
        (tmp_path / "top" / "ours").touch()
        assert removal.remove_tree(str(tmp_path / "top")) == f"{inside}: something is mounted there"
        assert [path.name for path in inside.iterdir()] == ["theirs"]
        assert not (tmp_path / "top" / "ours").exists()
    finally:
        subprocess.run(["umount", str(inside)], check=True)


def test_a_folder_that_moves_while_it_is_removed_takes_nobody_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, top = tmp_path / "elsewhere", tmp_path / "top"
    elsewhere.mkdir()
    (elsewhere / "a").mkdir()
    (elsewhere / "precious").touch()
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").touch()
    unlink = os.unlink

    def move_then_unlink(name: str, **where: int) -> None:
        os.rename(top / "a" / "b", elsewhere / "b")
        unlink(name, **where)

    monkeypatch.setattr(os, "unlink", move_then_unlink)
    assert removal.remove_tree(str(top)) == f"{top}/a/b: it was moved while it was being removed"
    assert sorted(path.name for path in elsewhere.iterdir()) == ["a", "b", "precious"]


# -- clients


def test_a_task_that_leaves_folders_one_in_another_ends_nothing(master: Master, client: Started) -> None:
    for number, depth in enumerate((1_500, 5_000, 10), 1):
        master.add(task(number, "python3", "-c", NESTED, str(depth)))
    master.add(task(4, "echo", "goes on"))
    code, said = client.run("--slots", "1")
    assert code == 0, said
    assert sorted(master.completed) == [1, 2, 3, 4], master.failed
    assert "Error" not in said
    assert not client.workdir.exists()


def left_behind(client: Started, name: str = "spe-0123456789ab-other") -> Path:
    """A folder of a client that died on this host."""
    folder = client.workdir / name
    folder.mkdir(parents=True)
    here = f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    (folder / "client.lock").write_text(f"{here}\n1\n0\n")
    return folder


def test_what_a_dead_client_left_one_in_another_is_cleared_at_the_next_start(master: Master, client: Started) -> None:
    nested(left_behind(client), 1_500)
    nested(left_behind(client, "spe-0123456789ab-other.dead-77.dead-78"), 1_500)
    master.add(task(1, "echo", "works"))
    code, said = client.run()
    assert code == 0, said
    assert list(client.workdir.iterdir()) == []
    assert said.count("cleared what a dead client left") == 2


def test_no_link_is_followed_when_others_are_cleared(master: Master, client: Started, tmp_path: Path) -> None:
    elsewhere = left_behind(client).rename(tmp_path / "elsewhere")
    (elsewhere / "precious").touch()
    link = client.workdir / "spe-0123456789ab-link"
    link.symlink_to(elsewhere)
    master.add(task(1, "echo", "works"))
    code, said = client.run()
    assert code == 0, said
    assert (elsewhere / "precious").exists()
    assert link.is_symlink()


def test_a_fault_of_clearing_up_is_one_line_and_no_end_of_a_start(
    master: Master, make_client: Callable[..., Started], immutable: Callable[[Path], None]
) -> None:
    first, second = (make_client(master.url, name) for name in ("first", "second"))
    second.workdir = first.workdir
    left = left_behind(first)
    (left / "deep").mkdir()
    (left / "deep" / "stays").touch()
    immutable(left / "deep" / "stays")
    for client in (first, second):
        master.add(task(1, "echo", "works"))
        code, said = client.run()
        assert code == 0, said
        [line] = [line for line in said.splitlines() if "stays" in line]
        assert re.search(r"spe-0123456789ab-other\.dead-\w+/deep/stays: Operation not permitted$", line)
        assert "Traceback" not in said
        [stays] = client.workdir.iterdir()
        assert stays.name.count(".dead-") == 1


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_cannot_be_removed_at_the_end_is_one_line_here_and_at_the_master(
    master: Master, client: Started, immutable: Callable[[Path], None], what: str
) -> None:
    master.over = False
    master.add(task(1, "sh", "-c", "mkdir folder; touch folder/file; until [ -e go ]; do sleep 0.02; done"))
    client.start()
    place = client.base() / "1" / "work"
    wait_until((place / "folder" / "file").exists, "the program has written its file")
    immutable(place / "folder" / "file" if what == "file" else place / "folder")
    (place / "go").touch()
    master.finish()
    code, said = client.end()
    assert code == 0, said
    assert "Traceback" not in said
    lines = [line.removeprefix("spe-client: ") for line in said.splitlines() if "could not remove" in line]
    assert lines == [f"could not remove {place}/folder/file: Operation not permitted"]
    assert master.of("/bye")[0].query["left"] == lines
    assert "killed" not in master.of("/bye")[0].query
    assert len(master.of("/bye")) == 1


def test_the_guard_too_says_in_one_line_what_stays(
    master: Master, client: Started, immutable: Callable[[Path], None]
) -> None:
    master.over = False
    master.add(task(1, "sh", "-c", "touch file; sleep 600"))
    client.start()
    inside = client.base()
    wait_until((inside / "1" / "work" / "file").exists, "the program has written its file")
    immutable(inside / "1" / "work" / "file")
    immutable(inside)
    os.kill(int((inside / "client.lock").read_text().split()[2]), signal.SIGKILL)
    _, said = client.end()
    assert "Traceback" not in said
    assert said.count("could not remove") == 1
    assert len(master.of("/bye")) == 1


def test_a_name_that_a_dead_client_holds_for_good_is_passed_over(
    master: Master, make_client: Callable[..., Started], immutable: Callable[[Path], None]
) -> None:
    client, other, living = (make_client(master.url, name) for name in ("client", "other", "living"))
    other.workdir = living.workdir = client.workdir
    master.over = False
    name = client.start().base().name
    master.wait_for(lambda: master.of("/config"))
    client.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
    client.end()
    immutable(left_behind(client, name))
    living.start()
    wait_until(lambda: (client.workdir / f"{name}.2" / "client.lock").exists(), "the second client has its folder")
    master.wait_for(lambda: len(master.of("/config")) == 2)
    code, said = other.run()
    assert code == 0
    assert "already running here" in said
    master.finish()
    code, said = living.end()
    assert code == 0, said
    assert sorted(path.name for path in client.workdir.iterdir()) == [name]


def test_a_workdir_that_cannot_be_removed_is_one_line(
    master: Master, client: Started, immutable: Callable[[Path], None]
) -> None:
    master.over = False
    client.start()
    client.base()
    master.wait_for(lambda: master.of("/task"))
    immutable(client.workdir.parent)
    master.finish()
    code, said = client.end()
    assert code == 0, said
    assert said.count("could not remove") == 1
    assert f"could not remove {client.workdir}: Operation not permitted" in said


def test_two_who_remove_the_same_at_once_are_both_content(tmp_path: Path) -> None:
    """At the end of a client the thread that clears tasks away may still be at work."""
    for number in range(20):
        top = tmp_path / str(number)
        for one in range(30):
            deep = top / str(one) / "a" / "b" / "c"
            deep.mkdir(parents=True)
            (deep / "file").touch()
        with ThreadPoolExecutor(3) as pool:
            left = list(pool.map(removal.remove_tree, [str(top)] * 3))
        assert left == ["", "", ""] and not top.exists()
