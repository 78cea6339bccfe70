"""A run that ends with sets waiting says why, and so does `spe status`; what is counted of a run is of that run."""

from __future__ import annotations

import json
import signal
import urllib.request
from typing import Any

import pytest
import spe
from waiting import wait_until

from .kit import Bench, Started

GATED = """echo "$1" >> "$LOG"; while [ ! -e "$GATE" ]; do sleep 0.02; done; echo "$1"\n"""
SIX = "command: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 6]}}}\nhosts: [localhost slots=2]\n"
GOES_ON = "`spe run` goes on where it stopped"


def begin(bench: Bench, *more: str) -> Started:
    """Two of six sets run, and wait for the gate."""
    bench.worker(GATED)
    bench.write("spe.yaml", SIX)
    running = bench.start("run", *more)
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    return running


def facts(bench: Bench) -> dict[str, Any]:
    return dict(json.loads((bench.runs() / "master.json").read_text()))


def assert_told(bench: Bench, sets: int, sentence: str) -> None:
    """`spe status` says the same, to people and to programs."""
    told = bench.ok("status")
    assert told.out.splitlines()[-2:] == [f"{sets} set{'s wait' if sets > 1 else ' waits'}: {sentence}", GOES_ON]
    assert bench.ok("status", "--json").json["waiting_because"] == [{"sets": sets, "reason": sentence}]


def test_a_run_that_was_stopped_says_why_sets_wait_until_they_wait_no_more(bench: Bench) -> None:
    running = begin(bench)
    wait_until(lambda: "2 running, 4 waiting" in bench.start("status").end().out, "as many run as there are slots")
    assert bench.start("status", "--json").end().json["waiting_because"] == [], "it runs"
    stopped = bench.start("stop").end()
    assert "(2 sets)" in stopped.out + stopped.err, stopped
    bench.open_gate()
    done = running.end()
    sentence = "the run was stopped by hand (`spe stop`)"
    assert done.code == 130 and f"4 sets wait: {sentence}\n{GOES_ON}" in done.err, done
    assert_told(bench, 4, sentence)
    done = bench.ok("run")
    assert "wait" not in done.err
    assert "wait" not in bench.ok("status").out
    assert bench.ok("status", "--json").json["waiting_because"] == []


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGINT, "the run was interrupted (Ctrl-C) while the sweep was paused"),
        (signal.SIGTERM, "the run was ended by a signal (SIGTERM) while the sweep was paused"),
    ],
)
def test_a_signal_while_the_sweep_is_paused_is_told_as_both(bench: Bench, number: int, sentence: str) -> None:
    running = begin(bench, "--json")
    assert bench.start("pause").end().code == 0
    running.signal(number)
    wait_until(lambda: "draining" in bench.start("status").end().out, "it was heard")
    bench.open_gate()
    done = running.end()
    assert (done.code, done.json["waiting_because"]) == (130, [{"sets": 4, "reason": sentence}]), done
    assert_told(bench, 4, sentence)


def test_a_sweep_that_is_given_up_says_so(bench: Bench) -> None:
    bench.worker("exit 1\n")
    bench.write("spe.yaml", SIX + "attempts: 1\nstop_after: 2\n")
    done = bench.spe("run")
    sentence = "the sweep is given up (stop_after): 2 sets have failed"
    goes_on = "mend the cause, then `spe retry`: with `spe run` alone these failed sets still count"
    assert done.code == 1 and f": {sentence}\n{goes_on}\n" in done.err, done
    assert goes_on in bench.ok("status").out and GOES_ON not in done.err
    (told,) = bench.ok("status", "--json").json["waiting_because"]
    assert told["reason"] == sentence
    assert told["sets"] == bench.ok("status", "--json").json["waiting"] > 0


def test_a_run_without_a_host_leaves_its_reason_to_status(bench: Bench) -> None:
    bench.worker("echo 1\n")
    bench.write("spe.yaml", SIX.replace("localhost slots=2", "nowhere.invalid"))
    assert bench.spe("run").code == 3
    assert_told(bench, 6, "no host came up")


def test_of_a_run_that_was_killed_status_says_that_it_ended_without_a_word(bench: Bench) -> None:
    running = begin(bench)
    running.signal(signal.SIGKILL)
    running.end()
    told = bench.start("status").end()
    assert "6 sets wait: the last run did not come to its end" in told.out, told
    assert "0 of 6 sets done, 0 failed, 0 running, 6 waiting" in told.out, told
    counted = bench.start("status", "--json").end().json
    assert (counted["running"], counted["waiting"]) == (0, 6)
    assert spe.open(bench.runs()).counts()["running"] == 0
    assert bench.start("show", "1", "--json").end().json["state"] == "waiting"
    bench.open_gate()
    bench.ok("run")
    assert "did not come to its end" not in bench.ok("status").out


def test_what_is_counted_of_a_run_is_of_that_run(bench: Bench) -> None:
    bench.worker('test -e "$GATE" || exit 1; echo "$1"\n')
    bench.write("spe.yaml", SIX + "attempts: 2\n")
    assert bench.spe("run").code == 1
    counted = bench.ok("status", "--json").json
    assert (counted["retries"], counted["hosts"][0]["failures"], counted["hosts"][0]["tasks"]) == (6, 12, 0)
    bench.open_gate()
    bench.ok("retry")
    for again in ((), ("run", "--fresh")):
        if again:
            bench.ok(*again)
        counted = bench.ok("status", "--json").json
        (host,) = counted["hosts"]
        assert (counted["done"], counted["retries"], host["tasks"], host["failures"]) == (6, 0, 6, 0)
        assert host["heard"] > bench.query("SELECT min(issued) FROM tickets WHERE state = 'accepted'")[0][0]
    done = bench.ok("run")
    assert "6 of 6 sets done, 0 failed\n" in done.err, "it had nothing to do, so nothing is counted"
    assert bench.ok("status", "--json").json["hosts"] == []


def test_a_client_that_sends_no_name_is_shown_by_its_address(bench: Bench) -> None:
    bench.worker("echo 1\n")
    bench.write("spe.yaml", SIX + "listen: 127.0.0.1:0\n")
    running = bench.start("run", "--hosts", "none")
    wait_until(lambda: (bench.runs() / "master.json").exists(), "it listens")
    # It waits: the master listens before it has read the parameters.
    url = f"{facts(bench)['url']}/task?sessionID={facts(bench)['session']}&wait=30"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.read().startswith(b"Ticket=1\n")
    (host,) = bench.start("hosts", "--json").end().json
    assert (host["host"], host["state"], host["running"]) == ("127.0.0.1", "up", 1)
    assert [t["host"] for t in bench.start("show", "1", "--json").end().json["tickets"]] == ["127.0.0.1"]
    assert [h["host"] for h in bench.start("status", "--json").end().json["hosts"]] == ["127.0.0.1"]
    assert bench.start("hosts", "bench", "127.0.0.1").end().code == 0
    assert "127.0.0.1 is benched by hand" in bench.start("why", "2").end().out
    bench.start("stop", "--now").end()
    assert running.end().code == 130
