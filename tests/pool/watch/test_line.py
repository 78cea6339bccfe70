"""A line of a watcher is untrusted: what is no line of a watcher is refused as a whole, and nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.pool.watch.line import MOST_LINE, WrongLine, read_line
from spe.pool.watch.seen import Client, Program, Seen

GOOD: dict[str, Any] = {
    "version": 1,
    "boot": "0e5b4f1e-6c3a-4f0e-9d2e-1a2b3c4d5e6f",
    "platform": "linux-x86_64",
    "cores": 40,
    "load": [1.5, 2, 3],
    "memory": [64, 32],
    "people": 2,
    "span": 300.0,
    "accounts": {"ada": 3.5},
    "clients": [["ada", 4, "f0/17"]],
    "top": [["ada", "sim", 1.0, 4096]],
    "sees_others": True,
}


def line(**change: object) -> bytes:
    return json.dumps({**GOOD, **change}).encode()


def test_a_line_is_read() -> None:
    assert read_line(line()) == Seen(
        boot=GOOD["boot"],
        platform="linux-x86_64",
        cores=40,
        load=(1.5, 2.0, 3.0),
        memory=64,
        free=32,
        people=2,
        span=300.0,
        accounts={"ada": 3.5},
        clients=(Client("ada", 4, "f0/17"),),
        top=(Program("ada", "sim", 1.0, 4096),),
        sees_others=True,
    )


def test_what_is_unknown_on_a_host_is_unknown() -> None:
    seen = read_line(line(load=None, memory=None))
    assert (seen.load, seen.memory, seen.free) == ((), 0, 0)


def test_what_a_newer_watcher_adds_is_left_out() -> None:
    assert read_line(line(more=[1, 2])) == read_line(line())


def test_texts_are_made_printable() -> None:
    assert read_line(line(accounts={"a\x1b[31m": 1.0})).accounts == {"a·[31m": 1.0}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Traceback (most recent call last):",
        b"[]",
        b"1",
        b"[" * 60_000,
        b'{"version": ' + b"9" * 60_000 + b"}",
        b" " * MOST_LINE + line(),
        line().replace(b"1.5", b"NaN"),
        line().replace(b"1.5", b"1e999"),
        line().replace(b"3.5", b"Infinity"),
        line().replace(b"40", b"9" * 400),
        b"\xff" + line(),
    ],
    ids=range(12),
)
def test_what_is_no_line_is_refused(raw: bytes) -> None:
    with pytest.raises(WrongLine):
        read_line(raw)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"cores": -1},
        {"cores": 1.5},
        {"cores": True},
        {"cores": "40"},
        {"cores": None},
        {"load": [1, 2]},
        {"load": [1, 2, "3"]},
        {"load": [1, 2, -3]},
        {"load": "123"},
        {"memory": [1]},
        {"memory": [1, 2**60]},
        {"boot": "x" * 65},
        {"boot": 5},
        {"accounts": []},
        {"accounts": {"ada": None}},
        {"accounts": {f"u{number}": 1.0 for number in range(201)}},
        {"clients": [["ada", 4]]},
        {"clients": [["ada", 4, 17]]},
        {"clients": [["ada", 4, ""]] * 201},
        {"clients": {"ada": 4}},
        {"top": [["ada", "sim", 10**400, 1]]},
        {"top": [["ada", None, 1, 1]]},
        {"people": -1},
        {"sees_others": 1},
    ],
    ids=str,
)
def test_a_wrong_part_makes_the_whole_line_wrong(change: dict[str, object]) -> None:
    with pytest.raises(WrongLine):
        read_line(line(**change))


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"load", "memory"}))
def test_no_part_may_be_missing(name: str) -> None:
    with pytest.raises(WrongLine):
        read_line(json.dumps({key: value for key, value in GOOD.items() if key != name}).encode())


words = st.text(st.sampled_from("aö☃\x1b\n\0\ud800 "), max_size=80)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), anything))
def test_whatever_a_host_sends_it_is_read_or_refused(change: dict[str, object]) -> None:
    try:
        seen = read_line(line(**change))
    except WrongLine:
        return
    assert all(0 <= one <= 2**53 for one in (*seen.load, *seen.accounts.values(), seen.memory, seen.cores))


@given(st.binary(max_size=200))
def test_whatever_bytes_a_host_sends_they_are_refused(raw: bytes) -> None:
    with pytest.raises(WrongLine):
        read_line(raw)
