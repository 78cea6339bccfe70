"""A look into running sets from another terminal: ask, log -f, ps, and pausing their programs."""

from __future__ import annotations

import http.client
import json
import signal
from typing import IO
from urllib.parse import urlsplit

import pytest
from processes import is_alive
from waiting import wait_until

from .kit import Bench, Done, Started

TALKER = """echo "begin $1"
echo "to stderr" >&2
echo "half of it" >part.txt
echo $1 $$ >>$LOG
while [ ! -e $GATE ]; do echo more >>more.txt; sleep 0.02; done
echo "end $1"
"""
THREE = "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\nhosts: [localhost slots=2]\n"


@pytest.fixture
def more() -> str:
    """Lines of spe.yaml."""
    return ""


@pytest.fixture
def running(bench: Bench, more: str) -> Started:
    """Three sets, two of which run until the gate is open."""
    bench.worker(TALKER)
    bench.write("spe.yaml", THREE + more + ("" if "ping:" in more else "ping: 1\n"))
    started = bench.start("run")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    return started


def ask(bench: Bench, *words: str) -> Done:
    return bench.start("ask", *words).end()


def first_line(stream: IO[str] | None) -> str:
    """As soon as it is there."""
    assert stream
    return stream.readline()


def end(bench: Bench, started: Started) -> None:
    bench.open_gate()
    done = started.end()
    assert done.code == 0, done
    bench.assert_nothing_left(done)


def test_a_command_runs_in_the_sets_directory_and_its_exit_code_is_ours(bench: Bench, running: Started) -> None:
    assert ask(bench, "1", "--", "cat", "part.txt") == Done(0, "half of it\n", "")
    assert "part.txt" in ask(bench, "2", "--", "ls").out
    missing = ask(bench, "1", "--", "ls", "nowhere")
    assert missing.code == 2
    assert "nowhere" in missing.out
    end(bench, running)


@pytest.mark.parametrize("more", ["", "control: poll\n"])
def test_it_is_answered_whether_requests_are_held_or_not(bench: Bench, running: Started) -> None:
    assert ask(bench, "2", "--", "cat", "part.txt").out == "half of it\n"
    end(bench, running)


@pytest.mark.parametrize("more", ["ping: 600\n", "ping: 600\ncontrol: poll\n"])
def test_what_is_called_back_ends_long_before_the_next_ping(bench: Bench, running: Started) -> None:
    processes = dict(line.split() for line in bench.logged())
    assert bench.start("cancel", "1").end().code == 0
    wait_until(lambda: not is_alive(int(processes["1"])), "its program is ended")
    assert is_alive(int(processes["2"]))
    bench.open_gate()
    assert running.end().code == 1


def test_what_is_not_allowed_is_refused_with_what_is(bench: Bench, running: Started) -> None:
    refused = ask(bench, "1", "--", "rm", "part.txt")
    assert refused.code == 2
    assert "'rm' is not allowed here; `ask:` in spe.yaml allows: ls ps du cat tail head" in refused.err
    assert "leads out of the task's directory" in ask(bench, "1", "--", "cat", "/etc/passwd").err
    assert len(ask(bench, "1", "--", "cat", "/" + "x" * 100_000).err) < 1000, "and nobody waits for the answer"
    assert ask(bench, "1", "--", "cat", "part.txt").code == 0, "it is still there"
    end(bench, running)


ROUND = (
    "ls -LR", "ls -lRL", "ls --deref -R", "ls away", "cat away/key", "cat -- away/key", "du -L", "du -aL .",
    "du -a --files0-from=list", "du -a --files0=list", "du -a --f=list", "wc --files0-f=list", "tail -F key",
    "ps eww -A", "ps e", "ps aux", "ps -ef", "cat /proc/self/environ",
)  # fmt: skip


@pytest.mark.parametrize("more", ["ask: [ls, ps, du, cat, tail, head, wc]\n"])
def test_no_way_round_leads_out_of_a_sets_directory_or_to_other_processes(bench: Bench, more: str) -> None:
    secret = bench.root / "private"
    secret.mkdir()
    (secret / "key").write_text("CANARY\n")
    (secret / "CANARY").mkdir()
    links = f"ln -s {secret} away; ln -s {secret}/key key; printf '%s\\0' away/ key >list\n"
    bench.worker(links + TALKER)
    bench.write("spe.yaml", THREE + more)
    running = bench.start("run", SECRET="CANARY")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    for line in ROUND:
        done = ask(bench, "1", "--", *line.split())
        assert done.code == 2, line
        assert done.out == "", line
        refusals = ("may not be asked of", "leads out of the task's directory", "leads elsewhere for each process")
        assert any(words in done.err for words in refusals), line
    assert "away" in ask(bench, "1", "--", "ls", "-laR").out, "a link itself may be seen"
    end(bench, running)


def test_ps_with_options_shows_the_sets_own_processes_alone(bench: Bench, running: Started) -> None:
    processes = dict(line.split() for line in bench.logged())
    assert processes["1"] in ask(bench, "1", "--", "ps").out
    shown = ask(bench, "1", "--", "ps", "-o", "pid,args", "-w").out
    pids = {line.split()[0] for line in shown.splitlines()[1:]}
    assert processes["1"] in pids
    assert not pids & {processes["2"], "1", str(running.pid)}
    end(bench, running)


