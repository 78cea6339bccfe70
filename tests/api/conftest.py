"""A sweep that has run, for Python programs to open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.kit import Bench

SWEEP = """
name: t
command: ./work {{ x }} {{ mesh }} {{ tag }}
parameters: {grid: {x: [1, 2, 3], mesh: [10, 0.5], tag: ['a,b', '7', 'ü "q"']}}
hosts: [localhost slots=4]
attempts: 1
results:
  energy: {from: stdout, regex: 'e=(.*)', as: float}
  steps: {from: stdout, regex: 's=(.*)', as: int}
  said: {from: stdout, regex: 'w=(.*)', as: text}
  file: {from: out.dat, as: file}
"""
WORKER = """
echo "e=-$1.5"
echo "s=$1$1"
echo "w=told $3"
echo "content $1" > out.dat
if [ "$1 $2" = "3 10" ]; then echo no room >&2; exit 4; fi
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Its environment is that of this process: what `spe.Sweep` starts is below it."""
    made = Bench(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(made.folder)
    yield made
    made.close()


@pytest.fixture
def ran(bench: Bench) -> Bench:
    """Eighteen sets, of which three have failed."""
    bench.worker(WORKER)
    bench.write("spe.yaml", SWEEP)
    done = bench.spe("run", "-q")
    assert done.code == 1, done
    return bench
