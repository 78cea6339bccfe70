"""How long a user waits for nothing: `spe --help`, `import spe`, and `spe run` of one /bin/true on this machine.

    python bench/start.py [TIMES]

Prints the least of TIMES runs: seconds of wall and of processor time (the client's included), and the latter as a ratio
to an empty Python and to one that imports aiohttp, measured in the same run.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from measure import Cost, least, measured, scratch

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import aiohttp": ["-c", "import aiohttp"],
    "import spe": ["-c", "import spe"],
    "spe --help": ["-m", "spe", "--help"],
}
ONE = ["-m", "spe", "run", "-q", "-p", "x=1", "--", "/bin/true", "{{ x }}"]
NOTHING_NEW = "the same again"


def main(times: int = 7) -> None:
    with scratch() as folder:
        found = {name: least([sys.executable, *words], folder, times) for name, words in COMMANDS.items()}
        found["spe run, one task"] = afresh(folder, times)
        found[NOTHING_NEW] = least([sys.executable, *ONE], folder, times)
    empty, aiohttp = found["python -c pass"], found["import aiohttp"]
    print(f"{'':18} {'wall s':>8} {'cpu s':>8} {'to python':>10} {'to aiohttp':>10}")
    for name, cost in found.items():
        ratios = f"{cost.cpu / empty.cpu:10.1f} {cost.cpu / aiohttp.cpu:10.2f}"
        print(f"{name:18} {cost.wall:8.3f} {cost.cpu:8.3f} {ratios}")


def afresh(folder: Path, times: int) -> Cost:
    """A sweep that has never run, each time."""
    costs = []
    for _ in range(times):
        shutil.rmtree(folder / "runs", ignore_errors=True)
        costs.append(measured([sys.executable, *ONE], folder))
    return Cost(min(c.wall for c in costs), min(c.cpu for c in costs))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
