"""What the benchmarks share: a folder to work in, and what a command takes in wall and in processor time.

Processor time is that of the command and of all below it that have ended and were waited for (RUSAGE_CHILDREN). What
a command leaves running as a daemon is not in it; `Daemon` is for those that can be ended within the measurement.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall and of processor time."""

    wall: float
    cpu: float


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder below $TMPDIR that goes afterwards; TMPDIR=/dev/shm measures without a disk."""
    with tempfile.TemporaryDirectory(prefix="spe-bench-") as name:
        yield Path(name)


def cost_of(work: Callable[[], object]) -> Cost:
    """What it takes, all processes that it starts and waits for together."""
    before, begun = _used(), time.monotonic()
    work()
    return Cost(time.monotonic() - begun, _used() - before)


def _used() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def measured(words: Sequence[str], folder: Path, stdin: Path | None = None) -> Cost:
    """What this command takes. It fails when the command does."""
    source = stdin.open("rb") if stdin else None
    try:
        return cost_of(lambda: run(words, folder, source))
    finally:
        if source:
            source.close()


def run(words: Sequence[str], folder: Path, stdin: object = None) -> None:
    """Run it with nothing on the screen but its faults."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    subprocess.run(words, cwd=folder, check=True, stdin=stdin, stdout=subprocess.DEVNULL, env=environment)  # type: ignore[call-overload]


def least(words: Sequence[str], folder: Path, times: int) -> Cost:
    """The least of several runs: what others do on the machine only ever adds."""
    costs = [measured(words, folder) for _ in range(times)]
    return Cost(min(c.wall for c in costs), min(c.cpu for c in costs))
