"""`spe show` says what a set runs, and prints lines that run it by hand: pasted into real shells, on real terminals."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from needs import need_program
from waiting import wait_until

from .kit import Bench

# Tells all that a program can see of how it was started.
SEES = """
import hashlib, json, os, sys
def digest(content):
    return repr(content) if len(content) < 100 else hashlib.sha256(content).hexdigest()
files = {}
for folder, _, names in os.walk("."):
    for name in names:
        path = os.path.join(folder, name)
        files[path] = digest(open(path, "rb").read())
names = ("TEXT", "EMPTY", "SPE_TASK", "SPE_TICKET", "SPE_SLOT", "OMP_NUM_THREADS")
variables = {name: digest(os.environb[name.encode()]) for name in names}
seen = {
    "words": [digest(os.fsencode(word)) for word in sys.argv],
    "files": files, "stdin": digest(sys.stdin.buffer.read()),
    "variables": variables,
}
print(json.dumps(seen, sort_keys=True))
"""
SAVES = SEES.replace("print(json", 'open(os.environ.get("SEEN", "/dev/null"), "w").write(json')
HARD = [
    "it's \"quoted\" $HOME `id` $(id) \\ \\n !! !x # ~ * ? [a] {b,c} %s %% & ; | < > ( ) =x",
    "two\nlines!\n\nand newlines at the end\n\n",
    "tab\there, return\r, escape\x1b[31m, bell\x07, ctrl-c\x03, ctrl-d\x04, delete\x7f",
    "äöü ∑ 漢字 😀 \u00a0 \u202e \u2028 \ufeff",
    "",
    "-n",
    "=x",
    "~",
    "it's\t'tabbed'\t%d\\",
    "long " * 3000,
]
SWEEP = """
command: ./{{ worker }} '{{ x }}' "a b" '' --x='{{ x }}'
worker: my tools/the worker
env: {TEXT: "{{ x }}", EMPTY: ""}
parameters: params.csv
inputs:
  run.ini: "[run]\\nx = {{ x }}\\n\\n  last line without an end, it's $HOME!"
  "deep er/un der/-n.txt": "{{ x }}\\n"
  -r.bin: {file: "meshes/a 'mesh' of $HOME.dat"}
  empty: ""
  stdin: "{{ x }}"
hosts: [localhost slots=1]
attempts: 1
"""


def paste_in(shell: list[str], script: str, folder: Path, environment: dict[str, str], done: Path) -> str:
    """Type a script into an interactive shell on a terminal, wait until `done` is there; return the screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execvpe(shell[0], shell, {**environment, "PS1": "ready> ", "PS2": "more> ", "TERM": "dumb"})
    screen = b""
    to_write = script.encode(errors="surrogateescape")
    end = time.monotonic() + 60
    began = False
    try:
        while not done.exists():
            assert time.monotonic() < end, screen.decode(errors="replace")
            can_read, can_write, _ = select.select([terminal], [terminal] if began and to_write else [], [], 0.1)
            if can_read:
                screen += os.read(terminal, 65536)
                began = began or b"ready>" in screen
            if can_write:
                # As a terminal does: in small portions, and never more than the shell reads.
                to_write = to_write[os.write(terminal, to_write[:200]) :]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return screen.decode(errors="replace")


