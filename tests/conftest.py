"""Fixtures for all tests. `needs.need…` is the one way to skip; the lab of hosts is explained in lab/__init__.py."""

from __future__ import annotations

from drills.figures import pytest_terminal_summary
from lab.fixtures import arm64_root, hosts, lab

__all__ = ["arm64_root", "hosts", "lab", "pytest_terminal_summary"]
