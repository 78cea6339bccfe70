"""Ising: a C program compiled for this platform, with binary results kept as files."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest
from needs import need_program

from .clean_copy import Copier, program

HERE = f"{platform.system()}-{platform.machine()}".lower()


def make(folder: Path, *targets: str) -> None:
    done = subprocess.run(["make", *targets], cwd=folder, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


def need_compiler() -> None:
    need_program("gcc", "gcc libc6-dev")
    need_program("make", "make")


def compiled(example: Copier) -> Path:
    need_compiler()
    folder = example("ising").folder
    make(folder)
    return folder / "build" / f"ising-{HERE}"


def test_below_the_critical_temperature_it_is_a_magnet_and_above_it_is_none(example: Copier) -> None:
    ising = compiled(example)
    cold, hot = (
        json.loads(program(ising, "--size", 64, "--temperature", t, "--sweeps", 300).stdout) for t in (1.0, 4.0)
    )
    assert cold["energy"] == pytest.approx(-1.99716, abs=0.002)
    assert cold["magnetisation"] > 0.99
    assert hot["energy"] == pytest.approx(-0.55727, abs=0.02)
    assert hot["magnetisation"] < 0.1


def test_the_spins_are_written_as_signed_bytes(example: Copier, tmp_path: Path) -> None:
    ising, spins = compiled(example), tmp_path / "spins"
    done = program(ising, "--size", 32, "--temperature", 2, "--sweeps", 60, "--spins", spins)
    assert len(spins.read_bytes()) == 32 * 32 * json.loads(done.stdout)["samples"]
    assert set(spins.read_bytes()) == {1, 255}


@pytest.mark.parametrize(
    "words", [["--size", "64"], ["--size", "none", "--temperature", "2", "--sweeps", "9"], ["--what", "1"]]
)
def test_a_wrong_command_line_ends_with_2_and_a_reason(example: Copier, words: list[str]) -> None:
    done = program(compiled(example), *words)
    assert done.returncode == 2
    assert done.stderr.startswith("ising: ")


def test_it_compiles_for_arm_hosts_too(example: Copier) -> None:
    need_program("make", "make")
    need_program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    folder = example("ising").folder
    make(folder, "linux-aarch64")
    header = (folder / "build" / "ising-linux-aarch64").read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    assert int.from_bytes(header[18:20], "little") == 183, "not for aarch64"


def test_every_energy_is_onsagers_and_every_lattice_is_kept(example: Copier) -> None:
    if HERE != "linux-x86_64":
        pytest.skip("spe.yaml as shipped names the x86_64 worker")
    need_compiler()
    copy = example("ising")
    make(copy.folder)
    done = copy.run()
    assert done.returncode == 0, done.stderr
    rows = copy.rows()
    assert len(rows) == 24
    for row in rows:
        spins = copy.folder / "runs" / "ising" / row["spins"]
        assert spins.stat().st_size == int(row["size"]) ** 2 * int(row["samples"])
