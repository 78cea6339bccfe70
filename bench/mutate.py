"""A mutation run over one package: which small changes of the sources does no test notice?

    .venv-tests/bin/python bench/mutate.py master/dispatch -- tests/dispatch
    .venv-tests/bin/python bench/mutate.py master/sweep --sample 40 --seed 7 -- tests/sweep --noconftest

What follows `--` goes to pytest. Each mutant is one change of one place (bench/mutations.py) in a copy of the package.
The tests of a mutant run in a process of their own that is forked from one that has imported pytest and all other
libraries already. That is why this is a script of ours: mutmut 3 changes neither tables nor properties, and its
rewritten functions import mutmut, which the client on a host cannot; cosmic-ray runs one mutant at a time in place and
starts Python anew for each. Neither removes statements.

The limit of a mutant is processor time, so that a busy machine gives the same figures. Hypothesis repeats the same
examples in each run and does not shrink them.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from mutations import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"master": "spe", "client": "spe/client", "workers": "spe/workers"}  # as setup.cfg's package_dir has them
PYTEST = ["-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--assert=plain"]
WAIT = 0.01  # seconds between two looks at the processes


@dataclass
class Limits:
    """The limits of one run of the tests; a mutant that needs more counts as timed out."""

    cpu: int  # seconds of one process
    wall: float  # seconds; long, as the machine may be busy


class Slot:
    """A copy of the package in which one mutant at a time is tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for source, target in PARTS.items():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        self.mutant: Mutant | None = None
        self._original = b""
        self._mutants = 0
        self.deadline = 0.0

    def _place(self, mutant: Mutant) -> Path:
        part, _, rest = mutant.file.partition("/")
        return self.folder / PARTS[part] / rest

    def mutate(self, mutant: Mutant) -> None:
        """Write the mutated file with a time of its own: by time and size Python finds what it has compiled."""
        place = self._place(mutant)
        self._original = place.read_bytes()
        place.write_text(mutant.text, encoding="utf-8")
        self.mutant = mutant
        self._mutants += 1
        os.utime(place, (self._mutants, self._mutants))

    def restore(self) -> None:
        """Bring the original back: of the copy, as the sources may have been edited meanwhile."""
        if self.mutant:
            self._place(self.mutant).write_bytes(self._original)
        self.mutant = None

    def start(self, arguments: list[str], limits: Limits) -> int:
        """Fork a process that runs the tests on this copy. Return its process ID; it leads its process group."""
        self.deadline = time.monotonic() + limits.wall
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        code = 3
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 5))
            code = self._run_tests(arguments)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _run_tests(self, arguments: list[str]) -> int:
        with open(self.folder / "output", "wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.path[0] = str(self.folder)
        sys.dont_write_bytecode = False
        sys.pycache_prefix = str(self.folder / "compiled")  # the tests' own folders stay as they are
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.update(PYTHONPATH=str(self.folder), PYTHONPYCACHEPREFIX=sys.pycache_prefix)
        code = int(pytest.main([*PYTEST, *arguments]))
        (self.folder / "modules").write_text("\n".join(_libraries()))
        return code


def _libraries() -> Iterator[str]:
    """Yield the modules that this process has imported and that are neither ours nor part of pytest's run."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        in_environment = "site-packages" in file or "lib/python" in file
        if in_environment and name.partition(".")[0] not in ("spe", "__main__", "conftest"):
            yield name


def prepare_process(modules: list[str]) -> None:
    """Import what the tests need, so that a forked process has it; make Hypothesis repeatable."""
    for name in modules:
        with suppress(Exception):  # an optional part of a library: the tests did without it, or import it again
            importlib.import_module(name)
    if "spe" in sys.modules:
        raise SystemExit("bench/mutate.py: a library has imported spe, so mutants would not be seen")
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutation",
        phases=[Phase.explicit, Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")


def measure_baseline(slot: Slot, arguments: list[str]) -> Limits:
    """Run the tests on the sources as they are, which must pass. Return the limits of a mutant."""
    began = time.monotonic()
    child = slot.start(arguments, Limits(cpu=3600, wall=3600))
    _, status, used = os.wait4(child, 0)
    if status != 0:
        print((slot.folder / "output").read_text(errors="replace")[-4000:])
        raise SystemExit("bench/mutate.py: the tests fail without any mutation")
    cpu = used.ru_utime + used.ru_stime
    wall = time.monotonic() - began
    print(f"the tests as they are: {cpu:.1f} s of processor time, {wall:.1f} s", flush=True)
    return Limits(cpu=int(3 * cpu) + 5, wall=5 * wall + 60)


def run_mutants(mutants: list[Mutant], slots: list[Slot], arguments: list[str], limits: Limits) -> Iterator[Mutant]:
    """Test the mutants, several at a time. Yield each with its outcome, in the order in which they end."""
    waiting = list(reversed(mutants))
    free = list(slots)
    busy: dict[int, Slot] = {}
    try:
        while waiting or busy:
            while waiting and free:
                slot = free.pop()
                slot.mutate(waiting.pop())
                busy[slot.start(arguments, limits)] = slot
            time.sleep(WAIT)
            for child, slot in list(busy.items()):
                if mutant := _ended(child, slot):
                    del busy[child]
                    free.append(slot)
                    yield mutant
    finally:
        for child in busy:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)


def _ended(child: int, slot: Slot) -> Mutant | None:
    """Return the mutant of this process with its outcome if the process has ended or is late; clean up after it."""
    ended, status = os.waitpid(child, os.WNOHANG)
    late = time.monotonic() > slot.deadline
    if not ended and not late:
        return None
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests left behind as well
    if not ended:
        os.waitpid(child, 0)
    mutant = slot.mutant
    assert mutant is not None
    mutant.outcome = _outcome(status, late)
    slot.restore()
    return mutant


def _outcome(status: int, late: bool) -> str:
    signals = (signal.SIGXCPU, signal.SIGKILL)
    if late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in signals):
        return "timed out"
    return "survived" if status == 0 else "killed"


def print_summary(mutants: list[Mutant]) -> None:
    """Print for each file and for all: mutants, killed, timed out, survived. Timed out counts as killed."""
    print(f"{'file':40} {'mutants':>8} {'killed':>8} {'timed out':>10} {'survived':>9} {'killed %':>9}")
    for file in [*sorted({mutant.file for mutant in mutants}), ""]:
        outcomes = Counter(mutant.outcome for mutant in mutants if file in ("", mutant.file))
        share = 100 * (1 - outcomes["survived"] / max(1, outcomes.total()))
        print(
            f"{file or 'all':40} {outcomes.total():8} {outcomes['killed']:8} {outcomes['timed out']:10}"
            f" {outcomes['survived']:9} {share:9.1f}"
        )


def choose(words: argparse.Namespace) -> list[Mutant]:
    """Return the mutants of the files that the command line names: all, a sample, or the survivors of a report."""
    mutants: list[Mutant] = []
    for name in words.sources:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            mutants.extend(mutants_of(file, str(file.relative_to(ROOT))))
    if words.again:
        survivors = {line.removeprefix("survived ") for line in words.again.read_text().splitlines()}
        mutants = [mutant for mutant in mutants if str(mutant) in survivors]
    if words.sample and words.sample < len(mutants):
        mutants = random.Random(words.seed).sample(mutants, words.sample)
    return mutants


def main() -> None:
    """Print each mutant that no test kills as a diff, then a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", nargs="+", help="files or folders in master/ or client/")
    parser.add_argument("--sample", type=int, metavar="N", help="N mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="J", help="tests at the same time")
    parser.add_argument("--again", type=Path, metavar="REPORT", help="only what survived in this output of ours")
    parser.add_argument("--list", action="store_true", help="print the mutants and test nothing")
    given = [*sys.argv[1:], "--"]
    own, tests = given[: given.index("--")], given[given.index("--") + 1 : -1]
    words = parser.parse_args(own)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    mutants = choose(words)
    if words.list:
        print("\n".join(map(str, mutants)))
        return
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="spe-mutate-") as folder:
        slots = [Slot(Path(folder, str(number))) for number in range(words.jobs)]
        prepare_process([])
        limits = measure_baseline(slots[0], tests)
        prepare_process((slots[0].folder / "modules").read_text().split())
        print(f"{len(mutants)} mutants, limit {limits.cpu} s of processor time each", flush=True)
        for mutant in run_mutants(mutants, slots, tests, limits):
            if mutant.outcome != "killed":
                print(f"{mutant.outcome} {mutant}\n{mutant.diff}", flush=True)
    print_summary(mutants)


if __name__ == "__main__":
    main()
