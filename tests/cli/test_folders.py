"""Which folder below runs/ a command means: after a renaming or copying, of one-liners, and the one used last."""

from __future__ import annotations

import copy
import json
import shutil
import signal
import sqlite3
from typing import Any

import pytest
from spe.sweep.folders import read_kept
from waiting import wait_until

from .kit import Bench, Started

LOGGING = 'echo "$1" >> "$LOG"; echo $(($1 * $1))\n'
GATED = 'echo "$1" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo $(($1 * $1))\n'
SWEEP = "command: ./work {{ x }}\nparameters: {rows: [{x: 1}, {x: 2}, {x: 3}]}\nhosts: [localhost slots=1]\n"


@pytest.fixture
def squares(bench: Bench) -> Bench:
    """A project folder `sweep` whose spe.yaml has no name."""
    bench.worker(LOGGING)
    bench.write("spe.yaml", SWEEP)
    return bench


def ran(bench: Bench) -> list[str]:
    """What ran since the last question."""
    found = sorted(bench.logged())
    bench.log.unlink(missing_ok=True)
    return found


def rename(bench: Bench, name: str) -> None:
    bench.folder = bench.folder.rename(bench.root / name)


def copy_of(bench: Bench, name: str) -> Bench:
    """The same home and cache, another project folder: a copy of this one."""
    other = copy.copy(bench)  # with the same list of what was started: what runs in one is not left by the other
    other.folder = bench.root / name
    shutil.copytree(bench.folder, other.folder)
    return other


def names(bench: Bench) -> list[str]:
    """The folders below runs/."""
    return sorted(path.name for path in (bench.folder / "runs").iterdir())


def meta(bench: Bench, name: str) -> dict[str, str]:
    return dict(bench.query("SELECT key, value FROM meta", name))


def as_of_0_1_0(bench: Bench, name: str) -> None:
    """Take out of a database what 0.1.0 did not write."""
    connection = sqlite3.connect(bench.runs(name) / "sweep.db")
    connection.execute("DELETE FROM meta WHERE key IN ('made', 'used')")
    connection.commit()
    connection.close()


# -- a project folder with another name


def test_a_renamed_project_runs_nothing_again_and_says_which_folder_it_uses(squares: Bench) -> None:
    squares.ok("run")
    assert ran(squares) == ["1", "2", "3"]
    rename(squares, "other")
    done = squares.ok("run")
    assert ran(squares) == []
    assert names(squares) == ["sweep"]
    assert done.err.splitlines()[0] == "spe: this folder was called sweep: its sweep is in runs/sweep/"
    assert done.out.splitlines()[-1] == str(squares.runs("sweep") / "results.csv")
    assert "runs/sweep" not in squares.ok("run", "-q").err


def test_reading_commands_follow_a_renamed_project_and_need_no_valid_file(squares: Bench) -> None:
    squares.ok("run")
    rename(squares, "other")
    commands = ("collect",), ("status",), ("results",), ("show", "1"), ("log", "1"), ("why", "1"), ("hosts",)
    for words in commands:
        done = squares.ok(*words)
        assert done.err.count("this folder was called sweep: its sweep is in runs/sweep/") == 1, words
        squares.write("spe.yaml", "comand: not a valid sweep\n")
    assert names(squares) == ["sweep"]


def test_a_retry_finds_the_failed_sets_of_a_renamed_project(squares: Bench) -> None:
    squares.worker('[ -e "$GATE" ] && echo 1')
    assert squares.spe("run").code == 1
    rename(squares, "other")
    squares.open_gate()
    squares.ok("retry")
    assert squares.column("stdout", "sweep") == ["1", "1", "1"]
    assert names(squares) == ["sweep"]


def test_a_copied_project_and_its_original_both_go_on_by_themselves(squares: Bench) -> None:
    squares.ok("run")
    ran(squares)
    twin = copy_of(squares, "copy")
    twin.write("spe.yaml", SWEEP.replace("{x: 3}", "{x: 4}"))
    twin.ok("run")
    assert ran(squares) == ["4"]
    assert twin.column("x", "sweep") == ["1", "2", "4"]
    squares.write("spe.yaml", SWEEP.replace("{x: 3}", "{x: 5}"))
    squares.ok("run")
    assert ran(squares) == ["5"]
    assert squares.column("x") == ["1", "2", "5"]
    assert twin.column("x", "sweep") == ["1", "2", "4"]


