"""`spe.Sweep`: described in Python, run by the same `spe run`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import spe
from cli.kit import Bench
from spe.api.progress_line import sentence
from spe.errors import ConfigError, NothingRuns, UsageError
from waiting import wait_until

ECHO = "echo {{ x }}{{ y }}"
OUT = {"out": {"from": "stdout", "as": "int"}}
KEYS: dict[str, Any] = {"results": OUT, "hosts": ["localhost slots=2"], "name": "t"}


def test_sets_are_added_run_and_come_as_they_finish(bench: Bench) -> None:
    sweep = spe.Sweep(ECHO, **KEYS)
    sweep.add(x=1, y=2)
    sweep.add({"x": 3, "y": 4}, {"x": 5, "y": 6})
    found = {row["number"]: row for row in sweep.as_completed()}
    assert {number: (row["x"], row["y"], row["out"]) for number, row in found.items()} == {
        1: (1, 2, 12), 2: (3, 4, 34), 3: (5, 6, 56)
    }  # fmt: skip
    run = sweep.run()
    assert run.counts()["done"] == 3
    assert list(run.results()) == [found[1], found[2], found[3]], "the same types, too"


def test_it_writes_the_spe_yaml_that_spe_run_takes_and_nothing_runs_twice(bench: Bench) -> None:
    sweep = spe.Sweep(f"sh -c 'echo {{{{ x }}}} >> {bench.log}; echo {{{{ x }}}}'", **KEYS)
    sweep.add(x=1)
    sweep.run()
    assert "1 of 1 sets done" in bench.ok("status").out
    bench.ok("run")
    sweep.add(x=2)
    sweep.run()
    assert bench.logged() == ["1", "2"]


def test_sets_added_in_the_loop_go_to_the_run_that_goes_on_or_to_one_after_it(bench: Bench) -> None:
    sweep = spe.Sweep("sh -c 'echo {{ x }}'", **KEYS)
    sweep.add(x=1)
    found = []
    for row in sweep.as_completed():
        found.append(row["x"])
        if row["x"] < 4:
            sweep.add(x=row["x"] + 1)
    assert found == [1, 2, 3, 4]


def test_sets_added_in_the_loop_after_the_run_has_ended_run_all_the_same(bench: Bench) -> None:
    sweep = spe.Sweep("echo {{ x }}", **KEYS)
    sweep.add({"x": 1}, {"x": 2})
    rows = sweep.as_completed()
    found = [next(rows)["x"]]
    wait_until(lambda: not sweep._engine or not sweep._engine.is_alive, "the run has ended")
    sweep.add(x=3)
    found += [row["x"] for row in rows]
    assert sorted(found) == [1, 2, 3]


def test_sets_that_came_too_late_for_a_loop_that_was_left_are_run_by_run(bench: Bench) -> None:
    sweep = spe.Sweep("echo {{ x }}", **KEYS)
    sweep.add(x=1)
    next(sweep.as_completed())
    wait_until(lambda: not sweep._engine or not sweep._engine.is_alive, "the run has ended")
    sweep.add(x=2)
    assert sweep.run().counts()["done"] == 2


def test_parameters_and_all_other_keys_are_those_of_spe_yaml(bench: Bench) -> None:
    bench.worker("cat data.txt; echo $WHICH $1")
    bench.write("data.txt", "of the input\n")
    sweep = spe.Sweep(
        "./work {{ x }}",
        parameters={"grid": {"x": range(1, 3)}},
        inputs=[Path("data.txt")],
        env={"WHICH": "variable"},
        results={"out": "stdout"},
        hosts=["localhost"],
        name="t",
    )
    run = sweep.run()
    assert [row["out"] for row in run.results()] == [f"of the input\nvariable {x}" for x in (1, 2)]
    with pytest.raises(UsageError, match="exclude each other"):
        sweep.add(x=3)


def test_values_of_numpy_paths_and_truths_are_what_they_say(bench: Bench) -> None:
    numpy = pytest.importorskip("numpy")
    sweep = spe.Sweep("echo {{ a }} {{ b }} {{ c }} {{ d }} {{ e }}", **(KEYS | {"results": {"out": "stdout"}}))
    sweep.add(a=numpy.float64(0.1), b=numpy.int64(3), c=Path("x/y"), d=True, e='a "b" ü')
    (row,) = sweep.run().results()
    assert row["out"] == '0.1 3 x/y true a "b" ü'


def test_a_failed_set_has_no_row_and_is_told_by_the_run(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    sweep = spe.Sweep("sh -c 'test {{ x }} != 2 && echo 1'", attempts=1, **KEYS)
    sweep.add({"x": 1}, {"x": 2})
    assert [row["x"] for row in sweep.as_completed()] == [1]
    run = sweep.run()
    assert run.counts()["failed"] == 1 and run.failed()[0]["parameters"] == {"x": 2}
    said = capfd.readouterr().err
    assert said.count("task 2 (x=2) failed: ") == 1, said
    assert said.count(f"see them with spe.open('{run.folder}').failed()") == 1 and "spe log" not in said, said


@pytest.mark.parametrize(
    ("keys", "sets", "error", "said"),
    [
        ({"after": "x"}, [{"x": 1}], UsageError, r"spe.Sweep has no after=\n.*`spe run && NEXT`"),
        ({"hosts": ["nowhere.invalid"]}, [{"x": 1}], NothingRuns, "no host came up"),
        ({"worker": "nothing"}, [{"x": 1}], ConfigError, "nothing"),
        ({}, [], UsageError, "there is no set"),
        ({}, [{}], UsageError, "a set has no parameter"),
        ({}, [{"x": 1}, {"y": 1}], UsageError, "a set has y, and the first one x"),
    ],
)
def test_mistakes_are_errors_with_a_sentence(
    bench: Bench, keys: dict[str, Any], sets: list[dict[str, Any]], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        sweep = spe.Sweep("echo 1", **(KEYS | keys))
        sweep.add(*sets)
        sweep.run()


@pytest.mark.parametrize(
    ("key", "near"),
    [("result", "Did you mean results?"), ("gird", "Did you mean grid? Write parameters={'grid': ...}."),
     ("hots", "Did you mean hosts?"), ("xyzzy", "There are name, ")],
)  # fmt: skip
def test_an_unknown_key_is_refused_when_the_sweep_is_described(key: str, near: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"spe.Sweep has no {key}=\n  {near}")):
        spe.Sweep("echo 1", **{key: {}})


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), ([1], "a list"), ((1, 2), "a list"), ({"a": 1}, "an object"), (b"x", "bytes"),
     (range(3), "a list"), (object(), "an object of object"), ("\udc80", "half a character")],
)  # fmt: skip
def test_what_json_lines_refuse_as_a_value_is_refused_with_its_name(value: Any, kind: str) -> None:
    sweep = spe.Sweep("echo 1")
    with pytest.raises(UsageError, match=f"add: x (is|has) {kind}"):
        sweep.add(y=1, x=value)
    numpy = pytest.importorskip("numpy")
    with pytest.raises(UsageError, match="add: x is a list"):
        sweep.add(x=numpy.array([1.0]))


@pytest.mark.parametrize("wrong", [[{"x": 1}], 42, "x"])
def test_what_is_no_set_is_refused_with_what_to_write(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r'a set is no dict.*\n.*Write add\(\{"x": 1\}'):
        spe.Sweep("echo 1").add(wrong)
    with pytest.raises(UsageError, match="the name 1 is no text"):
        spe.Sweep("echo 1").add({1: 2})


def test_equal_sets_are_one_and_nothing_is_said_of_them(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    sweep = spe.Sweep("echo {{ x }}", **(KEYS | {"results": {"out": "stdout"}}))
    sweep.add({"x": 1}, {"x": 1}, {"x": "1"})
    sweep.add(x=True)
    sweep.add(x=1)
    assert {row["x"] for row in sweep.run().results(columns=["x"])} == {"1", "true"}
    assert "are equal" not in capfd.readouterr().err


def test_a_spe_yaml_of_a_person_is_not_written_over(bench: Bench) -> None:
    bench.write("spe.yaml", "command: echo 1\n")
    sweep = spe.Sweep("echo {{ x }}", **KEYS)
    sweep.add(x=1)
    with pytest.raises(UsageError, match=r"was not written by spe\.Sweep"):
        sweep.run()
    assert (bench.folder / "spe.yaml").read_text() == "command: echo 1\n"
    other = spe.Sweep("echo {{ x }}", file="mine.yaml", **KEYS)
    other.add(x=1)
    assert other.run().counts()["done"] == 1


def test_a_loop_that_is_left_leaves_the_run_going_and_run_waits_for_it(bench: Bench) -> None:
    bench.worker('[ "$1" = 1 ] || until [ -e "$GATE" ]; do sleep 0.05; done; echo 1')
    sweep = spe.Sweep("./work {{ x }}", **KEYS)
    sweep.add({"x": 1}, {"x": 2})
    for row in sweep.as_completed():
        assert row["x"] == 1
        break
    with pytest.raises(UsageError, match="runs already"):
        next(sweep.as_completed())
    bench.open_gate()
    assert sweep.run().counts()["done"] == 2


def test_stop_lets_running_tasks_finish(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; until [ -e "$GATE" ]; do sleep 0.05; done; echo 1')
    sweep = spe.Sweep("./work {{ x }}", **(KEYS | {"hosts": ["localhost slots=1"]}))
    sweep.add(*({"x": x} for x in range(20)))
    rows = sweep.as_completed()
    engine = sweep._started(rows=False)
    wait_until(lambda: bench.logged(), "the first program runs")
    rows.close()
    sweep.stop()
    bench.open_gate()
    engine.wait()
    assert 1 <= spe.open("t").counts()["done"] < 20


PROGRAM = """
import spe
sweep = spe.Sweep("./work {{ x }}", results={"y": "stdout"}, hosts=["localhost slots=1"], name="t")
sweep.add(*({"x": x} for x in range(5)))
sweep.run()
"""


def test_ctrl_c_lets_running_tasks_finish_and_ends_the_program(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; until [ -e "$GATE" ]; do sleep 0.05; done; echo 1')
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + PROGRAM
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: bench.logged(), "the first program runs")
    process.send_signal(signal.SIGINT)
    watch = spe.watch("t")
    next(True for _ in watch if watch.state["sweep"]["state"] == "draining")
    bench.open_gate()
    said = process.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in said
    assert spe.open("t").counts()["done"] == 1
    assert len(bench.logged()) == 1


def test_the_run_goes_on_when_the_program_is_killed(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; until [ -e "$GATE" ]; do sleep 0.05; done; echo 1')
    process = subprocess.Popen([sys.executable, "-c", PROGRAM])
    wait_until(lambda: bench.logged(), "the first program runs")
    process.kill()
    process.wait()
    bench.open_gate()
    wait_until(lambda: not (bench.runs("t") / "session").exists(), "the run has ended")
    assert spe.open("t").counts()["done"] == 5


def test_a_line_says_how_far_it_is_on_a_terminal(bench: Bench) -> None:
    import pty

    bench.worker('until [ -e "$GATE" ]; do sleep 0.05; done; echo 1')
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=follower)
    os.close(follower)
    said = b""
    while b"1 running" not in said:
        said += os.read(leader, 1000)
    bench.open_gate()
    assert process.wait(60) == 0
    os.close(leader)
    assert b"\r0 of 5 sets done, 0 failed, 1 running" in said


def test_the_sentence_has_counts_pace_and_end() -> None:
    numbers = {"done": 12, "total": 40, "failed": 1, "running": 8, "waiting": 19}
    sweep = numbers | {"state": "running", "left": [60.0, 62.0]}
    assert sentence({"sweep": sweep}).startswith("12 of 40 sets done, 1 failed, 8 running, 19 waiting, ends in ")


def test_the_notebook_of_the_examples_runs(bench: Bench) -> None:
    import nbclient
    import nbformat

    path = Path(__file__).parents[2] / "examples" / "notebook" / "sweep.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is stored without outputs"
    begun = time.time()
    done = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={
        "metadata": {"path": str(bench.folder)}}).execute()  # fmt: skip
    outputs = [one for cell in done.cells for one in cell.get("outputs", [])]
    texts = json.dumps(outputs)
    assert "20 of 20 sets done" in texts, "the line of progress"
    assert "estimate" in texts
    assert (bench.folder / "spe.yaml").stat().st_mtime >= begun - 1
