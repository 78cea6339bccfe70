"""Output that nobody reads, a full disk in its place, closed descriptors: no run ends for it, and one line says it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Bench

SWEEP = "name: s\ncommand: sh -c 'echo {{ n }}; test {{ n }} -ne 3'\nattempts: 1\nparameters: {grid: {n: [1, 2, 3]}}\n"
#: Words before a command: what descriptors are for it. The first word is a list of them.
UNREAD = "r, w = os.pipe(); os.close(r); [os.dup2(w, n) for n in numbers]"
FULL = "[os.dup2(os.open('/dev/full', os.O_WRONLY), n) for n in numbers]"
CLOSED = "[os.close(n) for n in numbers]"
READING = (
    ("results",), ("results", "--json"), ("status",), ("status", "--json"), ("show", "1"), ("log", "1"),
    ("log", "--failed"), ("why", "1"), ("hosts",), ("events", "--past"), ("--help",), ("results", "--help"),
    ("--version",),
)  # fmt: skip


def with_(what: str, *numbers: int) -> tuple[str, ...]:
    text = f"import os, sys; numbers = {list(numbers)}; {what}; os.execv(sys.argv[1], sys.argv[1:])"
    return (sys.executable, "-c", text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A sweep that has ended, with a failed set."""
    made = Bench(tmp_path_factory.mktemp("finished"))
    made.write("spe.yaml", SWEEP)
    assert made.spe("run").code == 1
    yield made
    made.close()


@pytest.mark.parametrize("numbers", [(1,), (2,), (1, 2)])
def test_a_run_goes_on_to_its_end_when_nobody_reads_it(bench: Bench, numbers: tuple[int, ...]) -> None:
    bench.write("spe.yaml", SWEEP)
    done = bench.spe("run", before=with_(UNREAD, *numbers))
    assert done.code == 1, done  # a set has failed: that is the run's own
    assert bench.column("stdout", "s") == ["1", "2"]
    assert "Exception ignored" not in done.err and "BrokenPipe" not in done.err, done
    again = bench.spe("run", "-p", "x=1", "--", "echo", "{{ x }}", before=with_(UNREAD, *numbers))
    assert again.code == 0, again


def test_what_a_run_says_in_the_middle_does_not_end_it(bench: Bench) -> None:
    """`--hosts none` prints how to start a client at once."""
    bench.write("spe.yaml", SWEEP)
    run = bench.start("run", "--hosts", "none", before=with_(UNREAD, 1))
    wait_until(lambda: (bench.runs("s") / "master.json").exists(), "the master is there")
    wait_until(lambda: bench.query("SELECT 1 FROM tasks WHERE number = 3", "s"), "the plan is read")
    assert bench.ok("stop", "-n", "s").code == 0
    done = run.end()
    assert done.code == 130, done


def test_a_run_on_a_full_disk_says_in_one_line_where_its_results_are(bench: Bench) -> None:
    bench.write("spe.yaml", SWEEP)
    done = bench.spe("run", "-q", "-p", "x=1:2", "--", "echo", "{{ x }}", before=with_(FULL, 1))
    assert done.code == 1, done
    (line,) = done.complaint
    assert line.startswith("spe: ") and "No space left" in line and str(bench.runs("echo") / "results.csv") in line
    assert bench.column("stdout", "echo") == ["1", "2"]


@pytest.mark.parametrize("numbers", [(2,), (1, 2)])
def test_a_run_that_can_say_nothing_at_all_still_runs(bench: Bench, numbers: tuple[int, ...]) -> None:
    done = bench.spe("run", "-p", "x=1:2", "--", "echo", "{{ x }}", before=with_(FULL, *numbers))
    assert done.code == (1 if 1 in numbers else 0), done
    assert bench.column("stdout", "echo") == ["1", "2"]


@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_a_run_with_closed_descriptors_writes_into_no_file_of_its_own(bench: Bench, numbers: tuple[int, ...]) -> None:
    done = bench.spe("run", "-p", "x=1:2", "--", "echo", "{{ x }}", before=with_(CLOSED, *numbers))
    assert done.code == 0, done
    assert bench.column("stdout", "echo") == ["1", "2"]
    assert bench.query("PRAGMA integrity_check", "echo") == [("ok",)]
    assert "page:" not in (bench.runs("echo") / "master.log").read_text()


def test_a_question_is_not_asked_on_a_closed_standard_input(bench: Bench) -> None:
    bench.worker("echo 1")
    bench.ok("run", "-p", "x=1:2", "--", "./work", "{{ x }}")
    bench.worker("echo 2")
    done = bench.spe("run", "-p", "x=1:2", "--", "./work", "{{ x }}", before=with_(CLOSED, 0))
    assert "Traceback" not in done.err and "fault of spe's own" not in done.err, done


