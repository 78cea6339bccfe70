"""Misra1a: fits against NIST's certified values, on the real path."""

from __future__ import annotations

import json

import pytest

from .clean_copy import ROOT, Copier, program

FOLDER = ROOT / "examples" / "misra1a"
B1, B2, RSS = 2.3894212918e02, 5.5015643181e-04, 1.2455138894e-01


@pytest.mark.parametrize(("b1", "b2"), [(500, 0.0001), (250, 0.0005)], ids=["NIST start 1", "NIST start 2"])
def test_the_fit_finds_the_certified_values_from_both_starts_of_nist(b1: float, b2: float) -> None:
    found = json.loads(program(FOLDER / "fit.py", "--b1", b1, "--b2", b2, FOLDER / "misra1a.dat").stdout)
    assert found["converged"] == "yes"
    assert found["b1"] == pytest.approx(B1, rel=1e-10)
    assert found["b2"] == pytest.approx(B2, rel=1e-10)
    assert found["rss"] == pytest.approx(RSS, rel=1e-10), "the data are not NIST's"


def test_a_start_that_runs_away_says_so_and_ends_well() -> None:
    done = program(FOLDER / "fit.py", "--b1", 50, "--b2", 0.05, FOLDER / "misra1a.dat")
    assert done.returncode == 0
    assert json.loads(done.stdout)["converged"] == "no"


def test_the_table_tells_which_of_a_hundred_starts_converge(example: Copier) -> None:
    copy = example("misra1a")
    done = copy.run()
    assert done.returncode == 0, done.stderr
    rows = copy.rows()
    assert len(rows) == 100
    arrived = [row for row in rows if row["converged"] == "yes"]
    assert 50 < len(arrived) < 100
    assert {(row["start_b1"], row["start_b2"]) for row in arrived} >= {("500", "0.0001"), ("250", "0.0005")}
    for row in arrived:
        assert float(row["b1"]) == pytest.approx(B1, rel=1e-6)
        assert float(row["b2"]) == pytest.approx(B2, rel=1e-6)


def test_the_hook_refuses_a_fit_that_stops_too_early_and_claims_to_have_converged(example: Copier) -> None:
    copy = example("misra1a")
    copy.change("fit.py", "TOLERANCE = 1e-10", "TOLERANCE = 0.1")
    assert copy.run().returncode == 1
    failed = copy.rows("failed.csv")
    assert failed
    assert len(failed) + len(copy.rows()) == 100
    assert all("claims to have converged, but b" in row["reason"] for row in failed)
