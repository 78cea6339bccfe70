"""`spe submit` while the farm does not answer: it waits and says so, and runs without the farm where that is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spe.cli.submit import _tell_to_wait
from spe.delegate import submitting
from spe.delegate.submitting import Farm
from spe.errors import UsageError
from spe.pool.joining.answering import NoAnswer, Paused, Silent
from spe.pool.joining.cards import save_card

from .ada import Ada
from .evil_gate import EvilGate, answer
from .test_mistakes import spe

NOBODY = "https://127.0.0.1:1"


class Clock:
    """The time of a command that waits: it passes only where the command sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(submitting, "time", made)
    return made


def answer_with(monkeypatch: pytest.MonkeyPatch, answers: list[Farm | UsageError]) -> None:
    def look(_: object) -> Farm:
        if isinstance(given := answers.pop(0), UsageError):
            raise given
        return given

    monkeypatch.setattr(submitting, "look_at_farm", look)


def test_a_command_waits_for_its_farm_and_says_so_after_30_s(
    ada: Ada, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Farm(ada.card, {}, {})
    answer_with(monkeypatch, [*[Silent("down")] * 16, found])
    told: list[tuple[str, float]] = []
    assert submitting.wait_for_farm(ada.card, lambda error, waited: told.append((error.what, waited))) is found
    assert told == [("down", 30.0)] and set(clock.slept) == {submitting.RETRY}
    answer_with(monkeypatch, [NoAnswer("that is no farm")])
    with pytest.raises(NoAnswer):
        submitting.wait_for_farm(ada.card, lambda *_: None)


def test_a_farm_that_says_503_is_asked_again_after_its_own_pause(
    ada: Ada, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Farm(ada.card, {}, {})
    answer_with(monkeypatch, [Paused("not now", "srv", 9.0), Paused("not now", "srv", 0.5), Silent("down"), found])
    assert submitting.wait_for_farm(ada.card, lambda *_: pytest.fail("too early")) is found
    assert clock.slept == [9.0, submitting.RETRY, submitting.RETRY]


def test_a_pause_that_is_longer_than_30_s_is_told_at_once(
    ada: Ada, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Farm(ada.card, {}, {})
    answer_with(monkeypatch, [Paused("no disk", "srv", 300.0), found])
    told: list[tuple[str, float]] = []
    assert submitting.wait_for_farm(ada.card, lambda error, waited: told.append((error.what, waited))) is found
    assert told == [("no disk", 0.0)] and clock.slept == [300.0]


def test_a_farm_that_says_503_for_ever_is_told_again_and_again_but_seldom(
    ada: Ada, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, [*[Paused(f"reason {n}", "srv", 5.0) for n in range(1000)], Farm(ada.card, {}, {})])
    told: list[tuple[str, float]] = []
    submitting.wait_for_farm(ada.card, lambda error, waited: told.append((error.what, waited)))
    assert [waited for _, waited in told] == [30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0]
    assert [what for what, _ in told][:2] == ["reason 6", "reason 12"]  # what it says now, not what it said first


def test_the_command_says_what_the_farm_says_and_for_how_long_it_has_waited(capsys: pytest.CaptureFixture[str]) -> None:
    _tell_to_wait(Paused("the farm cannot store anything now", "srv", 30.0), 120.0)
    assert capsys.readouterr().err == (
        "spe: the farm cannot store anything now\n"
        "  waiting for 2 min; Ctrl-C ends this. Without the farm: spe submit --here-and-now\n"
    )


def test_a_real_503_keeps_its_pause_up_to_five_minutes(ada: Ada, gate: EvilGate, clock: Clock) -> None:
    told: list[str] = []

    def tell(error: UsageError, _: float) -> None:
        told.append(error.what)
        gate.answers |= {"/hosts": answer({"hosts": []}), "/jobs": answer({"jobs": []})}

    gate.answers["/hosts"] = answer({"error": "its disk is full"}, "503 Service Unavailable", "Retry-After: 9999")
    assert submitting.is_silent(ada.card)
    assert submitting.wait_for_farm(ada.card, tell).hosts == {}
    assert clock.slept == [300.0] and told == ["its disk is full"]


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
