"""Paths are paths: whatever name a folder has, its database lies in it, and readers and the writer open one file."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest
from spe.hooks.process import _as_faulthandler_writes
from spe.store import filesystem
from spe.store.database import connect
from spe.store.reader import Reader
from spe.store.store import NewSet, Store

NAMES = (
    b"what?x", b"a#b", b"100%", b"%41", b"[x]", b"a b", "ü".encode(), b"it's", b'a"b', b"$HOME", b"*", b"-x", b"a\nb",
    b"a;b", b"{{x}}", b"\xff\xfe", b"a:b", b"~", b"a\\b", b"x&mode=memory", b"x?mode=memory&cache=shared", b":memory:",
    b"file:x", b"a@b", b"+",
)  # fmt: skip


def files(folder: Path) -> set[bytes]:
    found = os.walk(os.fsencode(folder))
    return {os.path.join(place, name) for place, _, names in found for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_the_database_lies_in_its_folder_whatever_the_name_of_that(tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    store = Store(folder / "sweep.db")

    async def fill() -> None:
        await store.begin_plan(["n"], ["stdout"])
        await store.add_sets([NewSet(b"k", 1, {"n": "7"})])

    try:
        asyncio.run(fill())
        with Reader(folder) as reader:
            assert reader.task(1).values == {"n": "7"}
    finally:
        store.close()
    with Reader(folder) as reader:
        assert reader.task(1).values == {"n": "7"}
    assert files(tmp_path) == {os.path.join(os.fsencode(tmp_path), name, b"sweep.db")}


@pytest.mark.parametrize("query", [{"mode": "rw"}, {"mode": "ro", "immutable": "1"}])
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_never_opens_the_file_of_a_neighbour(tmp_path: Path, name: bytes, query: dict[str, str]) -> None:
    path = tmp_path / os.fsdecode(name)
    with contextlib.closing(connect(path)) as connection:
        connection.execute("CREATE TABLE ours (n)")
    assert files(tmp_path) == {os.fsencode(path)}
    with contextlib.closing(connect(path, **query)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchone() == ("ours",)


def test_a_path_that_begins_with_two_slashes_is_no_name_of_a_machine(tmp_path: Path) -> None:
    with contextlib.closing(connect(Path(f"/{tmp_path}", "sweep.db"))) as connection:
        connection.execute("CREATE TABLE ours (n)")
    assert files(tmp_path) == {os.fsencode(tmp_path / "sweep.db")}


def test_a_mount_whose_name_has_an_end_of_line_of_other_alphabets_is_read(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    here = "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in str(tmp_path))
    mounts.write_text(f"1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /mnt/a\u2028b\x85c rw - nfs4 s:/x rw\n"
                      f"3 1 0:3 / {here} rw - tmpfs none rw\n", encoding="utf-8")  # fmt: skip
    found = filesystem.of(tmp_path, mounts)
    assert found is not None and found.kind == "tmpfs"


@pytest.mark.parametrize("name", [b"a b", "üł\U0001f600".encode(), b"\xff", b"a\nb\\c"])
def test_a_folder_is_found_in_what_faulthandler_wrote(tmp_path: Path, name: bytes) -> None:
    import subprocess
    import sys

    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    (folder / "h.py").write_text("import faulthandler, sys; faulthandler.dump_traceback(sys.stdout)\n")
    done = subprocess.run([sys.executable, str(folder / "h.py")], capture_output=True, check=True)
    assert f'File "{_as_faulthandler_writes(str(folder))}/h.py", line 1' in done.stdout.decode("ascii")
