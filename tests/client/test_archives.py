"""Inputs of many files on a host: unpacked once, linked or copied to each task, and compared as a whole."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from spe.client.shared.archives import copy_tree, link_tree, remove, seal_tree, unpack
from spe.client.shared.originals import COPY, LARGE, LINK

from .kit import Started
from .pretended_master import Master, task
from .test_originals import give_out, given_back

SH = ("/bin/sh", "-c")
FILES = {f"sub/{number}.txt": b"%d\n" % number for number in range(30)}


def packed(files: dict[str, bytes], *more: tarfile.TarInfo, mode: int = 0o644) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
        for entry in more:
            tar.addfile(entry)
    return made.getvalue()


def folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry


def record(
    master: Master, ticket: int, number: int, script: str, archive: bytes, name: str = "data", more: str = ""
) -> bytes:
    sha256 = hashlib.sha256(archive).hexdigest()
    master.files[sha256] = archive
    text = task(ticket, *SH, script, extra=f"Task={number}\n").decode()
    tree = f"[Input]\nFile={name}\nLength={len(archive)}\n{more}Archive=tar\nSHA256={sha256}\n"
    return text.replace("[Result]", f"{tree}[Result]").encode()


@pytest.mark.parametrize("name", ["data", "deep/data", "."])
def test_a_task_finds_the_files_of_an_archive_and_its_empty_folders(master: Master, client: Started, name: str) -> None:
    archive = packed(FILES, folder("hollow"), folder("sub/none"))
    script = f"cd {name}; find * | sort | wc -l; cat sub/*.txt | sort -n | tail -n 1; ls -d hollow sub/none"
    master.add(*(record(master, number, number, script, archive, name) for number in range(1, 5)))
    assert client.run("--slots", "2")[0] == 0
    wanted = b"33\n29\nhollow\nsub/none\n"
    assert [one.parts["stdout"] for one in master.completed.values()] == [wanted] * 4
    assert len(master.of("/file")) == 1, "it was fetched once"
    assert master.of("/task")[0].query["archives"] == ["tar"]
    assert not client.workdir.exists()


def test_what_a_task_writes_into_a_small_tree_no_other_task_reads(master: Master, client: Started) -> None:
    archive = packed(FILES, mode=0o664)
    script = (
        "cat data/sub/3.txt; stat -c %a data/sub/3.txt; echo more >> data/sub/3.txt; rm data/sub/4.txt; touch data/new"
    )
    master.add(*(record(master, number, number, script, archive) for number in range(1, 7)))
    assert client.run("--slots", "2")[0] == 0
    assert [one.parts["stdout"] for one in master.completed.values()] == [b"3\n664\n"] * 6


@pytest.mark.parametrize("slots", ["1", "2"])
def test_who_writes_into_a_linked_tree_is_found_and_the_others_lose_nothing(
    master: Master, client: Started, slots: str
) -> None:
    archive = packed({**FILES, "large": bytes(LARGE)})
    good = "cat data/sub/3.txt; sleep 0.05; cat data/sub/3.txt; stat -c %a data/sub/3.txt"
    bad = "chmod u+w data/sub/3.txt; echo more >> data/sub/3.txt"
    scripts = {number: bad if number == 3 else good for number in range(1, 7)}
    client.start("--slots", slots)
    give_out(master, 6, lambda ticket, number: record(master, ticket, number, scripts[number], archive))
    assert client.end()[0] == 0
    (failed,) = master.failed.values()
    assert failed.ticket == 1003 and "the program changed data" in failed.reason
    assert {one.parts["stdout"] for one in master.completed.values()} == {b"3\n3\n444\n"}
    assert given_back(master) and len(master.completed) == 5
    assert not client.workdir.exists()


def test_a_task_with_a_copy_of_its_own_may_write_into_a_large_tree(master: Master, client: Started) -> None:
    archive = packed({**FILES, "large": bytes(LARGE)}, mode=0o444)
    script = "set -e; cat data/sub/3.txt; echo more >> data/sub/3.txt; stat -c %a data/sub/3.txt"
    master.add(*(record(master, n, n, script, archive, more="Copy=Yes\n") for n in range(1, 5)))
    assert client.run("--slots", "2")[0] == 0
    assert [one.parts["stdout"] for one in master.completed.values()] == [b"3\n644\n"] * 4


def test_a_file_of_a_tree_that_is_a_result_is_the_tasks_own(master: Master, client: Started) -> None:
    archive = packed({**FILES, "large": bytes(LARGE)})
    text = record(master, 1, 1, "echo more >> data/sub/3.txt", archive).decode()
    master.add(text.replace("File=stdout", "File=data/sub/3.txt").encode())
    assert client.run("--slots", "1")[0] == 0
    assert master.completed[1].parts["stdout"] == b"3\nmore\n"


@pytest.mark.parametrize("mode", ["Mode=0755\n", "Mode=0755\nCopy=Yes\n"])
@pytest.mark.parametrize("size", [10, 100_000, 2 * LARGE])
def test_an_executable_input_can_be_run_and_one_with_the_same_bytes_that_is_none_cannot(
    master: Master, client: Started, mode: str, size: int
) -> None:
    content = b"#!/bin/sh\necho run\n".ljust(size, b"#")
    sha256 = hashlib.sha256(content).hexdigest()
    master.files[sha256] = content

    def given(name: str, more: str) -> bytes:
        head = f"[Input]\nFile={name}\nLength={len(content)}\n{more}".encode()
        if size > 1000:
            return head + f"SHA256={sha256}\n".encode()
        return head + b"--begin content--\n" + content + b"\n--end content--\n"

    text = task(1, *SH, "./run; test -x plain || echo not plain")
    master.add(text.replace(b"[Result]", given("run", mode) + given("plain", "") + b"[Result]"))
    assert client.run("--slots", "1")[0] == 0
    assert master.completed[1].parts["stdout"] == b"run\nnot plain\n"


def link_entry(name: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry


@pytest.mark.parametrize(
    "archive",
    [
        packed({"../out": b"x"}),
        packed({"/tmp/out": b"x"}),
        packed({"a/../../out": b"x"}),
        packed({}, link_entry("a", "/etc")),
        packed({"a//b": b"x"}),
        packed({"a": b"x" * 5000})[:1200],
        b"no archive",
        packed({"a": b"x", "a/b": b"x"}),
    ],
    ids=["above", "absolute", "up and down", "link", "double slash", "cut off", "text", "file as folder"],
)
def test_an_archive_that_leads_outside_or_is_damaged_is_refused(tmp_path: Path, archive: bytes) -> None:
    (tmp_path / "tar").write_bytes(archive)
    with pytest.raises(OSError):
        unpack(str(tmp_path / "tar"), str(tmp_path / "into"))
    assert {path.name for path in tmp_path.iterdir()} <= {"tar", "into"}


@pytest.mark.parametrize("what", ["write", "chmod", "remove", "replace", "add", "rename"])
def test_any_change_of_a_tree_is_seen(tmp_path: Path, what: str) -> None:
    (tmp_path / "tar").write_bytes(packed({**FILES, "large": bytes(LARGE)}))
    unpack(str(tmp_path / "tar"), str(tmp_path / "tree"))
    original = seal_tree("k.tar", str(tmp_path / "tree"))
    assert original.how in (LINK, COPY) and original.size > LARGE
    link_tree(original, str(tmp_path / "task"), lambda name: False)
    copy_tree(original, str(tmp_path / "other"))
    assert original.is_right(), "links and copies change nothing"
    file = tmp_path / "tree/sub/3.txt"
    if what == "write":
        os.chmod(file, 0o644)
        file.write_bytes(b"4\n")
        os.chmod(file, 0o444)
    elif what == "chmod":
        os.chmod(tmp_path / "task/sub/3.txt", 0o555)
    elif what == "remove":
        file.unlink()
    elif what == "replace":
        file.unlink()
        file.write_bytes(b"3\n")
        os.chmod(file, 0o444)
    elif what == "add":
        (tmp_path / "tree/sub/more").write_bytes(b"")
    else:
        file.rename(file.with_name("other.txt"))
    assert not original.is_right()
    remove(original)
    assert not (tmp_path / "tree").exists()
