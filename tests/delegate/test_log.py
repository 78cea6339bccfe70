"""The log of a delegate: one for each host, kept within a size."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from spe.delegate.starting import ensure_delegate, log_path
from spe.logs import SIZE, numbered
from waiting import wait_until

from .ada import PLACE, Ada


def test_a_real_delegate_begins_a_new_log_where_the_old_one_is_full(
    ada: Ada, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where its lock is
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = log_path(ada.card)
    assert path.name == f"f00d@{PLACE}.log"
    ada.submit()
    path.write_bytes(b"x" * SIZE)
    begun: list[subprocess.Popen[bytes]] = []
    popen: Any = subprocess.Popen

    def begin(*words: Any, **options: Any) -> Any:
        begun.append(popen(*words, **options))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", begin)
    assert ensure_delegate(ada.card)
    (delegate,) = begun
    try:
        # The gate has no path: the first line is about that.
        wait_until(lambda: numbered(path, 1).exists() and "no such path" in path.read_text(), "it has a new log")
    finally:
        delegate.kill()
        delegate.wait()
    assert numbered(path, 1).read_bytes() == b"x" * SIZE
