"""`prepare:` and `container:` on this machine."""

from __future__ import annotations

import os
import signal

import pytest
from spe.software.prepare import PrepareSource
from waiting import wait_until

from .kit import SoftwareBench

pytestmark = pytest.mark.slow
PREPARE = """
command: ./work {{ x }}
prepare: |
  echo "$PWD" > where
  ls > found
  cat part.txt > made
inputs: {part.txt: "the part", "own_of_set.txt": "{{ x }}"}
parameters: {grid: {x: [1, 2, 3]}}
results: {said: stdout}
"""


def test_what_was_prepared_is_read_by_all_tasks(bench: SoftwareBench) -> None:
    bench.worker('cat "$SPE_PREPARED/made"; echo; cat "$SPE_PREPARED/found"; cat "$SPE_PREPARED/where"')
    bench.write("spe.yaml", PREPARE)
    assert bench.spe("run").code == 0
    for said in bench.column("said"):
        part, *found, where = said.splitlines()
        assert part == "the part"
        assert {"part.txt", "work"} <= set(found)
        assert "own_of_set.txt" not in found, "it has parameters"
        assert not os.path.exists(where)


def test_a_command_that_fails_sets_its_host_aside_with_its_last_lines(bench: SoftwareBench) -> None:
    bench.worker("echo")
    bench.write("spe.yaml", PREPARE.replace("ls > found", "echo no compiler here >&2; exit 7"))
    done = bench.spe("run")
    assert done.code == 3
    assert "localhost: software: prepare:" in done.err
    assert "exit code 7" in done.err
    assert "no compiler here" in done.err
    assert bench.query("SELECT count(*) FROM tickets") == [(0,)]


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(bench: SoftwareBench) -> None:
    bench.worker("echo")
    bench.write("spe.yaml", PREPARE.replace("ls > found", "sleep 1000 & sleep 1000") + "prepare_timeout: 1s\n")
    done = bench.spe("run")
    assert done.code == 3
    assert "it took more than 1 s" in done.err


def test_a_run_that_is_interrupted_while_it_prepares_leaves_nothing(bench: SoftwareBench) -> None:
    bench.worker("echo")
    bench.write("spe.yaml", PREPARE.replace("ls > found", 'touch "$LOG"; sleep 1000'))
    started = bench.start("run")
    wait_until(bench.log.exists, "it prepares")
    started.signal(signal.SIGINT)
    done = started.end()
    assert done.code == 130


def test_temporary_files_of_what_prepares_go_with_its_folder_when_the_client_is_killed(bench: SoftwareBench) -> None:
    bench.worker("echo")
    slow = '(mktemp; echo $PPID) > "$LOG.new"; mv "$LOG.new" "$LOG"; sleep 1000'
    bench.write("spe.yaml", PREPARE.replace("ls > found", slow))
    started = bench.start("run")
    wait_until(bench.log.exists, "it prepares")
    temporary, client = bench.logged()
    assert os.path.exists(temporary)
    os.kill(int(client), signal.SIGKILL)
    wait_until(lambda: not os.path.exists(temporary), "it is removed")
    started.signal(signal.SIGINT)
    started.end()


def test_what_prepares_leaves_no_folder_for_temporary_files(bench: SoftwareBench) -> None:
    bench.worker('ls -A "$SPE_PREPARED"')
    bench.write("spe.yaml", PREPARE.replace("ls > found", "mktemp"))
    assert bench.spe("run").code == 0
    assert ".spe-tmp" not in bench.column("said")[0].split()


def test_another_command_to_prepare_is_another_program(bench: SoftwareBench) -> None:
    bench.worker('cat "$SPE_PREPARED/made"')
    bench.write("spe.yaml", PREPARE)
    assert bench.spe("run").code == 0
    bench.write("spe.yaml", PREPARE.replace("cat part.txt", "cat part.txt part.txt"))
    assert bench.spe("run").code == 2
    assert bench.spe("run", "--fresh").code == 0
    assert bench.column("said") == ["the partthe part"] * 3
    bench.write("spe.yaml", PREPARE.replace("prepare: |", "env: {A: b}\nprepare: |").partition("prepare: |")[0])
    assert bench.spe("run").code == 2, "without prepare it is another program, too"


