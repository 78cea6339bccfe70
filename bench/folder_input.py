"""A folder of many files that all tasks share: 1,000 files of 10 kB and 100 tasks in one slot, a whole `spe run`.

    python bench/folder_input.py [FILES] [BYTES] [TASKS] [ROUNDS]

Beside it, in turns: a shell script that packs the folder, unpacks it once, and gives each task hard links to its files.
The goal is 1.5 times of that. A directory cannot be linked, so a task costs a link for each file, whoever makes it.
`known`: a run with nothing to do, which has to find out only that no file has changed, beside one without the inputs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from measure import Cost, cost_of, run, scratch

BY_HAND = """
mkdir hand; tar cf hand/packed.tar data; mkdir hand/tree; tar xf hand/packed.tar -C hand/tree
for i in $(seq {tasks}); do
    mkdir hand/task; cp -al hand/tree/data hand/task/data; (cd hand/task; {command} > ../said); rm -rf hand/task
done
rm -rf hand
"""
SPE = (sys.executable, "-m", "spe", "run", "-q")


def write(folder: Path, tasks: int, command: str, inputs: str) -> None:
    (folder / "spe.yaml").write_text(
        f"name: t\ncommand: {command}\nparameters: {{repeat: {tasks}}}\n{inputs}hosts: [localhost slots=1]\nnice: 0\n",
        encoding="utf-8",
    )


def sweep(folder: Path) -> None:
    run(("rm", "-rf", "runs"), folder)
    run(SPE, folder)


def main(files: int = 1000, size: int = 10_000, tasks: int = 100, rounds: int = 5) -> None:
    found: dict[str, list[Cost]] = {"by hand": [], "spe": [], "known": [], "without": []}
    with scratch() as folder:
        (folder / "data").mkdir()
        for number in range(files):
            (folder / f"data/{number:06}").write_bytes(os.urandom(size))
        command = "wc -c data/000007"
        script = BY_HAND.format(tasks=tasks, command=command)
        for _ in range(rounds):
            write(folder, tasks, command, "inputs: [data/]\n")
            work: Sequence[Callable[[], None]] = (
                lambda: run(("sh", "-c", script), folder),
                lambda: sweep(folder),
                lambda: run(SPE, folder),
            )
            for name, one in zip(found, work, strict=False):
                found[name].append(cost_of(one))
            write(folder, tasks, "true", "")
            sweep(folder)
            found["without"].append(cost_of(lambda: run(SPE, folder)))
    print(f"{files} files of {size} bytes, {tasks} tasks in one slot, medians of {rounds} rounds in turns")
    for name, each in found.items():
        wall, cpu = median(one.wall for one in each), median(one.cpu for one in each)
        print(f"{name:8} {wall:6.2f} s  {cpu:6.2f} s of processor time")
    ratios = [one.wall / other.wall for one, other in zip(found["spe"], found["by hand"], strict=True)]
    more = [one.wall - other.wall for one, other in zip(found["known"], found["without"], strict=True)]
    print(f"to the work by hand {median(ratios):.2f}; nothing to do: {median(more):+.2f} s beside no inputs")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
