"""`spe run --after NAME` waits for the end of another sweep's run, and starts when it ended well."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from processes import is_alive
from spe.cli.after import After
from spe.session.waiting import waits
from waiting import wait_until

from .kit import Bench, Started

GATED = "echo $1 >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\nexit $2\n"
FIRST = ["run", "-n", "first", "-p", "x=a", "--attempts", "1", "--", "./work", "{{ x }}"]


def second(*more: str) -> list[str]:
    return ["run", "-n", "second", *more, "-p", "y=1:2", "--", "echo", "{{ y }}"]


def first_runs(bench: Bench, code: int = 0) -> Started:
    bench.worker(GATED)
    begun = bench.start(*FIRST, str(code))
    wait_until(bench.logged, "the first sweep runs")
    return begun


def told(waiting: Started) -> str:
    """Return the line by which a command tells what it waits for."""
    assert waiting.process.stderr
    return waiting.process.stderr.readline()


def test_a_run_waits_for_the_end_of_another_sweep_and_starts_when_that_ended_well(bench: Bench) -> None:
    first = first_runs(bench)
    waiting = bench.start(*second("--after", "first"))
    line = told(waiting)
    assert line == (
        f"spe: waiting for the end of runs/first/, run by process {first.pid} (`kill {waiting.pid}` ends the wait)\n"
    )
    assert not (bench.runs("second") / "sweep.db").exists()
    bench.open_gate()
    assert first.end().code == 0
    done = waiting.end()
    assert done.code == 0, done
    assert bench.column("stdout", "second") == ["1", "2"]


@pytest.mark.parametrize("ran_before", [False, True])
def test_sweeps_run_one_after_the_other_also_while_the_middle_one_only_waits(bench: Bench, ran_before: bool) -> None:
    if ran_before:  # its last outcome was a good one, and is not the one that counts
        bench.ok("run", "-n", "second", "-p", "y=1", "--", "echo", "{{ y }}")
    first = first_runs(bench)
    middle = bench.start(*second("--after", "first"))
    told(middle)
    last = bench.start("run", "-n", "third", "--after", "second", "-p", "z=1", "--", "./work", "{{ z }}", "0")
    line = told(last)
    assert line.startswith(f"spe: waiting for the end of runs/second/, run by process {middle.pid}, which waits for")
    assert bench.logged() == ["a"], "neither has begun"
    if ran_before:
        assert re.search(r"^second +waiting ", bench.start("status").end().out, re.M)
    bench.open_gate()
    assert [one.end().code for one in (first, middle, last)] == [0, 0, 0]
    assert bench.column("stdout", "second") == ["1", "2"] and bench.logged() == ["a", "1"]


def test_between_its_wait_and_its_run_a_sweep_still_counts_as_one_that_waits(tmp_path: Path) -> None:
    first, own = tmp_path / "runs/first", tmp_path / "runs/second"
    first.mkdir(parents=True)
    with After(first, needs_success=False).waited(True, own):
        assert waits(own), "whoever waits for it would find nothing, and take it for one that never ran"
    assert not own.exists()


def test_a_sweep_that_waits_is_waited_for_once_and_is_told_to_those_who_ask(bench: Bench) -> None:
    first = first_runs(bench)
    queued = bench.start(*second("--detach", "--after", "first")).end()
    pid = int(re.findall(r"process (\d+) waits", queued.err)[0])
    again = bench.start(*second("--detach", "--after", "first")).end()
    assert again.code == 2 and f"it is waited for already, by process {pid}" in again.err, again
    for command in ("attach", "stop"):
        asked = bench.start(command, "-n", "second").end()
        assert asked.code == 2 and f"process {pid}, which waits for the end of runs/first/" in asked.err, asked
    bench.open_gate()
    assert first.end().code == 0
    wait_until(lambda: not is_alive(pid), "the second sweep has run")
    assert bench.column("stdout", "second") == ["1", "2"]
    assert not (bench.runs("second") / "waiting.json").exists()


def test_a_run_after_one_that_failed_says_why_and_runs_nothing(bench: Bench) -> None:
    first = first_runs(bench, 1)
    waiting = bench.start(*second("--after", "first"))
    told(waiting)
    bench.open_gate()
    assert first.end().code == 1
    done = waiting.end()
    assert done.code == 1, done
    assert "the last run of first ended with exit code 1 (some sets failed); nothing was run" in done.err
    assert "--after-any first" in done.err
    assert not bench.runs("second").exists()


def test_after_any_starts_whatever_came_of_the_other_run(bench: Bench) -> None:
    first = first_runs(bench, 1)
    waiting = bench.start(*second("--after-any", "first"))
    told(waiting)
    bench.open_gate()
    assert first.end().code == 1
    assert waiting.end().code == 0
    assert bench.column("stdout", "second") == ["1", "2"]


def test_the_last_outcome_counts_where_the_other_sweep_does_not_run(bench: Bench) -> None:
    bench.open_gate()
    bench.worker(GATED)
    bench.ok(*FIRST, "0")
    bench.ok(*second("--after", "first"))
    assert bench.spe(*FIRST, "1").code == 1
    refused = bench.spe(*second("--after", "first"))
    assert refused.code == 1 and "exit code 1" in refused.err, refused
    bench.ok(*second("--after-any", "first"))


def test_a_killed_run_counts_as_failed_and_its_end_is_noticed(bench: Bench) -> None:
    first = first_runs(bench)
    waiting = bench.start(*second("--after", "first"))
    told(waiting)
    first.signal(signal.SIGKILL)
    first.process.communicate()
    done = waiting.end()
    assert done.code == 1 and "was killed, or its machine went down" in done.err, done
    again = bench.start(*second("--after", "first")).end()
    assert again.code == 1, again
    bench.open_gate()
    assert bench.start(*FIRST, "0").end().code == 0
    bench.ok(*second("--after", "first"))


def test_a_sweep_that_is_not_there_cannot_be_waited_for(bench: Bench) -> None:
    said = bench.refused(*second("--after", "fisrt"))
    assert "there is no sweep 'fisrt' to wait for" in said and "Nothing has run in this folder" in said
    bench.ok("run", "-n", "first", "-p", "x=a", "--", "echo", "{{ x }}")
    assert "Did you mean first? There are: first." in bench.refused(*second("--after-any", "fisrt"))
    assert "exclude each other" in bench.refused(*second("--after", "first", "--after-any", "first"))
    assert "name of a folder below runs/" in bench.refused(*second("--after", "../first"))


def test_ctrl_c_ends_the_wait_and_runs_nothing(bench: Bench) -> None:
    first = first_runs(bench)
    waiting = bench.start(*second("--after", "first"))
    told(waiting)
    waiting.signal(signal.SIGINT)
    done = waiting.end()
    assert done.code == 130 and "spe: " not in done.err.replace("spe: waiting", ""), done
    bench.open_gate()
    assert first.end().code == 0
    assert not bench.runs("second").exists()


def test_a_detached_run_waits_without_its_terminal(bench: Bench) -> None:
    first = first_runs(bench)
    begun = bench.start(*second("--detach", "--after", "first")).end()
    found = re.match(r"process ([0-9]+) waits for the end of runs/first/; `kill \1` ends the wait", begun.err)
    assert begun.code == 0 and found, begun
    waiting = int(found[1])
    assert os.getsid(waiting) == waiting
    log = bench.runs("second") / "run.log"
    wait_until(lambda: "waiting for the end of runs/first/" in log.read_text(), "it waits")
    bench.open_gate()
    assert first.end().code == 0
    wait_until(lambda: not is_alive(waiting), "the second has run")
    assert bench.column("stdout", "second") == ["1", "2"]


def test_a_detached_run_after_one_that_failed_is_refused_at_once(bench: Bench) -> None:
    bench.open_gate()
    bench.worker(GATED)
    assert bench.spe(*FIRST, "1").code == 1
    refused = bench.spe(*second("--detach", "--after", "first"))
    assert refused.code == 1 and "exit code 1" in refused.err, refused


def test_a_file_of_the_second_sweep_may_come_from_the_first(bench: Bench) -> None:
    first = first_runs(bench)
    words = ["run", "-n", "second", "--after", "first", "--params", "made.csv", "--", "echo", "{{ y }}"]
    waiting = bench.start(*words)
    assert "as of now it cannot run" in told(waiting)
    bench.write("made.csv", "y\n5\n6\n")
    bench.open_gate()
    assert first.end().code == 0
    assert waiting.end().code == 0
    assert bench.column("stdout", "second") == ["5", "6"]


def test_a_wrong_command_line_is_told_before_the_wait(bench: Bench) -> None:
    first = first_runs(bench)
    said = bench.spe("run", "--after", "first", "-p", "x", "--", "echo")
    assert said.code == 2, said
    bench.open_gate()
    assert first.end().code == 0


def test_a_detached_run_names_spe_stop(bench: Bench) -> None:
    bench.worker(GATED)
    begun = bench.start("run", "--detach", *FIRST[1:], "0").end()
    assert "`spe stop` ends it" in begun.err and "Ctrl-C" not in begun.err
    bench.open_gate()
    wait_until(lambda: not bench.processes(), "it has ended")
