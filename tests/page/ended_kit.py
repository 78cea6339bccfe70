"""A sweep that is over, with images among its results; and `spe page`, which serves it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SWEEP = """
name: over
command: ./work {{ x }} {{ cfl }} {{ mesh }} {{ rep }}
parameters:
  grid: {x: {range: [1, 6]}, cfl: [0.2, 0.4], mesh: [coarse, fine]}
  repeat: 3
results:
  energy: {from: stdout, regex: 'energy (.+)', as: float}
  picture: {from: p.png, as: file}
  trace: {from: "t <1>.txt", as: file}
  frames: {from: "f*.png", as: files}
attempts: 1
hosts: [localhost slots=2]
"""
#: An image of one dot.
PNG = (
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc00000030101"
    "00c9fe92ef0000000049454e44ae426082"
)
WORK = f"""#!{sys.executable}
import sys
x, cfl, mesh, rep = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
if x == 6 and rep == 3:
    sys.exit("<i>diverged</i>")
print("energy", x * cfl + rep)
for name in ("p.png", "f1.png", "f2.png"):
    open(name, "wb").write(bytes.fromhex("{PNG}"))
open("t <1>.txt", "w").write("trace")
"""
SETS, DONE = 72, 68


def make(folder: Path) -> Path:
    """Run the sweep in this folder to its end; return runs/<name>/."""
    (folder / "spe.yaml").write_text(SWEEP, encoding="utf-8")
    (folder / "work").write_text(WORK, encoding="utf-8")
    (folder / "work").chmod(0o755)
    command = [sys.executable, "-m", "spe", "run", "-q"]
    ended = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, timeout=120)
    assert ended.returncode == 1, "four sets fail"
    return folder / "runs" / "over"


@contextmanager
def served(folder: Path, *words: str) -> Iterator[str]:
    """Yield the address that `spe page` prints."""
    command = [sys.executable, "-m", "spe", "page", *words]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()


def at(address: str, path: str, **query: str) -> str:
    """Return the address of one of the pages."""
    base, _, token = address.partition("/?token=")
    words = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{base}/{path}?token={token}{words}"
