"""Task records off the wire: the forms of the page, and bytes that are none."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spe.client.wire.task_record import BadRecord, parse_tasks, parse_words

from .pretended_master import task

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_words_come_back_as_shlex_quoted_them(words: list[str]) -> None:
    line = shlex.join(words).encode() + b"\nnext line"
    found, end = parse_words(line)
    assert [word.decode() for word in found] == words
    assert line[end:] == b"\nnext line"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (rb"""a "b c" 'd "e' f\ g""", [b"a", b"b c", b'd "e', b"f g"]),
        (rb'''"\$x \`y\` \"q\" \\ \n"''', [rb'$x `y` "q" \ \n']),
        (b"a\\\nb 'x\ny' \"p\nq\"", [b"ab", b"x\ny", b"p\nq"]),
        (b"pre'mid'\"post\"", [b"premidpost"]),
        (b"  \t '' \"\"  ", [b"", b""]),
        (b"#no ~ * $HOME `x` ; | >", [b"#no", b"~", b"*", b"$HOME", b"`x`", b";", b"|", b">"]),
        (b"caf\xc3\xa9 \xff\r", [b"caf\xc3\xa9", b"\xff\r"]),
        (b"", []),
    ],
)
def test_quoting_is_posix_and_nothing_is_expanded(line: bytes, words: list[bytes]) -> None:
    assert parse_words(line)[0] == words


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(1, 10**12))
def test_any_content_survives_and_records_follow_each_other(contents: list[bytes], ticket: int) -> None:
    inputs = {f"f{n}": content for n, content in enumerate(contents)}
    data = task(ticket, "x", inputs=inputs) + task(ticket + 1, "y")
    first, second = parse_tasks(data)
    assert (first.ticket, second.ticket) == (ticket, ticket + 1)
    assert [one.content for one in first.inputs] == contents


def test_a_whole_record_is_read() -> None:
    (found,) = parse_tasks(
        b"Ticket=12\nTimeout=1.5\nNew=thing\nCommandLine=./p 'a\nb'\nTask=3\nEnv='A=x y'\n"
        b"[Input]\nFile=stdin\nLength=3\n--begin content--\na\nb\n--end content--\n"
        b"[Input]\nFile=m\nLength=9\nSHA256=ab\n[Result]\nName=r\nFile=stdout\n[Result]\nName=q\nFile=d/q.txt"
    )
    assert (found.ticket, found.timeout, found.number) == (12, 1.5, "3")
    assert (found.words, found.env) == ([b"./p", b"a\nb"], {b"A": b"x y"})
    assert [(one.name, one.content, one.sha256) for one in found.inputs] == [("stdin", b"a\nb", ""), ("m", b"", "ab")]
    assert [(one.name, one.file) for one in found.results] == [("r", "stdout"), ("q", "d/q.txt")]


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"Ticket=x\nTimeout=0\nCommandLine=a\n",
        b"Ticket=1\nTimeout=0\nCommandLine='a\n",
        b"Ticket=1\nTimeout=0\nCommandLine=a\n[Input]\nFile=x\nLength=9\n--begin content--\nabc\n--end content--\n",
        b"Ticket=1\nTimeout=0\nCommandLine=a\n[Input]\nFile=x\nLength=?\n--begin content--\nabc\n--end content--\n",
        b"Ticket=1\nTimeout=0\nCommandLine=a\n[Input]\nFile=x\nLength=3\n",
    ],
)
def test_what_is_no_record_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(BadRecord):
        parse_tasks(data)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    with contextlib.suppress(BadRecord):
        parse_tasks(data)
