"""`spe run` where nothing has changed: neither the sets nor the tables are gone through again; else they are."""

from __future__ import annotations

import os
import signal

import pytest
from waiting import wait_until

from .kit import Bench

SWEEP = "command: ./work {{ x }}\nparameters: params.csv\nresults: {y: {from: stdout, as: int}}\n"


@pytest.fixture
def squares(bench: Bench) -> Bench:
    bench.worker('echo "$1" >> "$LOG"; [ "$1" != 3 ] || exit 1; echo $(($1 * $1))\n')
    bench.write("spe.yaml", SWEEP + "attempts: 1\n")
    bench.write("params.csv", "x\n1\n2\n3\n")
    assert bench.spe("run").code == 1
    bench.log.unlink()
    return bench


def stamp(bench: Bench) -> tuple[int, int]:
    found = (bench.runs() / "results.csv").stat()
    return found.st_ino, found.st_mtime_ns


def plan(bench: Bench) -> int:
    return int(bench.query("SELECT value FROM meta WHERE key = 'plan'")[0][0])


def test_nothing_new_leaves_the_tables_and_the_plan_as_they_are(squares: Bench) -> None:
    before, read = stamp(squares), plan(squares)
    done = squares.spe("run")
    assert done.code == 1
    assert "3 sets: 2 done before, 1 failed before, 0 to do" in done.err
    assert "2 of 3 sets done, 1 failed" in done.err
    assert (stamp(squares), plan(squares), squares.logged()) == (before, read, [])


@pytest.mark.parametrize("harm", ["gone", "edited", "replaced", "companion"])
def test_tables_that_others_touched_are_written_again(squares: Bench, harm: str) -> None:
    table = squares.runs() / "results.csv"
    before = table.read_bytes()
    if harm == "gone":
        table.unlink()
    elif harm == "edited":
        with table.open("r+b") as file:
            file.write(b"N")
    elif harm == "replaced":
        table.with_name("other").write_bytes(before)
        table.with_name("other").replace(table)
    else:
        (squares.runs() / "failed.csv").unlink()
    squares.spe("run")
    assert table.read_bytes() == before
    assert [row["x"] for row in squares.rows(file="failed.csv")] == ["3"]


def test_another_result_or_collection_makes_new_tables_and_no_new_reading(squares: Bench) -> None:
    read = plan(squares)
    squares.write("spe.yaml", SWEEP.replace("int}}", "int}, all: stdout}") + "attempts: 1\ncollect: concat\n")
    squares.spe("run")
    assert list(squares.rows()[0]) == ["number", "x", "y", "all", "host", "seconds", "attempts"]
    assert (squares.runs() / "all.txt").exists()
    assert plan(squares) == read
    assert squares.logged() == []


def test_sets_that_run_again_are_in_the_table_of_the_same_plan(squares: Bench) -> None:
    squares.worker('echo "$1" >> "$LOG"; echo $(($1 + $1))\n')
    squares.refused("run")
    squares.ok("run", "--fresh")
    assert squares.column("y") == ["2", "4", "6"]
    squares.worker("echo 7\n")
    squares.ok("run", "--keep")
    assert squares.column("y") == ["2", "4", "6"]


def test_failed_sets_that_succeed_on_retry_come_into_the_table(squares: Bench) -> None:
    squares.worker('echo "$1" >> "$LOG"; echo $(($1 + $1))\n')
    squares.ok("retry", "--keep")
    assert (squares.column("y"), squares.logged()) == (["1", "4", "6"], ["3"])
    assert squares.rows(file="failed.csv") == []


def test_a_reading_that_was_killed_is_made_again(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; [ "$1" = done ] || sleep 100\n')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: params.csv\ngrace: 1\n")
    count = 300_000
    bench.write("params.csv", "x\n" + "".join(f"{n}\n" for n in range(count)))
    running = bench.start("run", "-q")
    wait_until(bench.logged, "the first set runs")
    os.kill(running.pid, signal.SIGKILL)
    running.process.wait()
    stored = bench.query("SELECT count(*) FROM tasks")[0][0]
    assert 0 < stored < count  # else nothing was tried here
    assert bench.query("SELECT value FROM meta WHERE key = 'read'") == [("",)]
    wait_until(lambda: not bench.processes(), "its client has gone")
    again = bench.start("run", "-q")
    assert again.process.stderr
    wait_until(lambda: bench.query("SELECT count(*) FROM tasks")[0][0] == count, "all are stored")
    again.signal(signal.SIGINT)
    while "interrupted" not in again.process.stderr.readline():
        continue
    again.signal(signal.SIGINT)
    assert again.end().code == 130