def test_a_named_sweep_and_a_one_liner_beside_do_not_count(squares: Bench) -> None:
    squares.ok("run")
    squares.ok("run", "-n", "named")
    squares.write("other.yaml", SWEEP + "name: by-key\n")
    squares.ok("run", "-f", "other.yaml")
    squares.ok("run", "-p", "x=7", "--", "echo", "{{ x }}")
    assert {name: meta(squares, name)["made"] for name in names(squares)} == {
        "sweep": "file", "named": "name", "by-key": "name", "echo": "line",
    }  # fmt: skip
    rename(squares, "moved")
    ran(squares)
    squares.ok("run")
    assert ran(squares) == []
    rename(squares, "echo")  # the name of the one-liner's folder
    squares.ok("run")
    assert ran(squares) == []
    assert meta(squares, "echo")["made"] == "line"


def test_a_project_with_named_sweeps_only_begins_one_of_its_own(squares: Bench) -> None:
    squares.ok("run", "-n", "named")
    ran(squares)
    squares.ok("run")
    assert ran(squares) == ["1", "2", "3"]
    assert names(squares) == ["named", "sweep"]


def test_a_run_with_dash_n_does_not_take_the_folder_from_the_file_that_made_it(squares: Bench) -> None:
    squares.ok("run")
    squares.ok("run", "-n", "sweep")
    rename(squares, "other")
    ran(squares)
    squares.ok("run")
    assert ran(squares) == []


def test_of_several_sweeps_of_earlier_names_none_is_guessed(squares: Bench) -> None:
    squares.ok("run")
    shutil.copytree(squares.runs("sweep"), squares.runs("before"))
    ran(squares)
    squares.ok("run")  # today's name is there
    rename(squares, "other")
    listed = squares.ok("status").out  # with what the other commands refuse
    assert "before, sweep" in listed and "`spe status -n NAME` shows one of them." in listed
    for words in (("run",), ("retry",), ("stop",)):
        said = squares.refused(*words)
        assert "before, sweep" in said
        assert "name: before" in said
    squares.write("spe.yaml", SWEEP + "name: sweep\n")
    squares.ok("run")
    assert ran(squares) == []
    squares.write("spe.yaml", SWEEP)
    assert "3 of 3 sets done" in squares.ok("status", "-n", "before").out


def test_a_sweep_of_0_1_0_follows_its_renamed_project(squares: Bench) -> None:
    squares.ok("run")
    as_of_0_1_0(squares, "sweep")
    squares.ok("run", "-p", "x=7", "--", "echo", "{{ x }}")
    as_of_0_1_0(squares, "echo")
    rename(squares, "other")
    ran(squares)
    squares.ok("run")
    assert ran(squares) == []


def test_a_folder_whose_database_was_never_filled_is_passed_over(squares: Bench) -> None:
    squares.ok("run")
    rename(squares, "other")
    squares.runs("other").mkdir()
    squares.runs("other").joinpath("sweep.db").touch()  # of a master killed in its first moment
    ran(squares)
    squares.ok("run")
    assert ran(squares) == []


# -- one-liners


def test_one_liners_have_a_folder_for_each_command_and_none_for_other_options(bench: Bench) -> None:
    bench.ok("run", "-p", "x=1:2", "--", "echo", "{{ x }}")
    first = bench.ok("run", "-p", "x=1:2", "--", "echo", "a{{ x }}")
    assert "this command's sweep is in runs/echo-2/: runs/echo/ is another one's" in first.err
    bench.ok("run", "-p", "x=1:2", "--", "echo", "b{{ x }}")
    assert names(bench) == ["echo", "echo-2", "echo-3"]
    bench.ok("run", "-p", "x=1:3", "--", "echo", "{{ x }}")
    bench.ok("run", "-p", "x=3", "--", "echo", "a{{ x }}")
    assert names(bench) == ["echo", "echo-2", "echo-3"]
    assert bench.column("stdout", "echo") == ["1", "2", "3"]
    assert bench.column("stdout", "echo-2") == ["a3"]
    assert bench.query("SELECT count(*) FROM tasks", "echo-2") == [(3,)]
    assert bench.column("stdout", "echo-3") == ["b1", "b2"]


def test_a_one_liner_leaves_alone_the_folder_of_a_file(bench: Bench) -> None:
    bench.write("spe.yaml", "name: echo\ncommand: echo {{ x }}\nparameters: {rows: [{x: 1}]}\n")
    bench.ok("run")
    before = (bench.runs("echo") / "results.csv").read_bytes()
    bench.ok("run", "-p", "x=7", "--", "echo", "{{ x }}")
    assert bench.column("x", "echo-2") == ["7"]
    assert (bench.runs("echo") / "results.csv").read_bytes() == before
    bench.ok("run", "-n", "echo-2", "-p", "x=8", "--", "echo", "other {{ x }}")  # exactly there
    assert names(bench) == ["echo", "echo-2"]
    assert bench.column("x", "echo-2") == ["8"]


