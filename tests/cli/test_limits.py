"""Limits of a run as a user sees them: at_once, licences, delay, pauses, attempts that fail alike, stop_after."""

from __future__ import annotations

import itertools
import re
import signal

import pytest
from waiting import wait_until

from .kit import Bench, Started

NUMBERED = 'echo "begin $1" >> "$LOG"; sleep 0.3; echo "end $1" >> "$LOG"; echo "$1"\n'
GATED = 'echo "begin $1" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo "$1"\n'
SIX = "command: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 6]}}}\nhosts: [localhost slots=4]\n"


def most_at_once(logged: list[str]) -> int:
    """How many programs ran at a time, by what they wrote down themselves."""
    runs = most = 0
    for line in logged:
        runs += 1 if line.startswith("begin") else -1
        most = max(most, runs)
    return most


def begun(bench: Bench) -> int:
    return sum(line.startswith("begin") for line in bench.logged())


def said(bench: Bench, *words: str) -> str:
    return bench.start(*words).end().out


def kill(running: Started) -> None:
    running.signal(signal.SIGKILL)
    running.process.wait()


@pytest.mark.parametrize("limit", ["at_once: 2", "licences: {abaqus: 1 of 2}", "licences: {a: 2 of 5, b: 1 of 9}"])
def test_no_more_programs_run_than_a_limit_allows(bench: Bench, limit: str) -> None:
    bench.worker(NUMBERED)
    bench.write("spe.yaml", f"{SIX}{limit}\n")
    bench.ok("run")
    assert most_at_once(bench.logged()) == 2 and len(bench.rows()) == 6


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ("licences: {abaqus: 1 of 2}", "a licence of abaqus: 2 of 2 in use"),
        ("at_once: 2", "another set to end: 2 run, and at_once is 2"),
    ],
)
def test_a_set_that_waits_for_a_limit_says_so(bench: Bench, limit: str, sentence: str) -> None:
    bench.worker(GATED)
    bench.write("spe.yaml", f"{SIX}{limit}\n")
    running = bench.start("run")
    wait_until(lambda: begun(bench) == 2, "two programs run")
    wait_until(lambda: f"it waits for {sentence}" in said(bench, "why", "5"), "spe why says so")
    assert f"sets wait for {sentence}" in said(bench, "status")
    assert bench.start("status", "--json").end().json["run"]["waits_for"] == sentence
    assert begun(bench) == 2
    bench.open_gate()
    assert running.end().code == 0


def test_programs_that_ran_when_the_master_was_killed_count_for_the_next_one(bench: Bench) -> None:
    bench.worker(GATED)
    bench.write("spe.yaml", f"{SIX}at_once: 2\nlisten: 127.0.0.1:0\n")
    first = bench.start("run")
    wait_until(lambda: begun(bench) == 2, "two programs run")
    kill(first)
    second = bench.start("run")
    wait_until(lambda: "2 run, and at_once is 2" in said(bench, "status"), "both count, and nothing else is begun")
    assert begun(bench) == 2
    bench.open_gate()
    assert second.end().code == 0
    assert len(bench.logged()) == 6, "none of them ran twice"


def test_starts_are_delay_apart(bench: Bench) -> None:
    bench.worker('echo "$1"\n')
    bench.write("spe.yaml", f"{SIX.replace('6]', '3]')}delay: 2 s\n")
    bench.ok("run")
    issued = [row[0] for row in bench.query("SELECT issued FROM tickets ORDER BY id")]
    apart = [later - earlier for earlier, later in itertools.pairwise(issued)]
    # What is stored is when the ticket was written, a moment after it was made: half a second on a busy machine.
    assert len(apart) == 2 and min(apart) > 1.2 and sum(apart) > 3.2, apart


def test_delay_holds_between_the_last_start_of_a_run_and_the_first_of_the_next_one(bench: Bench) -> None:
    bench.worker('echo "$1"\n')
    for last in (1, 2):
        bench.write("spe.yaml", f"{SIX.replace('6]', f'{last}]')}delay: 6s\n")
        bench.ok("run")
    first, second = [row[0] for row in bench.query("SELECT issued FROM tickets ORDER BY id")]
    assert second - first > 5.2


