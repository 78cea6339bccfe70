"""The place of a task, which goes to the next one only when nothing is left of the first."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from needs import need_root
from spe.client.task.place import LONG, FreePlaces, TaskPlace

from .kit import Started
from .pretended_master import Master, task

PLATFORM = f"linux-{os.uname().machine}"
ANOTHER = "import fcntl; fcntl.fcntl(1, fcntl.F_SETFL, 0)"


@pytest.fixture
def master(master: Master) -> Iterator[Master]:
    """One that takes batches: then results are read by the hand."""
    master.config.update(Batch="Yes", Ping="0.5")
    yield master


def identity(place: TaskPlace) -> list[tuple[int, int]]:
    """The same as long as the directory and the files are the same ones."""
    return [(os.stat(path).st_dev, os.stat(path).st_ino) for path in (place.path, place.work, place.stdout)]


def used(places: FreePlaces, folder: Path, name: str) -> TaskPlace:
    place = TaskPlace(str(folder / name))
    places.make(place)
    for number in place.outputs().values():
        os.write(number, b"printed by " + name.encode())
    return place


def test_a_place_goes_on_to_the_next_ticket_and_is_empty(tmp_path: Path) -> None:
    places = FreePlaces(kept=True)
    first = used(places, tmp_path, "1")
    for name in ("result", ".hidden"):
        (Path(first.work) / name).write_text("of the first")
    before = identity(first)
    assert places.put(first)
    second = TaskPlace(str(tmp_path / "2"))
    places.make(second)
    assert identity(second) == before
    assert [str(one.relative_to(tmp_path)) for one in sorted(tmp_path.rglob("*"))] == [
        "2", "2/stderr", "2/stdout", "2/work",
    ]  # fmt: skip
    assert os.stat(second.stdout).st_size == os.stat(second.stderr).st_size == 0
    os.write(second.outputs()[1], b"new")
    assert Path(second.stdout).read_bytes() == b"new"
    second.close()


@pytest.mark.parametrize(
    "change",
    [
        "mkdir below",
        "chmod 500 .",
        "chmod 750 .",
        "chmod 644 ../stdout",
        "rm ../stdout",
        "ln ../stdout ../../kept",
        "mv ../work ../../moved",
        "mv ../work ../../moved; mkdir -m 700 ../work",
        "echo data > ../note",
        "mkdir ../folder && rmdir ../folder",
        "chmod 750 ..",
        "seq 1 17 | xargs touch",
    ],
)
def test_a_place_that_a_program_changed_goes_to_no_other_ticket(tmp_path: Path, change: str) -> None:
    places = FreePlaces(kept=True)
    place = used(places, tmp_path, "1")
    assert os.system(f"cd {place.work} && {change}") == 0
    assert not places.put(place)
    after = TaskPlace(str(tmp_path / "2"))
    places.make(after)
    assert os.listdir(after.path) == ["work"] and os.listdir(after.work) == []
    place.remove()
    assert not Path(place.path).exists()


ACCESS_LIST = struct.pack("<I" + 3 * "HHI", 2, 1, 7, 2**32 - 1, 4, 5, 2**32 - 1, 32, 5, 2**32 - 1)
NO_DUMP, SYNC = 0x40, 0x8


def add_flag(path: str, flag: int) -> None:
    """As chattr does."""
    file = os.open(path, os.O_RDONLY)
    try:
        (old,) = struct.unpack("i4x", fcntl.ioctl(file, 0x80086601, bytes(8)))
        fcntl.ioctl(file, 0x40086602, struct.pack("i4x", old | flag))
    finally:
        os.close(file)


def add_to_output(place: TaskPlace, number: int, flag: int) -> None:
    file = place.outputs()[number]
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | flag)


CHANGES: dict[str, Callable[[TaskPlace], None]] = {
    "an attribute": lambda place: os.setxattr(place.work, "user.note", b"1"),
    "an attribute of the folder above": lambda place: os.setxattr(place.path, "user.note", b"1"),
    "an attribute of stdout": lambda place: os.setxattr(place.stdout, "user.note", b"1"),
    "an attribute of stderr": lambda place: os.setxattr(place.stderr, "user.note", b"1"),
    "a default access list": lambda place: os.setxattr(place.work, "system.posix_acl_default", ACCESS_LIST),
    "an access list above": lambda place: os.setxattr(place.path, "system.posix_acl_default", ACCESS_LIST),
    "a flag": lambda place: add_flag(place.work, NO_DUMP),
    "a flag above": lambda place: add_flag(place.path, SYNC),
    "a flag of stdout": lambda place: add_flag(place.stdout, NO_DUMP),
    "non-blocking": lambda place: add_to_output(place, 1, os.O_NONBLOCK),
    "direct": lambda place: add_to_output(place, 2, os.O_DIRECT),
    "an owner": lambda place: os.chown(place.work, 12, -1),
    "a group above": lambda place: os.chown(place.path, -1, 13),
    "a group of stderr": lambda place: os.chown(place.stderr, -1, 13),
    "a time": lambda place: os.utime(place.path),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_place_goes_to_no_other_ticket_with_what_is_no_file(tmp_path: Path, name: str) -> None:
    if "owner" in name or "group" in name:
        need_root()
    places = FreePlaces(kept=True)
    place = used(places, tmp_path, "1")
    try:
        CHANGES[name](place)
    except OSError as fault:
        pytest.skip(f"not on this file system: {fault}")
    assert not places.put(place)


SMALL_CHANGES: dict[str, Callable[[int], object]] = {
    "a lock": lambda file: fcntl.flock(file, fcntl.LOCK_EX),
    "a position": lambda file: os.lseek(file, 4096, os.SEEK_SET),
    "room": lambda file: subprocess.run(
        ["fallocate", "-n", "-l", "1M", f"/proc/self/fd/{file}"], pass_fds=[file], check=True
    ),
}


@pytest.mark.parametrize("name", SMALL_CHANGES)
@pytest.mark.parametrize("number", [1, 2])
def test_an_empty_output_goes_on_without_what_a_program_did_to_it(tmp_path: Path, name: str, number: int) -> None:
    places, place = FreePlaces(kept=True), TaskPlace(str(tmp_path / "1"))
    places.make(place)
    file = place.outputs()[number]
    try:
        SMALL_CHANGES[name](file)
    except subprocess.CalledProcessError:
        pytest.skip("not on this file system")
    assert places.put(place)
    with open(f"/proc/self/fd/{file}", "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert os.lseek(file, 0, os.SEEK_CUR) == 0
    assert os.fstat(file).st_blocks == 0


def test_a_place_below_a_folder_with_attributes_is_used_again_until_they_change(tmp_path: Path) -> None:
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", ACCESS_LIST)
    except OSError as fault:
        pytest.skip(f"not on this file system: {fault}")
    places = FreePlaces(kept=True)
    assert places.put(used(places, tmp_path, "1"))
    place = used(places, tmp_path, "2")
    os.setxattr(place.work, "system.posix_acl_default", ACCESS_LIST.replace(b"\x05", b"\x04"))
    assert not places.put(place)


def test_a_place_whose_files_somebody_removed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    places = FreePlaces(kept=True)
    one, other = used(places, tmp_path, "1"), used(places, tmp_path, "2")
    assert places.put(one) and places.put(other)
    os.unlink(other.stdout)
    os.rename(one.path, tmp_path / "aside")
    one.free_since = other.free_since = -LONG  # as if that had been long ago
    third = TaskPlace(str(tmp_path / "3"))
    places.make(third)
    os.write(third.outputs()[1], b"here")
    assert Path(third.stdout).read_bytes() == b"here"
    third.close()
    assert sorted(os.listdir(tmp_path)) == ["3", "aside"]


def test_a_place_whose_second_output_could_not_be_made_goes_to_no_other_ticket(tmp_path: Path) -> None:
    places, place = FreePlaces(kept=True), TaskPlace(str(tmp_path / "1"))
    places.make(place)
    os.mkdir(place.stderr)  # as on a full disk: the first file is made, the second one is not
    with pytest.raises(OSError):
        place.outputs()
    assert not places.put(place)


def test_no_place_is_kept_where_programs_may_escape(tmp_path: Path) -> None:
    places = FreePlaces(kept=False)
    assert not places.put(used(places, tmp_path, "1"))


def test_short_tasks_follow_each_other_in_one_place_and_see_nothing_of_each_other(
    master: Master, client: Started
) -> None:
    script = "ls -A . ..; stat -c %i .; cat ../stdout ../stderr > all; echo mine > r; echo said >&2; cat all"
    numbers = range(1, 61)
    master.add(*(task(n, "sh", "-c", script, results={"o": "stdout", "r": "r"}) for n in numbers))
    assert client.run("--slots", "1")[0] == 0
    said = [master.completed[n].parts["o"].decode() for n in numbers]
    places = {re.findall(r"^\d+$", one, re.MULTILINE)[0] for one in said}
    assert len(places) < 30, "some were used again"
    for one in said:
        assert re.sub(r"\d{2,}|\d", "N", one).split() == 2 * [".:", "..:", "stderr", "stdout", "work", "N"]
    assert {master.completed[n].parts["stderr"] for n in numbers} == {b"said\n"}
    assert not client.workdir.exists()


def test_a_program_that_changes_how_its_output_is_opened_changes_it_for_itself_alone(
    master: Master, client: Started
) -> None:
    script = f"python3 -c '{ANOTHER}'; echo one; echo two"
    master.add(*(task(n, "sh", "-c", script if n % 2 else "echo a; echo b") for n in range(1, 21)))
    assert client.run("--slots", "1")[0] == 0
    assert {master.completed[n].parts["stdout"] for n in range(2, 21, 2)} == {b"a\nb\n"}
    assert {master.completed[n].parts["stdout"] for n in range(1, 21, 2)} == {b"one\ntwo\n"}


LOOKS = """
import fcntl, os, sys, time
def attributes(file): return [one for one in os.listxattr(file) if not one.startswith('security.')]
note = os.path.exists('../note')
print(note, attributes('.'), attributes('../stdout'), bool(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK), flush=True)
open('../note', 'w').close()
for path in ('.', '../stdout'): os.setxattr(path, 'user.note', b'1')
fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_NONBLOCK)
"""


def test_nothing_goes_from_set_to_set_beside_its_files(master: Master, client: Started) -> None:
    master.add(*(task(n, "python3", "-c", LOOKS) for n in range(1, 9)))
    assert client.run("--slots", "1")[0] == 0
    said = {one.parts["stdout"] for one in master.completed.values()}
    assert said == {b"False [] [] False\n"}, master.failed


def test_a_place_goes_on_also_where_there_are_worker_and_input_and_nothing_in_it_is_believed(
    master: Master, client: Started
) -> None:
    """Each finds both as the master gave them, though the task before wrote into them in the same directory."""
    master.worker("prog", b"#!/bin/sh\nstat -c %i .; cat in; echo bad > in; echo 'echo bad' >> $0\n", PLATFORM)
    numbers = range(1, 61)
    master.add(*(task(n, "./prog", inputs={"in": b"of %d\n" % n}) for n in numbers))
    assert client.run("--slots", "1")[0] == 0
    said = {n: one.parts["stdout"].decode().splitlines() for n, one in master.completed.items()}
    assert {n: lines[1:] for n, lines in said.items()} == {n: [f"of {n}", "bad"] for n in numbers}
    assert len({lines[0] for lines in said.values()}) < 30, "some were used again"