def test_a_folder_that_a_file_made_stays_its_own_when_a_one_liner_is_run_there_by_name(squares: Bench) -> None:
    squares.worker(LOGGING, "sweep")  # a program of the project folder's name
    squares.ok("run")
    squares.ok("run", "-n", "sweep", "-p", "x=7", "--", "./sweep", "{{ x }}")
    squares.ok("run", "-p", "x=7", "--", "./sweep", "{{ x }}")
    assert names(squares) == ["sweep", "sweep-2"]
    ran(squares)
    squares.ok("run")
    assert ran(squares) == []
    assert squares.column("x") == ["1", "2", "3"]


def test_a_plain_run_goes_on_with_the_one_used_last_and_says_which(bench: Bench) -> None:
    bench.worker(LOGGING)
    bench.ok("run", "-p", "x=1:2", "--", "./work", "{{ x }}")
    bench.ok("run", "-p", "x=5", "--", "echo", "{{ x }}")
    done = bench.ok("run")
    said = "spe: runs/echo/ is meant, used last here: echo '{{ x }}' (-n NAME for another one: work)"
    assert said in done.err.splitlines()
    assert done.out.splitlines()[-1] == str(bench.runs("echo") / "results.csv")
    bench.ok("run", "-n", "work")
    done = bench.ok("run")
    assert "runs/work/ is meant, used last here: ./work '{{ x }}' (-n NAME for another one: echo)" in done.err
    assert bench.column("x", "work") == ["1", "2"]
    assert sorted(bench.logged()) == ["1", "2"]


def test_without_a_file_all_commands_mean_the_sweep_used_last(bench: Bench) -> None:
    bench.worker('[ -e "$GATE" ] && echo 1')
    bench.ok("run", "-p", "x=1:2", "--", "echo", "{{ x }}")
    assert bench.spe("run", "-p", "x=5", "--", "./work", "{{ x }}").code == 1
    said = "spe: runs/work/ is meant, used last here: ./work '{{ x }}' (-n NAME for another one: echo)"
    status = bench.ok("status")
    assert "\nruns/work\n" in status.out
    assert status.err.splitlines() == [said]
    assert bench.ok("status", "-q").err == ""
    assert bench.ok("status", "-n", "echo").err == ""
    bench.open_gate()
    retried = bench.ok("retry")
    assert retried.err.count(said) == 1
    assert bench.column("stdout", "work") == ["1"]
    assert bench.ok("collect").out.splitlines()[-1].endswith("runs/work/results.csv")


def test_a_reading_command_says_nothing_of_the_only_sweep(bench: Bench) -> None:
    bench.ok("run", "-p", "x=1", "--", "echo", "{{ x }}")
    assert bench.ok("status").err == ""


def test_a_plain_run_without_the_file_that_made_the_sweep_used_last_runs_nothing(squares: Bench) -> None:
    squares.ok("run", "-p", "x=7", "--", "echo", "{{ x }}")
    squares.ok("run")
    (squares.folder / "spe.yaml").unlink()
    said = squares.refused("run")
    assert "the sweep used last here, runs/sweep/, needs one" in said
    assert "-f FILE; or another sweep: -n NAME (echo)" in said
    assert "\nruns/sweep\n" in squares.ok("status").out


def test_a_folder_of_0_1_0_with_mixed_commands_belongs_to_the_one_used_last_and_keeps_its_rows(bench: Bench) -> None:
    bench.ok("run", "-n", "echo", "-p", "x=1:2", "--", "echo", "a{{ x }}")
    bench.ok("run", "-n", "echo", "-p", "x=1:3", "--", "echo", "b{{ x }}")
    as_of_0_1_0(bench, "echo")
    bench.ok("run", "-p", "x=1:3", "--", "echo", "b{{ x }}")
    assert names(bench) == ["echo"]
    assert "0 to do" in bench.ok("run").err
    assert bench.query("SELECT count(*) FROM tasks", "echo") == [(5,)]
    bench.ok("run", "-p", "x=1:2", "--", "echo", "a{{ x }}")
    assert bench.column("stdout", "echo-2") == ["a1", "a2"]
    assert bench.column("stdout", "echo") == ["b1", "b2", "b3"]


@pytest.mark.parametrize("name", ["what?x%20#1", "a b", "mode=memory&x", "ü\udcff"])
def test_a_folder_is_read_whatever_its_name_and_stays_as_it_is(squares: Bench, name: str) -> None:
    squares.ok("run")
    rename(squares, name)
    files = sorted(squares.runs("sweep").iterdir())
    kept = read_kept(squares.runs("sweep"))
    assert kept and (kept.name, kept.made) == ("sweep", "file")
    assert sorted(squares.runs("sweep").iterdir()) == files


