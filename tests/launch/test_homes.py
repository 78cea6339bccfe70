"""Homes that take no files: what is ours goes below `workdir=`, or below $TMPDIR or /tmp with a note."""

from __future__ import annotations

import hashlib

import pytest
from lab import USER, Boot, LabHost
from lab.host import UID
from spe.errors import Fault, LaunchError
from spe.model import Host
from waiting import wait_until

from .starter import Starter

pytestmark = pytest.mark.lab
LAB_HOSTS = 2
HOME = f"/home/{USER}"
SPOILED = {
    "missing": f"mv {HOME} /home/away",
    "not ours": f"chown root:root {HOME}",
    "read-only": f"mount --bind {HOME} {HOME}; mount -o remount,ro,bind {HOME}",
    "tiny": f"mount -t tmpfs -o size=64k,uid={UID},mode=755 none {HOME}",
    "full": f"mount -t tmpfs -o size=64k,uid={UID},mode=755 none {HOME}; dd if=/dev/zero of={HOME}/big bs=4k || true",
    "without inodes": f"mount -t tmpfs -o nr_inodes=1,uid={UID},mode=755 none {HOME}",
    "with a cache of root's": f"mkdir -m 755 {HOME}/.cache",
}


def spoil(host: LabHost, how: str) -> None:
    host._dirty = True
    host.root("sh", "-c", SPOILED[how])


def mend(host: LabHost) -> None:
    host.root("sh", "-c", f"umount {HOME} 2>/dev/null; [ ! -d /home/away ] || mv /home/away {HOME}; "
              f"rm -rf {HOME}/.cache; chown {UID}:{UID} {HOME}")  # fmt: skip


def end(starter: Starter, host: LabHost) -> None:
    """The sweep is over, and the client is gone."""
    starter.master.over.set()
    wait_until(lambda: not host.processes(user_only=True), "the client is gone")
    starter.master.over.clear()


def places(host: LabHost, name: str) -> list[str]:
    """The folders in which files of this kind lie."""
    found = host.root("find", "/home", "/tmp", "/mnt", "-name", name, check=False).stdout.splitlines()
    return sorted({path.rpartition("/")[0] for path in found})


@pytest.mark.parametrize("how", SPOILED)
def test_a_home_that_takes_no_files_is_done_without_and_a_note_says_so(
    hosts: list[LabHost], starter: Starter, how: str
) -> None:
    before = hosts[0].files()
    spoil(hosts[0], how)
    try:
        spoiled = hosts[0].files()
        starter.keep_client = True
        starter.master.more = "DeleteClient=No\n"
        [(error, note)] = starter.notes("h01")
        assert error is None
        assert "its home takes no files" in note
        assert "/tmp" in note
        assert "\n" not in note
        assert places(hosts[0], "client-*.pyz") == [f"/tmp/.spe-cache-{UID}"]
        end(starter, hosts[0])
        assert {file for file in hosts[0].files() - spoiled if ".spe-cache" not in file} == set()
        assert starter.start("h01") == [None], "the one that is there is used"
        end(starter, hosts[0])
    finally:
        mend(hosts[0])
    hosts[0].root("rm", "-rf", f"/tmp/.spe-cache-{UID}")
    assert {file for file in hosts[0].files() ^ before if file.startswith("d")} == set()


def test_what_was_put_below_tmp_goes_again(hosts: list[LabHost], starter: Starter) -> None:
    spoil(hosts[0], "not ours")
    before = hosts[0].files()
    starter.master.more = "DeleteClient=Yes\n"
    try:
        assert starter.start("h01") == [None]
        end(starter, hosts[0])
        assert hosts[0].files() == before
        starter.master.more = "Nice=very\n"
        assert starter.fault("h01").fault is Fault.START
        assert hosts[0].files() == before
    finally:
        mend(hosts[0])


@pytest.mark.parametrize("workdir", ["/tmp/a b/deep", "~/scratch", "scratch"])
def test_with_a_workdir_everything_lies_below_it_and_nothing_else_in_the_home(
    hosts: list[LabHost], starter: Starter, workdir: str
) -> None:
    before = hosts[0].files()
    starter.keep_client = True
    starter.master.worker = b"#!/bin/sh\n"
    digest = hashlib.sha256(starter.master.worker).hexdigest()
    starter.master.more = f"DeleteClient=No\nDeleteWorker=No\nWorker=work\nSHA256={digest}\n"
    [(error, note)] = starter.notes(Host("h01", workdir=workdir))
    assert error is None
    assert "home" not in note
    there = workdir.replace("~", HOME) if workdir[0] in "/~" else f"{HOME}/{workdir}"
    end(starter, hosts[0])
    new = {file.split("|")[0].split(" ")[1] if file.startswith("d") else file for file in hosts[0].files() - before}
    assert [file for file in new if there.split(" ")[0] not in file] == []
    assert [place.rpartition("/")[2] for place in places(hosts[0], "client-*.pyz")] == [f".spe-cache-{UID}"]
    assert places(hosts[0], "work"), "the worker is kept"


def test_with_a_workdir_the_home_may_be_missing(hosts: list[LabHost], starter: Starter) -> None:
    spoil(hosts[0], "missing")
    try:
        assert starter.start(Host("h01", workdir="/tmp/mine")) == [None]
    finally:
        mend(hosts[0])


def test_a_tmpdir_in_a_full_home_is_not_used(hosts: list[LabHost], starter: Starter) -> None:
    hosts[0].boot(Boot(sshd=(f"SetEnv TMPDIR={HOME}/tmp",)))
    spoil(hosts[0], "full")
    try:
        assert starter.start("h01") == [None]
    finally:
        mend(hosts[0])


def test_a_folder_that_somebody_else_has_put_in_the_place_of_ours_is_not_used(
    hosts: list[LabHost], starter: Starter
) -> None:
    spoil(hosts[0], "not ours")
    hosts[0].root("sh", "-c", f"mkdir -m 777 /tmp/.spe-cache-{UID}")
    try:
        error = starter.fault("h01")
    finally:
        mend(hosts[0])
    assert isinstance(error, LaunchError)
    assert error.fault is Fault.HOME
    hosts[0].root("rmdir", f"/tmp/.spe-cache-{UID}")
    hosts[0].shell(f"mkdir -m 777 -p /tmp/open; mkdir -m 777 /tmp/open/.spe-cache-{UID}")
    error = starter.fault(Host("h01", workdir="/tmp/open", trust_workdir=True))
    assert error.fault is Fault.WORKDIR
    assert "belongs to somebody else" in error.what
