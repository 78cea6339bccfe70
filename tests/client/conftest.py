"""A pretended master and real clients against it; the parts of a client's loop, for one test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spe.client.hand.wakeup import ENDS
from spe.launch.bundle import client_pyz

from .kit import Started
from .loop_kit import Parts
from .pretended_master import Master
from .shared_folder import SharedFolder


@pytest.fixture
def master() -> Iterator[Master]:
    made = Master()
    yield made
    made.close()


@pytest.fixture
def other_master() -> Iterator[Master]:
    made = Master()
    yield made
    made.close()


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    made: list[Started] = []

    def make(url: str, name: str = "client") -> Started:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "spe-client.pyz").write_bytes(client_pyz())
        made.append(Started(folder, url))
        return made[-1]

    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            one.process.terminate()
            one.end()


@pytest.fixture
def client(make_client: Callable[..., Started], master: Master) -> Started:
    return make_client(master.url)


@pytest.fixture
def shared() -> Iterator[SharedFolder]:
    made = SharedFolder()
    yield made
    made.remove()


@pytest.fixture
def make_parts(tmp_path: Path) -> Iterator[Callable[..., Parts]]:
    made: list[Parts] = []

    def make(*slots: int, **what: Any) -> Parts:
        made.append(Parts(tmp_path, slots or (2,), **what))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def parts(make_parts: Callable[..., Parts]) -> Parts:
    """The parts of a loop with one hand of two slots."""
    return make_parts(2)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Bring back the handlers of signals that pytest has."""
    numbers = [signal.SIGCHLD, *ENDS]
    before = [signal.getsignal(number) for number in numbers]
    wakeup = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(wakeup)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
