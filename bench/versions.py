"""Two versions of spe in turns: the processor time of a short task with the spe of this Python and with another's.

    python bench/versions.py OTHER_PYTHON [COUNT] [SLOTS] [PAIRS]

OTHER_PYTHON is the one of an environment in which the other version is installed; compile both (`-m compileall`), or
the start of one takes longer. Each pair runs both, the other one first in every second pair: a machine that others
share changes its speed within minutes. Printed are the medians of the pairs' ratios (this version to the other), least
and greatest beside them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from measure import Cost, measured, scratch

KB = 1 << 10


def plain(place: Path, count: int, slots: int, command: str = "/bin/true") -> None:
    text = f"name: t\ncommand: {command}\nparameters: {{repeat: {count}}}\nhosts: [localhost slots={slots}]\nnice: 0\n"
    (place / "spe.yaml").write_text(text, encoding="utf-8")


def with_files(place: Path, count: int, slots: int) -> None:
    """A script of 1 kB as worker, and one input of 1 kB."""
    (place / "work").write_bytes(b"#!/bin/sh\nexit\n".ljust(KB, b"#"))
    (place / "work").chmod(0o755)
    (place / "data").write_bytes(b"x" * KB)
    plain(place, count, slots, "./work")
    with (place / "spe.yaml").open("a", encoding="utf-8") as file:
        file.write("inputs: {data: {file: data}}\n")


def run(python: str, folder: Path, prepare: Callable[[Path], None]) -> Cost:
    place = folder / "sweep"
    place.mkdir()
    prepare(place)
    try:
        return measured((python, "-m", "spe", "run", "-q"), place)
    finally:
        shutil.rmtree(place)


def compare(title: str, other: str, count: int, pairs: int, prepare: Callable[[Path, int], None]) -> None:
    cpu: list[float] = []
    wall: list[float] = []
    each: list[float] = []
    with scratch() as folder:
        for python in (sys.executable, other):  # the disk has given what they read
            run(python, folder, lambda place: prepare(place, 20))
        for number in range(pairs):
            order = (other, sys.executable) if number % 2 else (sys.executable, other)
            costs = {python: run(python, folder, lambda place: prepare(place, count)) for python in order}
            this, that = costs[sys.executable], costs[other]
            cpu.append(this.cpu / that.cpu)
            wall.append(this.wall / that.wall)
            each.append(1000 * this.cpu / count)
    print(f"{title}: {median(each):.3f} ms of processor time a task, {median(cpu):.3f} of the other version's "
          f"({min(cpu):.2f} to {max(cpu):.2f}); wall {median(wall):.3f}", flush=True)  # fmt: skip


def main(other: str, count: int = 10000, slots: int = 2, pairs: int = 10) -> None:
    compare("/bin/true", other, count, pairs, lambda place, tasks: plain(place, tasks, slots))
    title = "a script of 1 kB as worker, with an input of 1 kB"
    compare(title, other, count, pairs, lambda place, tasks: with_files(place, tasks, slots))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
