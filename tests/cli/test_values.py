"""What a program is given and what it gives: unchanged both ways, whatever it is."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Bench

ECHO = """
import hashlib, os, sys
arguments = [os.fsencode(one) for one in sys.argv[1:]]
print(repr([one if len(one) < 1000 else hashlib.sha256(one).hexdigest() for one in arguments]))
"""
VALUES = {
    "spaces": "  two  words ",
    "quotes": 'it\'s a "quoted" \\ word',
    "semicolon": "a; touch here",
    "substitution": "$(touch here) `touch here` $HOME ${HOME}",
    "newlines": "one\ntwo\r\nthree\n",
    "umlauts": "Grüße, 東京 🚀",
    "option": "--help",
    "dash": "-",
    "glob": "* ? [a-z] ~ {a,b}",
    "pattern": "{{ x }} {% if %} {#",
    "operators": "> out | cat && true # no comment",
    "empty": "",
    "long": "0123456789" * 10_000,
}


def csv_of(values: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["x"], *([value] for value in values)])
    return out.getvalue()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_a_parameter_arrives_as_one_unchanged_argument(bench: Bench, locale: str) -> None:
    bench.python(ECHO)
    bench.write("spe.yaml", "command: ./work {{ x }} 'a{{ x }}b' last\nparameters: params.csv\n")
    bench.write("params.csv", csv_of(list(VALUES.values())))
    done = bench.ok("run", LC_ALL=locale)
    assert "here" not in [path.name for path in bench.folder.iterdir()]
    rows = bench.rows()
    assert [row["x"] for row in rows] == list(VALUES.values()), done
    for row in rows:
        expected = [row["x"].encode(), b"a" + row["x"].encode() + b"b", b"last"]
        shown = [one if len(one) < 1000 else hashlib.sha256(one).hexdigest() for one in expected]
        assert ast.literal_eval(row["stdout"]) == shown


def test_a_parameter_of_the_command_line_arrives_unchanged_too(bench: Bench) -> None:
    bench.python(ECHO)
    bench.ok("run", "-p", 'x="a, b",$(touch here);-v', "--", "./work", "{{ x }}", "--and it's")
    assert [ast.literal_eval(cell) for cell in bench.column("stdout", "work")] == [
        [b"a, b", b"--and it's"], [b"$(touch here);-v", b"--and it's"]
    ]  # fmt: skip
    assert not (bench.folder / "here").exists()


def test_a_program_that_is_not_on_the_host_fails_naming_program_and_host(bench: Bench) -> None:
    done = bench.spe("run", "-p", "x=1", "--", "no-such-program-anywhere", "{{ x }}")
    assert done.code == 1, done
    (row,) = bench.rows("no-such-program-anywhere", "failed.csv")
    assert "'no-such-program-anywhere' not found" in row["reason"]
    assert "on host localhost" in row["reason"]
    assert row["reason"] in done.err


def test_a_worker_whose_interpreter_is_missing_fails_saying_so(bench: Bench) -> None:
    bench.worker("#!/usr/bin/no-such-interpreter\n")
    assert bench.spe("run", "-p", "x=1", "--", "./work", "{{ x }}").code == 1
    (row,) = bench.rows("work", "failed.csv")
    assert "interpreter" in row["reason"]
    assert "on host localhost" in row["reason"]


ODD = r"""
wait_for() { while [ ! -e $1 ]; do sleep 0.01; done; }
case $1 in
  nothing) ;;
  blank) echo ;;
  latin) printf 'Gr\374\337e\n' ;;
  nul) printf 'a\0b' ;;
  crlf) printf 'a\r\n' ;;
  lines) printf 'one\ntwo\n\n' ;;
  err) echo to stderr >&2; echo out ;;
  grandchild) (trap '' TERM HUP; echo early; touch on; sleep 1000; echo late) & wait_for on; echo parent ;;
  daemon) setsid sh -c 'echo daemon; touch on; sleep 1000; echo late' & wait_for on ;;
  big) head -c 70000 /dev/zero | tr '\0' x ;;
  stdin) cat; echo end ;;
  escape) printf '\033[2J\007' ;;
