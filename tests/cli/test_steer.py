"""Steering a running sweep from another terminal: cancel, pause, resume, retry, hosts."""

from __future__ import annotations

import http.client
import json
import os
import signal
from typing import Any
from urllib.parse import urlsplit

import pytest
from processes import is_alive
from spe.session.lock import Lock
from waiting import wait_until

from .kit import Bench, Done, Started

GATED = "echo $1 $$ >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\necho $1\n"
FOUR = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3, 4]}}\nhosts: [localhost slots=2]\nping: 1\n"


def said(done: Done) -> str:
    assert done.code == 0, done
    return done.err.strip()


def tell(bench: Bench, *words: str) -> str:
    """A command beside the run."""
    return said(bench.start(*words).end())


def ask(bench: Bench, *words: str) -> Any:
    done = bench.start(*words, "--json").end()
    assert done.code == 0, done
    return done.json


def begun(bench: Bench, count: int = 2) -> dict[str, int]:
    """x -> the process that runs it, as soon as so many have begun."""
    wait_until(lambda: len(bench.logged()) >= count, f"{count} programs run")
    return {x: int(pid) for x, pid in (line.split() for line in bench.logged())}


@pytest.fixture
def running(bench: Bench) -> Started:
    """Four sets, two of which run until the gate is open."""
    bench.worker(GATED)
    bench.write("spe.yaml", FOUR)
    started = bench.start("run")
    begun(bench)
    return started


def ends(bench: Bench, started: Started) -> Done:
    bench.open_gate()
    done = started.end()
    bench.assert_nothing_left(done)
    return done


def test_cancelled_sets_never_run_and_those_that_ran_are_ended_until_they_are_retried(
    bench: Bench, running: Started
) -> None:
    process = begun(bench)["1"]
    assert tell(bench, "cancel", "1", "3-4") == "3 sets cancelled; `spe retry` brings them back"
    wait_until(lambda: not is_alive(process), "the program of set 1 is ended")
    assert ask(bench, "status")["cancelled"] == 3
    done = ends(bench, running)
    assert done.code == 1 and "task 1 (x=1) was cancelled by hand" in done.err, done
    assert bench.column("x") == ["2"]
    assert {row["number"]: row["reason"] for row in bench.rows(file="failed.csv")} == dict.fromkeys(
        "134", "cancelled by hand"
    )
    assert "it was cancelled by hand" in bench.ok("why", "3").out
    assert "nothing" not in bench.spe("run").out and bench.column("x") == ["2"]
    assert "1 done before, 0 failed before, 2 cancelled, 1 to do" in bench.spe("retry", "3").err
    assert bench.column("x") == ["2", "3"]
    bench.ok("retry")
    assert bench.column("x") == ["1", "2", "3", "4"]


def test_a_paused_sweep_begins_nothing_and_says_so(bench: Bench, running: Started) -> None:
    assert tell(bench, "pause") == "the sweep is paused: nothing new is begun; 2 sets still run"
    bench.open_gate()
    wait_until(lambda: ask(bench, "status")["done"] == 2, "what ran has ended")
    assert len(bench.logged()) == 2
    status = bench.start("status").end().out
    assert "it is paused: `spe resume` goes on" in status and "2 of 4 sets done" in status
    assert "the sweep is paused" in bench.start("why", "3").end().out
    assert tell(bench, "resume") == "the sweep goes on"
    assert ends(bench, running).code == 0


def test_a_paused_set_is_called_so_and_not_running(bench: Bench, running: Started) -> None:
    assert tell(bench, "pause", "1") == "1 set paused"
    wait_until(lambda: ask(bench, "status")["paused"] == 1, "its picture is drawn anew")
    assert ask(bench, "status")["running"] == 2, "the paused ones are among the running ones"
    assert "1 running, 1 paused, 2 waiting" in bench.start("status").end().out
    assert ask(bench, "show", "1")["state"] == "paused" and ask(bench, "show", "2")["state"] == "running"
    assert bench.start("why", "1").end().out == "task 1: paused\n  it was paused by hand: `spe resume 1` goes on\n"
    tell(bench, "resume", "1")
    wait_until(lambda: ask(bench, "show", "1")["state"] == "running", "it goes on")
    assert ask(bench, "status")["paused"] == 0
    assert ends(bench, running).code == 0


