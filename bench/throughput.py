"""Short tasks: a whole `spe run` on this machine beside a C loop of posix_spawn and what else runs programs.

    python bench/throughput.py [COUNT] [SLOTS]

Prints tasks a second, the ratio to the C loop just before and after, and the processor time a task of all processes:
each contender is a command that waits for all that it starts, so that nothing is missing in the sum. The folder lies
in $TMPDIR, so TMPDIR=/dev/shm measures without a disk. Each has run a few tasks before: how fast the disk gives its
program is not what is measured. It needs a C compiler; peers that are not installed are named.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from measure import HERE, Cost, measured, scratch

PYTHON = sys.executable
FEW = 20  # tasks that each runs before


@dataclass(frozen=True, slots=True)
class Task:
    """One short program, as each contender writes it; `{}` is the task's number."""

    title: str
    words: tuple[str, ...]
    shell: str  # for those that hand a line to a shell themselves
    spe: str


# Without a word more: with one, /bin/true reads the locale in case it has to explain itself, which costs a third more.
TRUE = Task("/bin/true", ("/bin/true",), "/bin/true", "/bin/true")
SQUARE = Task(
    "sh -c 'echo $((x*x))'", ("/bin/sh", "-c", "echo $(({}*{}))"), "echo $(({}*{}))",
    "/bin/sh -c 'echo $(({{ x }}*{{ x }}))'",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contender:
    """What runs the tasks, in a folder of its own and with the numbers on standard input. `missing`: why it can't."""

    name: str
    words: tuple[str, ...]
    missing: str = ""


def contenders(task: Task, count: int, slots: int, folder: Path) -> list[Contender]:
    """The floor first; all others are compared to it."""
    one = tuple(word.replace("{}", "7") for word in task.words)  # the floor fills nothing in
    both = (str(count), str(slots))
    xargs = ("xargs", "-P", str(slots), "-I{}", *task.words)
    parallel = ("parallel", "--will-cite", "-j", str(slots), *(("-N0",) if task is TRUE else ()), task.shell)
    no_parallel = "" if shutil.which("parallel") else "not installed (Debian: parallel)"
    no_hyperqueue = "" if find_spec("hyperqueue") else "not installed (PyPI: hyperqueue)"
    return [
        Contender("C loop", (str(folder / "floor"), *both, *one)),
        Contender("xargs", xargs),
        Contender("bare Python loop", (PYTHON, str(HERE / "bareloop.py"), *both, *task.words)),
        Contender("spe run", (PYTHON, "-m", "spe", "run", "-q")),
        Contender("HyperQueue", (PYTHON, str(HERE / "hyperqueue_loop.py"), *both, *task.words), no_hyperqueue),
        Contender("GNU parallel", parallel, no_parallel),
    ]


def compare(task: Task, count: int, slots: int) -> None:
    """One table. The floor runs before and after each contender: a machine that others share changes its speed."""
    print(f"\n{count} x {task.title}, {slots} at a time")
    print(f"{'':18} {'tasks/s':>9} {'to C loop':>10} {'cpu ms a task':>14} {'above C loop':>13}", flush=True)
    with scratch() as folder:
        subprocess.run(["cc", "-O2", "-o", str(folder / "floor"), str(HERE / "floor.c")], check=True)
        lowest, *others = contenders(task, count, slots, folder)
        before = contenders(task, FEW, slots, folder)[1:]

        def run(one: Contender, count: int = count) -> Cost:
            return in_own_folder(one, folder, count, lambda place: write_sweep(place, task, count, slots))

        floors = [run(lowest)]
        for one, few in zip(others, before, strict=True):
            if one.missing:
                print(f"{one.name:18} {one.missing}", flush=True)
                continue
            try:
                run(few, FEW)
                cost = run(one)
            except subprocess.CalledProcessError as error:
                print(f"{one.name:18} failed with exit code {error.returncode}", flush=True)
                continue
            floors.append(run(lowest))
            print(row(one.name, count, cost, mean(floors[-2:])), flush=True)
        print(row(lowest.name, count, mean(floors), mean(floors)), flush=True)


def mean(costs: Sequence[Cost]) -> Cost:
    """Of several runs of the same."""
    return Cost(sum(c.wall for c in costs) / len(costs), sum(c.cpu for c in costs) / len(costs))


def row(name: str, count: int, cost: Cost, floor: Cost) -> str:
    """One line of the table."""
    each, above = 1000 * cost.cpu / count, 1000 * (cost.cpu - floor.cpu) / count
    return f"{name:18} {count / cost.wall:9.0f} {floor.wall / cost.wall:10.2f} {each:14.2f} {above:13.2f}"


def in_own_folder(one: Contender, folder: Path, count: int, prepare: Callable[[Path], object]) -> Cost:
    """Nobody works among the files of those before."""
    place, numbers = folder / one.name.replace(" ", "-"), folder / "numbers"
    place.mkdir()
    numbers.write_text("".join(f"{n}\n" for n in range(1, count + 1)))
    prepare(place)
    try:
        return measured(one.words, place, numbers)
    finally:
        shutil.rmtree(place)


def write_sweep(place: Path, task: Task, count: int, slots: int) -> None:
    parameters = f"{{repeat: {count}}}" if task is TRUE else f"{{grid: {{x: {{range: [1, {count}]}}}}}}"
    text = f"name: t\ncommand: {task.spe}\nparameters: {parameters}\n"
    (place / "spe.yaml").write_text(f"{text}hosts: [localhost slots={slots}]\nnice: 0\n", encoding="utf-8")


def main(count: int = 2000, slots: int = 2) -> None:
    for task in (TRUE, SQUARE):
        compare(task, count, slots)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