def test_a_program_of_the_sets_own_is_not_taken_for_the_one_that_is_asked(bench: Bench) -> None:
    bench.worker("printf '#!/bin/sh\necho a trap\n' >ls; chmod +x ls\n" + TALKER)
    bench.write("spe.yaml", THREE)
    running = bench.start("run", PATH=f".:{bench.environment['PATH']}")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    assert "part.txt" in ask(bench, "1", "--", "ls").out
    end(bench, running)


def test_a_link_that_a_program_puts_in_place_of_its_directory_is_not_entered(bench: Bench) -> None:
    bench.write("private/CANARY", "")
    bench.worker(f'rm -r "$PWD"; [ $1 = 1 ] && ln -s {bench.folder}/private "$PWD"\n' + "cd .\n" + TALKER)
    bench.write("spe.yaml", THREE + "attempts: 1\n")
    running = bench.start("run")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    done = ask(bench, "1", "--", "ls")
    assert done.code == 2, done
    assert "the task has put a link in place of its directory" in done.err
    assert "CANARY" not in done.out
    bench.open_gate()
    running.end()


def test_log_f_follows_no_link_that_a_program_puts_in_place_of_its_output(bench: Bench) -> None:
    secret = bench.write("secret", "CANARY\n")
    bench.worker(f"rm ../stdout; [ $1 = 1 ] && ln -s {secret} ../stdout || mkfifo ../stdout\n" + TALKER)
    bench.write("spe.yaml", THREE + "attempts: 1\n")
    running = bench.start("run")
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    for task in ("1", "2"):
        done = bench.start("log", task, "-f").end()
        assert done.code == 2, done
        assert "CANARY" not in done.out
        assert "is no file any more" in done.err
    bench.open_gate()
    running.end()


@pytest.mark.parametrize("more", ["ask: any\n"])
def test_with_any_whatever_is_asked_runs_until_it_takes_too_long(bench: Bench, running: Started) -> None:
    assert ask(bench, "1", "--", "sh", "-c", "echo $SPE_NONE here; exit 7").code == 7
    late = ask(bench, "1", "--limit", "5", "--", "sh", "-c", "echo first; sleep 60")
    assert late.out == "first\n"
    assert "it took longer than 5 s, and was ended" in late.err
    end(bench, running)


def test_help_lists_what_this_sweep_allows(bench: Bench) -> None:
    bench.worker(TALKER)
    bench.write("spe.yaml", THREE + "ask: [ls, df]\n")
    assert "ls df" in ask(bench, "--help").out.splitlines()[-1]


def test_a_set_that_does_not_run_is_named_with_its_state(bench: Bench, running: Started) -> None:
    assert "task 3 does not run now: it is waiting" in ask(bench, "3", "--", "ls").err
    assert "there is no task 9" in ask(bench, "9", "--", "ls").err
    bench.open_gate()
    assert running.end().code == 0
    assert "nothing runs here" in ask(bench, "1", "--", "ls").err


@pytest.mark.parametrize("more", ["ask: any\n"])
def test_a_set_that_ends_meanwhile_has_finished(bench: Bench, running: Started) -> None:
    asked = bench.start("ask", "1", "--", "sh", "-c", "echo here; sleep 60")
    assert first_line(asked.process.stdout) == "here\n"
    bench.open_gate()
    done = asked.end()
    assert done.code == 2
    assert "the task has finished" in done.err
    assert running.end().code == 0


@pytest.mark.parametrize("more", ["ask: any\n"])
def test_a_command_ends_when_nobody_waits_for_it_any_more(bench: Bench, running: Started) -> None:
    asked = bench.start("ask", "1", "--limit", "3600", "--", "sh", "-c", "echo $$; exec sleep 3600")
    process = int(first_line(asked.process.stdout))
    asked.signal(signal.SIGINT)
    assert asked.end().code == 130
    wait_until(lambda: not is_alive(process), "it is ended, long before its limit")
    end(bench, running)


def test_on_a_host_a_command_runs_without_a_set(bench: Bench, running: Started) -> None:
    assert "client.lock" in ask(bench, "--host", "localhost", "--", "ls").out
    assert "no client works on elsewhere" in ask(bench, "--host", "elsewhere", "--", "ls").err
    end(bench, running)


def test_without_the_acting_token_nothing_is_run_and_the_log_says_so(bench: Bench, running: Started) -> None:
    page = urlsplit(json.loads((bench.runs() / "master.json").read_text())["page"])
    connection = http.client.HTTPConnection("127.0.0.1", int(page.port or 0), timeout=20)
    connection.request("POST", f"/ask?{page.query}", json.dumps({"task": 1, "words": ["ls"]}))
    answer = connection.getresponse()
    assert answer.status == 403
    assert "acting token" in answer.read().decode()
    assert "without the acting token" in (bench.runs() / "master.log").read_text()
    end(bench, running)


