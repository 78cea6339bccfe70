"""What a terminal shows of a running sweep, and what programs hear of it: run, top, status, events, spe.watch."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from spe.state.patch import apply
from waiting import wait_until

from .kit import Bench, Started

GATED = (
    "echo $1 >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\n"
    "[ $1 != 3 ] || { echo no licence >&2; exit 4; }\necho $1\n"
)
THREE = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=2]\nattempts: 1\n"
LINE_OF_SWEEP = r"sweep \S+ 0 of 3 sets done, 0 failed, 2 running, 1 waiting"


class Terminal:
    """A command on a terminal of its own; what it wrote, without the control sequences."""

    def __init__(self, bench: Bench, *words: str) -> None:
        leader, follower = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spe", *words], cwd=bench.folder, start_new_session=True,
            env={**bench.environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
            stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        os.close(follower)
        self._leader, self._raw = leader, b""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        while True:
            try:
                self._raw += os.read(self._leader, 65536)
            except OSError:  # all others have closed it
                return

    @property
    def shown(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._raw.decode("utf-8", "replace"))

    def end(self) -> int:
        code = self.process.wait(60)
        self._reading.join(60)
        os.close(self._leader)
        return code


@pytest.fixture
def sweep(bench: Bench) -> Bench:
    bench.worker(GATED)
    bench.write("spe.yaml", THREE)
    return bench


@pytest.fixture
def running(sweep: Bench) -> Started:
    started = sweep.start("run")
    wait_until(lambda: len(sweep.logged()) == 2, "two programs run")
    return started


def test_a_run_on_a_terminal_shows_the_sweep_its_hosts_and_what_failed(sweep: Bench) -> None:
    terminal = Terminal(sweep, "run")
    wait_until(lambda: re.search(LINE_OF_SWEEP, terminal.shown), "the line of the sweep")
    wait_until(lambda: re.search(r"localhost +up +2 of 2 +0", terminal.shown), "the line of the host")
    sweep.open_gate()
    assert terminal.end() == 1
    assert "2 of 3 sets done, 1 failed" in terminal.shown
    assert "task 3 (x=3) failed: exit code 4" in terminal.shown


def test_a_run_without_a_terminal_says_plain_lines(running: Started, sweep: Bench) -> None:
    sweep.open_gate()
    done = running.end()
    assert "\x1b" not in done.err + done.out and "━" not in done.err
    assert done.err.startswith("page: http") and "3 sets\n" in done.err


def test_top_shows_on_another_terminal_what_the_run_shows_until_it_ends(running: Started, sweep: Bench) -> None:
    terminal = Terminal(sweep, "top")
    wait_until(lambda: re.search(LINE_OF_SWEEP, terminal.shown), "the line of the sweep")
    wait_until(lambda: re.search(r"localhost +up +2 of 2", terminal.shown), "the line of the host")
    sweep.open_gate()
    assert running.end().code == 1
    assert terminal.end() == 0
    assert terminal.shown.rstrip().endswith("the run has ended")


def test_top_without_a_terminal_prints_once_how_it_stands(running: Started, sweep: Bench) -> None:
    text = sweep.start("top").end().out
    assert text.startswith("sweep: 0 of 3 sets done, 0 failed, 2 running") and "localhost  up" in text
    document = sweep.start("top", "--json").end().json
    assert document["sweep"]["running"] == 2 and set(document) == {"sweep", "hosts", "tickets", "failures"}
    sweep.open_gate()
    running.end()


def test_a_page_that_is_open_to_the_network_is_asked_with_its_own_certificate(sweep: Bench) -> None:
    sweep.write("spe.yaml", THREE + "listen_page: 0\n")
    started = sweep.start("run")
    wait_until(lambda: len(sweep.logged()) == 2, "two programs run")
    assert json.loads((sweep.runs() / "master.json").read_text())["page"].startswith("https://")
    assert sweep.start("top", "--json").end().json["sweep"]["running"] == 2
    assert sweep.start("pause").end().code == 0
    assert sweep.start("resume").end().code == 0
    sweep.open_gate()
    assert started.end().code == 1


def test_the_status_of_a_run_tells_how_fast_it_goes(running: Started, sweep: Bench) -> None:
    run = sweep.start("status", "--json").end().json["run"]
    assert (run["state"], run["running"], run["slots"]) == ("running", 2, 2)
    assert f"runs as process {running.pid}" in sweep.start("status").end().out
    wait_until(lambda: sweep.start("status", "--json").end().json["efficiency"], "what still runs counts, too")
    sweep.open_gate()
    running.end()
    assert sweep.ok("status", "--json").json["run"] is None
    assert "runs as" not in sweep.ok("status").out


def test_the_status_can_be_watched_to_the_end_of_the_run(running: Started, sweep: Bench) -> None:
    watching, terminal = sweep.start("status", "--watch"), Terminal(sweep, "status", "--watch")
    assert watching.process.stdout
    while not watching.process.stdout.readline().startswith("0 of 3 sets done"):
        pass
    wait_until(lambda: "0 of 3 sets done" in terminal.shown, "the first picture")
    sweep.open_gate()
    running.end()
    assert terminal.end() == 0 and "2 of 3 sets done, 1 failed" in terminal.shown
    told = watching.end()
    assert told.code == 0 and "\x1b" not in told.out
    assert "2 of 3 sets done, 1 failed" in told.out


def test_the_events_are_lines_of_json_that_keep_a_copy_true_to_the_end(running: Started, sweep: Bench) -> None:
    listening, notes = sweep.start("events"), sweep.start("events", "--notes")
    assert listening.process.stdout
    first = json.loads(listening.process.stdout.readline())
    assert first["event"] == "state" and first["data"]["sweep"]["total"] == 3
    copy = first["data"]
    assert notes.process.stdout and json.loads(notes.process.stdout.readline())["event"] == "note"
    sweep.open_gate()
    running.end()
    for line in listening.end().out.splitlines():
        event = json.loads(line)
        copy = event["data"] if event["event"] == "state" else copy
        copy = apply(copy, event["data"]) if event["event"] == "change" else copy
    assert (copy["sweep"]["done"], copy["sweep"]["failed"], copy["sweep"]["state"]) == (2, 1, "over")
    told = [json.loads(line) for line in notes.end().out.splitlines()]
    assert {one["event"] for one in told} == {"note"}
    assert "task 3 has failed: exit code 4: no licence" in [one["data"]["text"] for one in told]


def past(sweep: Bench) -> list[str]:
    """What is kept, a text each."""
    told = [json.loads(line) for line in sweep.ok("events", "--past").out.splitlines()]
    assert {one["event"] for one in told} <= {"note"}
    return [one["data"]["text"] for one in told]


def test_what_happened_is_kept_of_all_runs_and_stands_in_the_log(running: Started, sweep: Bench) -> None:
    sweep.open_gate()
    running.end()
    assert "`spe events --past` prints what happened" in sweep.refused("events")
    first = past(sweep)
    assert first[0] == "localhost: a client with 2 slots is here"
    assert "task 3 has failed: exit code 4: no licence" in first and "localhost: its client has left" in first
    log = (sweep.runs() / "master.log").read_text()
    assert [text for text in first if text not in log] == []
    assert sweep.spe("retry").code == 1
    assert past(sweep)[: len(first)] == first and len(past(sweep)) > len(first)


WATCH = """
import spe, sys
seen = []

