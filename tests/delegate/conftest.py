"""Fixtures: a farm whose account has been taken over, and one of its users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from spe.pool.joining import answering

from .ada import SSH, Ada
from .evil_gate import EvilGate


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[EvilGate]:
    made = EvilGate(tmp_path / "keys")
    yield made
    made.stop()


@pytest.fixture
def ada(tmp_path: Path, gate: EvilGate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ada]:
    home, programs = tmp_path / "home", tmp_path / "programs"
    for one in (home, programs):
        one.mkdir()
    (programs / "ssh").write_text(SSH)
    (programs / "ssh").chmod(0o755)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setenv("GATE", str(tmp_path / "gate"))
    monkeypatch.setenv("SSH_LOG", str(tmp_path / "ssh.log"))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(answering, "TIME", 0.3)
    monkeypatch.setattr(answering, "WHOLE_TIME", 0.6)
    made = Ada(tmp_path, gate)
    yield made
    made.kill()
