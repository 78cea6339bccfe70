"""`spe run` again: what is new runs, what is done stays, numbers never change; a changed worker is asked about."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from waiting import wait_until

from .kit import Bench

LOGGING = 'echo "$1" >> "$LOG"; echo $(($1 * $1))\n'


@pytest.fixture
def squares(bench: Bench) -> Bench:
    bench.worker(LOGGING)
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: params.csv\nresults: {y: {from: stdout, as: int}}\n")
    sets(bench, 1, 2, 3)
    bench.ok("run")
    bench.log.unlink()
    return bench


def sets(bench: Bench, *values: int) -> None:
    bench.write("params.csv", "x\n" + "".join(f"{value}\n" for value in values))


def ran(bench: Bench) -> list[str]:
    """What ran since the last question."""
    found = sorted(bench.logged())
    bench.log.unlink(missing_ok=True)
    return found


def table(bench: Bench) -> list[tuple[str, str, str]]:
    return [(row["number"], row["x"], row["y"]) for row in bench.rows()]


def test_a_second_run_runs_nothing_and_leaves_the_same_table(squares: Bench) -> None:
    before = (squares.runs() / "results.csv").read_bytes()
    done = squares.ok("run")
    assert ran(squares) == []
    assert (squares.runs() / "results.csv").read_bytes() == before
    assert "3 done before, 0 failed before, 0 to do" in done.err


def test_only_new_lines_run_and_numbers_stay_while_the_table_follows_the_file(squares: Bench) -> None:
    sets(squares, 1, 2, 3, 4)  # at the end
    squares.ok("run")
    assert ran(squares) == ["4"]
    sets(squares, 1, 9, 2, 3, 4)  # in the middle
    squares.ok("run")
    assert ran(squares) == ["9"]
    assert table(squares) == [("1", "1", "1"), ("5", "9", "81"), ("2", "2", "4"), ("3", "3", "9"), ("4", "4", "16")]
    sets(squares, 9, 4, 1)  # some gone, others moved
    squares.ok("run")
    assert ran(squares) == []
    assert table(squares) == [("5", "9", "81"), ("4", "4", "16"), ("1", "1", "1")]
    assert squares.query("SELECT number, x FROM results") == [(5, 9), (4, 4), (1, 1)]
    assert "(not among the parameters of the last run)" in squares.ok("show", "2").out
    sets(squares, 1, 2, 7)  # one comes back: its result is still there
    squares.ok("run")
    assert ran(squares) == ["7"]
    assert table(squares) == [("1", "1", "1"), ("2", "2", "4"), ("6", "7", "49")]


def test_a_set_of_an_earlier_command_is_told_from_one_whose_parameters_are_gone(bench: Bench) -> None:
    text = "command: sh -c 'exit 4' {word} {{{{ n }}}}\nparameters: {{grid: {{n: [1, 2]}}}}\nattempts: 1\n"
    bench.write("spe.yaml", text.format(word="one"))
    assert bench.spe("run").code == 1
    bench.write("spe.yaml", text.format(word="two"))
    assert bench.spe("run").code == 1
    told = "of an earlier command or inputs; its parameters are those of task 3 now"
    assert bench.ok("show", "1").out.startswith(f"task 1: failed ({told})\n")
    assert bench.ok("why", "1").out == f"task 1: failed\n  it is {told}\n"


def test_columns_in_another_order_are_the_same_sets(bench: Bench) -> None:
    bench.worker('echo "$@" >> "$LOG"; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }} {{ y }}\nparameters: params.csv\n")
    bench.write("params.csv", "x,y\n1,2\n")
    bench.ok("run")
    bench.write("params.csv", "y,x\n2,1\n")
    bench.ok("run")
    assert bench.logged() == ["1 2"]


@pytest.mark.parametrize("what", ["command", "inline input", "input file"])
def test_a_set_runs_anew_when_its_command_or_its_inputs_change(squares: Bench, what: str) -> None:
    base = (squares.folder / "spe.yaml").read_text()
    files = base + "inputs: {a.txt: 'one', b.dat: {file: b.dat}}\n"
    squares.write("spe.yaml", files)
    squares.write("b.dat", "b")
    squares.ok("run")
    assert ran(squares) == ["1", "2", "3"]
    if what == "input file":
        squares.write("b.dat", "c")
    else:
        new = files.replace("{{ x }}", "{{ x }} more") if what == "command" else files.replace("one", "two")
        squares.write("spe.yaml", new)
    squares.ok("run")
    assert ran(squares) == ["1", "2", "3"]
    assert len(table(squares)) == 3


def test_what_is_done_with_results_is_no_part_of_a_set(squares: Bench) -> None:
    base = (squares.folder / "spe.yaml").read_text()
    squares.write("spe.yaml", base + "timeout: 5min\nattempts: 1\nvalidate: non_empty\ncollect: concat\nname: sweep\n")
    squares.ok("run")
    assert ran(squares) == []


# -- a changed worker


@pytest.fixture
def changed(squares: Bench) -> Bench:
    squares.worker(LOGGING.replace("*", "+"))
    sets(squares, 1, 2, 3, 4)
    return squares


def test_with_a_changed_worker_and_no_terminal_nothing_runs(changed: Bench) -> None:
    said = changed.refused("run")
    assert "the worker has changed" in said
    assert "nothing was run" in said
    assert "--keep" in said
    assert "--fresh" in said
    assert ran(changed) == []
    assert changed.refused("run") == said  # and it is still so the next time


def test_keep_leaves_finished_sets_as_they_are(changed: Bench) -> None:
    changed.ok("run", "--keep")
    assert ran(changed) == ["4"]
    assert [y for _, _, y in table(changed)] == ["1", "4", "9", "8"]
    changed.ok("run")  # and that was decided for good
    assert ran(changed) == []


def test_fresh_runs_all_sets_again(changed: Bench) -> None:
    changed.ok("run", "--fresh")
    assert ran(changed) == ["1", "2", "3", "4"]
    assert [(n, y) for n, _, y in table(changed)] == [("1", "2"), ("2", "4"), ("3", "6"), ("4", "8")]
    changed.ok("run", "--fresh")  # also without a change
    assert ran(changed) == ["1", "2", "3", "4"]


def test_a_worker_that_was_only_touched_has_not_changed(squares: Bench) -> None:
    os.utime(squares.folder / "work", (1, 1))
    squares.ok("run")
    assert ran(squares) == []


def test_a_worker_that_was_mended_before_anything_was_done_is_no_question(bench: Bench) -> None:
    bench.worker("exit 3")
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: params.csv\nattempts: 1\n")
    sets(bench, 1, 2)
    assert bench.spe("run").code == 1
    bench.worker('echo "$1"')
    bench.ok("retry")
    assert bench.column("stdout") == ["1", "2"]


@pytest.mark.parametrize(("answer", "code", "runs"), [("k", 0, ["4"]), ("f", 0, ["1", "2", "3", "4"]), ("", 2, [])])
def test_on_a_terminal_it_asks(changed: Bench, answer: str, code: int, runs: list[str]) -> None:
    found, said = answered(changed, answer)
    assert found == code and b"since the finished sets were computed (work)" in said, said
    assert ran(changed) == runs
    changed.assert_nothing_left()


def test_on_a_terminal_it_says_how_many_sets_another_program_has_made(bench: Bench) -> None:
    text = 'echo "$1" >> "$LOG"; [ -e "$GATE" ] || [ $1 != 4 ] || exit 3; echo $1\n'
    bench.worker(text)
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: params.csv\nattempts: 1\n")
    sets(bench, 1, 2, 3, 4)
    assert bench.spe("run").code == 1
    bench.open_gate()
    bench.worker(text + "# another one\n")
    bench.ok("retry")
    bench.worker(text)
    found, said = answered(bench, "")
    assert found == 2 and b"has changed since 1 of the 4 finished sets was computed (work)." in said, said


def answered(bench: Bench, answer: str) -> tuple[int, bytes]:
    """Exit code and words of a `spe run` on a terminal that got this answer to its question."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spe", "run"], cwd=bench.folder, env={**bench.environment, "TERM": "xterm"},
        stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    said = b""
    while b"?" not in said.partition(b"The worker has changed")[2]:
        said += os.read(master, 1000)
    os.write(master, answer.encode() + b"\n")
    wait_until(lambda: drained(master) and process.poll() is not None, "it ended")
    os.close(master)
    return process.returncode, said


