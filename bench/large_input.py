"""One large input that all tasks share: 300 MB and 30 tasks of 0.2 s in two slots, each a whole `spe run`.

    python bench/large_input.py [MEGABYTES] [TASKS] [SLOTS] [ROUNDS]

Beside it, in turns: a bare loop that gives each task a hard link; and `spe run` with an input of 1 kB. A large input
costs its way to the host (a copy here, digested at both ends), and then nothing for each task. So the goal is the
time with 1 kB and one transfer, which is measured as well: `/file` of a master, into a file that is synced and checked.
The folder lies in $TMPDIR; what the processes wrote to a disk is told, and is nothing in /dev/shm.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from master_kit import master
from measure import run, scratch
from spe.client.shared.inputs import InputCache
from spe.client.wire.connection import MasterAddress
from spe.client.wire.master import Master

MB, KB = 1 << 20, 1 << 10
SECONDS = 0.2  # of a task


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of wall and of processor time, and MB that went to a disk."""

    wall: float
    cpu: float
    written: float


def spent(work: Callable[[], object]) -> Round:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Round(wall, cpu, (after.ru_oublock - before.ru_oublock) * 512 / MB)


def bare(data: Path, folder: Path, tasks: int, slots: int) -> None:
    """The same by hand, with nothing kept, checked or stored."""
    running: dict[int, Path] = {}
    left = tasks
    while left or running:
        while left and len(running) < slots:
            place = folder / f"bare{left}"
            place.mkdir()
            os.link(data, place / "data")
            process = subprocess.Popen(["/bin/sh", "-c", f"sleep {SECONDS}"], cwd=place)
            process.returncode = 0  # it is os.wait that waits for it
            running[process.pid] = place
            left -= 1
        shutil.rmtree(running.pop(os.wait()[0]))


def sweep(data: Path, place: Path, tasks: int, slots: int) -> None:
    text = f"name: t\ncommand: /bin/sh -c 'sleep {SECONDS}'\nparameters: {{repeat: {tasks}}}\n"
    text += f"inputs: {{data: {{file: {data}}}}}\nhosts: [localhost slots={slots}]\nnice: 0\n"
    place.mkdir()
    (place / "spe.yaml").write_text(text, encoding="utf-8")
    run((sys.executable, "-m", "spe", "run", "-q"), place)
    shutil.rmtree(place)


def transfer(data: Path, folder: Path) -> float:
    """Seconds of the way to a host: the digest that tells sets apart, and what a client of ours does with the file."""
    text = f"command: /bin/true {{{{ x }}}}\nparameters: {{grid: {{x: [1, 2]}}}}\ninputs: {{data: {{file: {data}}}}}\n"
    with master(folder, text) as server:
        address = MasterAddress("http", server.host, server.port, "", "", "")
        connection = Master(address, server.session, lambda: None).connection()
        assert connection.ask("/task", [("files", "sha256")]).status == 200
        begun = time.monotonic()
        with data.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        InputCache(str(folder / "files")).have(connection, digest)
        took = time.monotonic() - begun
    for name in ("runs", "files"):
        shutil.rmtree(folder / name)
    return took


def main(megabytes: int = 300, tasks: int = 30, slots: int = 2, rounds: int = 3) -> None:
    found: dict[str, list[Round]] = {"bare loop": [], "spe, 1 kB": [], f"spe, {megabytes} MB": []}
    ways: list[float] = []
    with scratch() as folder:
        large, small = folder / "large", folder / "small"
        small.write_bytes(b"x" * KB)
        with large.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(MB))
            os.fsync(file.fileno())
        for _ in range(rounds):
            work: Sequence[Callable[[], None]] = (
                lambda: bare(large, folder, tasks, slots),
                lambda: sweep(small, folder / "sweep", tasks, slots),
                lambda: sweep(large, folder / "sweep", tasks, slots),
            )
            for name, one in zip(found, work, strict=True):
                found[name].append(spent(one))
            ways.append(transfer(large, folder))
    show(found, ways, tasks, slots)


def show(found: dict[str, list[Round]], ways: list[float], tasks: int, slots: int) -> None:
    print(f"{tasks} tasks of {SECONDS} s in {slots} slots, medians of {len(ways)} rounds in turns")
    for name, each in found.items():
        wall, cpu = median([one.wall for one in each]), median([one.cpu for one in each])
        print(f"{name:14} {wall:6.2f} s  {cpu:5.2f} s of processor time  {each[0].written:6.0f} MB written")
    bare_loop, small, large = found.values()
    print(f"one transfer   {median(ways):6.2f} s")
    pairs = zip(small, large, ways, bare_loop, strict=True)
    ratios = [(one.wall / (other.wall + way), one.wall / loop.wall) for other, one, way, loop in pairs]
    print(f"to 1 kB and one transfer {median([one for one, _ in ratios]):.2f}, "
          f"to the bare loop {median([one for _, one in ratios]):.2f}")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
