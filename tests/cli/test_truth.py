"""A row holds what its own command, inputs and program produced: whatever was edited, stopped, killed and retried.

Each test is a piece of a user's week: a run that stops half way, an edit, another run, and back.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Bench

#: Prints a word and the set; sets above 4 wait for the gate, so that a run stops at a known point.
GATED = 'echo "$1 $2" >> "$LOG"; while [ "$2" -gt 4 ] && [ ! -e "$GATE" ]; do sleep 0.05; done; echo "$1 $2"\n'
SWEEP = """command: ./work {word} {{{{ n }}}}
parameters: {{grid: {{n: {{range: [1, {sets}]}}}}}}
hosts: [localhost slots=2]
results: {{y: stdout}}
"""


def sweep(bench: Bench, word: str = "A", sets: int = 12, more: str = "") -> None:
    bench.write("spe.yaml", SWEEP.format(word=word, sets=sets) + more)


def ran(bench: Bench) -> list[str]:
    """What was started since the last question."""
    found = sorted(bench.logged())
    bench.log.unlink(missing_ok=True)
    return found


def ran_so_far(bench: Bench, word: str) -> list[str]:
    """Programs that have begun, not only tickets that went out: a master killed between the two leaves a lease."""
    return [line for line in bench.logged() if line.startswith(word)]


def column(bench: Bench) -> dict[str, str]:
    return {row["n"]: row["y"] for row in bench.rows()}


def attempts(bench: Bench) -> list[int]:
    return [row[0] for row in bench.query("SELECT attempts FROM results")]


def done(bench: Bench) -> int:
    found = bench.query("SELECT count(*) FROM tasks WHERE state = 'done'")
    return int(found[0][0]) if found else 0


def stop_half_way(bench: Bench) -> None:
    """A run of which four sets are done and no more."""
    run = bench.start("run")
    wait_until(lambda: done(bench) >= 4, "four sets are done")
    bench.ok("stop", "--now")
    assert run.end().code == 130


@pytest.fixture
def gated(bench: Bench) -> Bench:
    bench.worker(GATED)
    return bench


def test_after_an_interrupted_run_another_command_fills_no_row_of_the_first_one(gated: Bench) -> None:
    sweep(gated, "A")
    stop_half_way(gated)
    gated.open_gate()
    ran(gated)
    sweep(gated, "B")
    gated.ok("run")
    assert column(gated) == {str(n): f"B {n}" for n in range(1, 13)}
    assert ran(gated) == sorted(f"B {n}" for n in range(1, 13))
    sweep(gated, "A")
    gated.ok("run")
    assert column(gated) == {str(n): f"A {n}" for n in range(1, 13)}
    assert ran(gated) == sorted(f"A {n}" for n in range(5, 13)), "what was finished before is found finished"


@pytest.mark.parametrize("what", ["input text", "input file", "environment"])
def test_what_a_set_computes_from_is_edited_between_two_runs(bench: Bench, what: str) -> None:
    bench.worker('[ "$1" -lt 5 ] || [ -e "$GATE" ] || exec sleep 60; echo "$(cat in.txt data.txt) $WORD $1"\n')

    def edit(word: str) -> str:
        text, data, env = (word if what == kind else "-" for kind in ("input text", "input file", "environment"))
        bench.write("data.txt", data)
        bench.write(
            "spe.yaml",
            "command: ./work {{ n }}\nparameters: {grid: {n: {range: [1, 8]}}}\nhosts: [localhost slots=2]\n"
            f"results: {{y: stdout}}\ninputs: {{in.txt: '{text}', data.txt: {{file: data.txt}}}}\n"
            f"env: {{WORD: '{env}'}}\n",
        )
        return f"{text}{data} {env}"

    first = edit("one")
    stop_half_way(bench)
    bench.open_gate()
    second = edit("two")
    bench.ok("run")
    assert column(bench) == {str(n): f"{second} {n}" for n in range(1, 9)}
    edit("one")
    bench.ok("run")
    assert column(bench) == {str(n): f"{first} {n}" for n in range(1, 9)}


def test_sets_in_front_of_an_interrupted_sweep_and_a_renamed_parameter(gated: Bench) -> None:
    gated.write("spe.yaml", SWEEP.format(word="A", sets=1).replace("{grid: {n: {range: [1, 1]}}}", "params.csv"))
    gated.write("params.csv", "n\n" + "".join(f"{n}\n" for n in range(1, 9)))
    stop_half_way(gated)
    gated.open_gate()
    gated.write("params.csv", "n\n" + "".join(f"{n}\n" for n in (40, 30, 8, 7, 6, 5, 4, 3, 2, 1)))
    gated.ok("run")
    assert column(gated) == {str(n): f"A {n}" for n in (40, 30, 8, 7, 6, 5, 4, 3, 2, 1)}
    text = (gated.folder / "spe.yaml").read_text()
    gated.write("spe.yaml", text.replace("{{ n }}", "{{ m }}"))
    gated.write("params.csv", "m\n1\n2\n")
    gated.ok("run")
    assert [(row["m"], row["y"]) for row in gated.rows()] == [("1", "A 1"), ("2", "A 2")]


def test_what_runs_of_an_old_command_when_its_master_is_killed_is_called_back_and_fills_no_row(gated: Bench) -> None:
    sweep(gated, "A", 6)
    run = gated.start("run")
    wait_until(lambda: done(gated) >= 4 and len(gated.logged()) == 6, "two sets run")
    run.signal(signal.SIGKILL)
    run.process.wait()
    sweep(gated, "B", 6)
    ran(gated)
    again = gated.start("run")
    wait_until(lambda: gated.query("SELECT 1 FROM meta WHERE key = 'plan' AND value = '2'"), "today's sets are read")
    gated.open_gate()
    assert again.end().code == 0
    assert column(gated) == {str(n): f"B {n}" for n in range(1, 7)}
    assert not [line for line in ran(gated) if line.startswith("A")], "no set of the old command is begun"
    sweep(gated, "A", 6)
    gated.ok("run")
    assert column(gated) == {str(n): f"A {n}" for n in range(1, 7)}
    assert len(ran(gated)) <= 2


def test_clients_of_a_killed_master_do_not_work_on_with_the_old_program(bench: Bench) -> None:
    program = 'echo "{0} $1 $$" >> "$LOG"; while [ ! -e "$GATE" ] && [ $1 -gt 2 ]; do sleep 0.05; done; echo "{0} $1"\n'
    bench.worker(program.format("old"))
    bench.write("spe.yaml", SWEEP.format(word="", sets=8))
    run = bench.start("run")
    wait_until(lambda: done(bench) >= 2 and len(bench.logged()) >= 4, "two sets run")
    run.signal(signal.SIGKILL)
    run.process.wait()
    bench.worker(program.format("new"))
    begun = [int(line.split()[2]) for line in ran(bench)]
    again = bench.start("run", "--keep")
    wait_until(lambda: any(line.startswith("new") for line in bench.logged()), "the new program runs")
    # Their client asks every few seconds whether the master is back, and then hears that it is not wanted.
    wait_until(lambda: not any(map(is_alive, begun)), "the old client has ended its programs")
    bench.open_gate()
    assert again.end().code == 0
    assert not [line for line in ran(bench) if line.startswith("old")]
    assert column(bench) == {str(n): f"{'old' if n < 3 else 'new'} {n}" for n in range(1, 9)}
    assert "program: worker " in bench.ok("show", "1").out
    old, new = (json.loads(bench.ok("show", str(n), "--json").out)["program"] for n in (1, 8))
    assert old and new and old != new


# -- programs among the inputs


@pytest.fixture
def script(bench: Bench) -> Bench:
    """`sh main.sh` reads helper.sh beside it, and data.txt."""
    bench.write("main.sh", '. ./helper.sh; echo "$(word) $(cat data.txt) $1" | tee -a "$LOG"\n')
    bench.write("helper.sh", "word() { echo one; }\n")
    bench.write("data.txt", "data")
    bench.write(
        "spe.yaml",
        "command: sh main.sh {{ n }}\nparameters: {grid: {n: {range: [1, 3]}}}\nresults: {y: stdout}\n"
        "inputs: {main.sh: {file: main.sh}, helper.sh: {file: helper.sh}, data.txt: {file: data.txt}}\n",
    )
    bench.ok("run")
    bench.log.unlink()
    return bench


def test_a_changed_script_or_its_module_is_asked_about_and_data_is_not(script: Bench) -> None:
    script.write("helper.sh", "word() { echo two; }\n")
    said = script.refused("run")
    assert "the program has changed" in said and "helper.sh" in said and "--fresh" in said
    script.ok("run", "--keep")
    assert ran(script) == []
    script.ok("run")
    script.write("data.txt", "more")
    script.ok("run")
    assert ran(script) == [f"two more {n}" for n in (1, 2, 3)]
    script.write("data.txt", "data")
    script.ok("run")
    assert ran(script) == [], "going back finds the earlier rows"
    assert column(script) == {str(n): f"one data {n}" for n in (1, 2, 3)}
    script.write("helper.sh", "word() { echo one; }\n")
    assert "the program has changed" in script.refused("run"), "going back asks again"


def one_script(bench: Bench, name: str, results: str = "{y: stdout}") -> None:
    bench.write(
        "spe.yaml",
        f"command: sh {name} {{{{ n }}}}\nparameters: {{grid: {{n: {{range: [1, 3]}}}}}}\nresults: {results}\n"
        f"inputs: {{{name}: {{file: {name}}}}}\n",
    )


def test_a_script_that_was_edited_while_another_command_ran_is_asked_about_when_it_comes_back(bench: Bench) -> None:
    bench.write("s.sh", "echo v1 $1")
    bench.write("o.sh", "echo other $1")
    one_script(bench, "s.sh")
    bench.ok("run")
    one_script(bench, "o.sh")
    bench.ok("run")
    bench.write("s.sh", "echo v2 $1")
    one_script(bench, "s.sh")
    said = bench.refused("run")
    assert "the program has changed" in said and "s.sh" in said
    bench.ok("run", "--keep")
    bench.ok("run")  # and that was decided
    assert column(bench) == {str(n): f"v1 {n}" for n in (1, 2, 3)}
    bench.ok("run", "--fresh")
    assert column(bench) == {str(n): f"v2 {n}" for n in (1, 2, 3)}


def test_a_data_file_that_was_a_program_and_is_one_again_is_asked_about(bench: Bench) -> None:
    bench.write("d.txt", "v1", 0o755)
    bench.write("spe.yaml", "command: cat d.txt\nparameters: {grid: {n: [1]}}\ninputs: {d.txt: {file: d.txt}}\n")
    bench.ok("run")
    bench.write("d.txt", "v2", 0o644)
    bench.ok("run")
    assert bench.column("stdout") == ["v2"]
    bench.write("d.txt", "v2", 0o755)
    assert "the program has changed" in bench.refused("run")


def test_rows_that_results_refuses_are_asked_about_too_when_the_program_changes(bench: Bench) -> None:
    bench.write("s.sh", "echo val=v1-$1")
    one_script(bench, "s.sh", "{y: {from: stdout, regex: 'val=(.*)'}}")
    bench.ok("run")
    one_script(bench, "s.sh", "{y: {from: stdout, regex: 'vol=(.*)'}}")
    assert bench.spe("run").code == 1
    bench.write("s.sh", "echo val=v2-$1")
    assert "the program has changed" in bench.refused("run")
    one_script(bench, "s.sh", "{y: {from: stdout, regex: 'val=(.*)'}}")
    bench.ok("run", "--fresh")
    assert column(bench) == {str(n): f"v2-{n}" for n in (1, 2, 3)}


def test_a_script_that_is_edited_while_it_runs_is_the_old_one_until_the_run_ends(script: Bench) -> None:
    text = (script.folder / "spe.yaml").read_text()
    script.write("main.sh", '. ./helper.sh; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo "$(word) $1"\n')
    script.write("spe.yaml", text.replace("[1, 3]", "[1, 30]"))
    run = script.start("run", "--fresh")
    wait_until(lambda: script.query("SELECT 1 FROM tickets WHERE state = 'issued'"), "something runs")
    script.write("helper.sh", "word() { echo two; }\n")
    script.open_gate()
    assert run.end().code == 0
    assert column(script) == {str(n): f"one {n}" for n in range(1, 31)}
    assert "the program has changed" in script.refused("run")


def test_retry_never_asks_and_keeps_what_is_finished(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"; [ $1 != 2 ] || exit 1; echo "old $1"')
    sweep(bench, "", 3, "attempts: 1\n")
    assert bench.spe("run").code == 1
    ran(bench)
    bench.worker('echo "$1" >> "$LOG"; echo "new $1"')
    retried = bench.ok("retry")
    assert "finished sets stay as they are" in retried.err and "--fresh" in retried.err
    assert ran(bench) == ["2"]
    assert column(bench) == {"1": "old 1", "2": "new 2", "3": "old 3"}
    bench.ok("run")  # and that was decided
    bench.ok("retry", "--fresh")
    assert column(bench) == {str(n): f"new {n}" for n in (1, 2, 3)}


def test_retry_finds_the_failed_sets_of_a_command_gone_back_to(bench: Bench) -> None:
    bench.worker('echo "$@" >> "$LOG"; [ "$*" != "A 2" ] || [ -e "$GATE" ] || exit 1; echo "$*"')
    sweep(bench, "A", 3, "attempts: 1\n")
    assert bench.spe("run").code == 1
    sweep(bench, "B", 3, "attempts: 1\n")
    bench.ok("run")
    ran(bench)
    bench.open_gate()
    sweep(bench, "A", 3, "attempts: 1\n")
    assert "1 set put back" in bench.ok("retry").err
    assert ran(bench) == ["A 2"]


# -- --fresh


def test_fresh_replaces_rows_one_by_one_and_never_empties_the_table(gated: Bench) -> None:
    gated.open_gate()
    sweep(gated, "A", 8, "attempts: 1\n")
    gated.ok("run")
    (gated.root / "gate").unlink()
    gated.worker(GATED.replace('echo "$1 $2"\n', 'echo "new $1 $2"\n'))
    assert gated.spe("run", "--fresh", "--hosts", "nowhere.invalid").code == 3
    rows = {str(n): f"A {n}" for n in range(1, 9)}
    assert column(gated) == rows
    assert {row["y"] for row in json.loads(gated.ok("results", "--json").out)} == set(rows.values())
    run = gated.start("run")
    wait_until(lambda: len(gated.query("SELECT y FROM results WHERE y LIKE 'new %'")) == 4, "four are replaced")
    gated.ok("stop", "--now")
    assert run.end().code == 130
    assert column(gated) == {n: (f"new A {n}" if int(n) < 5 else y) for n, y in rows.items()}
    assert gated.ok("status", "--json").json["waiting"] == 4
    assert {row["attempts"] for row in gated.rows()} == {"1"} == set(map(str, attempts(gated)))
    gated.open_gate()
    gated.ok("run")
    assert column(gated) == {n: f"new {y}" for n, y in rows.items()}


def test_files_of_a_set_that_runs_again_are_the_old_ones_until_the_new_result_is_there(bench: Bench) -> None:
    bench.worker('echo "$WORD $1" | tee -a "$LOG" out.txt > extra.txt; while [ -e "$GATE" ]; do sleep 0.05; done\n')
    text = SWEEP.format(word="", sets=2).replace("{y: stdout}", "{y: out.txt, extra: extra.txt}")
    bench.write("spe.yaml", text)
    bench.ok("run", WORD="one")
    files = bench.runs() / "files"
    there = {str(p.relative_to(files)) for p in files.rglob("*.txt")}
    assert there == {f"{n}/{name}.txt" for n in (1, 2) for name in ("out", "extra")}
    bench.open_gate()
    run = bench.start("run", "--fresh", WORD="two")
    wait_until(lambda: len(ran_so_far(bench, "two")) == 2, "both programs run")
    run.signal(signal.SIGKILL)
    run.process.wait()
    assert [(files / f"{n}/out.txt").read_text() for n in (1, 2)] == ["one 1\n", "one 2\n"]
    (bench.root / "gate").unlink()
    bench.ok("run", WORD="two")
    assert [(files / f"{n}/out.txt").read_text() for n in (1, 2)] == ["two 1\n", "two 2\n"]
    assert not bench.query("SELECT * FROM staged")


def test_a_master_that_died_between_commit_and_file_gives_the_file_its_place(bench: Bench) -> None:
    bench.worker('echo "$WORD $1" > out.txt\n')
    bench.write("spe.yaml", SWEEP.format(word="", sets=1).replace("{y: stdout}", "{y: out.txt}"))
    bench.ok("run", WORD="one")
    (bench.runs() / "incoming").mkdir()
    (bench.runs() / "incoming" / "abc").write_text("two 1\n")
    (bench.runs() / "files/1/old.txt").write_text("of the old result")
    connection = sqlite3.connect(bench.runs() / "sweep.db")
    with connection:
        connection.execute('INSERT INTO staged VALUES (1, \'{"files/1/out.txt": "incoming/abc"}\')')
    connection.close()
    bench.ok("run")
    assert [p.read_text() for p in (bench.runs() / "files/1").iterdir()] == ["two 1\n"]


def test_the_file_of_a_result_goes_with_its_row_when_its_set_fails_or_is_cancelled(bench: Bench) -> None:
    bench.worker(
        'echo "$WORD $1" > out.txt; [ "$1$WORD" != 2two ] || exit 4\n'
        'echo "$1" >> "$LOG"; while [ "$1$WORD" = 3two ] && [ ! -e "$GATE" ]; do sleep 0.05; done\n'
    )
    text = SWEEP.format(word="", sets=4).replace("{y: stdout}", "{y: out.txt}").replace("slots=2", "slots=1")
    bench.write("spe.yaml", text + "attempts: 1\n")
    bench.ok("run", WORD="one")
    bench.log.unlink()
    run = bench.start("run", "--fresh", WORD="two")
    wait_until(lambda: bench.logged() == ["1", "3"] and has_failed(bench, 2), "the second failed, the third runs")
    assert bench.start("cancel", "3", "4").end().code == 0
    bench.open_gate()
    assert run.end().code == 1
    assert files_of(bench) == {"1/out.txt": "two 1\n"}
    assert not bench.query("SELECT * FROM staged") and bench.query("SELECT task FROM outputs") == [(1,)]
    bench.ok("retry", WORD="three")
    assert files_of(bench) == {"1/out.txt": "two 1\n", **{f"{n}/out.txt": f"three {n}\n" for n in (2, 3, 4)}}


def test_a_set_that_failed_and_is_tried_again_in_the_same_run_keeps_its_new_file(bench: Bench) -> None:
    bench.worker(
        'echo "$WORD $1" > out.txt; [ "$1$WORD" != 1two ] || [ -e "$GATE" ] || exit 4\n'
        'echo "$1" >> "$LOG"; while [ "$1$WORD" = 2two ] && [ ! -e "$GATE" ]; do sleep 0.05; done\n'
    )
    text = SWEEP.format(word="", sets=2).replace("{y: stdout}", "{y: out.txt}").replace("slots=2", "slots=1")
    bench.write("spe.yaml", text + "attempts: 1\n")
    bench.ok("run", WORD="one")
    bench.log.unlink()
    run = bench.start("run", "--fresh", WORD="two")
    wait_until(lambda: bench.logged() == ["2"] and has_failed(bench, 1), "the first failed, the second runs")
    assert bench.start("retry", "1").end().code == 0
    bench.open_gate()
    assert run.end().code == 0
    assert files_of(bench) == {"1/out.txt": "two 1\n", "2/out.txt": "two 2\n"}


def test_a_master_that_dies_after_a_set_has_failed_leaves_no_file_of_it_to_the_next_run(bench: Bench) -> None:
    bench.worker(
        'echo "$WORD $1" > out.txt; [ "$1$WORD" != 1two ] || exit 4\n'
        'echo "$1" >> "$LOG"; while [ "$1$WORD" = 2two ] && [ ! -e "$GATE" ]; do sleep 0.05; done\n'
    )
    text = SWEEP.format(word="", sets=2).replace("{y: stdout}", "{y: out.txt}").replace("slots=2", "slots=1")
    bench.write("spe.yaml", text + "attempts: 1\n")
    bench.ok("run", WORD="one")
    bench.log.unlink()
    run = bench.start("run", "--fresh", WORD="two")
    wait_until(lambda: bench.logged() == ["2"] and has_failed(bench, 1), "the first failed, the second runs")
    run.signal(signal.SIGKILL)
    run.process.wait()
    bench.open_gate()
    assert bench.spe("run", WORD="two").code == 1
    assert files_of(bench) == {"2/out.txt": "two 2\n"}


def has_failed(bench: Bench, number: int) -> bool:
    return bench.query(f"SELECT state FROM tasks WHERE number = {number}") == [("failed",)]


def files_of(bench: Bench) -> dict[str, str]:
    files = bench.runs() / "files"
    return {str(path.relative_to(files)): path.read_text() for path in files.rglob("*") if path.is_file()}


def test_what_a_rejected_attempt_printed_is_shown_and_no_result_of_before_stands_under_one_that_failed(
    bench: Bench,
) -> None:
    bench.worker('echo "value=$1"; [ "$1" != 2 ] || [ ! -e "$GATE" ] || exit 4')
    sweep(bench, "", 2, "attempts: 1\n")
    text = (bench.folder / "spe.yaml").read_text()
    bench.write("spe.yaml", text.replace("{y: stdout}", "{y: {from: stdout, regex: 'energy=(.*)'}}"))
    assert bench.spe("run").code == 1
    assert "value=1" in bench.ok("log", "1").out
    bench.write("spe.yaml", text)
    bench.ok("retry")
    bench.open_gate()
    assert bench.spe("run", "--fresh").code == 1
    assert column(bench) == {"1": "value=1"}
    assert json.loads(bench.ok("show", "2", "--json").out)["results"] == {}


def test_an_input_that_changes_while_the_sweep_runs_leaves_its_sets_waiting(gated: Bench) -> None:
    gated.worker('echo "$2" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo "$(cat data.txt) $2"\n')
    gated.write("data.txt", "first")
    sweep(gated, "A", 30, "inputs: {data.txt: {file: data.txt}}\nping: 0\n")
    run = gated.start("run")
    wait_until(lambda: len(gated.logged()) == 2, "two sets run")
    gated.write("data.txt", "second")
    os.utime(gated.folder / "data.txt", (1, 1))
    gated.open_gate()
    ended = run.end()
    assert ended.code == 1, ended
    assert "data.txt" in ended.err and "was changed while the sweep runs" in ended.err
    assert {row["y"].split()[0] for row in gated.rows()} == {"first"}
    assert gated.rows(file="failed.csv") == []
    gated.ok("run")
    assert [row["y"] for row in gated.rows()] == [f"second {n}" for n in range(1, 31)]
