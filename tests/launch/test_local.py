"""A client on this machine is a child of its own session, and leaves nothing when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from spe.errors import Fault, LaunchError
from spe.launch import Early, Launcher
from spe.launch.local import LocalLauncher
from spe.model import Host
from waiting import wait_in_loop

from .minimal import SESSION, MinimalMaster
from .starter import Starter


@pytest.fixture
def here(master: MinimalMaster, tmp_path: Path) -> Starter:
    return Starter(master, tmp_path / "run", tmp_path / "no-ssh-config")


async def registered(master: MinimalMaster) -> None:
    await wait_in_loop(lambda: master.hosts, "the client has registered")


def pid_of(up: Launcher) -> int:
    assert isinstance(up, LocalLauncher) and up._process is not None
    return up._process.pid


@pytest.mark.parametrize("python", [None, sys.executable])
def test_a_local_client_registers_works_and_ends_with_the_sweep(
    here: Starter, tmp_path: Path, python: str | None
) -> None:
    async def story() -> None:
        up = here.launcher(Host("localhost", workdir=str(tmp_path / "work"), python=python))
        await up.start()
        assert len(list(here.folder.glob("*"))) == (1 if python else 0)  # the one file, for another Python
        await registered(here.master)
        assert os.getsid(pid_of(up)) == pid_of(up)  # Ctrl-C in the terminal is not for it
        assert SESSION.encode() not in Path(f"/proc/{pid_of(up)}/cmdline").read_bytes()
        assert SESSION.encode() not in Path(f"/proc/{pid_of(up)}/environ").read_bytes()
        here.master.over.set()
        await asyncio.wait_for(up.watch(), 60)
        await up.close()

    asyncio.run(story())
    assert here.master.gone == ["localhost"]
    assert not (tmp_path / "work").exists()
    assert not list(here.folder.glob("*"))


def test_closing_ends_the_client_and_removes_its_file(here: Starter, tmp_path: Path) -> None:
    async def story() -> None:
        up = here.launcher(Host("localhost", workdir=str(tmp_path / "work")))
        await up.start()
        await registered(here.master)
        await up.close()
        await up.close()

    asyncio.run(story())
    assert not (tmp_path / "work").exists()
    assert not list(here.folder.glob("*"))


def test_a_client_that_cannot_begin_tells_why(here: Starter) -> None:
    async def story() -> LaunchError:
        up = here.launcher(Host("localhost", workdir="/proc/nowhere"))
        await up.start()
        with pytest.raises(LaunchError) as caught:
            await asyncio.wait_for(up.watch(), 60)
        await up.close()
        return caught.value

    error = asyncio.run(story())
    assert error.fault is Fault.WORKDIR
    assert "/proc/nowhere" in error.what


def test_a_client_that_is_killed_is_told_and_leaves_nothing(here: Starter, tmp_path: Path) -> None:
    async def story() -> str:
        up = here.launcher(Host("localhost", workdir=str(tmp_path / "work"), python=sys.executable))
        await up.start()
        await registered(here.master)
        [client] = Path(f"/proc/{pid_of(up)}/task/{pid_of(up)}/children").read_text().split()
        os.kill(int(client), signal.SIGKILL)
        with pytest.raises(LaunchError) as caught:
            await asyncio.wait_for(up.watch(), 60)
        await up.close()
        return caught.value.what

    assert "killed by signal 9" in asyncio.run(story())
    assert not (tmp_path / "work").exists()
    assert not list(here.folder.glob("*"))  # nor its one file, which it could not remove itself


def test_a_python_that_is_not_there_is_named(here: Starter) -> None:
    with pytest.raises(LaunchError, match="/opt/python9"):
        asyncio.run(here.launcher(Host("localhost", python="/opt/python9")).start())
    assert not list(here.folder.glob("*"))


@pytest.fixture
def begun() -> Callable[[], set[int]]:
    """The child processes that have begun in this test."""
    before = children()
    return lambda: children() - before


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[MinimalMaster]:
    """Without TLS, as a master of this machine alone is."""
    with MinimalMaster(tmp_path, tls=False).running() as running:
        yield running


def test_a_client_that_has_begun_early_is_the_one_that_is_used(
    plain: MinimalMaster, tmp_path: Path, begun: Callable[[], set[int]]
) -> None:
    here, host = Starter(plain, tmp_path / "run", tmp_path / "none"), Host("localhost", workdir=str(tmp_path / "work"))

    async def story(early: Early) -> None:
        up = here.launcher(host, replace(here.options(), early=early))
        await up.start()
        assert {pid_of(up)} == first
        await registered(here.master)
        here.master.over.set()
        await asyncio.wait_for(up.watch(), 60)
        await up.close()

    with Early([host]) as early:
        first = begun()
        asyncio.run(story(early))
    assert here.master.gone == ["localhost"]


def test_one_that_has_begun_early_and_is_not_needed_ends(begun: Callable[[], set[int]]) -> None:
    with Early([Host("localhost")]):
        assert len(begun()) == 1
    assert not begun()


@pytest.mark.parametrize(
    "hosts", [[Host("localhost", python="/usr/bin/python3")], [Host("far")], [Host("localhost"), Host("far")], []]
)
def test_none_begins_early_where_work_is_elsewhere_too_or_for_another_python(
    hosts: list[Host], begun: Callable[[], set[int]]
) -> None:
    with Early(hosts):
        assert not begun()


def test_one_of_another_host_or_without_the_certificate_is_not_used() -> None:
    with Early([Host("localhost")]) as early:
        assert early.take(Host("localhost", slots=3), "") is None
        assert early.take(Host("localhost"), "ab" * 32) is None
        child = early.take(Host("localhost"), "")
        assert child is not None
        assert early.take(Host("localhost"), "") is None
        child.kill()
        child.communicate()
