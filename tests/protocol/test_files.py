"""The part `files` of a failure: what is kept of it, alone and in a batch, whatever somebody sends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

import pytest
from spe.results.leftovers import MOST, MOST_BYTES

from .kit import Master


def kept(master: Master, ticket: int) -> str | None:
    with sqlite3.connect(f"file:{master.runs}/sweep.db?mode=ro", uri=True) as database:
        row = database.execute("SELECT files FROM logs WHERE ticket = ?", [ticket]).fetchone()
    return str(row[0]) if row and row[0] is not None else None


def told(master: Master, files: bytes, in_a_batch: bool) -> str | None:
    """What is kept of this part of a failure."""
    (ticket,) = master.take()
    if in_a_batch:
        reply = master.post("/results", {}, [(f"{ticket}/reason", b"exit code 1"), (f"{ticket}/files", files)])
        assert reply.text == f"{ticket} noted\n"
    else:
        assert master.post("/failed", {"ticket": ticket, "reason": "exit code 1"}, [("files", files)]).status == 200
    return kept(master, ticket)


@pytest.mark.parametrize("in_a_batch", [False, True])
def test_a_failure_keeps_the_files_that_it_tells(long_sweep: Master, in_a_batch: bool) -> None:
    lines = "12 out.txt\n- sub/\n0 sub/ä b\n- work@\n+3\n"
    assert told(long_sweep, lines.encode(), in_a_batch) == lines
    assert told(long_sweep, b"12 out.txt", in_a_batch) == "12 out.txt\n+0\n", "as find prints them, without a count"
    assert told(long_sweep, b"+0\n", in_a_batch) == "+0\n", "an empty directory"
    assert told(long_sweep, b"", in_a_batch) is None, "nothing is told"


@pytest.mark.parametrize("in_a_batch", [False, True])
def test_what_is_hostile_is_bounded_and_made_harmless(long_sweep: Master, in_a_batch: bool) -> None:
    assert told(long_sweep, bytes(range(256)) * 100, in_a_batch) is None, "no line that is one"
    assert told(long_sweep, b"5 ../../etc/passwd\n", in_a_batch) == "5 ../../etc/passwd\n+0\n", "a word, and no path"
    shown = told(long_sweep, b"5 a\x1b]0;x\x07\r\xff\xe2\x80\xae\n9 \x00\n", in_a_batch)
    assert shown == "5 a·]0;x··\ufffd·\n9 ·\n+0\n"
    many = told(long_sweep, b"1 x\n" * 10_000 + b"+5\n", in_a_batch)
    assert many and (many.count("1 x\n"), many.splitlines()[-1]) == (MOST, f"+{10_000 + 5 - MOST}")
    long = told(long_sweep, b"1 " + b"y" * 200_000 + b"\n2 z\n", in_a_batch)
    assert long and len(long.encode()) < MOST_BYTES + 30
    assert told(long_sweep, b"9" * 50_000 + b" big\n>" + b"9" * 50_000, in_a_batch) is None
    assert "Traceback" not in long_sweep.log + long_sweep.err.read_text()
    assert not list(long_sweep.runs.rglob("incoming/*"))


def test_two_parts_of_that_name_are_refused_and_change_nothing(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    parts = [("files", b"1 a\n"), ("files", b"1 b\n")]
    assert long_sweep.post("/failed", {"ticket": ticket}, parts).status == 400
    assert long_sweep.post("/failed", {"ticket": ticket}, parts[:1]).status == 200
    assert kept(long_sweep, ticket) == "1 a\n+0\n"


def test_a_client_that_tells_nothing_of_files_is_as_good(long_sweep: Master) -> None:
    (ticket,) = long_sweep.take()
    assert long_sweep.post("/failed", {"ticket": ticket}, [("stderr", b"no\n")]).status == 200
    assert kept(long_sweep, ticket) is None
    (ticket,) = long_sweep.take()
    assert long_sweep.complete(ticket, ("stdout", b"1\n"), ("data", b""), ("files", b"1 a\n")) == "accepted"
    assert kept(long_sweep, ticket) is None, "of what succeeds it is not kept"


@pytest.mark.parametrize("kind", ["text", "file"])
def test_a_result_may_be_called_files_all_the_same(sweep: Callable[..., Master], kind: str) -> None:
    started = sweep(3, f"attempts: 1\nmax_result: 1 kB\nresults: {{files: {{from: list.txt, as: {kind}}}}}")
    one, two, three = started.take(3)
    assert started.complete(one, ("files", b"1 a\n")) == "accepted"
    parts = [(f"{two}/files", b"2 b\n"), (f"{three}/reason", b"no"), (f"{three}/files", b"3 c\n")]
    assert started.post("/results", {}, parts).text == f"{two} accepted\n{three} noted\n"
    assert started.end() == 1
    cells = ["files/1/list.txt", "files/2/list.txt"] if kind == "file" else ["1 a", "2 b"]
    assert [row["files"] for row in started.rows()] == cells
    assert kept(started, three) == "3 c\n+0\n"


def test_what_was_read_and_written_is_kept_where_it_is_told(long_sweep: Master) -> None:
    usage = {"wall": 1.5, "user": 1.25, "system": 0.25, "memory": 4096}
    for more, wanted in (({"read": 8192, "written": 0}, (8192, 0)), ({"written": 7}, (None, 7)), ({}, (None, None))):
        (ticket,) = long_sweep.take()
        parts = [("stdout", b"1\n"), ("data", b""), ("usage", json.dumps({**usage, **more}).encode())]
        assert long_sweep.complete(ticket, *parts) == "accepted"
        with sqlite3.connect(f"file:{long_sweep.runs}/sweep.db?mode=ro", uri=True) as database:
            row = database.execute("SELECT memory, read, written FROM tickets WHERE id = ?", [ticket]).fetchone()
        assert row == (4096, *wanted)
