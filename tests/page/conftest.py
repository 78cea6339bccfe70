"""A run that waits for the test, and a real browser."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import need, need_program
from page_kit import WORKER, Held


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    (tmp_path / "gate").mkdir()
    worker = tmp_path / "work"
    worker.write_text(WORKER, encoding="utf-8")
    worker.chmod(0o755)
    (tmp_path / "spe.yaml").write_text(
        f"name: held\ncommand: ./work {{{{ x }}}}\nparameters: {{grid: {{x: [1, 2, 3]}}}}\nattempts: 1\n"
        f"env: {{GATE: {tmp_path / 'gate'}}}\nhosts: [localhost slots=3]\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "spe", "run", "-q"], cwd=tmp_path, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    made = Held(tmp_path, process)
    end = time.monotonic() + 30
    while not (tmp_path / "runs" / "held" / "master.json").exists():
        assert time.monotonic() < end and process.poll() is None, "the run did not begin"
        time.sleep(0.02)
    yield made
    made.let(1, 2, 3)
    try:
        process.wait(60)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Not for the session: while it lives its event loop runs in this thread, and no test may start one of its own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        need(False, "needs playwright: pip install playwright")
    path = need_program("chromium", "chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield started
        started.close()