def test_a_master_that_was_killed_while_paused_comes_back_paused(bench: Bench, running: Started) -> None:
    tell(bench, "pause")
    running.signal(signal.SIGKILL)
    running.process.communicate()
    bench.open_gate()
    again = bench.start("run")
    wait_until(lambda: (bench.start("status", "--json").end().json["run"] or {}).get("paused"), "it is paused")
    wait_until(lambda: ask(bench, "status")["done"] == 2, "what ran has ended")
    assert len(bench.logged()) == 2
    tell(bench, "resume")
    assert ends(bench, again).code == 0
    assert bench.column("x") == ["1", "2", "3", "4"]


def test_a_pause_ends_with_its_run(bench: Bench, running: Started) -> None:
    tell(bench, "pause")
    running.signal(signal.SIGINT)
    assert ends(bench, running).code == 130
    assert bench.ok("run") and bench.column("x") == ["1", "2", "3", "4"]


def test_stop_is_the_ctrl_c_of_another_terminal(bench: Bench, running: Started) -> None:
    assert tell(bench, "stop") == "nothing new is begun; the run ends when what runs is through (2 sets)"
    again = bench.start("stop").end()
    assert again.code == 2
    assert "already stopping: 2 sets are still running. `spe stop --now` ends what runs." in again.err
    done = ends(bench, running)
    assert done.code == 130 and bench.column("x") == ["1", "2"], done
    bench.ok("run")
    assert bench.column("x") == ["1", "2", "3", "4"]


@pytest.mark.parametrize("before", [(), ("stop",)])
def test_stop_now_ends_what_runs_and_the_next_run_does_it(
    bench: Bench, running: Started, before: tuple[str, ...]
) -> None:
    processes = begun(bench).values()
    if before:
        tell(bench, *before)
    assert tell(bench, "stop", "--now") == "what runs is ended (2 sets), and waits for the next run"
    done = running.end()
    assert done.code == 130 and not any(map(is_alive, processes)), done
    assert bench.column("x") == [] and bench.rows(file="failed.csv") == []
    (ticket,) = bench.ok("show", "1", "--json").json["tickets"]
    assert (ticket["state"], ticket["reason"]) == ("expired", "ended with its run")
    shown = bench.ok("show", "1").out
    assert "0.000" not in shown and "its last attempt, on localhost: ended with its run" in bench.ok("why", "1").out
    bench.open_gate()
    bench.ok("run")
    assert bench.column("x") == ["1", "2", "3", "4"]


def test_failed_sets_go_back_into_the_run_that_goes_on(bench: Bench) -> None:
    bench.worker(GATED.replace("while", "[ $1 = 1 ] && [ ! -e $GATE.1 ] && touch $GATE.1 && exit 3\nwhile"))
    bench.write("spe.yaml", FOUR + "attempts: 1\n")
    started = bench.start("run")
    begun(bench, 3)
    wait_until(lambda: ask(bench, "status")["failed"] == 1, "set 1 has failed")
    assert tell(bench, "retry") == "1 set waits again"
    done = ends(bench, started)
    assert done.code == 0, done
    assert sorted(line.split()[0] for line in bench.logged()) == ["1", "1", "2", "3", "4"]


def test_a_drained_host_is_left_as_it_was_found_and_can_be_used_again(bench: Bench, running: Started) -> None:
    (host,) = ask(bench, "hosts")
    assert (host["host"], host["state"], host["running"]) == ("localhost", "up", 2)
    tell(bench, "hosts", "drain", "localhost")
    bench.open_gate()
    wait_until(lambda: list(bench.processes()) == [running.pid], "its client has left")
    wait_until(lambda: ask(bench, "hosts")[0]["state"] == "drained", "its picture is drawn anew")
    assert len(bench.logged()) == 2
    assert "localhost is drained by hand" in bench.start("why", "3").end().out
    assert tell(bench, "hosts", "use", "localhost") == "localhost is used again"
    assert ends(bench, running).code == 0
    (host,) = bench.ok("hosts", "--json").json
    assert (host["state"], host["done"]) == ("gone", 4)


def test_a_benched_host_keeps_its_client_and_gets_nothing(bench: Bench, running: Started) -> None:
    tell(bench, "hosts", "bench", "localhost")
    bench.open_gate()
    wait_until(lambda: ask(bench, "status")["done"] == 2, "what ran has ended")
    assert len(bench.logged()) == 2 and len(bench.processes()) > 1
    tell(bench, "hosts", "use", "localhost")
    assert ends(bench, running).code == 0


