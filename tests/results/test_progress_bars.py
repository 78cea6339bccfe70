"""Output with carriage returns: values are looked for in what a person sees, the last state of each line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.model import Kind, ResultSpec
from spe.results.extract import Part, Refused, extract
from spe.results.reading.last_states import last_states

BAR = b"\r  0%|    |\r 50%|==  |\r100%|====|\n"


def value(data: bytes, **spec: object) -> str:
    return extract(Part.of("x", data), ResultSpec("x", **spec), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\nb\n", "a\nb\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("1%\r2%\r3%\n", "3%\n"),
        ("1%\r2%\r3%\r\n", "3%\n"),
        ("1%\r2%\r", "2%"),
        ("1%\r2%\r   \r", "   "),
        ("\rdone\n\rend", "done\nend"),
        ("50%\r\x1b[Kdone\n", "done\n"),
        ("50%\r\x1b[2Kdone\x1b[0K\n", "done\n"),
        ("\r\r\n", "\n"),
        ("\r", ""),
        ("", ""),
    ],
)
def test_of_each_line_the_last_state_is_seen(text: str, seen: str) -> None:
    assert last_states(text) == seen


LINE = st.text(st.characters(exclude_characters="\r\n\x1b", exclude_categories=["Cs"]))


@given(st.lists(LINE), st.text("ab\r", max_size=9))
def test_lines_stay_in_number_and_without_carriage_returns_as_they_are(lines: list[str], more: str) -> None:
    text = "\n".join(lines)
    assert last_states(text) == text
    assert last_states("\r\n".join(lines)) == text
    assert last_states(text + more).count("\n") == text.count("\n") and "\r" not in last_states(text + more)


@pytest.mark.parametrize(
    ("data", "regex", "found"),
    [
        (BAR + b"slope = 3.5\n", r"slope = (\S+)", "3.5"),
        (b"100%\rslope = 3.5\n", r"(?m)^slope = (\S+)$", "3.5"),
        (b"loss 9\rloss 5\rloss 1\n", r"loss (\S+)", "1"),
        (b"slope = 3.5\r\n", r"(?m)^slope = (\S+)$", "3.5"),
        (b"a = 1\r\nslope = 3.5\r\n", r"(?m)= (.+)$", "1"),
        (b"10%\r20%\r\x1b[Kslope = 2\n", r"(?m)^slope = (\d)$", "2"),
        (b"first 1\rsecond\n", r"first (\d)", "1"),
        (b"1%\r7\n", r"%\r(\d)", "7"),
    ],
)
def test_a_regex_finds_what_is_seen_and_else_what_was_printed(data: bytes, regex: str, found: str) -> None:
    assert value(data, regex=regex) == found


@pytest.mark.parametrize("data", [b"\r1%\r2%\r3.5\n", b"1%\r\x1b[K3.5\n", b"3.5\r", b"1%\r2%\r3.5\r\n", b"1%\r 3.5"])
def test_a_number_is_read_behind_a_progress_bar_in_its_line(data: bytes) -> None:
    assert value(data, kind=Kind.FLOAT) == "3.5"


def test_a_line_of_the_bar_before_the_number_is_still_no_number() -> None:
    with pytest.raises(Refused, match="is not a float"):
        value(BAR + b"3.5\n", kind=Kind.FLOAT)
    assert value(BAR + b"3.5\n", kind=Kind.FLOAT, regex=r"(?m)^([\d.]+)$") == "3.5"


def test_json_is_read_behind_a_progress_bar_in_its_line() -> None:
    assert value(b'1%\r2%\r{"a": 2}\n', kind=Kind.JSON) == '{"a":2}'
    assert value(b'1%\r{"a": 2}\n', kind=Kind.INT, path="a") == "2"
    assert value(b'{"a":\r2}', kind=Kind.JSON) == '{"a":2}', "a carriage return is a blank for JSON"


def test_a_file_with_carriage_returns_as_line_ends_is_read_as_it_is() -> None:
    assert value(b"a 1\rb 2\rb 3\r", source="out.txt", regex=r"b (\d)") == "2"
    assert value(b"a = 1\r\n", source="out.txt", regex=r"(?m)^a = (\S+)$") == "1"


def test_a_text_and_a_file_stay_the_bytes_that_were_printed() -> None:
    assert value(b"1%\r2%\n") == "1%\r2%"


def test_a_line_of_many_states_takes_no_longer_than_its_length() -> None:
    assert last_states("\r" * 2_000_000 + "x") == "x"
    assert last_states("50%\r" * 1_000_000 + "\n" * 10).count("\n") == 10
