"""`results` is edited after sets have finished: nothing runs for it, and the table is right all the same."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
import threading

import pytest
from waiting import wait_until

from .kit import Bench

WORKER = """
echo "$1" >> "$LOG"
echo "slope = $1.5"
printf '{"a": [%s, %s0]}\\n' "$1" "$1" > n.json
echo "trace of $1" > t.dat
"""
HEAD = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=1]\nattempts: 1\n"
FIRST = "results: {y: {from: n.json, path: a.1, as: int}, trace: t.dat}\n"


def results(bench: Bench, text: str, more: str = "") -> None:
    bench.write("spe.yaml", f"{HEAD}{more}{text}")


@pytest.fixture
def ran(bench: Bench) -> Bench:
    bench.worker(WORKER)
    results(bench, FIRST)
    bench.ok("run")
    assert bench.column("y") == ["10", "20", "30"]
    bench.log.unlink()
    return bench


@pytest.mark.parametrize("command", ["run", "collect"])
def test_other_results_are_made_of_what_is_stored_and_nothing_runs(ran: Bench, command: str) -> None:
    text = "results: {s: {from: stdout, regex: '= (.*)', as: float}, t: {from: t.dat, as: text}, a: {from: n.json}}\n"
    results(ran, text, "collect: concat\n")
    done = ran.ok(command)
    assert "3 sets were extracted again" in done.err
    assert ran.column("s") == ["1.5", "2.5", "3.5"]
    assert ran.column("t") == ["trace of 1", "trace of 2", "trace of 3"]
    assert (ran.runs() / "t.txt").read_text() == "trace of 1\ntrace of 2\ntrace of 3\n"
    assert [row[0] for row in ran.query("SELECT s FROM results")] == [1.5, 2.5, 3.5]
    results(ran, FIRST)
    ran.ok(command)
    assert ran.column("y") == ["10", "20", "30"]
    assert [(ran.runs() / cell).read_text() for cell in ran.column("trace")] == [f"trace of {n}\n" for n in (1, 2, 3)]
    assert "extracted" not in ran.ok("run").err
    assert ran.logged() == []


def test_a_value_that_is_refused_now_has_failed_and_is_done_again_without_running(ran: Bench) -> None:
    results(ran, FIRST.replace("as: int", "as: int, max: 15"))
    done = ran.spe("run")
    assert done.code == 1
    assert "2 are refused now" in done.err
    assert (ran.column("y"), ran.column("trace")) == (["10"], ["files/1/t.dat"])
    reasons = [row["reason"] for row in ran.rows(file="failed.csv")]
    assert reasons == ["y: '20' is above the maximum 15", "y: '30' is above the maximum 15"]
    assert ran.spe("collect").code == 0
    assert ran.column("y") == ["10"]
    results(ran, FIRST.replace("as: int", "as: int, max: 25"))
    assert "1 is done again" in ran.spe("run").err
    assert ran.column("y") == ["10", "20"]
    results(ran, FIRST)
    ran.ok("run")
    assert ran.column("y") == ["10", "20", "30"]
    assert ran.rows(file="failed.csv") == []
    assert ran.logged() == []


def test_a_collect_that_refuses_what_was_done_exits_1(ran: Bench) -> None:
    results(ran, FIRST.replace("as: int", "as: int, max: 15"))
    done = ran.spe("collect")
    assert done.code == 1 and "2 are refused now" in done.err
    assert ran.column("y") == ["10"]


def test_retry_runs_what_is_refused(ran: Bench) -> None:
    results(ran, FIRST.replace("as: int", "as: int, max: 15"))
    assert ran.spe("run").code == 1
    assert ran.spe("retry").code == 1
    assert sorted(ran.logged()) == ["2", "3"]


def test_retry_of_sets_that_come_back_and_that_results_refuse_from_now_on_runs_those(ran: Bench) -> None:
    """They were none of the last run's, so nobody has judged them by today's results yet."""
    ran.write("spe.yaml", HEAD.replace("[1, 2, 3]", "[7]") + FIRST)
    ran.ok("run")
    results(ran, FIRST.replace("as: int", "as: int, max: 15"))
    ran.log.unlink()
    done = ran.spe("retry", "2", "3")
    assert done.code == 1, done.err
    assert sorted(ran.logged()) == ["2", "3"]
    assert ran.spe("retry", "1").err.startswith("spe: not a failed set: 1")


@pytest.mark.parametrize("words", [("retry",), ("retry", "2", "3")])
def test_retry_runs_what_results_refuse_from_now_on(ran: Bench, words: tuple[str, ...]) -> None:
    """No run has extracted it yet: the edit and `spe retry` follow each other."""
    results(ran, FIRST.replace("as: int", "as: int, max: 15"))
    assert ran.spe(*words).code == 1
    assert sorted(ran.logged()) == ["2", "3"]


def test_what_was_not_stored_is_an_empty_cell_until_its_sets_run(ran: Bench) -> None:
    ran.write("spe.yaml", HEAD + FIRST.replace("}\n", ", m: {from: stdout, regex: '(.*) = '}, n: more.txt}\n"))
    done = ran.spe("run")
    assert done.code == 1
    assert "3 sets have an empty cell: their new result is not stored (1, 2, 3)" in done.err
    assert "--missing" in done.err
    assert ran.logged() == []
    assert (ran.column("n"), ran.column("m"), ran.column("y")) == ([""] * 3, ["slope"] * 3, ["10", "20", "30"])
    assert ran.spe("status", "--json").json["missing"] == 3
    assert ran.spe("collect").code == 1
    ran.write("gone.sh", "")
    done = ran.spe("run", "--missing")  # this program does not write it: its sets fail, and have no row any more
    assert done.code == 1
    assert sorted(ran.logged()) == ["1", "2", "3"]


def test_rows_with_an_empty_cell_stay_until_a_new_result_replaces_them(bench: Bench) -> None:
    bench.worker(WORKER + 'echo "more $1" > more.txt; [ -e "$GATE" ] || [ "$1" = 1 ] || [ ! -e "$GATE.wait" ] || '
                 'while [ ! -e "$GATE" ]; do sleep 0.05; done\n')  # fmt: skip
    results(bench, FIRST)
    bench.ok("run")
    more = FIRST.replace("}\n", ", n: {from: more.txt, as: text}}\n")
    results(bench, more)
    (bench.root / "gate.wait").touch()
    run = bench.start("run", "--missing")
    try:
        wait_until(lambda: bench.query("SELECT 1 FROM outputs WHERE name = 'n'"), "the first new result")
        rows = bench.query("SELECT number, y, n FROM results ORDER BY number")
        assert [(int(n), y, cell) for n, y, cell in rows] == [(1, 10, "more 1"), (2, 20, None), (3, 30, None)]
    finally:
        bench.open_gate()
    done = run.end()
    assert done.code == 0, done
    assert bench.column("n") == ["more 1", "more 2", "more 3"]
    assert bench.query("SELECT * FROM gaps") == []
    assert bench.spe("status", "--json").json["missing"] == 0


def test_all_of_an_output_is_kept_where_that_is_wished(bench: Bench) -> None:
    bench.worker("""