@dataclass
class Swept:
    """A sweep over values that are hard to quote, which has run."""

    bench: Bench
    seen: dict[int, Any]  # by each set
    scripts: dict[int, str]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    bench = Bench(tmp_path_factory.mktemp("by-hand"))
    bench.python(SAVES.replace('"/dev/null"', '"/dev/stdout"'), "my tools/the worker")
    bench.write("meshes/a 'mesh' of $HOME.dat", bytes(range(1, 256)) * 3 + b"\n%d\\n")
    cells = ['"' + x.replace('"', '""') + '"' for x in HARD]
    bench.write("params.csv", "\n".join(["x", *cells, ""]))
    bench.write("spe.yaml", SWEEP)
    bench.ok("run")
    seen = {int(row["number"]): json.loads(row["stdout"]) for row in bench.rows()}
    yield Swept(bench, seen, {number: bench.ok("show", str(number), "--by-hand").out for number in seen})
    bench.close()


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "ksh"])
def test_a_shell_that_reads_the_lines_runs_what_the_host_ran(swept: Swept, shell: str, tmp_path: Path) -> None:
    need_program(shell, shell)
    for number, expected in swept.seen.items():
        seen = tmp_path / f"seen-{number}"
        done = subprocess.run(
            shell.split(), input=swept.scripts[number].encode(errors="surrogateescape"), capture_output=True,
            cwd=tmp_path, env={**swept.bench.environment, "SEEN": str(seen), "TMPDIR": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done
        assert json.loads(seen.read_text()) == expected


@pytest.mark.parametrize("shell", ["dash -i", "bash --norc --noprofile -i", "zsh -f -i"])
def test_lines_that_are_pasted_into_a_terminal_run_what_the_host_ran(
    swept: Swept, shell: str, tmp_path: Path
) -> None:
    need_program(shell.split()[0], shell.split()[0])
    for number, expected in swept.seen.items():
        seen, done = tmp_path / f"seen-{number}", tmp_path / f"done-{number}"
        script = swept.scripts[number] + f"touch {done}\n"
        environment = {**swept.bench.environment, "SEEN": str(seen), "TMPDIR": str(tmp_path)}
        screen = paste_in(shell.split(), script, tmp_path, environment, done)
        assert seen.exists(), screen
        assert json.loads(seen.read_text()) == expected, screen


# -- what is known of a set, and what is not

COUNTS = "command: ./work {{ x }} 'a b'\nenv: {SCALE: '{{ x }}0'}\nparameters: {grid: {x: [1, 2]}}\n"


def shown(bench: Bench, *words: str) -> str:
    return bench.ok("show", *words).out


def by_hand(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    """What comes of the lines in a shell elsewhere."""
    script = bench.ok("show", *words, "--by-hand").out
    elsewhere = bench.root / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    # Not in the folder for temporary files, in which nothing may stay.
    environment = {**bench.environment, "TMPDIR": str(elsewhere)}
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, cwd=elsewhere, env=environment)
    assert sorted(path.name for path in elsewhere.iterdir() if not path.name.startswith("tmp.")) == []
    return done


def test_show_tells_the_command_the_inputs_and_the_variables_of_a_set(bench: Bench) -> None:
    bench.worker("cat run.ini")
    mesh = bench.write("mesh.dat", b"12345")
    inputs = 'inputs: {run.ini: "x = {{ x }}", mesh.dat: {file: mesh.dat}}\n'
    bench.write("spe.yaml", COUNTS + inputs)
    bench.ok("run")
    lines = [" ".join(line.split()) for line in shown(bench, "2").splitlines()]
    assert "command: ./work 2 'a b'" in lines
    assert "run.ini 5 text" in lines
    assert [line for line in lines if line.startswith("mesh.dat 5 /")]
    assert {"SCALE 20", "SPE_TASK 2", "SPE_SLOT 1"} <= set(lines)
    told = bench.ok("show", "2", "--json").json
    assert told["command"] == ["./work", "2", "a b"]
    assert told["environment"]["SCALE"] == "20"
    assert [(one["name"], one["size"], one["file"]) for one in told["inputs"]] == [
        ("run.ini", 5, None), ("mesh.dat", 5, str(mesh))
    ]  # fmt: skip
    assert told["inputs"][1]["sha256"] == hashlib.sha256(b"12345").hexdigest()
    assert told["program_today"] == told["program"]
    assert told["notes"] == []
    assert told["by_hand"] == bench.ok("show", "2", "--by-hand").out
    assert told["by_hand"] in shown(bench, "2")


def test_of_many_inputs_the_first_are_shown(bench: Bench) -> None:
    inputs = "".join(f"  f{number}: x\n" for number in range(25))
    bench.write("spe.yaml", f"command: cat f24\ninputs:\n{inputs}parameters: {{grid: {{x: [1]}}}}\n")
    bench.ok("run")
    out = shown(bench, "1")
    assert "\nf19 " in out and "\nf20 " not in out
    assert "\nand 5 more: --json has all\n" in out
    assert len(bench.ok("show", "1", "--json").json["inputs"]) == 25
    assert by_hand(bench, "1").stdout == "x"


def test_a_failure_is_the_same_by_hand(bench: Bench) -> None:
    bench.worker("echo about $1 $SCALE >&2; exit 7")
    bench.write("spe.yaml", COUNTS + "attempts: 1\n")
    assert bench.spe("run").code == 1
    done = by_hand(bench, "2")
    said, _, place = done.stderr.partition("it ran in ")
    assert (done.returncode, said) == (7, "about 2 20\n")
    assert (Path(place.rstrip("\n")) / "work").is_file(), "it says where, so that its files can be looked at"


def test_a_template_is_called_one(bench: Bench) -> None:
    bench.write("deck.tpl", "x = {{ x }}\n")
    bench.write("spe.yaml", "command: cat deck_{{ x }}.inp\ninputs: {'deck_{{ x }}.inp': {template: deck.tpl}, a: b}\n"
                "parameters: {grid: {x: [1]}}\n")  # fmt: skip
    bench.ok("run")
    lines = [" ".join(line.split()) for line in shown(bench, "1").splitlines()]
    assert "deck_1.inp 6 template deck.tpl" in lines and "a 1 text" in lines
    assert by_hand(bench, "1").stdout == "x = 1\n"


def test_a_long_script_is_not_shown_but_how_to_have_it(bench: Bench) -> None:
    deck = json.dumps("line\n" * 100)
    bench.write("spe.yaml", f"command: wc -l deck\ninputs: {{deck: {deck}}}\nparameters: {{grid: {{x: [1]}}}}\n")
    bench.ok("run")
    assert "in a fresh directory: spe show 1 --by-hand | sh" in shown(bench, "1")
    assert by_hand(bench, "1").stdout.split() == [*bench.column("stdout")[0].split()]


def test_a_program_that_has_changed_since_is_told_with_both_digests(bench: Bench) -> None:
    old = bench.worker("echo old").read_bytes()
    bench.write("spe.yaml", COUNTS)
    bench.ok("run")
    new = bench.worker("echo new").read_bytes()
    then, now = (hashlib.sha256(content).hexdigest() for content in (old, new))
    told = bench.ok("show", "1", "--json").json
    assert told["program"] == {"worker any": then}
    assert told["program_today"] == {"worker any": now}
    assert f"program: worker {then[:12]}\n" in shown(bench, "1"), "no platform that nobody wrote"
    note = f"work is another file today: SHA-256 {now[:12]}, then {then[:12]}; no copy is kept, so today's is taken"
    assert told["notes"] == [note]
    assert f"note: {note}\n" in shown(bench, "1")
    done = bench.ok("show", "1", "--by-hand")
    assert done.err == f"note: {note}\n"
    assert by_hand(bench, "1").stdout == "new\n"


def test_while_its_run_goes_on_a_set_runs_by_hand_with_the_copy_of_its_program(bench: Bench) -> None:
    bench.worker('until [ $1 = 1 ] || [ -e "$GATE" ]; do sleep 0.05; done; echo old')
    bench.write("mod.py", "print('old')\n")
    bench.write("spe.yaml", COUNTS + "inputs: {mod.py: {file: mod.py}}\nhosts: [localhost slots=1]\n")
    run = bench.start("run")
    wait_until(lambda: bench.query("SELECT 1 FROM tasks WHERE state = 'done'"), "the first set is done")
    bench.worker("echo new")
    script = bench.start("show", "1", "--by-hand").end()
    assert "work is a copy of what it was then; it stays until the end of the run" in script.err
    elsewhere = bench.root / "elsewhere"
    elsewhere.mkdir()
    environment = {**bench.environment, "TMPDIR": str(elsewhere)}
    done = subprocess.run(["sh"], input=script.out, capture_output=True, text=True, env=environment)
    assert done.stdout == "old\n"
    bench.open_gate()
    assert run.end().code == 0


def test_a_set_of_an_earlier_command_has_its_own_command_but_no_lines(bench: Bench) -> None:
    text = "command: echo 'WORD' {{ x }}\nenv: {TEXT: 'by WORD {{ x }}'}\nparameters: {grid: {x: [1]}}\n"
    for word in ("a b", "new", "newest"):
        bench.write("spe.yaml", text.replace("WORD", word))
        bench.ok("run")
    out = shown(bench, "1")
    why = "it is of another command, environment or inputs than today's, and inputs are not recorded"
    why += "; its parameters are those of task 3 now"
    assert "command: echo 'a b' 1\n" in out
    assert f"note: {why}\n" in out
    assert "paste" not in out
    told = bench.ok("show", "2", "--json").json
    assert (told["command"], told["inputs"], told["by_hand"]) == (["echo", "new", "1"], None, None)
    assert told["environment"]["TEXT"] == "by new 1"
    assert told["notes"] == [why]
    assert why in bench.refused("show", "1", "--by-hand")
    assert by_hand(bench, "3").stdout == "newest 1\n"


def test_a_set_of_an_older_spe_and_an_earlier_command_says_that_its_command_is_not_known(bench: Bench) -> None:
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [1]}}\n")
    bench.ok("run")
    connection = sqlite3.connect(bench.runs() / "sweep.db")
    connection.execute("DROP TABLE commands")
    connection.commit()
    connection.close()
    bench.write("spe.yaml", "command: echo new {{ x }}\nparameters: {grid: {x: [1]}}\n")
    assert "command: not known: it is of another command" in shown(bench, "1")
    bench.ok("run")
    assert "command: not known: it is of another command" in shown(bench, "1")
    assert "command: echo new 1\n" in shown(bench, "2")