def changed(state, change):
    seen.append(state["sweep"]["done"])

watch = spe.watch(sys.argv[1], changed, lambda note: print(note["kind"], flush=True))
state = watch.run() if sys.argv[2] == "run" else None
if state is None:
    watch.start()
    while not watch.wait(0.05):
        pass
    state = watch.state
assert seen[0] == 0 and seen[-1] == 2, seen
print(state["sweep"]["failed"], state["hosts"]["localhost"]["done"])
"""


@pytest.mark.parametrize(("where", "how"), [("sweep", "run"), ("runs/sweep", "start")])
def test_a_program_in_python_keeps_a_copy_and_is_called_for_each_change(
    running: Started, sweep: Bench, where: str, how: str
) -> None:
    words = [sys.executable, "-c", WATCH, where, how]
    with subprocess.Popen(words, cwd=sweep.folder, env=sweep.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "host_up\n"
        sweep.open_gate()
        running.end()
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0 and lines[-1] == "1 2" and "failed" in lines


def test_watching_what_does_not_run_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    import spe
    from spe.errors import UsageError

    with pytest.raises(UsageError, match=r"there is no run .*nothing"):
        spe.watch(tmp_path / "runs" / "nothing")
    (tmp_path / "runs" / "over").mkdir(parents=True)
    (tmp_path / "runs" / "over" / "sweep.db").touch()
    with pytest.raises(UsageError, match="nothing runs here"):
        spe.watch(tmp_path / "runs" / "over")


def test_a_copy_stays_true_when_the_master_is_killed_and_comes_back(running: Started, sweep: Bench) -> None:
    """Whoever listens hears that it is gone; the next run is listened to anew."""
    listening = sweep.start("events")
    assert listening.process.stdout and listening.process.stdout.readline()
    running.process.kill()
    running.process.communicate()
    told = listening.end()
    assert told.code == 2 and "the master was killed" in told.err
    sweep.open_gate()
    assert sweep.spe("run").code == 1
