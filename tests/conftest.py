"""Fixtures for all tests. `needs.need…` is the one way to skip; the lab of hosts is explained in lab/__init__.py."""

from __future__ import annotations

import os
from typing import Any

import pytest
from drills import figures
from lab.fixtures import arm64_root, hosts, lab
from weeks.summary import show_weeks

__all__ = ["arm64_root", "hosts", "lab"]

# Runs of tests are not to be in the list of the account that tests (`spe ls`).
os.environ.setdefault("SPE_NO_LIST", "1")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the drills and the weeks found."""
    figures.pytest_terminal_summary(terminalreporter)
    show_weeks(terminalreporter)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `--dist loadfile`; tests/patience.py says why."""
    if config.getvalue("dist") != "loadfile":
        return None
    from patience import Patiently

    return Patiently(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that in the end no process works alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
