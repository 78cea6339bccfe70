"""What reading a table costs: `spe.open(...).results()` in its forms beside csv.reader over the same rows.

    python bench/table.py [ROWS]

ROWS is 1,000,000 unless given. The rows are copies of a few that were really run. Each form is read in a process of its
own, in turns with csv.reader there; printed is the ratio of processor times, and the largest memory of that process.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import scratch

SPE_YAML = """
name: t
command: sh -c 'echo energy=-{{ x }}.5; echo steps={{ mesh }}'
parameters: {grid: {x: [1, 2, 3, 4, 5], mesh: [10, 20]}}
hosts: [localhost]
results:
  energy: {from: stdout, regex: 'energy=(.*)', as: float}
  steps: {from: stdout, regex: 'steps=(.*)', as: int}
"""
FORMS = {
    "Arrow": "run.results().arrow()",
    "pandas": "run.results().pandas()",
    "polars": "run.results().polars()",
    "rows of Python": "sum(1 for _ in run.results())",
    "Arrow, by a condition": "run.results('energy < -3 and mesh == 12').arrow()",
    "Arrow, sorted": "run.results(sort='energy').arrow()",
}
READ = """
import csv, resource, sys, time
import spe, pyarrow.csv
run = spe.open("runs/t")
def least(work):
    times = []
    for _ in range(3):
        begun = time.process_time(); work(); times.append(time.process_time() - begun)
    return min(times)
def rows():
    with open("runs/t/results.csv", newline="") as file:
        return sum(1 for _ in csv.reader(file))
floor = least(rows)
print(least(lambda: eval(sys.argv[1])) / floor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main(count: int = 1_000_000) -> None:
    with scratch() as folder:
        (folder / "spe.yaml").write_text(SPE_YAML, encoding="utf-8")
        spe = [sys.executable, "-m", "spe"]
        subprocess.run([*spe, "run", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        grow(folder / "runs/t/sweep.db", count)
        subprocess.run([*spe, "collect", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        print(f"{count:,} rows, as a multiple of the time of csv.reader, and the memory:")
        for name, code in FORMS.items():
            line = [sys.executable, "-c", READ, code]
            done = subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True)
            ratio, megabytes = map(float, done.stdout.split())
            print(f"  {name:24}{ratio:6.2f}{megabytes:8.0f} MB")


def grow(path: Path, count: int) -> None:
    """Put sets into the database until there are so many, with results like those that are there."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    plan, spec, last, have = connection.execute("SELECT plan, max(spec), max(ticket), count(*) FROM tasks").fetchone()
    (program,) = connection.execute("SELECT max(program) FROM tickets").fetchone()
    new = range(have + 1, count + 1)
    columns = "id, task, client, host, state, issued, seconds, program"
    tickets = f"INSERT INTO tickets ({columns}) VALUES (?, ?, '1', 'localhost', 'accepted', 1e9, ?, ?)"
    connection.executemany(tickets, ((last + n, n, n % 13 / 10, program) for n in new))
    tasks = "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, 'done', 1, 0, NULL, '{}', ?, NULL, ?)"
    connection.executemany(tasks, ((n, n.to_bytes(20), plan, n - 1, values(n), last + n, spec) for n in new))
    outputs = "INSERT INTO outputs (task, name, value, size, number) VALUES (?, ?, ?, 8, ?)"
    connection.executemany(outputs, (row for n in new for row in cells(n)))
    connection.commit()
    connection.close()


def values(number: int) -> str:
    return json.dumps({"x": str(number / 7)[:9], "mesh": str(number % 97)})


def cells(number: int) -> Iterator[tuple[int, str, str, float]]:
    energy = f"-{number / 3:.6f}"
    yield number, "energy", energy, float(energy)
    yield number, "steps", str(number % 1000), number % 1000


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
