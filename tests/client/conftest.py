"""A pretended master and real clients against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from client_kit import Started
from pretend_farm import Farm
from shared_folder import SharedFolder
from spe.launch.bundle import client_pyz


@pytest.fixture
def farm() -> Iterator[Farm]:
    made = Farm()
    yield made
    made.close()


@pytest.fixture
def other_farm() -> Iterator[Farm]:
    made = Farm()
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
def client(make_client: Callable[..., Started], farm: Farm) -> Started:
    return make_client(farm.url)


@pytest.fixture
def shared() -> Iterator[SharedFolder]:
    made = SharedFolder()
    yield made
    made.remove()
