"""The end of a sweep: tasks of very mixed lengths, in an order that knows nothing of them, on several hosts.

    python bench/last_minute.py [TASKS] [CLIENTS] [SLOTS]

Each client is a real one; the tasks sleep, so that the cores of this machine are no limit. Prints the time from the
first start to the last end beside the least that any schedule could take: all work divided by all slots, or the
longest task.
With work fetched ahead and never given back, hosts would sit on tasks while others have nothing to do.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from master_kit import Server, master
from measure import scratch
from spe.launch.bundle import client_pyz

MIDDLE, SPREAD, LONGEST = 0.05, 1.5, 4.0  # seconds, of a lognormal distribution that is cut off
COMMAND = "sh -c 'date +%s.%N; sleep {{ x }}; date +%s.%N'"


def main(count: int = 2000, clients: int = 4, slots: int = 4) -> int:
    """Prints the ratio."""
    drawn = [min(LONGEST, random.Random(n).lognormvariate(0, SPREAD) * MIDDLE) for n in range(count)]
    texts = dict.fromkeys(f"{length:.4f}" for length in drawn)  # equal lengths would be one set
    with scratch() as folder:
        (folder / "lengths.csv").write_text("\n".join(["x", *texts, ""]), encoding="utf-8")
        results = "results: {both: stdout}\nparameters: {rows: lengths.csv}\n"
        with master(folder, f"command: {COMMAND}\n{results}nice: 0\n") as server:
            started = [start(folder / f"host{number}", server, slots) for number in range(clients)]
            for client in started:
                client.wait()
            wait_for_table(server)
        first, last, lengths = begun_and_ended(server.runs / "results.csv")
    ideal = max(sum(lengths) / (clients * slots), max(lengths))
    print(f"{len(lengths)} tasks of {min(lengths):.3f} to {max(lengths):.1f} s on {clients} hosts of {slots} slots:")
    took = last - first
    print(f"  {took:.2f} s from the first start to the last end; {took / ideal:.3f} of the ideal {ideal:.2f} s")
    return 0


def start(folder: Path, server: Server, slots: int) -> subprocess.Popen[bytes]:
    """A client that works as if on a host of its own."""
    folder.mkdir()
    program = folder / "client.pyz"
    program.write_bytes(client_pyz())
    words = [sys.executable, str(program), "--master", f"http://{server.host}:{server.port}", "--host", folder.name]
    words += ["--slots", str(slots), "--workdir", str(folder)]
    environment = {**os.environ, "SPE_SESSION": server.session}
    return subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)


def wait_for_table(server: Server) -> None:
    """Until the master has ended by itself."""
    state = Path(f"/proc/{server.pid}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "Z":  # its parent, this process, waits for it later
        time.sleep(0.05)


def begun_and_ended(table: Path) -> tuple[float, float, list[float]]:
    """The first and the last moment in which a program ran, as they printed it; and the lengths."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times = [[float(word) for word in row["both"].split()] for row in rows]
    lengths = [float(row["x"]) for row in rows]
    return min(begun for begun, _ in times), max(ended for _, ended in times), lengths


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:4])))