UNREADABLE = (
    "", "[]", '{"task": 1}', '{"words": ["ls"]}', '{"task": "1", "words": 5}', '{"task": 0, "words": ["ls"]}',
    '{"task": 1, "words": "ls"}', '{"task": 1, "words": []}', '{"task": 1, "words": [1]}',
    '{"task": 1, "words": ["ls"], "limit": "x"}', '{"task": 1, "words": ["ls"], "limit": NaN}',
)  # fmt: skip


def test_a_question_that_cannot_be_read_is_refused_and_one_that_was_asked_stands_in_the_log(
    bench: Bench, running: Started
) -> None:
    page = urlsplit(json.loads((bench.runs() / "master.json").read_text())["page"])
    token = json.loads((bench.runs() / "session/secrets.json").read_text())["act"]
    for asked in UNREADABLE:
        connection = http.client.HTTPConnection("127.0.0.1", int(page.port or 0), timeout=20)
        connection.request("POST", f"/ask?token={token}", asked)
        assert connection.getresponse().status == 400, asked
        connection.close()
    assert ask(bench, "1", "--", "ls", "a b\n").code == 2
    assert "asked about task 1, by 127.0.0.1: ls 'a b '" in (bench.runs() / "master.log").read_text()
    end(bench, running)


def test_log_f_follows_what_a_set_prints_until_it_ends(bench: Bench, running: Started) -> None:
    following = bench.start("log", "1", "-f")
    assert first_line(following.process.stderr) == "to stderr\n"
    assert first_line(following.process.stdout) == "begin 1\n"
    bench.open_gate()
    assert following.end() == Done(0, "end 1\n", "")
    assert running.end().code == 0


def test_who_follows_a_set_sees_nothing_of_those_that_run_after_it(bench: Bench) -> None:
    talk = "echo first; touch $LOG.on; while [ ! -e $GATE ]; do sleep 0.02; done; echo last"
    bench.worker(f'if [ $1 = 1 ]; then {talk}; else printf "of another %.0s" 1 2 3 4 5 6 7 8; fi\n')
    many = "parameters: {grid: {x: {range: [1, 200]}}}"
    bench.write("spe.yaml", f"command: ./work {{{{ x }}}}\n{many}\nhosts: [localhost slots=1]\n")
    started = bench.start("run")
    wait_until(bench.log.with_suffix(bench.log.suffix + ".on").exists, "the first one runs")
    following = bench.start("log", "1", "-f")
    assert first_line(following.process.stdout) == "first\n"
    bench.open_gate()
    assert following.end() == Done(0, "last\n", "")
    assert started.end().code == 0


def test_who_stops_listening_is_no_fault(bench: Bench, running: Started) -> None:
    following = bench.start("log", "1", "-f")
    assert first_line(following.process.stdout) == "begin 1\n"
    following.signal(signal.SIGINT)
    assert following.end().code == 130
    assert ask(bench, "1", "--", "ls").code == 0, "its client has heard nothing of it"
    end(bench, running)
    assert "could not be read" not in (bench.runs() / "master.log").read_text()


def test_log_f_of_a_set_that_has_ended_is_its_log_and_one_that_waits_is_said_so(bench: Bench, running: Started) -> None:
    assert "task 3 does not run now: it is waiting" in bench.start("log", "3", "-f").end().err
    assert bench.start("log", "3").end().err == "task 3 (x=3) has not run\n"
    assert "task 1 runs: `spe log 1 -f` shows what it prints" in bench.start("log", "1").end().err
    assert bench.start("log", "--failed").end() == Done(0, "", "no set has failed\n")
    assert bench.start("log", "--failed", "-f").end().code == 2
    end(bench, running)
    assert bench.ok("log", "1", "-f").out == bench.ok("log", "1").out
    assert "to stderr\n" in bench.ok("log", "1").out


def test_ps_shows_the_trees_of_all_running_sets(bench: Bench, running: Started) -> None:
    shown = bench.start("ps").end().out
    assert "localhost: task 1, ticket " in shown
    assert "localhost: task 2, ticket " in shown
    pids = {line.split()[1] for line in bench.logged()}
    found = json.loads(bench.start("ps", "--json").end().out)
    assert found["silent"] == []
    top = {str(row["pid"]): row["task"] for row in found["processes"] if row["depth"] == 0}
    assert top.keys() == pids
    assert sorted(top.values()) == [1, 2]
    assert bench.start("ps", "elsewhere").end().code == 2
    end(bench, running)


def test_a_paused_set_stands_still_without_its_timeout_and_goes_on(bench: Bench, running: Started) -> None:
    def state(task: int) -> set[str]:
        rows = json.loads(bench.start("ps", "--json").end().out)["processes"]
        return {row["state"] for row in rows if row["task"] == task}

    assert bench.start("pause", "1").end().code == 0
    wait_until(lambda: "T" in state(1) <= {"T", "Z"}, "all of it stands still")  # Z: it ended in that moment
    assert "T" not in state(2)
    assert bench.start("resume", "1").end().code == 0
    wait_until(lambda: "T" not in state(1), "it goes on")
    end(bench, running)
