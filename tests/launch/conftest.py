"""Fixtures for tests of launching: a minimal master, the real client, and hosts of the lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab

from .minimal import MinimalMaster
from .starter import Starter


@pytest.fixture
def master(tmp_path: Path) -> Iterator[MinimalMaster]:
    with MinimalMaster(tmp_path).running() as running:
        yield running


@pytest.fixture
def starter(master: MinimalMaster, lab: Lab, tmp_path: Path) -> Starter:
    return Starter(master, tmp_path / "run", lab.ssh_config)