def test_a_detached_run_begins_with_closed_descriptors(bench: Bench) -> None:
    done = bench.start("run", "--detach", "-p", "x=1:2", "--", "echo", "{{ x }}", before=with_(CLOSED, 0, 1, 2)).end()
    assert done.code == 0, done
    wait_until(lambda: not bench.processes(), "the run has ended")
    assert bench.column("stdout", "echo") == ["1", "2"]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_command_that_nobody_reads_ends_quietly(finished: Bench, words: tuple[str, ...]) -> None:
    done = finished.spe(*words, before=with_(UNREAD, 1))
    assert (done.code, done.err) == (0, ""), done


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_command_on_a_full_disk_says_so_in_one_line(finished: Bench, words: tuple[str, ...]) -> None:
    done = finished.spe(*words, before=with_(FULL, 1))
    assert done.code == 1, done
    (line,) = done.err.splitlines()
    assert line.startswith("spe: ") and "No space left on device" in line


@pytest.mark.parametrize("words", READING[:3], ids=" ".join)
@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_command_with_closed_descriptors_ends_well(
    finished: Bench, words: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    done = finished.spe(*words, before=with_(CLOSED, *numbers))
    assert bool(done.out) is (1 not in numbers)
    assert (done.code, done.err) == (0, ""), done


def test_an_error_with_nobody_to_read_it_keeps_its_exit_code(finished: Bench) -> None:
    for what in (UNREAD, FULL, CLOSED):
        assert finished.spe("show", "99", before=with_(what, 1, 2)).code == 2


def test_results_that_do_not_fit_into_a_file_are_said(finished: Bench) -> None:
    assert "/dev/full: it cannot be written: No space left" in finished.refused("results", "-o", "/dev/full")
    assert "it cannot be written: No such file" in finished.refused("results", "-o", "nowhere/r.csv")


@pytest.mark.parametrize("words", [("log", "1", "-f"), ("events",), ("events", "--notes"), ("status", "--watch")])
def test_what_follows_a_quiet_run_ends_when_its_reader_goes(bench: Bench, words: tuple[str, ...]) -> None:
    bench.worker('echo begun; while ! test -e "$GATE"; do sleep 0.05; done')
    bench.write("spe.yaml", "command: ./work\n")
    run = bench.start("run")
    wait_until(lambda: bench.query("SELECT 1 FROM tickets"), "the set runs")
    follow = bench.start(*words)
    assert follow.process.stdout is not None and follow.process.stderr is not None
    assert follow.process.stdout.readline()
    follow.process.stdout.close()
    assert follow.process.wait(10) == 0
    assert follow.process.stderr.read() == ""
    assert run.process.poll() is None
    bench.open_gate()
    assert run.end().code == 0


def test_all_is_printed_where_somebody_made_the_descriptor_a_non_blocking_one(tmp_path: Path) -> None:
    text = (
        "import os, sys; from spe.cli import output; os.set_blocking(1, False); output.take_over(); "
        "print('x' * 3_000_000); sys.exit(output.end(0))"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert len(process.stdout.read()) == 3_000_001
    assert process.returncode == 0


# -- the limit of a shell, which is no full disk

#: Words before a command: no file may be larger than 1 MB there.
LIMITED = ("sh", "-c", 'ulimit -f 2048; exec "$@"', "sh")
BY_LIMIT = "the file size limit of this host's login (ulimit -f) is reached"


def test_a_program_that_writes_more_than_the_shell_allows_has_that_as_its_reason(bench: Bench) -> None:
    bench.write("spe.yaml", "command: head -c 3000000 /dev/zero\nparameters: {grid: {x: [1]}}\nattempts: 1\n")
    done = bench.spe("run", before=LIMITED)
    assert done.code == 1
    assert f"killed by signal 25 (SIGXFSZ), {BY_LIMIT}" in done.err, done.err


def test_an_input_larger_than_the_shell_allows_has_that_as_its_reason(bench: Bench) -> None:
    (bench.folder / "big.dat").write_bytes(bytes(1_500_000))
    bench.write(
        "spe.yaml",
        "command: wc -c big.dat\ninputs: {big.dat: {file: big.dat}}\nparameters: {grid: {x: [1]}}\nattempts: 1\n",
    )
    done = bench.spe("run", before=LIMITED)
    assert done.code == 1
    assert f"an input file cannot be had: File too large: {BY_LIMIT}" in done.err, done.err


def test_output_that_a_limit_cuts_short_is_told_by_the_limits_name(finished: Bench) -> None:
    shell = 'ulimit -f 0; exec "$@" >"$0"'
    done = finished.spe("results", before=("sh", "-c", shell, str(finished.root / "cut")))
    assert done.code == 1
    assert "the file size limit of this shell (`ulimit -f`, 0 kB) is reached (standard output)" in done.err, done.err
