"""All commands in folders with every kind of character in their names; nothing is written outside of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from .kit import Bench

NAMES = ("-what?x#b %41 100% [x] ü", 'it\'s "$HOME" * ; {{ n }} `id` \\ &mode=memory:', os.fsdecode(b"a\nb \xff"))
HOOKS = "def check(task, result):\n    return True\ndef gather(task, result):\n    pass\n"
SWEEP = (
    "command: ./{{ worker }} {{ n }}\nworker: work\nattempts: 1\nparameters: p.csv\n"
    "validate: hooks.py:check\ncollect: [hooks.py:gather]\n"
)


@pytest.fixture(params=NAMES, ids=["url", "shell", "bytes"])
def strange(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(tmp_path, f"sweeps/{request.param}")
    made.write("hooks.py", HOOKS)
    made.write("p.csv", "n\n1\n2\n3\n")
    made.worker("echo $1; test $1 -ne 3")
    made.write("spe.yaml", SWEEP)
    yield made
    made.close()


def test_a_sweep_lives_in_a_folder_of_any_name(strange: Bench) -> None:
    assert strange.spe("run").code == 1
    (runs,) = (strange.folder / "runs").iterdir()
    strange.folder.joinpath("spe.yaml").unlink()  # then the sweep is found by a search
    assert strange.ok("status", "--json").json["folder"] == os.path.join("runs", runs.name)
    strange.write("spe.yaml", SWEEP)
    file = str(strange.folder / "spe.yaml")
    assert strange.ok("status", "--json", "-f", file).json["folder"] == str(runs)
    assert len(strange.ok("results", "-f", file).out.splitlines()) == 3
    assert "task 1: done" in strange.ok("show", "1").out
    assert "exit code 1" in strange.ok("log", "--failed").out
    again = strange.spe("retry", "-v", "-f", file)
    assert again.code == 1 and "Logging error" not in again.err, again
    assert strange.ok("collect", "--json", "-f", file).json["results"] == str(runs / "results.csv")
    assert {path.name for path in (strange.root / "sweeps").iterdir()} == {strange.folder.name}
    assert {path.name for path in strange.root.iterdir()} <= {"sweeps", "tmp", "home", "cache", "log"}


def test_a_run_that_was_renamed_to_anything_is_read_by_that_name(strange: Bench) -> None:
    assert strange.spe("run").code == 1
    (runs,) = (strange.folder / "runs").iterdir()
    runs.rename(runs.with_name(strange.folder.name))
    name = ["--name", strange.folder.name] if not strange.folder.name.startswith("-") else [f"-n{strange.folder.name}"]
    assert len(strange.ok("results", *name).out.splitlines()) == 3
    assert strange.ok("status", "--json", *name).json["folder"] == os.path.join("runs", strange.folder.name)
    assert [path.name for path in (strange.folder / "runs").iterdir()] == [strange.folder.name]


def test_a_worker_whose_name_looks_like_a_pattern_is_run(bench: Bench) -> None:
    bench.worker('echo "$0"', "{{x}}%[x]")
    bench.write("spe.yaml", "name: t\ncommand: ./{'{'x}}%[x] {{ n }}\nparameters: {grid: {n: [1]}}\n")
    bench.ok("run")
    assert bench.column("stdout", "t")[0].endswith("/{{x}}%[x]")


def test_a_hook_that_hangs_is_named_with_its_line_in_a_folder_of_any_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "ü\u0142 x")
    try:
        bench.write("hooks.py", "import os\n\ndef check(task, result):\n    os.kill(os.getpid(), 6)\n")
        bench.write("spe.yaml", "name: s\ncommand: echo 1\nattempts: 1\nvalidate: hooks.py:check\n")
        done = bench.spe("run")
        assert "hooks.py:4" in done.err + str(bench.rows("s", "failed.csv")), done
    finally:
        bench.close()


def test_a_detached_run_takes_no_module_from_the_folder(bench: Bench) -> None:
    """`spe run` does not, and it is the same command."""
    bench.write("yaml.py", "raise SystemExit('this is a file of the user')\n")
    safe = "import os, sys; os.execv(sys.argv[1], [sys.argv[1], '-P', *sys.argv[2:]])"
    words = ("run", "--detach", "-p", "x=1", "--", "echo", "{{ x }}")
    done = bench.start(*words, before=(sys.executable, "-c", safe)).end()
    assert done.code == 0, done
    wait_until(lambda: not bench.processes(), "the run has ended")
