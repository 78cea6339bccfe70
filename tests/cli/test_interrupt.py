"""Ctrl-C drains, a second one stops; nothing is lost either way and `spe run` goes on. No host: exit code 3."""

from __future__ import annotations

import signal

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Bench, Started

WAITING = """echo "$1 $$" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo "$1"\n"""
COMMAND = "command: ./work {{ x }}\n"
STUBBORN = """trap '' TERM INT HUP\n(trap '' TERM INT HUP; echo "child $$" >> "$LOG"; while :; do sleep 1; done) &\n"""


def begin(bench: Bench, worker: str = WAITING) -> Started:
    """Two of four sets run, as two slots allow."""
    bench.worker(worker)
    bench.write("spe.yaml", COMMAND + "parameters: {grid: {x: {range: [1, 4]}}}\nhosts: [localhost slots=2]\n")
    running = bench.start("run")
    wait_until(lambda: len(pids(bench)) == 2, "two programs run")
    return running


def pids(bench: Bench) -> dict[str, int]:
    """Set -> process of its program."""
    found = (line.split() for line in bench.logged())
    return {words[0]: int(words[1]) for words in found if len(words) == 2 and words[0].isdigit()}


def log_of(bench: Bench) -> str:
    path = bench.runs() / "master.log"
    return path.read_text() if path.exists() else ""


def interrupt(running: Started, number: int) -> None:
    """Send a first signal, and wait until the run has said that it heard it."""
    running.signal(number)
    assert running.process.stderr
    said = ""
    while "interrupted: 2 running tasks finish" not in said:
        line = running.process.stderr.readline()
        assert line, said
        said += line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_interrupt_lets_running_tasks_finish_and_begins_nothing(bench: Bench, number: int) -> None:
    running = begin(bench)
    interrupt(running, number)
    bench.open_gate()
    done = running.end()
    assert done.code == 130, done
    assert bench.column("x") == ["1", "2"]  # they finished and count
    assert set(pids(bench)) == {"1", "2"}  # and no other was begun
    assert "`spe run` goes on" in done.err
    bench.assert_nothing_left(done)
    bench.ok("run")
    assert bench.column("stdout") == ["1", "2", "3", "4"]
    assert [line.split()[0] for line in bench.logged()].count("1") == 1


@pytest.mark.parametrize("worker", [WAITING, STUBBORN + WAITING], ids=["plain", "stubborn"])
def test_a_second_interrupt_stops_the_programs_at_once_and_nothing_is_lost(bench: Bench, worker: str) -> None:
    running = begin(bench, worker)
    running.signal(signal.SIGINT)
    assert running.process.stderr
    while "interrupted" not in running.process.stderr.readline():
        continue
    running.signal(signal.SIGINT)
    wait_until(lambda: not any(map(is_alive, pids(bench).values())), "the programs are gone")
    done = running.end()
    assert done.code == 130, done
    assert "stopping" in done.err
    bench.assert_nothing_left(done)
    bench.open_gate()
    bench.ok("run")
    assert bench.column("stdout") == ["1", "2", "3", "4"]
    assert bench.column("attempts") == ["1"] * 4  # being stopped is not their fault


def test_an_interrupt_while_hosts_start_ends_the_run(bench: Bench) -> None:
    bench.worker(WAITING)
    bench.write("spe.yaml", COMMAND + "parameters: {grid: {x: [1]}}\nsetup: 'echo begun >> \"$LOG\"; sleep 600'\n")
    running = bench.start("run")
    wait_until(bench.logged, "the setup runs")
    running.signal(signal.SIGINT)
    done = running.end()
    assert done.code == 130, done
    assert bench.logged() == ["begun"]
    bench.assert_nothing_left(done)


def test_an_interrupt_after_all_is_done_changes_nothing(bench: Bench) -> None:
    running = begin(bench)
    interrupt(running, signal.SIGINT)
    bench.open_gate()
    assert running.end().code == 130
    bench.write("spe.yaml", (bench.folder / "spe.yaml").read_text().replace("[1, 4]", "[1, 2]"))
    assert bench.ok("run").code == 0


def test_exit_3_when_no_host_comes_up_and_the_reasons_are_printed(bench: Bench) -> None:
    bench.worker(WAITING)
    bench.write("spe.yaml", COMMAND + "parameters: {grid: {x: [1]}}\nhosts: [nowhere.invalid, nor-here.invalid]\n")
    done = bench.spe("run")
    assert done.code == 3, done
    assert "nowhere.invalid: name not found" in done.err
    assert "nor-here.invalid: name not found" in done.err
    assert "nothing could run: no host came up" in done.err
    assert bench.logged() == []
    bench.open_gate()
    bench.ok("run", "--hosts", "localhost")
    assert bench.column("stdout") == ["1"]


def test_one_host_that_does_not_come_up_costs_nothing_but_itself(bench: Bench) -> None:
    bench.worker(WAITING)
    bench.open_gate()
    bench.write("spe.yaml", COMMAND + "parameters: {grid: {x: [1, 2]}}\nhosts: [localhost, nowhere.invalid]\n")
    done = bench.ok("run")
    assert bench.column("host") == ["localhost", "localhost"]
    assert "nowhere.invalid" in done.err or "nowhere.invalid" in log_of(bench)


def test_a_setup_that_fails_is_told_with_its_last_words_and_exit_3(bench: Bench) -> None:
    bench.worker(WAITING)
    bench.write("spe.yaml", "command: ./work 1\nsetup: echo no such module >&2; false\n")
    done = bench.spe("run")
    assert done.code == 3, done
    assert "localhost: start failed" in done.err
    assert "no such module" in done.err
    assert "`spe check` tries `setup:` on all of them" in done.err and "spe doctor" not in done.err


BROKEN = """
from spe.dispatch.dispatch import Dispatch

def broken(self, now):
    raise RuntimeError("silence has no consequences any more")

Dispatch.tick = broken
"""


def test_a_fault_in_what_goes_on_beside_a_run_ends_it_and_is_told(bench: Bench) -> None:
    """Or else hosts would be lost without anybody noticing, and the run would go on for ever."""
    bench.worker(WAITING)
    bench.write("spe.yaml", COMMAND + "parameters: {grid: {x: [1]}}\nhosts: [localhost slots=1]\n")
    (bench.root / "broken").mkdir()
    (bench.root / "broken" / "sitecustomize.py").write_text(BROKEN)
    running = bench.start("run", PYTHONPATH=str(bench.root / "broken"))
    said = running.process.communicate(timeout=60)[1]
    assert running.process.returncode == 2, said
    assert "silence has no consequences any more" in said and "a fault of spe's own" in said
    bench.open_gate()
    bench.ok("run")
