"""What a delegate takes from a farm's answer: names of hosts and numbers of its own jobs, or nothing at all."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from spe.delegate.answers import GREATEST, MOST_SLOTS, Granted, read_grants
from spe.errors import UsageError
from spe.pool.texts import is_host_name

from .evil_gate import NO_NUMBERS, OTHER_NAMES, WRONG_NAMES

GRANT = {"epoch": 3, "number": 5, "tasks": {"lab01": 4}, "slots": {"lab01": 8}, "state": "running"}
PLAIN = some.none() | some.booleans() | some.integers() | some.floats() | some.text()
ANYTHING = some.recursive(
    PLAIN,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = some.sampled_from(("lab01", *OTHER_NAMES, *WRONG_NAMES)) | some.text(max_size=20)
BY_HOST = some.dictionaries(NAMES, some.integers(-2, 2**60) | ANYTHING, max_size=4) | ANYTHING
#: An object that is nearly a grant: each word right, wrong or missing, and words that are none.
NEARLY = some.fixed_dictionaries(
    {},
    optional={
        "epoch": some.integers(0, 5) | ANYTHING,
        "number": some.integers(0, 5) | ANYTHING,
        "tasks": BY_HOST,
        "slots": BY_HOST,
        "state": some.sampled_from(("running", "cancelled", "run")) | ANYTHING,
        "do": some.sampled_from(("run", "exec", "add")),
        "line": some.just("root@lab01 python=/tmp/evil"),
        "words": some.just(["--hosts", "evil"]),
    },
)


@given(some.dictionaries(some.sampled_from(("1", "2", "17", "x")), NEARLY | ANYTHING, max_size=3) | ANYTHING)
def test_whatever_a_farm_answers_is_names_and_numbers_of_own_jobs_or_refused_in_one_sentence(jobs: Any) -> None:
    try:
        found = read_grants({"jobs": jobs, "do": "run"}, [1, 17], least=2)
    except UsageError as error:
        assert error.line.isprintable() and len(error.line) < 300
        return
    assert set(found) <= {1, 17}
    for one in found.values():
        assert 2 <= one.epoch <= GREATEST and 0 <= one.number <= GREATEST
        for by_host in (one.tasks, one.slots):
            assert all(is_host_name(host) for host in by_host)
            assert all(type(count) is int and 0 <= count <= MOST_SLOTS for count in by_host.values())


@given(ANYTHING)
def test_an_answer_that_is_anything_at_all_is_refused_or_has_no_grant(answer: Any) -> None:
    with suppress(UsageError):
        assert read_grants(answer, [1], 0) == {}


def test_a_grant_is_read_and_words_that_are_not_known_are_left_out() -> None:
    said = {**GRANT, "do": "run", "line": "root@evil", "priority": 64}
    assert read_grants({"jobs": {"7": said, "8": {"do": "run"}}}, [7], 0) == {
        7: Granted(3, 5, {"lab01": 4}, {"lab01": 8}, "running")
    }


@pytest.mark.parametrize("word", ["epoch", "number", "tasks", "slots"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused_with_the_whole_answer(word: str, value: Any) -> None:
    wrong = {**GRANT, word: {"lab01": value} if word in ("tasks", "slots") else value}
    with pytest.raises(UsageError, match=f"job 2: `{word}` has no whole number"):
        read_grants({"jobs": {"1": GRANT, "2": wrong}}, [1, 2], 0)


@pytest.mark.parametrize("name", WRONG_NAMES, ids=ascii)
@pytest.mark.parametrize("word", ["tasks", "slots"])
def test_what_is_no_host_name_is_refused_with_the_whole_answer(word: str, name: str) -> None:
    with pytest.raises(UsageError, match="something that is no host name"):
        read_grants({"jobs": {"1": {**GRANT, word: {"lab01": 1, name: 1}}}}, [1], 0)


def test_an_older_epoch_is_refused() -> None:
    with pytest.raises(UsageError, match="its epoch 3 is older than 4"):
        read_grants({"jobs": {"1": GRANT}}, [1], 4)
