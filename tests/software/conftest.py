"""A folder of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .kit import SoftwareBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SoftwareBench]:
    made = SoftwareBench(tmp_path)
    yield made
    made.close()
