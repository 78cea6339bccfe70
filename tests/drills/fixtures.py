"""The sweeps whose hosts are started by hand, as fixtures for drills and for hostile tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .by_hand_kit import Drill


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
