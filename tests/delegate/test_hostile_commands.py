"""The commands of a user, asked of a farm whose account is taken over: one sentence, nothing started, no escapes."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
import pytest
from spe import cli
from spe.cli import jobs as jobs_command
from spe.delegate import orders
from spe.pool.joining.cards import save_card

from .ada import HERE, JOB, PLACE, Ada
from .evil_gate import NO_ANSWERS, NO_NUMBERS, OTHER_NAMES, WRONG_NAMES, EvilGate, answer
from .test_mistakes import spe

EVIL = "\x1b[2Jevil\x07\u202e\r\n"
HOST = {
    "name": HERE,
    "slots": 4,
    "most": 4,
    "granted": 0,
    "vacant": 4,
    "active": True,
    "only": [],
    "info": EVIL,
    "reason": EVIL,
}
OTHERS = {
    "id": 3, "owner": EVIL, "name": EVIL, "state": EVIL, "priority": 64, "cores": 1, "sets": 2, "done": 0, "failed": 0,
    "slots": 1, "hosts": {EVIL: 1}, "submitted": 0.0, "started": 0.0, "ended": 0.0, "group": EVIL, "outcome": EVIL,
}  # fmt: skip
#: Lists that are JSON, and none: of any of the paths.
NO_LISTS: list[Any] = [
    {}, {"hosts": 5, "jobs": 5}, {"hosts": [5], "jobs": [5]}, {"hosts": {}, "jobs": {"1": {}}},
    {"hosts": [{}], "jobs": [{}]},
    {"hosts": [dict.fromkeys(HOST, EVIL)], "jobs": [dict.fromkeys(OTHERS, EVIL)]},
    {"hosts": [{word: [EVIL] for word in HOST}], "jobs": [{word: {EVIL: 1} for word in OTHERS}]},
    {"hosts": [dict.fromkeys(HOST, -(10**30))], "jobs": [dict.fromkeys(OTHERS, 10**30)]},
    {"hosts": [dict.fromkeys(HOST)], "jobs": [dict.fromkeys(OTHERS)]},
    {"hosts": [{**HOST, "most": float("inf")}], "jobs": [{**OTHERS, "submitted": float("nan")}]},
]  # fmt: skip
SUBMIT = ("submit", "-p", "y=1", "--", "true", "{{ y }}")
NUMBER = str(JOB)
#: Each command that asks a farm.
COMMANDS: list[tuple[str, ...]] = [
    SUBMIT, ("farm", "join", "srv", "--update", "--yes"), ("farm", "leave", "srv", "--anyway"), ("jobs",),
    ("jobs", "list", "--all", "--json"), ("jobs", "list", "--mine"), ("jobs", "why", NUMBER),
    ("jobs", "why", NUMBER, "--json"), ("jobs", "cancel", NUMBER), ("jobs", "cancel", "--mine"),
    ("jobs", "pause", NUMBER), ("jobs", "resume", "--mine"), ("jobs", "priority", NUMBER, "80"),
    ("status", "--job", NUMBER), ("log", "--job", f"srv:{NUMBER}", "1"),
]  # fmt: skip
PATHS = (
    "/jobs",
    "/hosts",
    "/users",
    "/leave",
    *(f"/jobs/{JOB}/{act}" for act in ("why", "cancel", "pause", "priority")),
)
#: An answer about one job, of the right shape, with texts that are not.
WHY = {
    "job": {**OTHERS, "id": JOB, "heard": 1e300, "silence": 9.0, "place": EVIL}, "has": 0, "enabled": True, "wants": 1,
    "boost": 1.0, "age": 1.0, "own_jobs": {EVIL: 1.0}, "hosts": {EVIL: {"free": 0, "why": EVIL}},
    "turn": [{"user": EVIL, "claim": 1.0, "share": 1.0, "fair": 1.0, "boost": 1.0, "age": 1.0, "cores": 0}],
}  # fmt: skip
NO_ANSWER_NAMES = ("redirect", "deep", "list", "500", "no http", "many headers")


def is_harmless(text: str) -> bool:
    return all(one.isprintable() or one in "\n\t" for one in text)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_survives_all_lists_that_are_none(
    ada: Ada, gate: EvilGate, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ada.sweep)
    monkeypatch.setattr(sys, "argv", ["spe", *words])
    other = {"jobs": [WHY["job"], OTHERS], "hosts": [{**HOST, "name": "lab01"}], **WHY}
    codes = set()
    places = (*OTHER_NAMES, *WRONG_NAMES) if "--job" in words else ()
    far = [{"jobs": [{**OTHERS, "id": JOB, "owner": ada.card.user, "place": one}]} for one in places]
    wrong = [answer(one) for one in (*NO_LISTS, WHY, other, *far)] + [NO_ANSWERS[name] for name in NO_ANSWER_NAMES]
    for one in wrong:
        gate.answers = {"POST /jobs": answer({"error": EVIL}, "400 Bad Request"), **dict.fromkeys(PATHS, one)}
        save_card(ada.card)
        code = cli._exit_code()
        out, err = capfd.readouterr()
        assert code in (0, 1, 2) and "fault of spe's own" not in err, (one, out, err)
        assert is_harmless(out + err) and len(out + err) < 20_000, out + err
        codes.add(code)
    assert codes & {1, 2} or words[-1] == "--anyway", "most were refused"
    names = {word for word in ada.ssh_was_told if "=" not in word and not word.startswith(("-", "echo"))}
    assert names <= {"lab01", HERE}, "what was tried are hosts of these names"
    assert orders.load(gate.farm, PLACE) == []


def test_a_list_of_the_right_shape_is_shown_with_its_texts_made_harmless(
    ada: Ada, gate: EvilGate, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gate.answers = {"/jobs": answer({"jobs": [WHY["job"]]}), f"/jobs/{JOB}/why": answer(WHY)}
    for words in (["jobs", "list"], ["jobs", "why", NUMBER]):
        monkeypatch.setattr(sys, "argv", ["spe", *words])
        code = cli._exit_code()
        out, err = capfd.readouterr()
        assert code == 0, err
        assert "evil" in out and is_harmless(out + err)


def test_each_command_that_asks_a_farm_is_among_them() -> None:
    known = {words[0] if words[0] == "submit" else " ".join(words[:2]) for words in COMMANDS}
    jobs = {f"jobs {name}" for name in jobs_command.command.list_commands(click.Context(jobs_command.command))}
    assert jobs <= known | {"jobs list"}, "a new subcommand needs a line in COMMANDS"


def test_a_job_gets_a_number_that_is_one_and_that_no_other_job_of_the_user_has(ada: Ada, gate: EvilGate) -> None:
    gate.answers |= {"/hosts": answer({"hosts": [HOST]}), "GET /jobs": answer({"jobs": []})}
    ada.submit()
    before = orders.load(gate.farm, PLACE)
    for number in (*NO_NUMBERS, 0, JOB, "../../evil", "7"):
        gate.answers["POST /jobs"] = answer({"id": number, "priority": EVIL})
        code, said = spe(*SUBMIT, folder=ada.sweep)
        assert code == 2 and ("no number" in said or "twice" in said), (number, said)
        assert is_harmless(said)
        assert orders.load(gate.farm, PLACE) == before, "her other job keeps its order"
    assert json.dumps(gate.asked).count('"y') == 0, "the farm hears of no command and no parameter"