def test_a_slip_in_spe_yaml_hides_nothing_of_the_past(bench: Bench) -> None:
    bench.write("spe.yaml", "name: s\ncommand: echo {{ x }}\nparameters: {grid: {x: [1]}}\n")
    bench.ok("run")
    bench.write("spe.yaml", "name: s\ncommand: echo {{ x }}\nparametres: {grid: {x: [1]}}\n")
    out = shown(bench, "1")
    assert "command: echo 1\n" in out
    assert "note: spe.yaml:3: " in out
    assert "\nresults\n" in out


def test_a_set_that_left_the_parameters_is_still_run_by_hand(bench: Bench) -> None:
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [1, 2]}}\n")
    bench.ok("run")
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [2]}}\n")
    bench.ok("run")
    assert by_hand(bench, "1").stdout == "1\n"


def test_a_one_liner_is_run_by_hand_also_beside_a_spe_yaml(bench: Bench) -> None:
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [1]}}\n")
    bench.ok("run", "-p", "y=1:3", "--", "expr", "{{ y }}", "*", "{{ y }}")
    assert by_hand(bench, "3", "-n", "expr").stdout == "9\n"
    assert "spe show 3 --by-hand -n expr | sh" in shown(bench, "3", "-n", "expr")


def test_what_hosts_do_before_is_told_beside_the_lines(bench: Bench) -> None:
    bench.write("requirements.txt", "")
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [1]}}\nsetup: 'TEXT=1; export TEXT'\n")
    bench.ok("run")
    notes = bench.ok("show", "1", "--json").json["notes"]
    assert notes == ["setup: hosts run this before, in a login shell: TEXT=1; export TEXT"]


