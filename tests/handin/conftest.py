"""A sweep that has run, and the browser of the page's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.kit import Bench
from page.conftest import axe, browser

from .kit import Sweep, energy_sweep

__all__ = ["axe", "browser"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def sweep(bench: Bench) -> Sweep:
    """Not yet run."""
    return energy_sweep(bench)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    """The same after its run and exports, for tests that change nothing of it."""
    bench = Bench(tmp_path_factory.mktemp("ran"))
    made = energy_sweep(bench)
    made.run()
    yield made
    bench.close()