def test_a_failed_set_pauses_before_its_next_attempt_and_says_how_long(bench: Bench) -> None:
    bench.worker('echo "begin $1" >> "$LOG"; test -e "$GATE" || { echo no licence >&2; exit 75; }; echo "$1"\n')
    bench.write("spe.yaml", f"{SIX.replace('6]', '2]')}retry: {{exit: {{75: 5}}, after: 1h}}\n")
    running = bench.start("run")
    wait_until(lambda: "2 sets pause before the next attempt, the first for" in said(bench, "status"), "both pause")
    assert re.search(r"its second attempt begins in (59|60) min .* at the earliest", said(bench, "why", "1"))
    assert bench.start("status", "--json").end().json["run"]["back_offs"]["sets"] == 2
    assert bench.start("stop").end().code == 0, "a pause does not keep a run from its end"
    done = running.end()
    assert done.code == 130 and "2 sets wait" in done.err, done
    again = bench.start("run")
    wait_until(lambda: "2 sets pause before the next attempt" in said(bench, "status"), "the pause goes on")
    kill(again)
    assert begun(bench) == 2
    bench.write("spe.yaml", f"{SIX.replace('6]', '2]')}retry: {{exit: {{75: 5}}, after: 1s}}\n")
    bench.open_gate()
    bench.ok("run")
    assert [row["attempts"] for row in bench.rows()] == ["2", "2"] and begun(bench) == 4


def test_a_pause_doubles_and_ends_by_itself(bench: Bench) -> None:
    bench.worker('echo "begin $1" >> "$LOG"; [ "$(wc -l < "$LOG")" -gt 3 ] || exit 75; echo "$1"\n')
    bench.write("spe.yaml", f"{SIX.replace('6]', '1]')}retry: {{exit: {{75: 5}}, after: 300 ms}}\n")
    bench.ok("run")
    issued = [row[0] for row in bench.query("SELECT issued FROM tickets ORDER BY id")]
    first, second, third = (later - earlier for earlier, later in itertools.pairwise(issued))
    assert first > 0.25 and second > 0.55 and third > 1.15, (first, second, third)


def test_a_sweep_that_is_limited_and_paused_in_all_ways_comes_to_its_end(bench: Bench) -> None:
    bench.worker(f'[ -e "$LOG.$1" ] || {{ touch "$LOG.$1"; exit 75; }}; {NUMBERED}')
    limits = "at_once: 3\nlicences: {a: 1 of 2}\ndelay: 20 ms\nretry: {exit: {75: 2}, after: 100 ms}\n"
    bench.write("spe.yaml", SIX + limits)
    bench.ok("run")
    assert most_at_once(bench.logged()) == 2
    assert [row["attempts"] for row in bench.rows()] == ["2"] * 6


# -- attempts that fail alike

THIRTY = SIX.replace("6]", "30]")
BROKEN = 'test -e "$GATE" || { echo "ModuleNotFoundError: No module named \'numpy\'" >&2; exit 1; }; echo "$1"\n'
ALIKE = (
    "the first 20 attempts failed for the same reason (stop_alike), and none succeeded: "
    "ModuleNotFoundError: No module named 'numpy' (exit code 1)"
)


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_run_whose_attempts_all_fail_alike_stops_and_goes_on_once_the_cause_is_gone(
    bench: Bench, attempts: int
) -> None:
    bench.worker(f'echo "begin $1" >> "$LOG"; {BROKEN}')
    bench.write("spe.yaml", f"{THIRTY}attempts: {attempts}\n")
    done = bench.spe("run")
    assert done.code == 1, done
    assert f"30 sets wait: {ALIKE}\n`spe run` goes on where it stopped; `spe log 1` shows one; " in done.err, done
    assert "0 of 30 sets done, 0 failed" in done.err
    assert begun(bench) < 30, "the run drained, so what was running then is all that ran"
    assert bench.query("SELECT DISTINCT state, attempts FROM tasks") == [("waiting", 0)]
    assert ALIKE in bench.ok("status").out
    bench.open_gate()
    bench.ok("run")
    assert {row["attempts"] for row in bench.rows()} == {"1"}


def test_failed_sets_that_are_put_back_and_fail_again_have_failed(bench: Bench) -> None:
    bench.worker('[ "$1" -le 5 ] || { echo no convergence >&2; exit 3; }; echo "$1"\n')
    bench.write("spe.yaml", f"{THIRTY}attempts: 1\nstop_alike: 10\n")
    assert "5 of 30 sets done, 25 failed" in bench.spe("run").err
    assert "5 of 30 sets done, 25 failed" in bench.spe("retry").err


