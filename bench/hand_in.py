"""What handing in a large run costs: `spe report`, `spe export`, and the comparison of `spe replay`.

    python bench/hand_in.py [ROWS]

ROWS is 100,000 unless given. The rows are copies of a few that were really run. Of the replay only the comparison is
measured, with the run itself in the place of a second one: running a million programs takes an hour. Printed are
processor seconds and the largest memory of a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measure import scratch
from table import SPE_YAML, grow, values

MEASURE = """
import resource, sys, time
begun = time.process_time()
exec(sys.argv[1])
print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
WHOLE = """
from spe.cli import main
del sys.argv[:1]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
COMPARE = """
from fractions import Fraction
from pathlib import Path
from spe.handin.archive import Archive
from spe.handin.compared import Comparison
from spe.store.reader import Reader
from spe.sweep import sweep
with Archive(Path("x.zip"), 1 << 40) as archive, Reader(Path("runs/t")) as reader:
    archive.check_digests()
    comparison = Comparison(archive, sweep.load(Path("spe.yaml")), lambda number: True, Fraction(0))
    assert not list(comparison.differences(reader))
    assert comparison.tally.compared == int(sys.argv[2]), comparison.tally
"""


def main(count: int = 100_000) -> None:
    with scratch() as folder:
        run_of(folder, count)
        print(f"{count:,} rows:")
        show(folder, "spe report", WHOLE, "report")
        show(folder, "spe export", WHOLE, "export", "-o", "x.zip")
        show(folder, "spe replay, comparing", COMPARE, str(count))
        print(f"  {(folder / 'x.zip').stat().st_size / count:.0f} bytes of the zip a row")


def run_of(folder: Path, count: int) -> None:
    """Make a run of so many rows that is the one of its spe.yaml."""
    from spe.store.database import connect
    from spe.sweep import sweep

    params = "".join("{x},{mesh}\n".format(**json_of(n)) for n in range(11, count + 1))
    first = "".join(f"{x},{mesh}\n" for x in (1, 2, 3, 4, 5) for mesh in (10, 20))
    (folder / "params.csv").write_text(f"x,mesh\n{first}", encoding="utf-8")
    text = SPE_YAML.replace("{grid: {x: [1, 2, 3, 4, 5], mesh: [10, 20]}}", "params.csv")
    (folder / "spe.yaml").write_text(text, encoding="utf-8")
    spe = [sys.executable, "-m", "spe"]
    subprocess.run([*spe, "run", "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    grow(folder / "runs/t/sweep.db", count)
    (folder / "params.csv").write_text(f"x,mesh\n{first}{params}", encoding="utf-8")
    found = sweep.load(folder / "spe.yaml")
    connection = connect(folder / "runs/t/sweep.db")
    connection.execute("BEGIN")
    keys = ((found.key(one.values), number) for number, one in enumerate(found.parameters, 1) if number > 10)
    connection.executemany("UPDATE tasks SET key = ? WHERE number = ?", keys)
    connection.execute("COMMIT")
    connection.close()


def json_of(number: int) -> dict[str, str]:
    import json

    found: dict[str, str] = json.loads(values(number))
    return found


def show(folder: Path, what: str, code: str, *words: str) -> None:
    line = [sys.executable, "-c", MEASURE, code, *words]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, megabytes = map(float, done.stdout.split()[-2:])
    print(f"  {what:24}{seconds:8.1f} s{megabytes:8.0f} MB", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
