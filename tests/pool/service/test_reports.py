"""Reports of members, who may send what they like: numbers of the farm's own hosts, or one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from spe.pool.gate.heart import Unfit
from spe.pool.service.reports import read_news

HOSTS = {"lab01", "lab02"}
GOOD = {
    "serial": [1, 2], "epoch": 3, "number": 4, "allowed": {"lab01": 2}, "out": {"lab01": 1}, "wants": 5,
    "up": ["lab01"], "most": {"lab02": 1}, "faults": {"lab02": "no"}, "sets": 9, "done": 3, "failed": 1,
}  # fmt: skip
PLAIN = some.none() | some.booleans() | some.integers() | some.floats() | some.text()
ANYTHING = some.recursive(
    PLAIN, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3), max_leaves=9
)
NEARLY = some.fixed_dictionaries({}, optional={word: some.just(value) | ANYTHING for word, value in GOOD.items()})


@given(NEARLY | ANYTHING)
def test_whatever_is_reported_is_numbers_of_known_hosts_or_refused_in_one_sentence(said: Any) -> None:
    try:
        news = read_news(said, HOSTS)
    except Unfit as error:
        assert str(error).isprintable() and len(str(error)) < 200
        return
    for by_host in (news.report.allowed, news.report.out, news.most):
        assert set(by_host) <= HOSTS and all(0 <= count <= 2**53 for count in by_host.values())
    assert set(news.up) | set(news.faults) <= HOSTS
    assert all(text.isprintable() and len(text) <= 200 for text in news.faults.values())


def test_hosts_that_are_not_the_farms_are_left_out_so_that_nobody_fills_its_memory() -> None:
    many = {f"h{number}": 1 for number in range(20_000)}
    said = {**GOOD, "out": {**many, "lab01": 1}, "allowed": many, "most": many, "faults": dict.fromkeys(many, "x"),
            "up": ["lab01", *many]}  # fmt: skip
    assert len(json.dumps(said)) > 900_000, "as large as a body may be"
    news = read_news(said, HOSTS)
    assert news.report.out == {"lab01": 1} and news.up == {"lab01"}
    assert not news.report.allowed and not news.most and not news.faults


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202e"])
def test_why_a_host_is_not_up_can_be_printed_by_everybody(text: str) -> None:
    (why,) = read_news({**GOOD, "faults": {"lab01": text}}, HOSTS).faults.values()
    assert why.isprintable()