def test_stop_alike_zero_lets_all_sets_fail(bench: Bench) -> None:
    bench.worker(BROKEN)
    bench.write("spe.yaml", f"{THIRTY}attempts: 1\nstop_alike: 0\n")
    done = bench.spe("run")
    assert done.code == 1 and "0 of 30 sets done, 30 failed" in done.err, done


def test_a_run_that_was_killed_after_a_success_is_not_stopped_for_what_fails_alike_later(bench: Bench) -> None:
    bench.worker('[ "$1" -lt 3 ] && { echo "$1"; exit; }; while [ ! -e "$GATE" ]; do sleep 0.02; done; exit 1\n')
    bench.write("spe.yaml", f"{THIRTY}attempts: 1\n")
    first = bench.start("run")
    wait_until(lambda: len(bench.query("SELECT 1 FROM tasks WHERE state = 'done'")) == 2, "two sets are done")
    kill(first)
    bench.open_gate()
    done = bench.spe("run")
    assert "2 of 30 sets done, 28 failed" in done.err, done


# -- a result that is rejected twice


def test_a_program_that_computes_the_same_wrong_result_again_is_not_tried_a_third_time(bench: Bench) -> None:
    bench.worker('echo "begin $1" >> "$LOG"; head -c 200000 /dev/zero > out.bin; echo "$1"\n')
    results = "results: {y: {from: stdout, as: int, max: 1}, out: out.bin}\n"
    bench.write("spe.yaml", f"{SIX.replace('6]', '3]')}{results}attempts: 5\n")
    done = bench.spe("run")
    assert done.code == 1 and "2 failed" in done.err, done
    assert "the same result was rejected twice, so it is not tried again" in done.err, done
    assert [row[0] for row in bench.query("SELECT attempts FROM tasks ORDER BY number")] == [1, 2, 2]


def test_a_program_that_computes_another_wrong_result_is_tried_again(bench: Bench) -> None:
    bench.worker('echo x >> "$LOG"; head -c 200000 /dev/zero > out.bin; wc -l < "$LOG" >> out.bin; echo 7\n')
    results = "results: {y: {from: stdout, as: int, max: 1}, out: out.bin}\n"
    bench.write("spe.yaml", f"{SIX.replace('6]', '1]')}{results}attempts: 5\n")
    done = bench.spe("run")
    assert done.code == 1 and len(bench.logged()) == 5, done


# -- after stop_after


def test_after_stop_after_a_plain_run_begins_no_set(bench: Bench) -> None:
    bench.worker('echo "begin $1" >> "$LOG"; [ -e "$GATE" ] && echo "$1"\n')
    bench.write("spe.yaml", f"{THIRTY}attempts: 1\nstop_after: 3, now\n")
    first = bench.spe("run")
    assert first.code == 1 and "the sweep is given up (stop_after)" in first.err, first
    ran = begun(bench)
    for _ in range(2):
        again = bench.spe("run")
        assert again.code == 1, again
        assert "the sweep is given up (stop_after): 3 sets have failed" in again.err, again
        assert "with `spe run` alone these failed sets still count" in again.err
        assert begun(bench) == ran, "it ran sets, though as many have failed as the limit says"
    bench.open_gate()
    bench.ok("retry")
    assert len(bench.rows()) == 30


def test_stop_after_does_not_keep_spe_retry_from_a_single_set(bench: Bench) -> None:
    bench.worker('echo "begin $1" >> "$LOG"; [ -e "$GATE" ] && echo "$1"\n')
    bench.write("spe.yaml", f"{THIRTY}attempts: 1\nstop_after: 3\n")
    bench.spe("run")
    (failed, *_) = [row[0] for row in bench.query("SELECT number FROM tasks WHERE state = 'failed' ORDER BY number")]
    bench.open_gate()
    bench.spe("retry", str(failed))
    assert bench.query(f"SELECT state FROM tasks WHERE number = {failed}") == [("done",)]


def test_a_share_of_failed_sets_that_new_sets_make_smaller_does_not_end_the_run(bench: Bench) -> None:
    bench.worker('[ "$1" -gt 6 ] && echo "$1"\n')
    bench.write("spe.yaml", f"{SIX}attempts: 1\nstop_after: 50%\n")
    assert "given up (stop_after)" in bench.spe("run").err
    bench.write("spe.yaml", f"{THIRTY}attempts: 9\nstop_after: 90%\n")
    done = bench.spe("run")
    assert "24 of 30 sets done" in done.err, done
