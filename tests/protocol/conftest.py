"""Masters for tests: one made by the test, or one for a whole file whose tests take what they need of a long sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .kit import Master

LOOPBACK = "listen: 127.0.0.1:0\n"
ECHO = "command: echo {{ x }}\n"


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """Not started: the test writes its spe.yaml."""
    made = Master(tmp_path)
    yield made
    made.close()


@pytest.fixture
def sweep(master: Master) -> Callable[..., Master]:
    """`sweep(3)`: a started master with that many sets, on loopback; more keys of spe.yaml as text."""

    def start(sets: int, yaml: str = "", command: str = ECHO, files: dict[str, str | bytes] | None = None) -> Master:
        parameters = f"parameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\n"
        return master.write(f"{LOOPBACK}{command}{parameters}{yaml}", files).start()

    return start


@pytest.fixture(scope="module")
def long_sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """Ten thousand sets that all tests of a file share; no test may count on which one it gets."""
    made = Master(tmp_path_factory.mktemp("long"))
    made.write(
        f"{LOOPBACK}{ECHO}parameters: {{grid: {{x: {{range: [1, 10000]}}}}}}\n"
        "attempts: 2\nstop_alike: 0\nmax_result: 1 MB\ntimeout: 14d\nping: 0.5\ngrace: 20min\n"
        "results: {stdout: stdout, data: {from: out.bin, as: file}}\n"
        "validate: hooks.py:check",
        {
            "hooks.py": "def check(task, result):\n"
            "    bad = result.path('data').read_bytes().startswith(b'BAD')\n"
            "    return 'the data\\nare bad' if bad else True\n"
        },
    ).start()
    yield made
    made.close()
