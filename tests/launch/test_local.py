"""A client on this machine is a child of its own session, and leaves nothing when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from minimal import SESSION, MinimalMaster
from spe.errors import Fault, LaunchError
from spe.launch import Launcher
from spe.launch.local import LocalLauncher
from spe.model import Host
from starter import Starter


@pytest.fixture
def here(master: MinimalMaster, tmp_path: Path) -> Starter:
    return Starter(master, tmp_path / "run", tmp_path / "no-ssh-config")


async def registered(master: MinimalMaster) -> None:
    async with asyncio.timeout(20):
        while not master.hosts:
            await asyncio.sleep(0.02)


def pid_of(up: Launcher) -> int:
    assert isinstance(up, LocalLauncher) and up._process is not None
    return up._process.pid


def test_a_local_client_registers_works_and_ends_with_the_sweep(here: Starter, tmp_path: Path) -> None:
    async def story() -> None:
        up = here.launcher(Host("localhost", workdir=str(tmp_path / "work")))
        await up.start()
        await registered(here.master)
        assert os.getsid(pid_of(up)) == pid_of(up)  # Ctrl-C in the terminal is not for it
        assert SESSION.encode() not in Path(f"/proc/{pid_of(up)}/cmdline").read_bytes()
        assert SESSION.encode() not in Path(f"/proc/{pid_of(up)}/environ").read_bytes()
        here.master.over.set()
        await asyncio.wait_for(up.watch(), 20)
        await up.close()

    asyncio.run(story())
    assert here.master.gone == ["localhost"]
    assert not (tmp_path / "work").exists()
    assert list(here.folder.iterdir()) == []


def test_closing_ends_the_client_and_removes_its_file(here: Starter, tmp_path: Path) -> None:
    async def story() -> None:
        up = here.launcher(Host("localhost", workdir=str(tmp_path / "work")))
        await up.start()
        await registered(here.master)
        await up.close()
        await up.close()

    asyncio.run(story())
    assert not (tmp_path / "work").exists()
    assert list(here.folder.iterdir()) == []


def test_a_client_that_cannot_begin_tells_why(here: Starter) -> None:
    async def story() -> LaunchError:
        up = here.launcher(Host("localhost", workdir="/proc/nowhere"))
        await up.start()
        with pytest.raises(LaunchError) as caught:
            await asyncio.wait_for(up.watch(), 20)
        await up.close()
        return caught.value

    error = asyncio.run(story())
    assert error.fault is Fault.WORKDIR
    assert "/proc/nowhere" in error.what


def test_a_client_that_is_killed_is_told_and_leaves_nothing(here: Starter, tmp_path: Path) -> None:
    async def story() -> str:
        up = here.launcher(Host("localhost", workdir=str(tmp_path / "work")))
        await up.start()
        await registered(here.master)
        [client] = Path(f"/proc/{pid_of(up)}/task/{pid_of(up)}/children").read_text().split()
        os.kill(int(client), signal.SIGKILL)
        with pytest.raises(LaunchError) as caught:
            await asyncio.wait_for(up.watch(), 20)
        await up.close()
        return caught.value.what

    assert "killed by signal 9" in asyncio.run(story())
    assert not (tmp_path / "work").exists()


def test_a_python_that_is_not_there_is_named(here: Starter) -> None:
    with pytest.raises(LaunchError, match="/opt/python9"):
        asyncio.run(here.launcher(Host("localhost", python="/opt/python9")).start())
    assert list(here.folder.iterdir()) == []
