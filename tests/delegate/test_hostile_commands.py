"""The commands of a user, asked of a farm whose account is taken over: one sentence, nothing started, no escapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from spe.delegate import orders

from .ada import HERE, JOB, PLACE, Ada
from .evil_gate import NO_ANSWERS, NO_NUMBERS, EvilGate, answer
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
COMMANDS: list[tuple[str, ...]] = [SUBMIT]


def is_harmless(text: str) -> bool:
    return all(one.isprintable() or one in "\n\t" for one in text)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_a_command_survives_all_lists_that_are_none(ada: Ada, gate: EvilGate, words: tuple[str, ...]) -> None:
    gate.answers["POST /jobs"] = answer({"error": EVIL}, "400 Bad Request")
    wrong = [answer(one) for one in NO_LISTS] + [
        NO_ANSWERS[name] for name in ("redirect", "deep", "list", "500", "no http")
    ]
    for one in wrong:
        gate.answers |= dict.fromkeys(("/jobs", "/hosts", "/users", f"/jobs/{JOB}/cancel"), one)
        code, said = spe(*words, folder=ada.sweep)
        assert code in (0, 1, 2), said
        assert is_harmless(said) and len(said) < 20_000, said
    assert ada.ssh_was_told == []
    assert orders.load(gate.farm, PLACE) == []


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
