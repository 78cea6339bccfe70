"""Runs without a terminal, sweeps that are given up, and why a set is not running."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path

from processes import is_alive
from spe.session.living import began, living
from waiting import wait_until

from .kit import Bench

BROKEN = """
from spe.dispatch.dispatch import Dispatch

def broken(self, now):
    raise RuntimeError("a fault beside the run")

Dispatch.tick = broken
"""
GATED = "echo $$ >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\necho $1\n"
THREE = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=2]\n"


def many(sets: int) -> str:
    return f"command: ./work {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {sets}]}}}}}}\nattempts: 1\n"


def gated(bench: Bench) -> Bench:
    bench.worker(GATED)
    bench.write("spe.yaml", THREE)
    return bench


def test_a_detached_run_goes_on_by_itself_and_attach_follows_it_to_its_end(bench: Bench) -> None:
    gated(bench)
    begun = bench.start("run", "--detach").end()
    assert begun.code == 0, begun
    facts = json.loads((bench.runs() / "master.json").read_text())
    assert f"runs as process {facts['pid']}" in begun.err
    assert os.getsid(facts["pid"]) == facts["pid"]
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    following = bench.start("attach")
    assert following.process.stderr and following.process.stderr.readline().startswith("page: ")
    bench.open_gate()
    followed = following.end()
    assert followed.code == 0, followed
    assert "3 of 3 sets done" in followed.err
    assert followed.out == "runs/sweep/results.csv\n"
    assert bench.column("stdout") == ["1", "2", "3"]
    wait_until(lambda: not is_alive(facts["pid"]), "the run has ended")
    bench.assert_nothing_left()


def test_what_a_detached_run_says_is_readable_by_its_user_only(bench: Bench) -> None:
    gated(bench).open_gate()
    assert bench.start("run", "--detach").end().code == 0
    wait_until(lambda: (bench.runs() / "results.csv").exists(), "it has ended")
    log = bench.runs() / "run.log"
    assert "page: its address stands as `page` in master.json" in log.read_text()
    assert "token" not in log.read_text() and "http" not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    wait_until(lambda: not bench.processes(), "nothing is left")


def test_a_detached_run_for_clients_started_by_hand_leaves_no_session_in_its_log(bench: Bench) -> None:
    gated(bench)
    assert bench.start("run", "--detach", "--hosts", "none").end().code == 0
    facts = json.loads((bench.runs() / "master.json").read_text())
    log = bench.runs() / "run.log"
    wait_until(lambda: "started by hand" in log.read_text(), "it says how to start one")
    assert facts["session"] not in log.read_text()
    os.kill(facts["pid"], signal.SIGTERM)
    wait_until(lambda: not is_alive(facts["pid"]), "the run has ended")


def test_a_detached_run_that_cannot_begin_says_why_and_gives_its_exit_code(bench: Bench) -> None:
    bench.write("spe.yaml", "command: ./nowhere {{ x }}\nparameters: {grid: {x: [1]}}\n")
    assert "nowhere" in bench.refused("run", "--detach")
    bench.write("spe.yaml", "command: echo {{ x }}\nparameters: {grid: {x: [1]}}\nhosts: [no-such-host.invalid]\n")
    done = bench.start("run", "--detach").end()
    if done.code == 0:  # it lived long enough to be seen; then attach tells
        wait_until(lambda: not bench.processes(), "it has ended")
        assert "name not found" in (bench.runs() / "run.log").read_text()
    else:
        assert done.code == 3 and "name not found" in done.err


def test_attach_without_a_run_says_so(bench: Bench) -> None:
    gated(bench).open_gate()
    assert "nothing runs here" in bench.refused("attach")


def test_attach_to_a_run_that_is_over_prints_its_end_and_gives_its_code(bench: Bench) -> None:
    gated(bench).open_gate()
    bench.ok("run")
    late = bench.spe("attach")
    assert late.code == 0, late
    assert "3 of 3 sets done" in late.err and late.out == "runs/sweep/results.csv\n"
    assert bench.ok("attach", "--json").json["done"] == 3


def test_attach_to_a_detached_run_with_nothing_to_do_gives_its_code(bench: Bench) -> None:
    gated(bench).open_gate()
    bench.ok("run")
    assert bench.start("run", "--detach").end().code == 0
    assert bench.start("attach").end().code == 0


def test_attach_to_a_run_that_is_over_gives_the_code_of_every_way_to_end(bench: Bench) -> None:
    bench.worker("[ $1 != 2 ] || exit 7\necho $1\n")
    bench.write("spe.yaml", THREE + "attempts: 1\n")
    assert (bench.spe("run").code, bench.spe("attach").code) == (1, 1)
    bench.write("spe.yaml", THREE.replace("[1, 2, 3]", "[4]").replace("localhost", "no-such-host.invalid"))
    assert bench.spe("run").code == 3
    late = bench.spe("attach")
    assert late.code == 3, late
    assert "1 set waits: no host came up" in late.err
    gated(bench)
    running = bench.start("run", "--fresh")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    assert bench.start("stop", "--now").end().code == 0
    assert running.end().code == 130
    assert bench.spe("attach").code == 130


def test_attach_to_a_run_that_broke_off_gives_its_code(bench: Bench) -> None:
    gated(bench)
    (bench.root / "broken").mkdir()
    (bench.root / "broken" / "sitecustomize.py").write_text(BROKEN)
    running = bench.start("run", PYTHONPATH=str(bench.root / "broken"))
    said = running.process.communicate(timeout=60)[1]
    assert running.process.returncode == 2, said
    late = bench.start("attach").end()
    assert late.code == 2 and "0 of 3 sets done" in late.err, late
    bench.open_gate()
    wait_until(lambda: not bench.processes(), "nothing is left")


def test_attach_after_a_kill_of_the_master_does_not_give_the_code_of_the_run_before(bench: Bench) -> None:
    gated(bench).open_gate()
    bench.ok("run")
    bench.write("spe.yaml", THREE.replace("[1, 2, 3]", "[4, 5]"))
    (bench.root / "gate").unlink()
    bench.log.unlink()
    running = bench.start("run")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    running.process.kill()
    running.process.communicate()
    late = bench.start("attach").end()
    assert late.code == 2 and "the master was killed" in late.err, late
    bench.open_gate()
    bench.ok("run")
    assert bench.spe("attach").code == 0


def test_a_closed_terminal_ends_nothing(bench: Bench) -> None:
    gated(bench)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spe", "run"], cwd=bench.folder, env=bench.environment, start_new_session=True,
        stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    process.send_signal(signal.SIGHUP)
    os.close(leader)
    wait_until(lambda: "the terminal was closed" in read(bench.runs() / "run.log"), "it has noticed")
    bench.open_gate()
    assert process.wait(60) == 0
    assert bench.column("stdout") == ["1", "2", "3"]
    assert "3 of 3 sets done" in read(bench.runs() / "run.log")
    bench.assert_nothing_left()


def test_a_run_that_died_is_not_taken_for_alive_because_its_number_is_in_use_again(tmp_path: Path) -> None:
    facts = {"pid": os.getpid(), "page": "http://127.0.0.1:1/", "began": began(os.getpid())}
    (tmp_path / "master.json").write_text(json.dumps(facts))
    assert living(tmp_path)
    (tmp_path / "master.json").write_text(json.dumps({**facts, "began": "1"}))
    assert living(tmp_path) is None


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_why_tells_what_a_set_waits_for(bench: Bench) -> None:
    gated(bench)
    running = bench.start("run")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    assert bench.start("why", "1").end().out == "task 1: running\n  it runs, on localhost\n"
    assert bench.start("why", "3", "--json").end().json == {"number": 3, "state": "waiting", "reasons": ["it is next"]}
    bench.open_gate()
    assert running.end().code == 0
    assert bench.ok("why", "3").out == "task 3: done\n  it is done, by localhost\n"
    assert "there is no task 9" in bench.refused("why", "9")


def test_why_puts_a_set_that_is_tried_again_behind_those_that_wait_already(bench: Bench) -> None:
    bench.worker("[ $1 != 1 ] || [ -e $GATE ] || exit 3\n" + GATED)
    bench.write("spe.yaml", many(40).replace("attempts: 1", "attempts: 3\nhosts: [localhost slots=1]"))
    running = bench.start("run")
    failed = "SELECT count(*) FROM tickets WHERE task = 1 AND state = 'failed'"
    wait_until(lambda: bench.query(failed) == [(1,)] and bench.logged(), "set 1 has failed, set 2 runs")

    def ahead(number: str) -> list[str]:
        return bench.start("why", number).end().out.splitlines()[1].split(" ", 3)[2:]

    count, text = ahead("1")
    assert text.endswith("before it: a set that comes back from a host goes behind those that wait already")
    assert ahead("40") == [str(int(count) - 1), "other sets wait before it"]
    bench.open_gate()
    assert running.end().code == 0


def test_why_tells_the_reason_of_a_failure_and_that_nothing_runs(bench: Bench) -> None:
    bench.worker("[ $1 != 2 ] || { echo 'no licence' >&2; exit 3; }\necho $1\n")
    bench.write("spe.yaml", THREE.replace("[1, 2, 3]", "[1, 2]") + "attempts: 1\n")
    assert bench.spe("run").code == 1
    said = bench.ok("why", "2").out
    assert "it has failed: exit code 3: no licence" in said
    assert "spe retry" in said


def test_a_sweep_is_given_up_when_too_many_sets_fail(bench: Bench) -> None:
    bench.worker("exit 9\n")
    bench.write("spe.yaml", many(200) + "stop_after: 5% failed\n")
    done = bench.spe("run")
    assert done.code == 1, done
    assert "given up (stop_after)" in done.err
    failed, waiting = bench.query("SELECT sum(state = 'failed'), sum(state = 'waiting') FROM tasks")[0]
    assert 10 <= failed < 30
    assert failed + waiting == 200


def test_a_timeout_of_so_many_medians_ends_what_hangs(bench: Bench) -> None:
    bench.worker("[ $1 != 9 ] || sleep 600\nsleep 0.2\necho $1\n")
    bench.write("spe.yaml", many(9) + "timeout: 20x\nhosts: [localhost slots=1]\n")
    assert bench.spe("run").code == 1
    (failed,) = bench.rows(file="failed.csv")
    assert failed["x"] == "9"
    assert failed["reason"].startswith("timeout after ")
