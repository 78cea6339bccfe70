"""A pretended master and real clients against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from spe.launch.bundle import client_pyz

from .kit import Started
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
            one.end(15)


@pytest.fixture
def client(make_client: Callable[..., Started], master: Master) -> Started:
    return make_client(master.url)


@pytest.fixture
def shared() -> Iterator[SharedFolder]:
    made = SharedFolder()
    yield made
    made.remove()
