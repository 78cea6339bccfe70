"""The shipped sweep and its worker: what a newcomer runs first."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict

import pytest

from .clean_copy import ROOT, Copier, program

PI = ROOT / "workers" / "pi.py"


def test_the_worker_prints_one_number_near_pi() -> None:
    done = program(PI, "--samples", 64000, "--seed", 1)
    assert done.returncode == 0
    assert float(done.stdout) == pytest.approx(math.pi, abs=0.03)


def test_the_worker_gives_the_same_number_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = (program(PI, "--samples", 1000, "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("samples", ["0", "-5", "many"])
def test_the_worker_refuses_a_number_of_samples_that_is_none(samples: str) -> None:
    done = program(PI, "--samples", samples, "--seed", 1)
    assert done.returncode == 2
    assert samples in done.stderr


@pytest.mark.parametrize("name", ["", "pi"], ids=["spe.yaml", "examples/pi"])
def test_the_shipped_sweep_runs_from_a_clean_clone(example: Copier, name: str) -> None:
    copy = example(name)
    done = copy.run()
    assert done.returncode == 0, done.stderr
    rows = copy.rows()
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 201)]
    assert list(rows[0]) == ["number", "samples", "seed", "estimate", "host", "seconds", "attempts"]
    assert "runs/pi/results.csv" in done.stdout + done.stderr
    assert more_samples_mean_smaller_errors(rows)


def more_samples_mean_smaller_errors(rows: list[dict[str, str]]) -> bool:
    errors: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        errors[int(row["samples"])].append(abs(float(row["estimate"]) - math.pi))
    means = [statistics.mean(errors[samples]) for samples in sorted(errors)]
    return len(means) == 4 and means == sorted(means, reverse=True)


def test_a_line_added_to_the_parameter_file_runs_one_set(example: Copier) -> None:
    copy = example("pi")
    (copy.folder / "params.txt").write_text("samples|seed\n1000|1\n1000|2\n")
    assert copy.run("-q").returncode == 0
    before = copy.rows()
    (copy.folder / "params.txt").write_text("samples|seed\n1000|1\n1000|2\n4000|1\n")
    assert copy.run("-q").returncode == 0
    assert copy.rows()[:2] == before, "these ran again"
    assert copy.rows()[2]["samples"] == "4000"
