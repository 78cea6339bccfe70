"""A real running master with a sweep behind it, to be attacked; the drills' kit says what must be so afterwards."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from drills.fixtures import drill, other

__all__ = ["drill", "other"]


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """This process opens thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16384)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