def drained(terminal: int) -> bool:
    """Take what was written, so that the writer never waits."""
    os.set_blocking(terminal, False)
    try:
        while os.read(terminal, 65536):
            continue
    except OSError:  # nothing more now, or the other end is closed
        return True
    return True


# -- retry


@pytest.fixture
def failing(bench: Bench) -> Bench:
    """Sets 2 and 4 fail as long as there is no gate."""
    bench.worker('echo "$1" >> "$LOG"; [ -e "$GATE" ] || [ $(($1 % 2)) = 1 ] || exit 3; echo $(($1 * $1))')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: params.csv\nattempts: 2\nresults: {y: stdout}\n")
    sets(bench, 1, 2, 3, 4)
    assert bench.spe("run").code == 1
    assert ran(bench) == ["1", "2", "2", "3", "4", "4"]
    return bench


def test_failed_sets_are_left_alone_by_run_and_still_count(failing: Bench) -> None:
    done = failing.spe("run")
    assert done.code == 1
    assert "2 done before, 2 failed before, 0 to do" in done.err
    assert ran(failing) == []
    sets(failing, 1, 3)  # without them in the file all is well
    failing.ok("run")
    sets(failing, 1, 2, 3)  # and with one of them it is not
    assert failing.spe("run").code == 1


def test_retry_runs_all_failed_sets_with_all_their_attempts(failing: Bench) -> None:
    done = failing.spe("retry")
    assert done.code == 1
    assert "2 sets put back" in done.err
    assert ran(failing) == ["2", "2", "4", "4"]
    failing.open_gate()
    failing.ok("retry")
    assert ran(failing) == ["2", "4"]
    assert [y for _, _, y in table(failing)] == ["1", "4", "9", "16"]
    assert failing.rows(file="failed.csv") == []


