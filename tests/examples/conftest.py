"""The fixture of the tests of the examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from .clean_copy import Copier, Copy, copy_of


@pytest.fixture
def example(tmp_path: Path) -> Copier:
    def copy(name: str) -> Copy:
        return copy_of(name, tmp_path)

    return copy
