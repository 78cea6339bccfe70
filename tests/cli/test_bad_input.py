"""What is wrong is told before anything runs: exit code 2, one to three lines, file and line, what to do."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3

import pytest
from needs import need_program
from waiting import wait_until

from .kit import Bench

WORKER = 'echo "$@" >> "$LOG"; echo 1'
GOOD = "command: ./work {{ x }} {{ y }}\nparameters: params.csv\n"
PLATFORMS = "command: ./{{ worker }} {{ x }} {{ y }}\nparameters: params.csv\n"
ROWS = "x,y\n1,2\n3,4\n"

ELF_OF_NOWHERE = b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\x16\0" + bytes(44)  # s390x, and little-endian

# name: (files beside a good spe.yaml, params.csv and worker; what the message must have)
FAULTS: dict[str, tuple[dict[str, str | bytes], list[str]]] = {
    "a row with a cell too many": (
        {"params.csv": "x,y\n1,2\n3,4,5\n"}, ["params.csv:3:", "3 cells", "header has 2"]),
    "a row with a cell too few": (
        {"params.csv": "x,y\n1\n3,4\n"}, ["params.csv:2:", "1 cell", "header has 2"]),
    "an empty parameter file": (
        {"params.csv": ""}, ["params.csv:1:", "empty", "header"]),
    "a header without sets": (
        {"params.csv": "x,y\n"}, ["params.csv", "no set", "one line a set"]),
    "a name twice in the header": (
        {"params.csv": "x,y,x\n1,2,3\n"}, ["params.csv:1:", "x is there twice", "1 and 3", "Rename"]),
    "a parameter file that is not there": (
        {"spe.yaml": "command: ./work {{ x }}\nparameters: nowhere.csv\n"},
        ["spe.yaml:2:", "nowhere.csv", "not there"]),
    "a parameter file that is not UTF-8": (
        {"params.csv": b"x,y\n1,2\nm\xfcll,3\n"}, ["params.csv:3:", "UTF-8"]),
    "an undefined name in the command": (
        {"spe.yaml": "name: t\ncommand: ./work {{ typo }} {{ x }} {{ y }}\nparameters: params.csv\n"},
        ["spe.yaml:2:", "{{ typo }} is not defined", "There are x, y"]),
    "an undefined name in an input": (
        {"spe.yaml": GOOD + "inputs:\n  a.ini: |\n    k = {{ z }}\n"},
        ["spe.yaml:4:", "{{ z }} is not defined", "There are x, y"]),
    "a worker path that is not there": (
        {"spe.yaml": PLATFORMS + "worker: bin/nowhere\n"}, ["spe.yaml:3:", "bin/nowhere"]),
    "a worker that is not executable": (
        {"spe.yaml": PLATFORMS + "worker: plain\n", "plain": "#!/bin/sh\n"},
        ["spe.yaml:3:", "plain", "chmod +x plain"]),
    "a worker that is a script without its first line": (
        {"work": "echo 1\n"}, ["spe.yaml:1:", "work", "#!/usr/bin/env bash"]),
    "a worker with the line ends of Windows": (
        {"work": "#!/bin/sh\r\necho 1\r\n"}, ["spe.yaml:1:", "line ends of Windows", "sed -i"]),
    "a worker for another platform": (
        {"work": ELF_OF_NOWHERE}, ["work is a program for linux-s390x", "this machine is linux-"]),
    "a script here without its slash": (
        {"run-it.sh": "#!/bin/sh\n", "spe.yaml": "command: run-it.sh {{ x }} {{ y }}\nparameters: params.csv\n"},
        ["spe.yaml:1:", "run-it.sh is a file here", "PATH", "./run-it.sh", "chmod +x"]),
    "a command that is one word": (
        {"spe.yaml": "command: \"'./work {{ x }} {{ y }}'\"\nparameters: params.csv\n"},
        ["spe.yaml:1:", "one word", "shell: true"]),
    "a header with another separator": (
        {"params.csv": "x:y\n1:2\n"}, ["params.csv:1:", 'separator: ":"']),
    "a command that is a file here but not executable": (
        {"spe.yaml": "command: ./plain {{ x }} {{ y }}\nparameters: params.csv\n", "plain": "#!/bin/sh\n"},
        ["spe.yaml:1:", "plain", "chmod +x ./plain"]),
    "an unknown key": (
        {"spe.yaml": "comand: ./work {{ x }}\nparameters: params.csv\n"},
        ["spe.yaml:1:", "unknown key 'comand'", "Did you mean command?"]),
    "an unknown key within another": (
        {"spe.yaml": GOOD + "results:\n  a: {from: stdout, minimum: 3}\n"},
        ["spe.yaml:4:", "results.a", "'minimum'", "min"]),
    "a wrong type": (
        {"spe.yaml": GOOD + "attempts: many\n"}, ["spe.yaml:3:", "attempts", "found 'many'", "wanted a whole number"]),
    "a wrong unit": (
        {"spe.yaml": GOOD + "timeout: 10 parsecs\n"}, ["spe.yaml:3:", "timeout", "10 parsecs", "10min"]),
    "a list where a text is wanted": (
        {"spe.yaml": "command: [./work, '{{ x }}']\nparameters: params.csv\n"},
        ["spe.yaml:1:", "command", "found a list", "one text"]),
    "a tab in YAML": (
        {"spe.yaml": GOOD + "results:\n\ta: stdout\n"}, ["spe.yaml:4:", "tab", "spaces"]),
    "an anchor in YAML": (
        {"spe.yaml": GOOD + "timeout: &t 10min\n"}, ["spe.yaml:3:", "anchors", "&t"]),
    "an alias in YAML": (
        {"spe.yaml": GOOD + "timeout: *t\n"}, ["spe.yaml:3:", "t"]),
    "a pattern that YAML reads as a mapping": (
        {"spe.yaml": "command: {{ x }}\nparameters: params.csv\n"}, ["spe.yaml:1:", "quotes"]),
    "a hooks.py with a syntax error": (
        {"spe.yaml": GOOD + "validate: hooks.py:check\n", "hooks.py": "\n\ndef check(task, result)\n    return True\n"},
        ["hooks.py:3"]),
    "a hooks.py that does not import": (
        {"spe.yaml": GOOD + "validate: hooks.py:check\n", "hooks.py": "import os\nimport nowhere_at_all\n"},
        ["hooks.py:2", "nowhere_at_all"]),
    "a hooks.py without the function": (
        {"spe.yaml": GOOD + "collect: [hooks.py:gather]\n", "hooks.py": "def gathr(task, result): pass\n"},
        ["hooks.py", "gather"]),
    "no hooks.py at all": (
        {"spe.yaml": GOOD + "validate: hooks.py:check\n"}, ["hooks.py"]),
    "an unknown validation": (
        {"spe.yaml": GOOD + "validate: non_emty\n"}, ["spe.yaml:3:", "validate", "non_empty"]),
    "a result whose name leaves the directory": (
        {"spe.yaml": GOOD + "results:\n  ../x: stdout\n"}, ["spe.yaml:4:", "../x"]),
    "a result whose file leaves the directory": (
        {"spe.yaml": GOOD + "results:\n  a: ../x\n"}, ["spe.yaml:4:", "../x"]),
    "an input whose file leaves the directory": (
        {"spe.yaml": GOOD + "inputs:\n  ../x: hello\n"}, ["spe.yaml:4:", "../x"]),
    "an input file that is not there": (
        {"spe.yaml": GOOD + "inputs:\n  mesh: {file: 'meshes/{{ x }}.dat'}\n", "meshes/1.dat": "m"},
        ["params.csv:3:", "meshes/3.dat", "not there"]),
    "a host line that is nonsense": (
        {"spe.yaml": GOOD + "hosts: hosts.txt\n", "hosts.txt": "localhost\nlab01 what is this\n"},
        ["hosts.txt:2:", "'what'"]),
    "a host that is no name": (
        {"spe.yaml": GOOD + "hosts: [localhost, '%%%']\n"}, ["spe.yaml:3:", "'%%%'", "host"]),
    "an unknown option of a host": (
        {"spe.yaml": GOOD + "hosts: hosts.txt\n", "hosts.txt": "lab01 slot=3\n"}, ["hosts.txt:1:", "slot", "slots="]),
    "a parameter and a result of one name": (
        {"spe.yaml": GOOD + "results:\n  x: stdout\n"}, ["spe.yaml:4:", "x", "parameter"]),
    "a zip of unequal lengths": (
        {"spe.yaml": "command: ./work {{ x }} {{ y }}\nparameters:\n  zip:\n    x: [1, 2]\n    y: [1]\n"},
        ["spe.yaml:5:", "zip", "x has 2 values, y has 1"]),
    "a key given twice": (
        {"spe.yaml": GOOD + "attempts: 1\nattempts: 2\n"}, ["spe.yaml:4:", "attempts", "twice"]),
    "an argument of 128 KiB": (
        {"params.csv": f"x,y\n1,2\n{'a' * 131072},4\n"}, ["params.csv:3:", "131072", "inputs"]),
    "an argument with a NUL byte": (
        {"params.csv": "x,y\n1,2\na\0b,4\n"}, ["params.csv:3:", "NUL"]),
}  # fmt: skip


@pytest.fixture
def good(bench: Bench) -> Bench:
    bench.worker(WORKER)
    bench.write("spe.yaml", GOOD)
    bench.write("params.csv", ROWS)
    return bench


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mistake_is_told_before_anything_runs(good: Bench, fault: str) -> None:
    files, wanted = FAULTS[fault]
    for name, text in files.items():
        good.write(name, text)
    looks_closer = ".py" in fault or fault.startswith(("a row", "a worker", "an undefined"))
    for command in ("run", "check") if looks_closer else ("run",):  # the others: they share `load`
        said = good.refused(command)
        for part in wanted:
            assert part in said, said
    assert not (good.runs() / "results.csv").exists()


def test_without_spe_yaml_the_message_names_init(bench: Bench) -> None:
    assert "spe.yaml" in bench.refused("run")
    assert "spe init" in bench.refused("run")


def test_a_column_used_nowhere_is_a_warning_and_changes_no_exit_code(good: Bench) -> None:
    good.write("params.csv", "x,y,colour\n1,2,red\n")
    done = good.ok("run")
    assert [line for line in done.err.splitlines() if "colour" in line] == [
        "warning: params.csv: the parameter colour is used nowhere: not in command, inputs or env"
    ]
    assert good.column("colour", "sweep") == ["red"]
    good.worker("exit 3")
    good.write("params.csv", "x,y,colour\n1,3,red\n")
    good.write("spe.yaml", GOOD + "attempts: 1\n")
    assert good.spe("run", "--keep").code == 1


def test_equal_lines_are_one_set_and_a_warning_names_both(good: Bench) -> None:
    good.write("params.csv", "x,y\n1,2\n3,4\n1,2\n")
    done = good.ok("run")
    (warning,) = [line for line in done.err.splitlines() if line.startswith("warning")]
    assert "params.csv: lines 2 and 4 are equal" in warning
    assert "repeat" in warning
    assert sorted(good.logged()) == ["1 2", "3 4"]
    assert good.column("x", "sweep") == ["1", "3"]


def test_an_argument_that_is_a_file_here_and_a_dollar_name_are_warnings(good: Bench) -> None:
    good.write("mesh.dat", "m")
    good.write("spe.yaml", "command: ./work {{ x }} {{ y }} mesh.dat $x\nparameters: params.csv\n")
    said = good.refused("check", "--dry")
    assert "spe.yaml:1: command: mesh.dat is a file here" in said and "mesh.dat: {file: mesh.dat}" in said
    done = good.ok("check", "--dry", "--anyway")
    assert "warning: spe.yaml:1: command: mesh.dat is a file here" in done.err
    assert "write {{ x }}" in done.err


def test_files_in_a_text_for_a_shell_are_found_before_anything_runs(good: Bench) -> None:
    good.write("a.txt", "1\n")
    good.write("b.txt", "1\n2\n")
    words = ("-p", "f=a.txt,b.txt", "--", "sh", "-c", "cat {{ f }} | wc -l")
    said = good.refused("run", *words)
    assert "a.txt is a file here (or another file, in each set)" in said and "--anyway" in said
    assert not (good.folder / "runs").exists()
    done = good.ok("run", "--anyway", *words)
    assert done.err.count("a.txt is a file here") == 1, "no task failed, so it is not told again"


def test_a_warning_that_may_be_why_is_told_again_when_tasks_failed(good: Bench) -> None:
    good.write("mesh.dat", "m")
    good.write("spe.yaml", "command: ./work {{ x }} mesh.dat {{ y }}\nparameters: params.csv\nattempts: 1\n")
    good.worker('exec cat "$2"')
    done = good.spe("run", "--anyway")
    assert done.code == 1 and done.err.count("mesh.dat is a file here") == 2
    assert done.err.rindex("mesh.dat is a file here") > done.err.index("spe retry")
    done = good.spe("retry", "--anyway")
    assert done.code == 1 and done.err.count("mesh.dat is a file here") == 2


def test_a_port_in_use_is_named(good: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        good.write("spe.yaml", GOOD + f"listen: 127.0.0.1:{port}\n")
        said = good.refused("run")
    assert f"port {port}" in said
    assert "in use" in said
    assert "listen:" in said
    assert good.ok("run").code == 0  # and the session of the first try is no hindrance


def test_a_runs_folder_that_cannot_be_written_is_named(good: Bench) -> None:
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root writes everywhere, unless it may not override modes
        before = (need_program("setpriv", "util-linux"), "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    (good.folder / "runs").mkdir(mode=0o555)
    said = good.refused("run", before=before)
    assert "runs/sweep: cannot write here: Permission denied" in said
    assert "write permission" in said
    (good.folder / "runs").chmod(0o755)
    good.ok("run")
    good.runs().chmod(0o555)
    try:
        said = good.refused("run", before=before)
    finally:
        good.runs().chmod(0o755)
    assert "runs/sweep: cannot write here" in said


def test_a_database_of_a_newer_schema_is_refused_by_every_command(good: Bench) -> None:
    good.ok("run")
    connection = sqlite3.connect(good.runs() / "sweep.db")
    connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
    connection.commit()
    connection.close()
    for words in (("run",), ("status",), ("collect",)):
        said = good.refused(*words)
        assert "schema 999" in said
        assert "newer spe" in said
        assert "sweep.db" in said


def test_something_that_is_no_database_is_refused(good: Bench) -> None:
    good.runs().mkdir(parents=True)
    (good.runs() / "sweep.db").write_bytes(b"this is not a database, but longer than a header would be " * 99)
    for words in (("run",), ("status",)):
        assert "sweep.db" in good.refused(*words)


def test_a_second_run_of_a_running_sweep_says_who_runs_it(good: Bench) -> None:
    good.worker('while [ ! -e "$GATE" ]; do sleep 0.05; done; echo 1')
    first = good.start("run")
    wait_until(lambda: good.query("SELECT * FROM tickets"), "the first run hands tasks out")
    for words in (("run",), ("collect",)):
        said = good.refused(*words)
        assert f"process {first.pid} on {socket.gethostname()}" in said
        assert "runs/sweep" in said
    good.open_gate()
    assert first.end().code == 0
    good.ok("run")


def test_a_run_that_was_killed_does_not_hold_the_sweep(good: Bench) -> None:
    good.worker('echo "$SPE_TICKET" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo 1')
    first = good.start("run")
    wait_until(good.logged, "a program runs")
    first.signal(signal.SIGKILL)
    first.process.wait()
    good.open_gate()
    good.ok("run")
    assert good.column("x", "sweep") == ["1", "3"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("rum",), ["rum", "did you mean run?"]),
        (("run", "--hots", "none"), ["--hots", "--hosts"]),
        (("run", "--keep", "--fresh"), ["--keep and --fresh exclude each other"]),
        (("run", "-p", "x=1:3"), ["-p needs a command"]),
        (("run", "-p", "x", "--", "echo", "{{ x }}"), ["x", "NAME=VALUES"]),
        (("run", "-p", "x=1:3", "--", "echo", "{{ y }}"), ["{{ y }} is not defined", "There is x"]),
        (("run", "-f", "nowhere.yaml"), ["nowhere.yaml"]),
        (("show",), ["TASK"]),
        (("show", "x"), ["'x'"]),
        (("show", "1"), ["nothing has run here yet", "spe run"]),
        (("log",), ["--failed"]),
        (("retry", "0"), ["0"]),
        (("run", "--hosts", "a b"), ["--hosts"]),
    ],
)
def test_wrong_usage_is_told_with_what_to_do(good: Bench, words: tuple[str, ...], wanted: list[str]) -> None:
    said = good.refused(*words)
    for part in wanted:
        assert part in said, said


def test_a_number_that_no_set_has_is_told(good: Bench) -> None:
    good.ok("run")
    assert "there is no task 9" in good.refused("show", "9")
    assert "1 to 2" in good.refused("show", "9")
    assert "there is no task 9" in good.refused("log", "9")
    assert "9" in good.refused("retry", "9")
