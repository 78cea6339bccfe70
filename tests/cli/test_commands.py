"""The commands one by one, as product.md has them."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import stat
import subprocess
import sys

import pytest
from waiting import wait_until

from .kit import Bench, Done

COMMANDS = ("init", "check", "run", "status", "results", "retry", "show", "log", "collect")
SQUARE = 'echo "$1" >> "$LOG"; [ "$1" != 13 ] || { echo "an unlucky number" >&2; exit 7; }; echo $(($1 * $1))\n'
SQUARES = [(1, "3", "9"), (2, "1", "1"), (4, "2", "4"), (5, "5", "25")]  # number, parameter, result


def five(bench: Bench) -> Bench:
    """Five sets, of which one fails."""
    bench.worker(SQUARE)
    results = "results: {y: {from: stdout, as: int}}\nattempts: 2\n"
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: params.csv\n" + results)
    bench.write("params.csv", "x\n3\n1\n13\n2\n5\n")
    return bench


@pytest.fixture
def squares(bench: Bench) -> Bench:
    return five(bench)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Done]:
    """The same after its first run, for tests that only look."""
    bench = five(Bench(tmp_path_factory.mktemp("finished")))
    return bench, bench.spe("run")


@pytest.fixture
def ran(finished: tuple[Bench, Done]) -> Bench:
    return finished[0]


# -- init


def test_what_init_writes_checks_and_runs_as_it_is(bench: Bench) -> None:
    done = bench.ok("init")
    assert sorted(path.name for path in bench.folder.iterdir()) == ["hooks.py", "hosts.txt", "params.csv", "spe.yaml"]
    assert "spe check" in done.err
    bench.ok("check")
    assert not (bench.folder / "runs").exists()
    bench.ok("run")
    assert bench.column("area") == ["1", "6", "15", "40", "104"]


def test_init_writes_into_a_new_folder_and_overwrites_nothing(bench: Bench) -> None:
    bench.ok("init", "a/b", "-q")
    assert (bench.folder / "a/b/spe.yaml").exists()
    (bench.folder / "a/b/spe.yaml").write_text("mine")
    for name in ("params.csv", "hosts.txt", "hooks.py"):
        (bench.folder / "a/b" / name).unlink()
    assert "spe.yaml exists already; nothing was written" in bench.refused("init", "a/b")
    assert [path.name for path in (bench.folder / "a/b").iterdir()] == ["spe.yaml"]
    assert (bench.folder / "a/b/spe.yaml").read_text() == "mine"


# -- check


def test_check_shows_count_and_command_lines_runs_one_set_and_keeps_nothing(squares: Bench) -> None:
    squares.write("hooks.py", "def gather(task, result):\n    open('gathered', 'a').write('x')\n")
    squares.write("spe.yaml", (squares.folder / "spe.yaml").read_text() + "collect: hooks.py:gather\n")
    before = sorted(squares.folder.rglob("*"))
    done = squares.ok("check")
    assert done.out.splitlines()[:5] == ["5 sets of sweep", "1  ./work 3", "2  ./work 1", "3  ./work 13", "5  ./work 5"]
    assert "set 1 ran on localhost" in done.out
    assert re.search(r"^y\s+9\s+2$", done.out, re.M), done.out
    assert squares.logged() == ["3"]
    assert [path for path in sorted(squares.folder.rglob("*")) if "__pycache__" not in path.parts] == before


def test_check_dry_runs_nothing_and_contacts_no_host(squares: Bench) -> None:
    squares.write("params.csv", "x\n3\n1\n")
    done = squares.ok("check", "--dry", "--hosts", "nowhere.invalid")
    assert done.out.splitlines() == ["2 sets of sweep", "1  ./work 3", "2  ./work 1"]
    assert squares.logged() == []
    assert "nowhere" not in done.err


def test_check_exits_1_and_shows_why_when_the_set_fails(squares: Bench) -> None:
    squares.write("params.csv", "x\n13\n1\n")
    done = squares.spe("check")
    assert done.code == 1, done
    assert "set 1 failed: exit code 7" in done.out
    assert "an unlucky number" in done.out
    assert not (squares.folder / "runs").exists()


def test_check_tells_the_same_as_json_with_arguments_quoted_for_pasting(bench: Bench) -> None:
    done = bench.ok("check", "--json", "-p", "x=it's,b", "--", "echo", "{{ x }}")
    assert done.json["sets"] == 2
    assert done.json["warnings"] == []
    lines = done.json["command_lines"]
    assert [subprocess.check_output(["sh", "-c", lines[n]], text=True) for n in ("1", "2")] == ["it's\n", "b\n"]
    assert done.json["set"]["state"] == "done"
    assert done.json["set"]["results"] == {"stdout": "it's"}


def test_check_exits_3_when_no_host_comes_up(squares: Bench) -> None:
    done = squares.spe("check", "--hosts", "nowhere.invalid")
    assert done.code == 3, done
    assert "nowhere.invalid: name not found" in done.err


# -- run and its table


def test_a_hosts_file_of_the_command_line_is_the_one_where_the_user_stands(bench: Bench) -> None:
    """Not one of the same name beside spe.yaml, which may be in another folder."""
    bench.write("project/spe.yaml", "command: echo 1\nhosts: hosts.txt\n")
    bench.write("project/hosts.txt", "beside.invalid\n")
    bench.write("hosts.txt", "localhost slots=1\n")
    bench.ok("run", "-f", "project/spe.yaml", "--hosts", "hosts.txt")
    assert (bench.folder / "project/runs/project/results.csv").read_text().splitlines()[1].startswith("1,1,localhost")
    done = bench.spe("run", "-f", "project/spe.yaml", "--fresh")
    assert done.code == 3 and "beside.invalid" in done.err, "its own one is beside it"


def test_run_ends_with_the_table_the_statistics_and_the_path(finished: tuple[Bench, Done]) -> None:
    squares, done = finished
    assert done.code == 1, done
    assert done.out.splitlines()[-1] == str(squares.runs() / "results.csv")
    assert re.search(r"^\s*1\s+3\s+9\s+localhost", done.out, re.M), done.out
    assert "4 of 5 sets done, 1 failed; 1 retry" in done.err
    assert re.search(r"^localhost\s+4\s", done.err, re.M)
    assert "task 3 (x=13) failed: exit code 7: an unlucky number" in done.err
    assert "spe retry" in done.err
    assert re.search(r"page: http://127\.0\.0\.1:\d+/\?token=\S{22,}", done.err)


def test_results_csv_has_the_sets_in_the_order_of_the_parameters(ran: Bench) -> None:
    text = (ran.runs() / "results.csv").read_text()
    assert text.splitlines()[0] == "number,x,y,host,seconds,attempts"
    found = [(int(row["number"]), row["x"], row["y"], row["attempts"]) for row in ran.rows()]
    assert found == [(number, x, y, "1") for number, x, y in SQUARES]
    (failed,) = ran.rows(file="failed.csv")
    assert failed == {"number": "3", "x": "13", "reason": "exit code 7: an unlucky number"}
    assert ran.logged().count("13") == 2


def test_a_run_leaves_what_product_md_lists_and_nothing_else(ran: Bench) -> None:
    assert {path.name for path in ran.runs().iterdir()} == {"results.csv", "failed.csv", "sweep.db", "master.log"}


def test_sweep_db_is_read_by_any_sqlite_tool_through_the_view(ran: Bench) -> None:
    connection = sqlite3.connect(ran.runs() / "sweep.db")
    connection.row_factory = sqlite3.Row
    found = [(row["number"], row["x"], row["y"], row["host"]) for row in connection.execute("SELECT * FROM results")]
    assert found == [(number, int(x), int(y), "localhost") for number, x, y in SQUARES]
    connection.close()


def test_while_it_runs_master_json_is_private_and_tells_where_it_is(squares: Bench) -> None:
    squares.worker('while [ ! -e "$GATE" ]; do sleep 0.05; done; echo 1')
    running = squares.start("run")
    path = squares.runs() / "master.json"
    facts = wait_until(lambda: path.exists() and json.loads(path.read_text()), "master.json is there")
    assert set(facts) == {"url", "page", "session", "fingerprint", "pid", "began", "folder", "host"}
    assert facts["pid"] == running.pid
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", facts["url"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for one in (squares.runs() / "session").iterdir():
        no_secret = one.suffix == ".pyz" or one.name.startswith("program-")
        assert no_secret or stat.S_IMODE(one.stat().st_mode) & 0o077 == 0, one
    assert stat.S_IMODE((squares.runs() / "session").stat().st_mode) == 0o700
    wait_until(lambda: squares.ok("status", "--json").json["running"] > 0, "status tells of running tasks")
    squares.open_gate()
    assert running.end().code == 0
    assert not path.exists()
    assert not (squares.runs() / "session").exists()


def test_a_line_of_the_shell_needs_no_file_at_all(squares: Bench) -> None:
    (squares.folder / "spe.yaml").unlink()
    done = squares.ok("run", "-p", "x=1:3", "-p", "y=a,b", "-p", "t=0:0.2:0.1", "--", "echo", "{{ x }}-{{ y }}-{{ t }}")
    cells = squares.column("stdout", "echo")
    assert cells == [f"{x}-{y}-{t}" for x in (1, 2, 3) for y in "ab" for t in ("0", "0.1", "0.2")]
    assert done.out.splitlines()[-1] == str(squares.runs("echo") / "results.csv")
    assert "18 of 18 sets done" in squares.ok("status").out
    squares.ok("run", "-n", "other", "-p", "x=1:2", "--", "./work", "{{ x }}")
    assert squares.column("stdout", "other") == ["1", "4"]
    status = squares.ok("status")
    assert "\nruns/other\n" in status.out
    assert "used last here: ./work '{{ x }}' (-n NAME for another one: echo)" in status.err
    assert squares.ok("results", "-n", "other").out.startswith("number,x,stdout,")


def test_quiet_says_only_what_went_wrong(squares: Bench) -> None:
    done = squares.spe("run", "-q")
    assert done.code == 1
    assert done.out == f"{squares.runs() / 'results.csv'}\n"
    assert [line.split(":")[0] for line in done.err.splitlines()] == [
        "task 3 (x=13) failed", "see them with `spe log --failed`; try them again with `spe retry`"
    ]  # fmt: skip
    squares.write("params.csv", "x\n3\n")
    assert squares.ok("run", "-q").err == ""


def test_verbose_says_more(squares: Bench) -> None:
    squares.write("params.csv", "x\n3\n")
    assert "registered" in squares.ok("run", "-v").err


def test_run_tells_its_end_as_json(squares: Bench) -> None:
    done = squares.spe("run", "--json")
    assert done.code == 1
    told = done.json
    assert told["results"] == str(squares.runs() / "results.csv")
    assert (told["exit_code"], told["done"], told["failed"], told["total"], told["retries"]) == (1, 4, 1, 5, 1)
    assert told["hosts"][0]["host"] == "localhost"
    assert told["hosts"][0]["tasks"] == 4
    assert told["hosts"][0]["failures"] == 2


# -- status, show, log, results


def test_reading_commands_tell_programs_the_same_as_the_table(ran: Bench) -> None:
    rows = ran.rows()
    assert ran.ok("results", "--json").json == rows
    assert list(csv.DictReader(io.StringIO(ran.ok("results").out))) == rows
    ran.ok("results", "-o", "copy.csv")
    assert (ran.folder / "copy.csv").read_bytes() == (ran.runs() / "results.csv").read_bytes()

    shown = ran.ok("show", "4", "--json").json
    assert (shown["number"], shown["parameters"], shown["results"]) == (4, {"x": "2"}, {"y": "4"})
    (ticket,) = shown["tickets"]
    assert (ticket["host"], f"{ticket['seconds']:.3f}", shown["attempts"]) == ("localhost", rows[2]["seconds"], 1)

    status = ran.ok("status", "--json").json
    assert (status["total"], status["done"], status["failed"]) == (5, 4, 1)
    reason = "exit code 7: an unlucky number"
    assert status["failed_sets"] == [{"number": 3, "parameters": {"x": "13"}, "reason": reason}]


def test_status_show_and_log_tell_people_what_failed_and_why(ran: Bench) -> None:
    status = ran.ok("status").out
    assert "4 of 5 sets done, 1 failed" in status
    assert "task 3 (x=13) failed: exit code 7: an unlucky number" in status
    shown = ran.ok("show", "3").out
    assert shown.startswith("task 3: failed\nreason: exit code 7: an unlucky number\n")
    assert re.search(r"^x\s+13$", shown, re.M)
    assert len(re.findall(r"^\s*\d+\s+localhost\s+failed\s.*\s7\s+exit code 7", shown, re.M)) == 2, shown
    log = ran.ok("log", "--failed").out
    assert log == ran.ok("log", "3").out
    assert log.count("an unlucky number\n") >= 2
    assert ran.ok("log", "1").out.splitlines()[-1] == "9"
    (told,) = ran.ok("log", "3", "--json").json
    assert [ticket["stderr"] for ticket in told["tickets"]] == ["an unlucky number\n"] * 2


def test_reading_commands_need_no_valid_spe_yaml_and_change_nothing(ran: Bench) -> None:
    good = (ran.folder / "spe.yaml").read_text()
    before = {path: path.stat().st_mtime_ns for path in ran.runs().iterdir()}
    ran.write("spe.yaml", "command: ./gone {{ nowhere }}\n")
    try:
        for words in (("status",), ("results",), ("show", "1"), ("log", "1")):
            ran.ok(*words)
    finally:
        ran.write("spe.yaml", good)
    assert {path: path.stat().st_mtime_ns for path in ran.runs().iterdir()} == before


def test_a_reader_that_has_seen_enough_is_no_error(ran: Bench) -> None:
    shell = f"{sys.executable} -m spe results | true; {sys.executable} -m spe show 1 | head -1"
    words, here = ["sh", "-c", shell], ran.folder
    done = subprocess.run(words, cwd=here, env=ran.environment, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == "task 1: done\n"


# -- collect


def test_collect_makes_the_tables_again_from_what_is_stored(ran: Bench) -> None:
    table = (ran.runs() / "results.csv").read_bytes()
    (ran.runs() / "results.csv").unlink()
    before = ran.logged()
    done = ran.ok("collect")
    assert (ran.runs() / "results.csv").read_bytes() == table
    assert done.out == f"{ran.runs() / 'results.csv'}\n"
    assert ran.logged() == before
    assert ran.ok("collect", "--json").json["done"] == 4


# -- help


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(bench: Bench, command: str) -> None:
    done = bench.ok(command, "--help")
    assert f"Example: spe {command}" in done.out or "spe init && spe check" in done.out
    assert "-q, --quiet" in done.out
    assert "-v, --verbose" in done.out
    assert bench.ok(command, "-h").out == done.out


def test_the_help_lists_the_common_commands_first(bench: Bench) -> None:
    text = bench.ok("--help").out
    groups = dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", text, re.M))
    listed = {title: re.findall(r"^  (\w+)  ", lines, re.M) for title, lines in groups.items()}
    assert [*listed][:6] == ["Options", "Run", "Look", "Steer", "Hosts", "Results"]
    assert listed["Run"][:3] == ["init", "check", "run"] and listed["Results"][0] == "results"
    assert bench.ok("--version").out.startswith("spe, version ")
