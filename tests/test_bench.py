"""The measurements in bench/ still work with today's sources: those of many rows at a tiny size, all others load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"
SCRIPTS = sorted(path.stem for path in BENCH.glob("*.py"))
LOAD = "import importlib, sys; sys.path.insert(0, sys.argv[1]); importlib.import_module(sys.argv[2])"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_measurement_can_be_loaded(name: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", LOAD, str(BENCH), name]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stdout, "it measures although it was only loaded"


@pytest.mark.parametrize(
    ("name", "said"), [("table", "Arrow, sorted"), ("million", "cpu of a task among"), ("hand_in", "replay")]
)
def test_what_measures_many_rows_runs_with_a_few(name: str, said: str, tmp_path: Path) -> None:
    words = [sys.executable, str(BENCH / f"{name}.py"), "200"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
