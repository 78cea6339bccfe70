"""Short tasks: a whole `spe run` on this machine against a C loop of posix_spawn, in the same run.

    python bench/throughput.py [COUNT] [SLOTS]

Prints tasks a second of both, their ratio, and the processor time a task that spe adds. The sweep lies in $TMPDIR, so
TMPDIR=/dev/shm measures without a disk. It needs a C compiler.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def measured(words: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of wall and of processor time, all processes together."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(folder)})
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(count: int = 2000, slots: int = 2) -> None:
    with tempfile.TemporaryDirectory(prefix="spe-bench-") as name:
        folder = Path(name)
        subprocess.run(["cc", "-O2", "-o", str(folder / "floor"), str(HERE / "floor.c")], check=True)
        sweep = f"name: t\ncommand: /bin/true {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {count}]}}}}}}\n"
        (folder / "spe.yaml").write_text(f"{sweep}hosts: [localhost slots={slots}]\nnice: 0\n", encoding="utf-8")
        floor = measured([str(folder / "floor"), str(count), str(slots), "/bin/true"], folder)
        spe = measured([sys.executable, "-m", "spe", "run", "-q"], folder)
    print(f"{count} x /bin/true, {slots} at a time")
    for label, (wall, cpu) in (("C loop", floor), ("spe run", spe)):
        print(f"{label:8} {count / wall:8.0f} tasks/s {1000 * cpu / count:8.2f} ms of processor time a task")
    print(f"ratio    {floor[0] / spe[0]:8.3f}    {1000 * (spe[1] - floor[1]) / count:+8.2f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
