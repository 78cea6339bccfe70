"""Tests that mostly wait are done by a worker of their own, and no test is left out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("xdist")
WAITS = {"waits1.py", "waits2.py"}
FILES = {**{f"busy{n}.py": "" for n in range(6)}, **dict.fromkeys(sorted(WAITS), "pytestmark = pytest.mark.patient\n")}


class Worker:
    """As pytest-xdist sees one: it does its tests as they are sent, when it is told to."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.queue: list[int] = []
        self.done: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    def __repr__(self) -> str:
        return str(self.gateway.id)


def distributed(folder: Path, count: int) -> dict[str, set[str]]:
    """Worker -> the files whose tests it did, when all that are not ended do one test after another."""
    from patience import Patiently

    for name, text in FILES.items():
        (folder / name).write_text(text)
    tests = [f"{name}::test_{n}" for name in FILES for n in range(4)]
    config: Any = SimpleNamespace(
        rootpath=folder, option=SimpleNamespace(loadscopereorder=False, tx=["popen"] * count, verbose=0, debug=False),
        getvalue=lambda name: ["popen"] * count,
    )  # fmt: skip
    scheduler = Patiently(config)
    workers: list[Any] = [Worker(f"gw{n}") for n in range(count)]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    while any(worker.queue for worker in workers):
        for worker in workers:
            if worker.queue:
                worker.done.append(worker.queue.pop(0))
                scheduler.mark_test_complete(worker, worker.done[-1])
    assert sorted(n for worker in workers for n in worker.done) == list(range(len(tests))), "each is done once"
    assert all(worker.shutting_down for worker in workers)
    return {repr(worker): {tests[n].partition("::")[0] for n in worker.done} for worker in workers}


def test_the_last_of_three_workers_does_what_waits_and_nothing_else(tmp_path: Path) -> None:
    did = distributed(tmp_path, 3)
    assert did["gw2"] == WAITS
    assert did["gw0"] | did["gw1"] == FILES.keys() - WAITS


@pytest.mark.parametrize("count", [1, 2, 4])
def test_however_many_workers_there_are_all_is_done(tmp_path: Path, count: int) -> None:
    did = distributed(tmp_path, count)
    assert set().union(*did.values()) == set(FILES)
    assert count < 3 or did[f"gw{count - 1}"] <= WAITS
