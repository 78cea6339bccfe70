"""Mistakes of a user and a farm that is away: one sentence each, with what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pool.gate.kit import ADA, LivingGate
from spe.pool.gate.keys import load_keys
from spe.pool.joining.cards import Card, save_card

from .ada import HERE, JOB, PLACE, Ada
from .evil_gate import EvilGate, answer


def spe(*words: str, folder: Path, version: str = "") -> tuple[int, str]:
    """Run spe, of another version if given; return exit code and all that it printed."""
    code = f"import spe.version as v; v.__version__ = {version!r} or v.__version__; from spe.cli import main; main()"
    path = os.pathsep.join(one for one in sys.path if one)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=folder, timeout=120,
        env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_job_whose_folder_is_gone_ends_with_that_and_makes_no_folder(
    ada: Ada, gate: EvilGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spe.delegate.masters.GONE", 0.0)  # a file system may come back: a minute else
    gate.answers["/report"] = answer({})
    ada.submit()
    delegate = ada.delegate()
    shutil.rmtree(ada.sweep)
    ada.grant(1, {HERE: 1})
    delegate._one_turn()
    assert gate.asked[-1][2]["jobs"][str(JOB)]["ended"] == f"the folder of its sweep is gone: {ada.sweep}"
    assert not ada.sweep.exists()
    assert delegate._masters == {}


# `spe submit` waits for the farm: test_silent_farm.py.
ASK = [
    ("farm", "join", "srv", "--update"), ("farm", "leave", "srv"),
    ("jobs",), ("jobs", "why", "7"), ("jobs", "cancel", "7"),
]  # fmt: skip


@pytest.mark.parametrize("words", ASK, ids=" ".join)
def test_a_farm_that_is_down_is_said_with_what_to_do(ada: Ada, gate: EvilGate, words: tuple[str, ...]) -> None:
    gate.stop()
    code, said = spe(*words, folder=ada.sweep)
    assert code == 2
    assert "the farm does not answer" in said and gate.url in said
    assert "It may be down" in said or "--anyway" in said
    assert len(said.splitlines()) == 2, said


@pytest.mark.parametrize("words", [("farm", "join", "srv", "--check"), ("farm", "leave", "srv")], ids=" ".join)
def test_a_farm_that_was_not_joined_here_is_said_with_what_to_do(ada: Ada, words: tuple[str, ...]) -> None:
    code, said = spe(*words[:2], "other", *words[3:], folder=ada.sweep)
    assert code == 2
    assert said.startswith("spe: other: you have not joined this farm"), said


@pytest.mark.parametrize("version", ["9.0.0", "0.0.9"])
def test_another_version_of_spe_is_told_which_one_to_install(ada: Ada, tmp_path: Path, version: str) -> None:
    true = LivingGate(load_keys(tmp_path / "true"), [time.time()])
    try:
        url = f"https://127.0.0.1:{true.gate.port}"
        card = Card("f00d", "srv", "farm", "", [url], true.keys.fingerprint, ADA, true.tokens[ADA], PLACE, [], [])
        save_card(card)
        code, said = spe("farm", "join", "srv", "--update", folder=ada.sweep, version=version)
    finally:
        true.stop()
    assert code == 2
    assert f"and the version before, not {version}\n  Install spe " in said, said
