"""Equal reasons are told together: at the end of a run, by spe status and spe why, on the page and on a terminal."""

from __future__ import annotations

import json
import urllib.request

from waiting import wait_until

from .kit import Bench

SWEEP = (
    "command: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 12]}}}\nhosts: [localhost slots=2]\n"
    "attempts: 1\nstop_alike: 0\n"
)
# Sets 1 to 9 fail alike but for their numbers, 10 and 11 in the very same way, 12 alone.
WORK = """import os, sys, time
x = int(sys.argv[1])
while x == 12 and not os.path.exists(os.environ["GATE"]):
    time.sleep(0.02)
if x < 10:
    sys.exit("cannot open /tmp/run_%d/mesh.dat, code %d" % (x, x))
if x < 12:
    1 / 0
sys.exit("another one")
"""
LINES = [
    "9 × cannot open /tmp/run_1/mesh.dat, code 1 (exit code 1), and alike; the first is task 1 (x=1)",
    "2 × ZeroDivisionError: division by zero (exit code 1); the first is task 10 (x=10)",
    "task 12 (x=12) failed: exit code 1: another one",
]


def test_equal_reasons_are_told_together(bench: Bench) -> None:
    bench.python(WORK)
    bench.write("spe.yaml", SWEEP)
    running = bench.start("run")
    facts = wait_until(lambda: (bench.runs() / "master.json").exists() and json.loads(
        (bench.runs() / "master.json").read_text()), "it runs")  # fmt: skip
    wait_until(lambda: len(bench.query("SELECT 1 FROM tasks WHERE state = 'failed'")) == 11, "all but one have failed")
    with urllib.request.urlopen(facts["page"], timeout=20) as answer:
        page = answer.read().decode()
    assert "9 × cannot open /tmp/run_1/mesh.dat" in page and "2 × ZeroDivisionError: division by zero" in page
    top = bench.start("top").end().out
    assert "9 × cannot open" in top and "2 × ZeroDivisionError: division by zero (exit code 1); the newest is" in top
    bench.open_gate()
    done = running.end()
    assert done.code == 1 and "\n".join(LINES) in done.err, done
    status = bench.ok("status").out
    assert "\n".join(LINES) in status
    why = bench.ok("why", "10").out
    assert "1 other set has failed for the same reason" in why
    assert "same reason" not in bench.ok("why", "12").out
    told = bench.ok("status", "--json").json["failed_reasons"]
    assert [(one["sets"], one["task"]) for one in told] == [(9, 1), (2, 10), (1, 12)]
    assert told[1]["reason"] == "exit code 1: ZeroDivisionError: division by zero"
    again = bench.spe("run", "--json").json
    assert again["failed_reasons"] == told


def test_of_many_reasons_the_most_frequent_are_told_and_the_rest_is_counted(bench: Bench) -> None:
    bench.python('import sys\nx = int(sys.argv[1])\nsys.exit("same" if x > 9 else "abcdefghij"[x])\n')
    bench.write("spe.yaml", SWEEP)
    done = bench.spe("run")
    assert "3 × same (exit code 1); the first is task 10 (x=10)\ntask 1 (x=1) failed: exit code 1: b\n" in done.err
    assert "… and 5 more, all in" in done.err, done
    assert "… and 5 more failed sets" in bench.ok("status").out
