"""A real running master with a sweep behind it, to be attacked; the drills' kit says what must be so afterwards."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from drills.by_hand_kit import Drill


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """This process opens thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16384)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path / "d")
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Drill]:
    """A second sweep, to compare with."""
    made = Drill(tmp_path / "o")
    yield made
    made.close()