def test_a_hosts_file_that_changes_is_taken_up_by_the_run(bench: Bench) -> None:
    bench.worker(GATED)
    bench.write("hosts.txt", "localhost slots=2\n")
    bench.write("spe.yaml", FOUR.replace("[localhost slots=2]", "hosts.txt"))
    started = bench.start("run")
    begun(bench)

    def states() -> dict[str, str]:
        return {host["host"]: host["state"] for host in ask(bench, "hosts")}

    bench.write("hosts.txt", "no-such-host.invalid\n")
    wait_until(lambda: states() == {"localhost": "drained", "no-such-host.invalid": "fault"}, "both lines count")
    bench.write("hosts.txt", "localhost slots=2\n")
    wait_until(lambda: states()["localhost"] == "up", "it is used again")
    done = ends(bench, started)
    assert done.code == 0, done
    assert "no-such-host.invalid: name not found" in done.err


def test_a_host_that_cannot_be_is_refused(bench: Bench, running: Started) -> None:
    assert "unknown option 'slot'" in bench.start("hosts", "add", "lab01", "slot=2").end().err
    assert "already a host of this run" in bench.start("hosts", "add", "localhost").end().err
    assert "no host of this run is called 'lab01'" in bench.start("hosts", "drain", "lab01").end().err
    assert bench.start("hosts", "drain").end().code == 2
    tell(bench, "hosts", "add", "no-such-host.invalid")
    wait_until(lambda: [h["state"] for h in ask(bench, "hosts")] == ["up", "fault"], "it did not come up")
    assert ends(bench, running).code == 0


@pytest.mark.parametrize(
    "words",
    [("pause",), ("resume",), ("cancel", "1"), ("stop",), ("hosts", "drain", "localhost"), ("events",), ("top",)],
)
def test_where_nothing_runs_it_says_so(bench: Bench, words: tuple[str, ...]) -> None:
    bench.write("spe.yaml", FOUR)
    bench.worker(GATED)
    assert "nothing runs here" in bench.refused(*words)


@pytest.mark.parametrize("words", [("stop",), ("attach",), ("events",)])
def test_a_run_that_only_just_begins_is_named(bench: Bench, words: tuple[str, ...]) -> None:
    """It has locked the sweep, and cannot be asked yet."""
    bench.write("spe.yaml", FOUR)
    bench.worker(GATED)
    bench.runs().mkdir(parents=True)
    lock = Lock(bench.runs())
    lock.acquire()
    assert f"process {os.getpid()} is only just beginning a run here, or ending one" in bench.refused(*words)
    (bench.runs() / "copy").write_bytes((bench.runs() / "lock").read_bytes())
    lock.release()
    assert "nothing runs here" in bench.refused(*words)
    (bench.runs() / "copy").rename(bench.runs() / "lock")  # as of a run that was killed, and its number is used again
    assert "nothing runs here" in bench.refused(*words)


@pytest.mark.parametrize("word", ["0", "x", "5-3", "3-", "1-9999999"])
def test_what_is_no_number_of_a_set_is_refused(bench: Bench, word: str) -> None:
    bench.write("spe.yaml", FOUR)
    assert word in bench.refused("cancel", word)


def post(url: str, token: str, order: object) -> tuple[int, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request("POST", f"/act?token={token}", json.dumps(order))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text.startswith("{") else text


def test_who_may_only_read_cannot_act_and_it_is_logged(bench: Bench, running: Started) -> None:
    page = json.loads((bench.runs() / "master.json").read_text())["page"]
    token = json.loads((bench.runs() / "session/secrets.json").read_text())["act"]
    status, answer = post(page, urlsplit(page).query.removeprefix("token="), {"do": "stop"})
    assert status == 403 and "acting token" in answer["error"]
    assert "without the acting token" in (bench.runs() / "master.log").read_text()
    assert post(page, "wrong", {"do": "stop"})[0] == 403
    assert (bench.runs() / "master.log").read_text().count("without the acting token") == 2
    assert post(page, token, {"do": "explode"})[0] == 400
    assert post(page, token, {"do": "resume"}) == (409, {"error": "the sweep is not paused"})
    status, answer = post(page, token, {"do": "stop"})
    assert status == 200 and answer["said"].startswith("nothing new is begun")
    done = ends(bench, running)
    assert done.code == 130 and bench.column("x") == ["1", "2"], done
