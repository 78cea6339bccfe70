"""`spe submit` while the farm does not answer: it waits and says so, and runs without the farm where that is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spe.delegate import submitting
from spe.delegate.submitting import Farm
from spe.errors import UsageError
from spe.pool.joining.answering import NoAnswer, Paused, Silent
from spe.pool.joining.cards import save_card

from .ada import Ada
from .evil_gate import EvilGate, answer
from .test_mistakes import spe

NOBODY = "https://127.0.0.1:1"


def test_a_command_waits_for_its_farm_and_says_so_once(ada: Ada, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Farm(ada.card, {}, {})
    answers: list[Farm | UsageError] = [Silent("down"), Paused("not now", "srv", 9.0), Silent("down"), found]

    def look(_: object) -> Farm:
        if isinstance(given := answers.pop(0), UsageError):
            raise given
        return given

    monkeypatch.setattr(submitting, "look_at_farm", look)
    monkeypatch.setattr(submitting, "RETRY", 0.0)
    monkeypatch.setattr(submitting, "TELL", 0.0)
    told: list[UsageError] = []
    assert submitting.wait_for_farm(ada.card, told.append) is found
    assert [one.what for one in told] == ["down"]
    answers = [NoAnswer("that is no farm")]
    with pytest.raises(NoAnswer):
        submitting.wait_for_farm(ada.card, told.append)


def test_a_gate_that_is_not_there_is_silent_and_one_that_speaks_nonsense_is_not(ada: Ada, gate: EvilGate) -> None:
    assert submitting.is_silent(replace(ada.card, urls=[NOBODY]))
    gate.answers |= {"/hosts": answer({"hosts": []}), "/jobs": answer({"jobs": []})}
    assert not submitting.is_silent(ada.card)
    gate.answers["/hosts"] = b"\x00\x1b[2J" * 100
    with pytest.raises(NoAnswer):
        submitting.is_silent(ada.card)


def test_here_and_now_runs_the_sweep_without_the_farm_and_only_then(ada: Ada, gate: EvilGate) -> None:
    gate.answers |= {"/hosts": answer({"hosts": []}), "/jobs": answer({"jobs": []})}
    words = ("submit", "--here-and-now", "--priority", "80", "--max-load", "99", "-p", "x=1:3", "--", "echo", "{{ x }}")
    code, said = spe(*words, folder=ada.sweep)
    assert code == 2 and "the farm answers" in said
    save_card(replace(ada.card, urls=[NOBODY]))
    code, said = spe(*words, folder=ada.sweep)
    assert code == 0 and "spe: the farm does not answer: this runs without it" in said, said
    assert (ada.sweep / "runs" / "echo" / "results.csv").read_text().count("\n") == 4


def test_spe_run_on_a_host_of_a_joined_farm_names_spe_submit_in_one_line(ada: Ada) -> None:
    words = ("run", "--hosts", "localhost", "-p", "x=1", "--", "echo", "{{ x }}")
    code, said = spe(*words, folder=ada.sweep)
    line = "spe: the farm on srv deals slots of localhost, which others use: spe submit"
    assert code == 0 and said.splitlines().count(line) == 1, said
    code, said = spe("run", "-q", *words[1:], folder=ada.sweep)
    assert code == 0 and line not in said
    save_card(replace(ada.card, accepted=["other"]))
    code, said = spe(*words, folder=ada.sweep)
    assert code == 0 and "spe submit" not in said
