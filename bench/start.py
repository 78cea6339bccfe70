"""Measure how long a user waits for nothing: `spe --help`, `import spe`, and `spe run -- true` on this machine.

    python bench/start.py [TURNS] [OTHER_PYTHON …]

Each turn runs every command once, so that a slow moment of the machine meets all of them. The table has the median of
all turns: seconds of wall time, seconds of processor time (user and system), and the ratio of the latter to `import
aiohttp` in the same turn. Processor time is that of the process and of every child that it waited for.

`spe run` has three rows, because its client is a child that works while the master starts: the master alone, the client
alone (with its guard, its hands and the program), and both. The goal, for both: at most 2.2 times `import aiohttp`.

OTHER_PYTHON is the interpreter of another version's environment, measured in the same turns. All modules must have been
compiled before (pip does it; a copied tree needs `python -m compileall`): otherwise 0.1 s of compiling is measured too.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from measure import Cost, measured, scratch

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import aiohttp": ["-c", "import aiohttp"],
    "import spe": ["-c", "import spe"],
    "spe --help": ["-m", "spe", "--help"],
}
# The master tells what it took by itself; the rest of what its parent sees is the client's. The two calls take 0.1 ms.
MASTER = """
import resource, sys
from spe.cli import main
try:
    main()
finally:
    found = resource.getrusage(resource.RUSAGE_SELF)
    with open("master", "w") as file:
        file.write(repr(found.ru_utime + found.ru_stime))
"""
ONE = ["-c", MASTER, "run", "-q", "--", "true"]
BASE = "import aiohttp"


def one_turn(python: str, folder: Path) -> dict[str, Cost]:
    """Return what each command costs, measured once, one after the other."""
    found = {name: measured([python, *words], folder) for name, words in COMMANDS.items()}
    shutil.rmtree(folder / "runs", ignore_errors=True)
    for name in ("spe run -- true", "the same again"):
        both = measured([python, *ONE], folder)
        master = float((folder / "master").read_text())
        found[f"{name}: master"] = Cost(both.wall, master)
        found[f"{name}: client"] = Cost(0.0, both.cpu - master)
        found[f"{name}: both"] = both
    return found


def show(python: str, turns: Sequence[dict[str, Cost]]) -> None:
    """Print the medians of all turns."""
    print(f"{python}, medians of {len(turns)} turns")
    print(f"{'':26} {'wall s':>8} {'cpu s':>8} {'to aiohttp':>11}")
    for name in turns[0]:
        wall = statistics.median(turn[name].wall for turn in turns)
        cpu = statistics.median(turn[name].cpu for turn in turns)
        ratio = statistics.median(turn[name].cpu / turn[BASE].cpu for turn in turns)
        print(f"{name:26} {wall:8.3f} {cpu:8.3f} {ratio:11.2f}")


def main(turns: int = 10, *others: str) -> None:
    """Measure all interpreters in turns, after one turn that only fills the file cache."""
    pythons = [sys.executable, *others]
    found: dict[str, list[dict[str, Cost]]] = {python: [] for python in pythons}
    with scratch() as folder:
        for turn in range(turns + 1):
            for python in pythons:
                costs = one_turn(python, folder)
                if turn > 0:
                    found[python].append(costs)
    for python in pythons:
        show(python, found[python])


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["10"])[0]), *sys.argv[2:])
