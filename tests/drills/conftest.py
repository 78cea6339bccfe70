"""`make_drill(...)` for each drill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, LabHost

from .figures import Figures
from .fixtures import drill, other
from .kit import Drill

__all__ = ["drill", "other"]


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return Figures(request.node.user_properties)


@pytest.fixture
def make_drill(tmp_path: Path, figures: Figures) -> Iterator[Callable[..., Drill]]:
    """make_drill(sets=…) on this machine, make_drill(lab, count) on so many of its hosts."""
    made: list[Drill] = []

    def make(lab: Lab | None = None, count: int = 0, **more: Any) -> Drill:
        hosts: list[LabHost] = lab.hosts[:count] if lab else []
        made.append(Drill(tmp_path / f"drill{len(made)}", figures, hosts, lab=lab, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
