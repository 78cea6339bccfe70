"""A folder with a sweep, a configuration folder of the user, and a server that takes messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.kit import Bench

from .kit import CERTIFICATE, Server, served


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.environment |= {
        "XDG_CONFIG_HOME": str(tmp_path / "config"), "SSL_CERT_FILE": str(tmp_path / "servers" / CERTIFICATE),
    }  # fmt: skip
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "servers"
    folder.mkdir()
    with served(folder) as one:
        yield one