def test_a_damaged_database_is_no_reason_to_run_everything_again(squares: Bench) -> None:
    squares.ok("run")
    (squares.runs("sweep") / "sweep.db").write_bytes(b"no database" * 1000)
    rename(squares, "other")
    assert "the database cannot be" in squares.refused("run")


# -- a copy made while the run lives


@pytest.fixture
def living(squares: Bench) -> Started:
    """The run of the original, with one set that waits for the gate."""
    squares.worker(GATED)
    started = squares.start("run")
    wait_until(squares.logged, "a program runs")
    wait_until((squares.runs() / "master.json").exists, "the master is there")
    return started


def facts(bench: Bench, name: str = "sweep") -> dict[str, Any]:
    """master.json; nothing in it while there is none."""
    path = bench.runs(name) / "master.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"pid": 0}
    return found


def test_a_copy_made_while_the_run_lives_starts_a_session_of_its_own(squares: Bench, living: Started) -> None:
    twin = copy_of(squares, "copy")
    own, before = twin.start("run"), facts(squares)
    wait_until(lambda: facts(twin)["pid"] == own.pid, "the copy's master is there")
    assert facts(twin)["session"] != before["session"]
    assert facts(twin)["url"] != before["url"]
    assert facts(squares) == before
    wait_until(lambda: len(squares.logged()) == 2, "a program of the copy runs")
    squares.open_gate()
    assert own.end().code == 0
    assert living.end().code == 0
    for one in (squares, twin):
        assert one.column("stdout", "sweep") == ["1", "4", "9"]
        assert one.query("SELECT count(*) FROM tickets WHERE state = 'issued'", "sweep") == [(0,)]
    assert sorted(squares.logged()) == ["1", "1", "2", "2", "3", "3"]
    squares.assert_nothing_left()


def test_no_command_in_a_copy_steers_the_original(squares: Bench, living: Started) -> None:
    twin = copy_of(squares, "copy")
    for words in (("stop",), ("stop", "--now"), ("cancel", "1"), ("pause",), ("top",), ("attach",), ("ps",)):
        assert "nothing runs here" in twin.refused(*words), words
    assert "runs as process" not in twin.ok("status").out
    assert f"runs as process {living.pid}" in squares.ok("status").out
    squares.open_gate()
    assert living.end().code == 0
    assert squares.column("stdout") == ["1", "4", "9"]


def test_a_retry_in_a_copy_is_a_run_of_the_copy(squares: Bench, living: Started) -> None:
    twin = copy_of(squares, "copy")
    own = twin.start("retry")
    wait_until(lambda: facts(twin)["pid"] == own.pid, "the copy's master is there")
    squares.open_gate()
    assert own.end().code == 0
    assert living.end().code == 0
    assert squares.column("stdout") == twin.column("stdout", "sweep") == ["1", "4", "9"]


@pytest.mark.parametrize("renamed", ["project", "runs/sweep"])
def test_a_folder_renamed_while_its_master_is_dead_keeps_the_session(
    squares: Bench, living: Started, renamed: str
) -> None:
    before = facts(squares)
    living.signal(signal.SIGKILL)
    living.process.wait()
    name = "sweep"
    if renamed == "project":
        rename(squares, "other")
    else:
        name = "named"
        squares.runs("sweep").rename(squares.runs(name))
        squares.write("spe.yaml", SWEEP + f"name: {name}\n")
    own = squares.start("run")
    wait_until(lambda: facts(squares, name)["pid"] == own.pid, "the new master is there")
    assert facts(squares, name)["session"] == before["session"]
    assert facts(squares, name)["url"] == before["url"]
    squares.open_gate()
    assert own.end().code == 0
    assert squares.column("stdout", name) == ["1", "4", "9"]
    assert squares.query("SELECT count(*) FROM tickets WHERE state = 'lost'", name) == [(0,)]
    squares.assert_nothing_left()


def test_a_session_of_0_1_0_is_taken_up(squares: Bench, living: Started) -> None:
    before = facts(squares)
    living.signal(signal.SIGKILL)
    living.process.wait()
    path = squares.runs() / "session/secrets.json"
    kept = json.loads(path.read_text())
    assert kept.pop("folder")
    path.write_text(json.dumps(kept))
    own = squares.start("run")
    wait_until(lambda: facts(squares)["pid"] == own.pid, "the new master is there")
    assert facts(squares)["session"] == before["session"]
    squares.open_gate()
    assert own.end().code == 0
