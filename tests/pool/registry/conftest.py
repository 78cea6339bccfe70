"""Fixtures: a database of each kind, and a registry in it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from spe.pool.registry.registry import Registry

from .servers import SERVERS, Server


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, Server]]:
    """The servers that were started so far, by kind."""
    servers: dict[str, Server] = {}
    yield servers
    for one in servers.values():
        one.remove()


def _server(kind: str, running: dict[str, Server]) -> Server:
    if kind not in running:
        running[kind] = SERVERS[kind]()
    return running[kind]


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, running: dict[str, Server]) -> Iterator[Server]:
    """A server of each kind, which a test may kill."""
    found = _server(request.param, running)
    yield found
    assert found.process is not None
    if found.process.poll() is None:
        found.signal(signal.SIGCONT)
    else:
        found.start()


@pytest.fixture(params=["sqlite", *SERVERS])
def url(request: pytest.FixtureRequest, running: dict[str, Server], tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/farm/farm.db"
    found = _server(request.param, running)
    return found.url(found.new_database())


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    """A new registry on each kind of database."""
    opened = Registry(url)
    yield opened
    opened.close()
