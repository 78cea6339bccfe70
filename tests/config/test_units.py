"""Durations, sizes and other single values of spe.yaml: what each text means, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.config import units, values
from spe.config.values import Listen, StopAfter, WrongValue
from spe.model import Licence, Times

SECONDS = {
    0.001: "ms",
    1.0: "s sec secs second seconds",
    60.0: "m min mins minute minutes",
    3600.0: "h hour hours",
    86400.0: "d day days",
}
BYTES = {
    1: "b B",
    1000: "k kb kB KB",
    1024: "kib KiB",
    1000**2: "m mb MB",
    1024**2: "MiB",
    1000**3: "g GB",
    1024**3: "GiB",
    1000**4: "t TB",
    1024**4: "TiB",
}
BLANKS = st.sampled_from(["", " ", "  "])
NUMBERS = {"3": 3.0, "1.5": 1.5, "2.": 2.0, ".25": 0.25, "007": 7.0}


def spelled(table: dict[Any, str]) -> list[tuple[str, Any]]:
    return [("", 1), *((unit, factor) for factor, names in table.items() for unit in names.split())]


@given(st.sampled_from(spelled(SECONDS)), st.sampled_from(sorted(NUMBERS)), BLANKS, BLANKS, BLANKS)
def test_a_duration_is_a_number_and_any_usual_unit(
    unit: tuple[str, float], number: str, before: str, between: str, after: str
) -> None:
    assert units.duration(f"{before}{number}{between}{unit[0]}{after}") == NUMBERS[number] * unit[1]


@given(st.sampled_from(spelled(BYTES)), st.sampled_from(sorted(NUMBERS)), BLANKS)
def test_a_size_is_a_number_and_any_usual_unit_and_whole(unit: tuple[str, int], number: str, between: str) -> None:
    assert units.size(f"{number}{between}{unit[0]}") == round(NUMBERS[number] * unit[1])


@pytest.mark.parametrize("text", ["", "h", "-1", "1e3", "1 fortnight", "1 kB", "1,5 h", "1 h 5", "1.2.3", "1\n2"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^" + text.replace(".", r"\.") + "$"):
        units.duration(text)


@pytest.mark.parametrize("text", ["", "kB", "-1", "1 h", "1 pB", "1 kbit"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^" + text + "$"):
        units.size(text)


GOOD: list[tuple[Callable[[Any], Any], str, Any]] = [
    (values.count, "1", 1),
    (values.count, "+5", 5),
    (values.count, "1000000000", 10**9),
    (values.nice, "0", 0),
    (values.nice, "19", 19),
    (values.real, "-1.5", -1.5),
    (values.positive, "0.001", 0.001),
    (values.timeout, "1.01x", Times(1.01)),
    (values.timeout, " 3 x ", Times(3.0)),
    (values.timeout, ".5 h", 1800.0),
    (values.size, "1", 1),
    (values.stop_after, "100%", StopAfter(share=1.0)),
    (values.stop_after, "0.5 % failed", StopAfter(share=0.005)),
    (values.stop_after, "101", StopAfter(count=101)),
    (values.stop_after, "5% failed, now", StopAfter(share=0.05, now=True)),
    (values.stop_after, "1,now", StopAfter(count=1, now=True)),
    (values.listen, "0", Listen(None, 0)),
    (values.listen, "65535", Listen(None, 65535)),
    (values.listen, "host.lan:80", Listen("host.lan", 80)),
    (values.command, "./a b", "./a b"),
    (values.words, "a b", ("a b",)),
    (values.control, "poll", "poll"),
    (values.by_exit_code, "20", {"any": 20}),
    (values.by_signal, "5", {"any": 5}),
]
BAD: list[tuple[Callable[[Any], Any], Any, str]] = [
    (values.count, "0", "found '0', wanted a whole number from 1"),
    (values.count, "1000000001", "found '1000000001', wanted a whole number from 1"),
    (values.count, "1_000", "found '1_000', wanted a whole number from 1"),
    (values.count, "1234567890123", "found '1234567890123', wanted a whole number from 1"),
    (values.nice, "-1", "found '-1', wanted a whole number from 0 to 19"),
    (values.nice, "20", "found '20', wanted a whole number from 0 to 19"),
    (values.real, "nan", "found 'nan', wanted a number"),
    (values.real, "x", "found 'x', wanted a number"),
    (values.positive, "0", "found '0', wanted a number greater than 0"),
    (values.timeout, "1x", "found '1x', wanted more than 1x: half of all sets take longer than the median"),
    (values.size, "0", "found '0', wanted a size such as 64 kB, 10 GB or 2 GiB"),
    (values.size, "0.4", "found '0.4', wanted a size such as 64 kB, 10 GB or 2 GiB"),
    (values.flag, "maybe", "found 'maybe', wanted true or false"),
    (values.flag, None, "found None, wanted true or false"),
    (values.text, ["a"], "found a list, wanted a text"),
    (values.text, {"a": "b"}, "found a mapping, wanted a text"),
    (values.command, " ", "found ' ', wanted a command"),
    (values.command, ["a"], "found a list, wanted one text, split into words as a shell would"),
    (values.words, {"a": "b"}, "found a mapping, wanted a list"),
    (values.control, "push", "found 'push', wanted hold or poll"),
    (values.seconds, "soon", "found 'soon', wanted a duration such as 30, 90s, 10min or 2h"),
    (values.seconds, ["1"], "found a list, wanted a duration such as 30, 90s, 10min or 2h"),
]


@pytest.mark.parametrize(("check", "text", "value"), GOOD)
def test_a_value_is_what_its_text_means(check: Callable[[Any], Any], text: str, value: object) -> None:
    assert check(text) == value


@pytest.mark.parametrize(("check", "value", "complaint"), BAD)
def test_a_wrong_value_is_refused_with_what_is_wanted(
    check: Callable[[Any], Any], value: object, complaint: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        check(value)
    assert str(caught.value) == caught.value.what == complaint


@pytest.mark.parametrize("text", ["0%", "101%", "0", "-1", "1.5", "some", "5 % lost"])
def test_a_limit_of_failed_sets_is_more_than_none_and_at_most_all(text: str) -> None:
    with pytest.raises(WrongValue):
        values.stop_after(text)


@pytest.mark.parametrize("text", ["65536", "host:", "a b:80", "http://host:80", "::1:80", "123456"])
def test_an_address_has_a_port(text: str) -> None:
    with pytest.raises(WrongValue):
        values.listen(text)


def test_the_words_for_true_and_false_are_those_of_yaml() -> None:
    assert [values.flag(word) for word in ("true", "Yes", "ON", "false", "no", "Off")] == [True] * 3 + [False] * 3


def test_attempts_by_code_have_codes_of_a_byte_in_their_shortest_form() -> None:
    found = values.by_exit_code({"075": "5", "any": "2", "255": "1", "0": "1"})
    assert found == {"75": 5, "any": 2, "255": 1, "0": 1}
    assert values.by_signal({"9": "77"}) == {"9": 77}
    for table in ({"256": "1"}, {"-1": "1"}, {"75": "0"}, {"75": None}):
        with pytest.raises(WrongValue):
            values.by_exit_code(table)


def test_a_number_of_attempts_that_looks_like_a_code_is_refused() -> None:
    for check, number in ((values.by_exit_code, "21"), (values.by_signal, "6")):
        with pytest.raises(WrongValue, match=f"{number} alone means {number} attempts"):
            check(number)
        assert check({"any": number}) == {"any": int(number)}


def test_a_long_value_is_cut_in_a_message() -> None:
    assert values.shown("x" * 58) == repr("x" * 58)
    assert values.shown("x" * 59) == "'" + "x" * 58 + "…"
    assert (values.shown(""), values.shown(()), values.shown({})) == ("nothing", "a list", "a mapping")


def test_a_fault_knows_its_place_and_its_mend() -> None:
    fault = values.wrong("x", "a number", "grid", 3, todo="Write 1.")
    assert (fault.path, fault.todo, values.wrong("x", "y").path, values.wrong("x", "y").todo) == (
        ("grid", 3), "Write 1.", (), ""
    )  # fmt: skip
    assert WrongValue("what").path == ()
    assert values.did_you_mean("near") == "Did you mean near?" and values.did_you_mean("") == ""


def test_one_of_several_keys_is_there_or_another_check_complains() -> None:
    choices = ["range", "zip"]
    for value in ({"range": 1}, {"other": 1, "zip": 2}, "text", ["a"]):
        assert values.one_of(value, choices) == value
    for value in ({}, {"range": 1, "zip": 2}):
        with pytest.raises(WrongValue, match="wanted one of range and zip"):
            values.one_of(value, choices)


def test_a_text_may_stand_for_a_mapping_with_one_key() -> None:
    assert values.mapping_or("any", "gcc", "a text") == {"any": "gcc"}
    assert values.mapping_or("any", {"linux": "gcc"}, "a text") == {"linux": "gcc"}
    assert values.mapping({"a": 1}, "x") == {"a": 1}
    for check in (lambda: values.mapping_or("any", ["gcc"], "a text"), lambda: values.mapping("a", "a text")):
        with pytest.raises(WrongValue, match="wanted a text"):
            check()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"abaqus": "1 of 3"}, (Licence("abaqus", 1, 3),)),
        ({"a b": "2 of 2", "c": " 1  of 10 "}, (Licence("a b", 2, 2), Licence("c", 1, 10))),
        ({}, ()),
    ],
)
def test_licences_are_so_many_of_so_many(value: Any, found: tuple[Licence, ...]) -> None:
    assert values.licences(value) == found


@pytest.mark.parametrize("text", ["0 of 3", "4 of 3", "1 of", "of 3", "1 from 3", "one of 3", "1.5 of 3", ["1 of 3"]])
def test_licences_that_no_task_could_take_are_refused(text: Any) -> None:
    with pytest.raises(WrongValue) as caught:
        values.licences({"abaqus": text})
    assert caught.value.path == ("abaqus",)


def test_a_licence_without_the_number_of_all_says_that_there_is_no_farm_yet() -> None:
    with pytest.raises(WrongValue) as caught:
        values.licences({"abaqus": "1"})
    assert "`abaqus: 1 of 3`" in caught.value.todo and "a farm, which spe does not have yet" in caught.value.todo
