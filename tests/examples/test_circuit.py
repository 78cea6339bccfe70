"""Circuit: a program that is installed on the hosts, with a netlist as templated input file."""

from __future__ import annotations

import math

import pytest
from needs import need_program

from .clean_copy import Copier


def test_the_simulated_cutoffs_are_those_of_the_formula(example: Copier) -> None:
    need_program("ngspice", "ngspice")
    copy = example("circuit")
    done = copy.run()
    assert done.returncode == 0, done.stderr
    rows = copy.rows()
    assert len(rows) == 36
    for row in rows:
        curve = copy.folder / "runs" / "circuit" / row["response"]
        assert len(curve.read_text().splitlines()) == 601
        formula = 1 / (2 * math.pi * float(row["ohm"]) * float(row["nanofarad"]) * 1e-9)
        assert float(row["cutoff"]) == pytest.approx(formula, rel=1e-3)


def test_a_netlist_that_is_not_the_filter_is_refused_with_both_frequencies(example: Copier) -> None:
    need_program("ngspice", "ngspice")
    copy = example("circuit")
    copy.change("spe.yaml", "R1 in out {{ ohm }}", "R1 in out 470")
    copy.change("spe.yaml", "ohm: [100, 220, 470, 1000, 2200, 4700]", "ohm: [470, 940]")
    copy.change("spe.yaml", "nanofarad: [1, 2.2, 4.7, 10, 22, 47]", "nanofarad: [10]")
    assert copy.run().returncode == 1
    [failed] = copy.rows("failed.csv")
    assert failed["ohm"] == "940"
    assert failed["reason"].startswith("cutoff 33862")
    assert failed["reason"].endswith("Hz is not within 0.1% of 1/(2 pi R C) = 16931.4 Hz")


def test_a_measurement_that_failed_is_a_failure_though_ngspice_ends_with_0(example: Copier) -> None:
    need_program("ngspice", "ngspice")
    copy = example("circuit")
    copy.change("spe.yaml", "ac dec 100 100 100meg", "ac dec 100 100 200")
    copy.change("spe.yaml", "ohm: [100, 220, 470, 1000, 2200, 4700]", "ohm: [100]")
    copy.change("spe.yaml", "nanofarad: [1, 2.2, 4.7, 10, 22, 47]", "nanofarad: [1]")
    assert copy.run().returncode == 1
    [failed] = copy.rows("failed.csv")
    assert "cutoff" in failed["reason"]