head -c 100000 /dev/zero | tr '\\0' x
echo end
head -c 90000 /dev/zero | tr '\\0' e >&2
echo 7 > y.txt
""")
    one = HEAD.replace("[1, 2, 3]", "[1]")
    first = "results: {y: {from: y.txt, as: int}}\n"
    second = "results: {n: {from: stdout, regex: 'x(end)', as: text}}\n"
    bench.write("spe.yaml", one + first)
    bench.ok("run")
    bench.write("spe.yaml", one + second)
    assert bench.spe("run").code == 1  # it was cut
    bench.write("spe.yaml", one + first + "keep_output: all\n")
    bench.ok("run", "--fresh")
    assert (bench.runs() / "files/1/.kept/stderr").stat().st_size == 90_000
    (log,) = bench.ok("log", "1", "--json").json
    assert max(len(ticket["stdout"]) for ticket in log["tickets"]) == 65_536
    bench.write("spe.yaml", one + second + "keep_output: all\n")
    bench.ok("run")
    assert bench.column("n") == ["end"]


def test_small_outputs_are_kept_once_and_empty_ones_not_at_all(ran: Bench) -> None:
    assert ran.query("SELECT stdout, length(stderr) FROM logs ORDER BY ticket") == [
        (f"slope = {n}.5\n".encode(), 0) for n in (1, 2, 3)
    ]
    results(ran, "results: {out: stdout}\n")
    ran.ok("run", "--fresh")
    assert ran.query("SELECT 1 FROM logs WHERE ticket > 3") == []
    assert ran.query("SELECT 1 FROM kept") == []


def test_a_master_that_is_killed_while_it_extracts_again_does_it_at_the_next_run(bench: Bench) -> None:
    count = 3000
    bench.worker(WORKER.replace('echo "$1" >> "$LOG"', ":"))
    head = HEAD.replace("[1, 2, 3]", "[1]")
    bench.write("spe.yaml", head + "results: {a: t.dat, b: n.json, y: {from: n.json, path: a.1}}\n")
    bench.ok("run")
    connection = sqlite3.connect(bench.runs() / "sweep.db")  # many sets, as if they had run
    with connection:
        for number in range(2, count + 1):
            (bench.runs() / f"files/{number}").mkdir()
            (bench.runs() / f"files/{number}/a.dat").write_text(f"trace of {number}\n")
            (bench.runs() / f"files/{number}/b.json").write_text('{"a": [7, 8]}\n')
            connection.execute(
                "INSERT INTO tasks SELECT ?, randomblob(16), plan, ?, parameters, state, attempts, lost, NULL, NULL, "
                "?, NULL, spec FROM tasks WHERE number = 1", (number, number, number))  # fmt: skip
            connection.execute(
                "INSERT INTO tickets SELECT ?, ?, client, host, state, issued, seconds, NULL, NULL, NULL, NULL, NULL, "
                "NULL, NULL, NULL FROM tickets WHERE id = 1", (number, number))  # fmt: skip
            connection.executemany("INSERT INTO outputs VALUES (?, ?, ?, NULL, ?, ?, NULL)", [
                (number, "a", f"files/{number}/a.dat", f"files/{number}/a.dat", len(f"trace of {number}\n")),
                (number, "b", f"files/{number}/b.json", f"files/{number}/b.json", 14),
            ])  # fmt: skip
            connection.execute(
                "INSERT INTO outputs VALUES (?, 'y', '8', ?, NULL, 14, NULL)", (number, b'{"a": [7, 8]}\n')
            )
    connection.close()
    swapped = "results: {a: n.json, b: t.dat, z: {from: n.json, path: a.0}}\n"
    bench.write("spe.yaml", head + swapped)
    for most in (500, 1500):
        collecting = bench.start("collect")
        some = f"SELECT 1 FROM tasks WHERE spec IS NOT 1 LIMIT 1 OFFSET {most}"
        wait_until(functools.partial(bench.query, some), "some sets are done")
        os.kill(collecting.pid, signal.SIGKILL)
        collecting.process.communicate()
    assert bench.query("SELECT value FROM meta WHERE key = 'extracted'") == [("",)], "it was too quick to be killed"
    bench.ok("collect")
    rows = bench.rows()
    assert len(rows) == count
    for row in rows[1:]:
        assert (bench.runs() / row["b"]).read_text() == f"trace of {row['number']}\n"
        assert ((bench.runs() / row["a"]).read_text(), row["z"]) == ('{"a": [7, 8]}\n', "7")


def test_what_a_client_of_before_brings_under_the_name_of_another_result_is_not_taken(bench: Bench) -> None:
    """The master is killed, `results` is edited, and the client that lives on brings what it was told of before."""
    bench.worker('echo "$1" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.05; done; echo old > a.txt; echo new > b.txt')
    one = HEAD.replace("[1, 2, 3]", "[1]")
    bench.write("spe.yaml", one + "results: {y: {from: a.txt, as: text}}\n")
    run = bench.start("run")
    wait_until(bench.logged, "the program runs")
    run.signal(signal.SIGKILL)
    run.process.communicate()
    bench.write("spe.yaml", one + "results: {y: {from: b.txt, as: text}}\n")
    again = bench.start("run")
    wait_until(lambda: bench.query("SELECT count(*) FROM specs HAVING count(*) = 2"), "the new results are known")
    bench.open_gate()
    done = again.end()
    assert done.code == 0, done
    assert bench.column("y") == ["new"]
    assert bench.query("SELECT attempts FROM tasks") == [(1,)]


@pytest.mark.parametrize(("answer", "code", "runs"), [("r\n", 0, ["1", "2", "3"]), ("n\n", 1, []), ("\x03", 1, [])])
def test_on_a_terminal_it_asks_whether_sets_with_an_empty_cell_run(
    ran: Bench, answer: str, code: int, runs: list[str]
) -> None:
    ran.worker(WORKER + "echo more > more.txt\n")
    results(ran, FIRST.replace("}\n", ", n: {from: more.txt, as: text}}\n"))
    leader, follower = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "spe", "run", "--keep"], cwd=ran.folder, env={**ran.environment, "TERM": "xterm"},
        stdin=follower, stdout=subprocess.PIPE, stderr=follower, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
    )  # fmt: skip
    os.close(follower)
    said = b""
    while b"[n]?" not in said:
        said += os.read(leader, 65536)
    assert b"3 sets have an empty cell: their new result is not stored (1, 2, 3)." in said
    os.write(leader, answer.encode())
    threading.Thread(target=_drain, args=(leader,), daemon=True).start()
    run.communicate(timeout=60)
    assert run.returncode == code
    assert sorted(ran.logged()) == runs
    assert ran.column("n") == (["more"] * 3 if runs else [""] * 3)


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # all others have closed it
        while os.read(terminal, 65536):
            pass


@pytest.mark.parametrize("command", ["run", "collect"])
def test_files_that_a_killed_master_left_between_commit_and_place_get_their_places(ran: Bench, command: str) -> None:
    """The row of a result that replaced another one is on disk; its file waits in incoming/, as the database says."""
    (place,) = (cell for cell in ran.column("trace") if "/2/" in cell)
    staged = ran.runs() / "incoming" / "staged-9-0"
    staged.parent.mkdir(exist_ok=True)
    staged.write_text("trace of a newer result\n")
    moves = json.dumps({place: "incoming/staged-9-0"})
    with contextlib.closing(sqlite3.connect(ran.runs() / "sweep.db")) as connection, connection:
        connection.execute("INSERT INTO staged (task, moves) VALUES (2, ?)", (moves,))
    ran.ok(command)
    assert (ran.runs() / place).read_text() == "trace of a newer result\n"
    assert not staged.exists() and ran.query("SELECT * FROM staged") == []