def test_retry_of_a_number_runs_that_set_alone(failing: Bench) -> None:
    failing.open_gate()
    assert failing.spe("retry", "4").code == 1
    assert ran(failing) == ["4"]
    assert [row["number"] for row in failing.rows(file="failed.csv")] == ["2"]
    assert "1" in failing.refused("retry", "1", "2")
    failing.ok("retry", "2")


def test_retry_of_a_number_that_is_no_set_of_today_runs_nothing_else_in_its_place(failing: Bench) -> None:
    text = (failing.folder / "spe.yaml").read_text()
    failing.write("deck", "one")
    failing.write("spe.yaml", text + "inputs: {deck: {file: deck}}\n")  # four other sets
    failing.open_gate()
    said = failing.refused("retry", "2")
    assert "spe retry 2: this set is not among today's: its command, inputs or parameters have changed" in said
    assert ran(failing) == []
    failing.write("spe.yaml", text)
    failing.ok("retry", "2", "4")
    assert ran(failing) == ["2", "4"]


def test_a_sweep_without_a_file_is_run_retried_and_collected_again_by_its_stored_line(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; [ -e "$GATE" ] || [ "$1" = 1 ] || exit 3; echo "$1$2"')
    assert bench.spe("run", "-p", "x=1:2", "--", "./work", "{{ x }}", "it's a {{ x }}").code == 1
    ran(bench)
    assert bench.spe("run").code == 1  # the old failure counts
    assert ran(bench) == []
    bench.open_gate()
    bench.ok("retry")
    assert ran(bench) == ["2"]
    assert bench.column("stdout", "work") == ["1it's a 1", "2it's a 2"]
    bench.ok("run", "-n", "other", "-p", "x=7", "--", "./work", "{{ x }}")
    assert "runs/other/ is meant, used last here" in bench.ok("retry").err
    assert ran(bench) == ["7"]
    bench.ok("collect", "-n", "work")
    assert bench.column("x", "other") == ["7"]


def test_a_slip_in_spe_yaml_names_the_way_to_read_without_it(squares: Bench) -> None:
    squares.write("spe.yaml", "command: [\n")
    assert "-n NAME, which reads no spe.yaml" in squares.refused("status")
    assert "3 of 3 sets done" in squares.ok("status", "-n", "sweep").out


def test_a_name_on_the_command_line_is_another_sweep_of_the_same_file(squares: Bench) -> None:
    squares.ok("run", "-n", "again")
    assert ran(squares) == ["1", "2", "3"]
    assert squares.column("y", "again") == ["1", "4", "9"]
    squares.ok("collect", "-n", "again")
    assert len(table(squares)) == 3