@pytest.mark.parametrize("name", ["apptainer", "singularity"])
def test_a_command_runs_in_its_image_with_its_directory_and_variables(bench: SoftwareBench, name: str) -> None:
    bench.apptainer(name)
    bench.worker('echo "$IN_IMAGE $1 $SPE_TASK $SPE_SLOT $OWN"; cat note.txt; echo; echo made > made.txt; pwd')
    bench.write("image.sif", "the image")
    bench.write(
        "spe.yaml",
        "command: ./work {{ x }}\ncontainer: image.sif\nenv: {OWN: 'v {{ x }}'}\n"
        "inputs: {note.txt: 'note {{ x }}'}\nparameters: {grid: {x: [1, 2]}}\n"
        "results: {said: stdout, made: made.txt}\n",
    )
    assert bench.spe("run").code == 0
    first, note, _ = bench.column("said")[1].splitlines()
    assert first.split()[:4] == ["the", "image", "2", "2"]
    assert first.endswith("v 2")
    assert note == "note 2"


LISTENING = """trap 'echo heard >> "$LOG"; exit 0' TERM
echo "$PPID" > "$GATE"; while :; do sleep 0.05; done
"""


def in_image(bench: SoftwareBench, more: str = "") -> None:
    bench.apptainer()
    bench.worker(LISTENING)
    bench.write("image.sif", "the image")
    bench.write("spe.yaml", "command: ./work\ncontainer: image.sif\nattempts: 1\n" + more)


def gate(bench: SoftwareBench) -> str:
    path = bench.root / "gate"
    return path.read_text() if path.exists() else ""


def test_a_signal_reaches_a_program_in_an_image_when_its_time_is_over(bench: SoftwareBench) -> None:
    in_image(bench, "timeout: 1s\n")
    assert bench.spe("run").code == 1
    assert bench.logged()[:1] == ["heard"]


def test_a_signal_reaches_a_program_in_an_image_at_a_second_ctrl_c(bench: SoftwareBench) -> None:
    in_image(bench)
    started = bench.start("run")
    wait_until(lambda: bool(gate(bench)), "the program runs")
    assert "apptainer" in bench.processes()[int(gate(bench))], "it is the child of apptainer"
    assert started.process.stderr
    started.signal(signal.SIGINT)
    said = ""
    while "interrupted: 1 running task" not in said:
        line = started.process.stderr.readline()
        assert line, said
        said += line
    started.signal(signal.SIGINT)
    done = started.end()
    assert done.code == 130, done
    assert bench.logged()[:1] == ["heard"]
    bench.assert_nothing_left(done)


def test_a_signal_reaches_a_program_in_an_image_that_is_cancelled(bench: SoftwareBench) -> None:
    in_image(bench)
    started = bench.start("run")
    wait_until(lambda: bool(gate(bench)), "the program runs")
    cancelled = bench.start("cancel", "1").end()
    assert cancelled.code == 0, cancelled
    done = started.end()
    assert bench.logged()[:1] == ["heard"]
    bench.assert_nothing_left(done)


def test_a_host_without_apptainer_is_named_before_it_gets_a_task(bench: SoftwareBench) -> None:
    bench.worker("echo")
    bench.write("image.sif", "the image")
    bench.write("spe.yaml", "command: ./work\ncontainer: image.sif\n")
    done = bench.spe("run")
    assert done.code == 3
    assert "localhost: software: there is no apptainer or singularity on this host" in done.err
    assert bench.query("SELECT count(*) FROM tickets") == [(0,)]


@pytest.mark.parametrize(
    ("command", "shown"),
    [("make\n", "make"), ("make\nmake install\n", "make …"), ("x" * 80, "x" * 60 + " …")],
)
def test_a_command_of_several_lines_is_shown_with_its_first_line_and_a_sign(command: str, shown: str) -> None:
    assert PrepareSource(command, 1.0, keep=False).build((), "").shown == f"prepare: {shown}"