@pytest.mark.parametrize("command", ["if {{ x }}", "./a=b {{ x }}", "echo -n {{ x }}", "'{{ x }}'"])
def test_words_that_a_shell_or_env_would_take_for_its_own_reach_the_program(bench: Bench, command: str) -> None:
    bench.worker('echo "$0" "$@"', "a=b")
    program = bench.worker('echo "if is a program"', "if")
    path = f"{program.parent}:{bench.environment['PATH']}"
    bench.environment["PATH"] = path
    bench.write("spe.yaml", f"command: {json.dumps(command)}\nparameters: {{grid: {{x: ['if']}}}}\n")
    bench.ok("run", "--anyway")  # x is the name of a file, too
    done = by_hand(bench, "1")
    assert done.stdout.removesuffix("\n") == bench.column("stdout")[0]


def test_a_row_whose_program_is_not_recorded_says_so(bench: Bench) -> None:
    bench.worker("echo {}")
    bench.write("spe.yaml", COUNTS)
    bench.ok("run")
    connection = sqlite3.connect(bench.runs() / "sweep.db")
    connection.execute("UPDATE tickets SET program = NULL")  # as of spe 0.1.0
    connection.commit()
    connection.close()
    told = bench.ok("show", "1", "--json").json
    assert told["notes"] == ["its program is not recorded, so today's is taken"]