esac
"""
KINDS = ("nothing", "blank", "latin", "nul", "crlf", "lines", "err", "grandchild", "daemon", "big", "stdin", "escape")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sweep of programs that write odd things. After it, no process is left (Bench.spe looks)."""
    bench = Bench(tmp_path_factory.mktemp("odd"))
    bench.worker(ODD)
    results = "results: {out: stdout, same: {from: stdout, as: file}}\n"
    bench.write("spe.yaml", f"command: ./work {{{{ kind }}}}\n{results}parameters: params.txt\n")
    bench.write("params.txt", "kind\n" + "\n".join(KINDS) + "\n")
    bench.ok("run")
    return bench


def cell(bench: Bench, kind: str) -> str:
    (row,) = [row for row in bench.rows() if row["kind"] == kind]
    return row["out"]


def kept(bench: Bench, kind: str) -> bytes:
    (row,) = [row for row in bench.rows() if row["kind"] == kind]
    return (bench.runs() / row["same"]).read_bytes()


@pytest.mark.parametrize(
    ("kind", "text", "data"),
    [
        ("nothing", "", b""),
        ("blank", "", b"\n"),
        ("latin", "Gr\ufffd\ufffde", b"Gr\xfc\xdfe\n"),
        ("nul", "a\0b", b"a\0b"),
        ("crlf", "a", b"a\r\n"),
        ("lines", "one\ntwo\n", b"one\ntwo\n\n"),
        ("err", "out", b"out\n"),
        ("stdin", "end", b"end\n"),
        ("escape", "\033[2J\a", b"\033[2J\a"),
    ],
)
def test_the_bytes_are_kept_and_the_cell_shows_them_as_text(odd: Bench, kind: str, text: str, data: bytes) -> None:
    if kind != "nul":  # Python's csv reader takes none
        assert cell(odd, kind) == text
    assert kept(odd, kind) == data
    shown = json.loads(odd.ok("results", "--json").out)
    assert next(row["out"] for row in shown if row["kind"] == kind) == text


@pytest.mark.parametrize(("kind", "written"), [("grandchild", {"early", "parent"}), ("daemon", {"daemon"})])
def test_what_a_program_left_running_is_killed_and_its_output_counts(odd: Bench, kind: str, written: set[str]) -> None:
    assert set(cell(odd, kind).split()) == written


def test_what_a_program_left_is_killed_when_its_task_has_ended_not_with_the_client(bench: Bench) -> None:
    bench.worker("""
case $1 in
  leaves) setsid sh -c 'trap "" TERM HUP; echo $$ >> "$LOG"; exec sleep 1000' & while [ ! -s "$LOG" ]; do :; done ;;
  stays) while [ ! -e "$GATE" ]; do sleep 0.02; done ;;
esac
echo "$1"
""")
    keys = "parameters: {grid: {x: [leaves, stays]}}\nhosts: [localhost slots=2]\n"
    bench.write("spe.yaml", "command: ./work {{ x }}\n" + keys)
    running = bench.start("run")
    wait_until(lambda: bench.query("SELECT number FROM tasks WHERE state = 'done'") == [(1,)], "the first set is done")
    assert not is_alive(int(bench.logged()[0]))
    assert running.process.poll() is None
    bench.open_gate()
    assert running.end().code == 0
    assert bench.column("stdout") == ["leaves", "stays"]


def test_a_text_of_more_than_64_kb_ends_there_with_a_note_that_names_its_file(odd: Bench) -> None:
    text = cell(odd, "big")
    assert text.startswith("x" * 65536)
    note = text[65536:]
    number = KINDS.index("big") + 1
    assert f"files/{number}/out.txt" in note
    assert "70 kB" in note
    assert (odd.runs() / f"files/{number}/out.txt").read_bytes() == b"x" * 70000


def test_terminal_commands_of_a_program_do_not_reach_the_terminal_by_table_or_show(odd: Bench) -> None:
    number = str(KINDS.index("escape") + 1)
    assert "\033" not in odd.ok("show", number).out
    assert "\033" not in odd.ok("status").out


def test_non_empty_refuses_what_writes_nothing(bench: Bench) -> None:
    bench.worker(ODD)
    rows = "parameters: {rows: [{kind: nothing}, {kind: blank}, {kind: err}]}\n"
    bench.write("spe.yaml", "command: ./work {{ kind }}\nvalidate: non_empty\nattempts: 1\n" + rows)
    assert bench.spe("run").code == 1
    assert bench.column("kind") == ["err"]
    assert [(row["kind"], row["reason"]) for row in bench.rows(file="failed.csv")] == [
        ("nothing", "stdout: empty (non_empty)"),
        ("blank", "stdout: nothing but blanks (non_empty)"),
    ]
