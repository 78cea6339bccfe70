"""One-liners as people type them: values from pipes and files, samplers, and going on with the last one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from waiting import wait_until

from .kit import Bench


def piped(bench: Bench, given: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-m", "spe", *words]
    return subprocess.run(line, cwd=bench.folder, env=bench.environment, input=given, capture_output=True, timeout=120)


def outputs(bench: Bench, name: str) -> list[str]:
    return [row["stdout"] for row in bench.rows(name)]


def test_values_of_standard_input_are_stored_and_a_plain_run_goes_on_with_them(bench: Bench) -> None:
    done = piped(bench, b"a b\n1:3\n", "run", "-p", "x=@-", "--", "echo", "{{ x }}")
    assert done.returncode == 0, done
    assert outputs(bench, "echo") == ["a b", "1:3"]
    again = bench.ok("run")
    assert "2 sets: 2 done before, 0 failed before, 0 to do" in again.err


def test_a_detached_run_gets_the_values_of_standard_input(bench: Bench) -> None:
    done = piped(bench, b"1\n2\n", "run", "--detach", "-p", "x=@-", "--", "echo", "{{ x }}")
    assert done.returncode == 0, done
    wait_until(lambda: (bench.folder / "runs/echo/results.csv").exists() and len(outputs(bench, "echo")) == 2, "done")
    assert outputs(bench, "echo") == ["1", "2"]


def test_each_task_reads_its_own_file_and_writes_one_of_its_name(bench: Bench) -> None:
    for name in ("a", "b"):
        bench.write(f"data/{name}.csv", f"{name}\n")
    bench.ok("run", "-p", "f=glob:data/*.csv", "--result", "up={{ f | stem }}.up", "--",
             "sh", "-c", "tr a-z A-Z < {{ f }} > {{ f | stem }}.up")  # fmt: skip
    kept = {path.name: path.read_text() for path in (bench.folder / "runs/sh/files").rglob("*.up")}
    assert kept == {"a.up": "A\n", "b.up": "B\n"}


def test_options_without_a_command_are_for_this_run_and_what_is_kept_stays(bench: Bench) -> None:
    bench.ok("run", "-p", "x=1:2", "--timeout", "1h", "--", "echo", "{{ x }}")
    refused = bench.spe("run", "--timeout", "ten")
    assert refused.code == 2 and "spe: --timeout ten: found 'ten', wanted a duration" in refused.err
    bench.ok("run", "--attempts", "7")
    assert '"timeout": "1h"' in str(bench.query("SELECT value FROM meta WHERE key = 'line'", "echo"))
    assert "attempts" not in str(bench.query("SELECT value FROM meta WHERE key = 'line'", "echo"))


def test_parameters_without_a_command_are_refused(bench: Bench) -> None:
    bench.write("spe.yaml", "command: echo 1\n")
    for words in (
        ["-p", "x=1:2"],
        ["--where", "x > 1"],
        ["--sample", "lhs:4"],
        ["--params", "a.csv"],
        ["--repeat", "2"],
    ):
        done = bench.spe("run", *words)
        assert done.code == 2 and f"{words[0]} needs a command" in done.err, done
    assert not Path(bench.folder / "runs").exists()


def test_an_option_stands_above_the_key_of_the_file(bench: Bench) -> None:
    bench.write("spe.yaml", "command: sh -c 'echo $WORD'\nenv: {WORD: file}\nname: s\n")
    bench.ok("run", "--env", "WORD=line", "-j", "1")
    assert outputs(bench, "s") == ["line"]


def test_words_before_the_command_are_refused_and_a_brace_expansion_is_told_the_right_form(bench: Bench) -> None:
    said = bench.refused("run", "-p", "x=1", "x=2", "x=3", "--", "echo", "{{ x }}")  # as bash makes it of x={1..3}
    assert "'x=2' stands before the -- of the command" in said and "-p x=1:4" in said
    assert "'echo' stands before the --" in bench.refused("check", "echo", "-p", "x=1", "--", "echo", "{{ x }}")
    assert not (bench.folder / "runs").exists()


def test_words_that_are_not_utf_8_are_refused(bench: Bench) -> None:
    odd = os.fsdecode(b"a\xffb")
    for words in (["-p", f"x={odd}", "--", "echo", "{{ x }}"], ["-p", "x=1", "--", "echo", f"{odd}{{{{ x }}}}"],
                  ["--env", f"A={odd}", "--", "echo"]):  # fmt: skip
        assert "is not UTF-8" in bench.refused("run", *words)
    assert "its value here is not UTF-8" in bench.refused("run", "--env", "ODD", "--", "echo", ODD=odd)


def test_the_braces_of_parallel_are_told_the_right_form(bench: Bench) -> None:
    done = bench.ok("run", "--dry", "-p", "x=1:2", "--", "echo", "{}")
    assert "the parameter x is used nowhere" in done.err and "what is {} for GNU parallel is {{ x }} here" in done.err


def test_a_command_for_a_shell_is_named_after_its_program(bench: Bench) -> None:
    bench.ok("run", "--shell", "-p", "x=1,it's", "--", "echo {{ x | quote }} | tr a-z A-Z")
    assert outputs(bench, "echo") == ["1", "IT'S"]


def test_a_sobol_design_is_extended_and_a_latin_hypercube_is_not(bench: Bench) -> None:
    def run(sampler: str, *more: str) -> str:
        done = bench.spe("run", *more, "--sample", sampler, "-p", "x=[0,1]", "--", "echo", "{{ x }}")
        return f"{done.code} {done.err}"

    assert run("sobol:4").startswith("0")
    assert "6 sets: 4 done before" in run("sobol:6")
    assert run("lhs:4", "-n", "l").startswith("0")
    said = run("lhs:6", "-n", "l")
    assert said.startswith("2") and "a Latin hypercube cannot be extended: its 6 points are others than the 4" in said
    assert len(outputs(bench, "l")) == 4, "nothing was run"
    assert run("lhs:6", "-n", "l", "--fresh").startswith("0")
    assert run("lhs:6", "-n", "l").startswith("0")


def test_a_run_ends_at_its_time_and_says_so(bench: Bench) -> None:
    done = bench.spe("run", "-p", "x=1:999", "-j", "1", "--until", "1s", "--", "sh", "-c", "sleep 0.2; echo {{ x }}")
    assert done.code == 130 and "sets wait: the run was to go until" in done.err, done
    assert 0 < len(outputs(bench, "sh")) < 100


def test_minus_j_is_the_number_of_slots_here(bench: Bench) -> None:
    bench.ok("run", "-p", "x=1:2", "-j", "2", "--", "sh", "-c", "echo $SPE_SLOT")
    refused = bench.spe("run", "-p", "x=1:2", "-j", "2", "--hosts", "h01", "--", "echo", "{{ x }}")
    assert refused.code == 2 and "-j 2: -j is for this machine, and --hosts names hosts" in refused.err
    refused = bench.spe("run", "-p", "x=1:2", "-j", "none", "--", "echo", "{{ x }}")
    assert refused.code == 2 and "-j none" in refused.err
