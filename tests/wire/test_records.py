"""The replies as text: what the master writes, a shell and our client read back unchanged."""

from __future__ import annotations

import hashlib
import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spe.client.wire.task_record import parse_tasks
from spe.model import Input, ResultSpec, Setup, Work, WorkerFile
from spe.wire import records as protocol

SETUP = Setup(True, False, 30.0, 180.0, 2, 5, 10**10, "pi.py")
# Arguments come from files in UTF-8, and a NUL byte is refused before anything runs.
words = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
inputs = st.builds(Input, st.sampled_from(["a", "b.dat", "stdin", "d/e f"]), st.binary(max_size=200))
works = st.builds(
    Work, st.lists(words, min_size=1).map(tuple), st.lists(inputs).map(tuple), st.dictionaries(names, words)
)
NASTY = Work(("", "a b", "--x='1'", 'q"', "$(rm)", ";", "\n\n[Input]\nFile=x", "\\", "ü", "-n"), (), {"E": "a\nb"})


def record(work: Work, **how: bool) -> bytes:
    results = protocol.result_records([ResultSpec("y"), ResultSpec("f", "o.csv")])
    return protocol.task_record(7, 3, 90.0, work, results, **how)


@settings(max_examples=200, deadline=None)
@given(works, works)
@example(NASTY, Work(("x",), (Input("stdin", b"\n--end content--\n\nTicket=9\n"),)))
def test_our_client_reads_back_what_was_written(one: Work, two: Work) -> None:
    first, second = parse_tasks(record(one, extra=True) + b"\n" + record(two, extra=True))
    for task, work in ((first, one), (second, two)):
        assert [w.decode() for w in task.words] == list(work.words)
        assert {k.decode(): v.decode() for k, v in task.env.items()} == dict(work.env)
        assert [(i.name, i.content) for i in task.inputs] == [(i.name, i.content) for i in work.inputs]
        assert [(r.name, r.file) for r in task.results] == [("y", "stdout"), ("f", "o.csv")]
        assert (task.ticket, task.number, task.timeout) == (7, "3", 90.0)


@settings(max_examples=15, deadline=None)
@given(st.lists(words, min_size=1, max_size=20))
@example(list(NASTY.words))
def test_a_posix_shell_reads_back_the_words(given_words: list[str]) -> None:
    script = "for w in " + protocol.command_line(given_words) + "; do printf '%s\\0' \"$w\"; done"
    out = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    assert out.split(b"\0")[:-1] == [w.encode() for w in given_words]


def test_a_record_is_as_the_protocol_page_shows_it() -> None:
    work = Work(("./pi", "--seed", "a b"), (Input("run.ini", b"x = 1\n"),), {"RNG": "1 2"})
    assert record(work).decode() == (
        "Ticket=7\nTimeout=90\nCommandLine=env 'RNG=1 2' ./pi --seed 'a b'\n"
        "[Input]\nFile=run.ini\nLength=6\n--begin content--\nx = 1\n\n--end content--\n"
        "[Result]\nName=y\nFile=stdout\n[Result]\nName=f\nFile=o.csv\n"
    )
    head = record(work, extra=True).decode().splitlines()[:5]
    assert head == ["Ticket=7", "Timeout=90", "CommandLine=./pi --seed 'a b'", "Task=3", "Env=RNG='1 2'"]


@pytest.mark.parametrize(("size", "by_digest"), [(protocol.BY_DIGEST, False), (protocol.BY_DIGEST + 1, True)])
def test_large_inputs_are_given_by_their_digest_to_those_who_ask(size: int, by_digest: bool) -> None:
    content = b"x" * size
    work = Work(("x",), (Input("a", content), Input("b", b"small")))
    text = record(work, by_digest=True)
    assert (f"Length={size}\nSHA256={hashlib.sha256(content).hexdigest()}\n".encode() in text) == by_digest
    assert (content in text) != by_digest
    assert b"--begin content--\nsmall\n--end content--\n" in text
    assert content in record(work)


def test_the_configuration_is_lines_of_key_and_value() -> None:
    file = WorkerFile(None, "m" * 32, "s" * 64, 5)  # type: ignore[arg-type]
    lines = protocol.config(SETUP, "12", file, "module load gcc\nexport A='1'").splitlines()
    pairs = dict(line.split("=", 1) for line in lines)
    assert pairs == {
        "DeleteWorker": "Yes", "DeleteClient": "No", "Ping": "30", "Grace": "180", "Client": "12", "Worker": "pi.py",
        "MD5": "m" * 32, "SHA256": "s" * 64, "Cores": "2", "Nice": "5", "MaxResult": "10000000000", "Batch": "Yes",
        "Control": "hold", "Ask": "",
        "Setup": '"module load gcc\\nexport A=\'1\'"',
    }  # fmt: skip
    without = protocol.config(SETUP, "1", None, None)
    assert "MD5" not in without and "SHA256" not in without and "Setup" not in without


@pytest.mark.parametrize(("seconds", "text"), [(0, "0"), (0.5, "0.5"), (100.0, "100"), (1209600.0, "1209600")])
def test_seconds_are_plain_numbers(seconds: float, text: str) -> None:
    setup = Setup(True, True, seconds, seconds, 1, 0, 0, None)
    assert f"Ping={text}\nGrace={text}\n" in protocol.config(setup, "1", None, None)


def test_the_reason_of_a_failure_is_one_line_that_is_not_too_long() -> None:
    assert protocol.reason({"reason": " killed\nby\r\n  me\t"}) == "killed by me"
    assert len(protocol.reason({"reason": "x" * 10_000})) == 1000
    assert protocol.reason({}) == ""
    assert shlex.split(protocol.command_line(["a", ""])) == ["a", ""]
