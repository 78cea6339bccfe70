"""A run that waits for the test, and a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Boot, Lab
from needs import need, need_program
from waiting import wait_until

from . import large_sweep
from .kit import WORKER, Held


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
    facts = tmp_path / "runs" / "held" / "master.json"
    wait_until(lambda: facts.exists() or process.poll() is not None, "the run begins")
    assert process.poll() is None, "the run did not begin"
    yield made
    made.let(1, 2, 3)
    try:
        made.process.wait(60)  # a test may have killed the first one and begun another
    finally:
        made.process.kill()


@pytest.fixture(scope="module")
def sweep(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[large_sweep.LargeSweep]:
    """A sweep on all hosts of the lab. One for all tests of a module: each opens the gate further."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "gate").mkdir()
    folder.chmod(0o755)
    (folder / "gate").chmod(0o755)
    (folder / "work").write_text(large_sweep.WORKER, encoding="utf-8")
    (folder / "work").chmod(0o755)
    lab.boot(Boot(binds=((folder / "gate", large_sweep.THERE),)))
    hosts = ", ".join(f"{host.name} slots=2" for host in lab.hosts)
    (folder / "spe.yaml").write_text(
        f"name: sweep\ncommand: ./work {{{{ x }}}} {{{{ kind }}}}\nhosts: [{hosts}]\nattempts: 1\nping: 1\n"
        f"parameters: {{grid: {{kind: [plain], x: {{range: [1, {large_sweep.SETS}]}}}}}}\n"
        "results: {energy: {from: stdout, regex: 'energy = (.*)', as: float}, log: {from: stdout, as: file}}\n"
        f"env: {{GATE: {large_sweep.THERE}/limit}}\n",
        encoding="utf-8",
    )
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "spe", "run", "-q", "-F", str(lab.ssh_config)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
    made = large_sweep.LargeSweep(folder, process)
    made.open_gate(60)
    try:
        facts = folder / "runs" / "sweep" / "master.json"
        wait_until(lambda: facts.exists() or process.poll() is not None, "the run begins")
        assert process.poll() is None, (folder / "said").read_text()
        yield made
    finally:
        if process.poll() is None:
            process.terminate()
            made.open_gate(large_sweep.SETS)
        try:
            process.wait(60)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for what keeps people from using a page."""
    try:
        import axe_playwright_python
    except ImportError:
        need(False, "needs axe: pip install axe-playwright-python")
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Not for the session: while it lives its event loop runs in this thread, and no test may start one of its own."""
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        need(False, "needs playwright: pip install playwright")
    path = need_program("chromium", "chromium")
    expect.set_options(timeout=60_000)  # milliseconds: what a click brings about takes long on a busy machine
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield started
        started.close()
