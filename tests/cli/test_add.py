"""`spe run --add`: a second `spe run` of a running sweep brings its new sets to the run that goes on."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import time
from functools import partial
from pathlib import Path

from spe.session.living import living
from waiting import wait_until

from .kit import Bench, Started

GATED = "echo $1 >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\necho $1\n"
FILE = "command: ./work {{{{ x }}}}\nparameters: {{grid: {{x: {{range: [1, {last}]}}}}}}\nhosts: [localhost slots=2]\n"


def line(*more: str, x: str) -> list[str]:
    return ["run", *more, "-j", "2", "-p", f"x={x}", "--", "./work", "{{ x }}"]


def running(bench: Bench, *words: str) -> Started:
    """Start a gated sweep and return when it has two programs that run."""
    bench.worker(GATED)
    begun = bench.start(*words)
    wait_until(lambda: len(bench.logged()) == 2, "two programs run")
    return begun


def numbers(bench: Bench, name: str) -> list[int]:
    return sorted(int(cell) for cell in bench.column("stdout", name))


def test_add_brings_the_new_sets_of_a_one_liner_to_the_run_that_goes_on(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    added = bench.spe(*line("--add", x="3:5"))
    assert (added.code, added.err) == (0, "2 sets added to the run that goes on; 1 there already\n"), added
    bench.open_gate()
    done = run.end()
    assert done.code == 0, done
    assert "5 of 5 sets done" in done.err
    assert numbers(bench, "work") == [1, 2, 3, 4, 5]


def test_options_that_are_not_given_again_are_those_of_the_line_that_runs(bench: Bench) -> None:
    run = running(bench, "run", "-j", "2", "--timeout", "1h", "-p", "x=1:3", "--", "./work", "{{ x }}")
    added = bench.spe("run", "--add", "-p", "x=4:5", "--", "./work", "{{ x }}")
    assert (added.code, added.err) == (0, "2 sets added to the run that goes on\n"), added
    refused = bench.spe("run", "--add", "--timeout", "2h", "-p", "x=4:5", "--", "./work", "{{ x }}")
    assert refused.code == 2 and "`timeout` differs from the sweep that runs" in refused.err
    bench.open_gate()
    assert run.end().code == 0
    ((kept,),) = bench.query("SELECT value FROM meta WHERE key = 'line'", "work")
    assert json.loads(kept)["settings"]["timeout"] == "1h", "a plain `spe run` goes on with all of it"


def test_options_are_those_of_the_line_that_ran_last_also_when_nothing_runs(bench: Bench) -> None:
    bench.worker('echo "$1 $A"\n')
    bench.ok("run", "--env", "A=1", "-p", "x=1:2", "--", "./work", "{{ x }}")
    bench.ok("run", "--add", "-p", "x=3", "--", "./work", "{{ x }}")
    assert sorted(bench.column("stdout", "work")) == ["1 1", "2 1", "3 1"]


def test_add_brings_the_new_sets_of_a_spe_yaml_to_the_run_that_goes_on(bench: Bench) -> None:
    bench.write("spe.yaml", FILE.format(last=3))
    run = running(bench, "run")
    bench.write("spe.yaml", FILE.format(last=6))
    added = bench.spe("run", "--add", "--json")
    assert added.json == {"added": 3, "already_there": 3, "finished_by_another_program": 0}
    bench.open_gate()
    assert run.end().code == 0
    assert numbers(bench, "sweep") == [1, 2, 3, 4, 5, 6]


def test_equal_sets_that_are_added_twice_are_one(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    bench.spe(*line("--add", x="4:5"))
    again = bench.spe(*line("--add", x="4:5"))
    assert "0 sets added to the run that goes on; 2 there already" in again.err
    bench.open_gate()
    assert run.end().code == 0
    assert sorted(bench.logged()) == ["1", "2", "3", "4", "5"]


def test_what_was_added_is_in_the_status_of_the_master_and_counted(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    bench.spe(*line("--add", x="4:9"))
    status = bench.spe("status", "--json").json
    assert status["run"]["total"] == 9, status["run"]
    told = "SELECT text FROM events WHERE kind = 'sets'"
    wait_until(lambda: bench.query(told, "work") == [("6 sets added; now there are 9",)], "the event is stored")
    bench.open_gate()
    assert run.end().code == 0


def test_only_the_parameters_may_differ_and_what_differs_is_named(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    said = bench.spe(*line("--add", "--timeout", "10min", "--attempts", "1", x="4:5"))
    assert said.code == 2 and "`timeout` and `attempts` differ from the sweep that runs" in said.err, said
    other = bench.spe("run", "--add", "-j", "2", "-p", "x=4", "-p", "y=1", "--", "./work", "{{ x }}")
    assert other.code == 2 and "the names of the parameters differs" in other.err, other
    bench.worker("echo another\n")
    program = bench.spe(*line("--add", x="4:5"))
    assert program.code == 2 and "the program differs from the sweep that runs" in program.err, program
    bench.open_gate()
    assert run.end().code == 0
    assert numbers(bench, "work") == [1, 2, 3]


def test_without_add_and_without_a_terminal_a_second_run_is_refused_as_before(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    said = bench.spe(*line(x="4:5"))
    assert said.code == 2 and "this sweep is being run by process" in said.err, said
    bench.open_gate()
    assert run.end().code == 0
    assert numbers(bench, "work") == [1, 2, 3]


def answered(bench: Bench, answer: str, words: list[str], piped: bool = False) -> tuple[int, str]:
    """Run spe on a terminal of its own and answer its question; return exit code and output.

    `piped`: its standard input is a file, and the terminal is /dev/tty alone.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.folder)
        if piped:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execve(sys.executable, [sys.executable, "-m", "spe", *words], bench.environment)
    shown = ""
    asked = False
    while True:
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            break
        if "[y/N]" in shown and not asked:
            asked = True
            os.write(terminal, answer.encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_on_a_terminal_a_second_run_asks_whether_to_add(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    code, shown = answered(bench, "y\n", line(x="4:5"))
    assert code == 0 and "2 sets added" in shown, shown
    code, shown = answered(bench, "y\n", line(x="6"), piped=True)
    assert code == 0 and "1 set added" in shown, shown
    code, shown = answered(bench, "\n", line(x="7:8"))
    assert code == 2 and "this sweep is being run by process" in shown, shown
    bench.open_gate()
    assert run.end().code == 0
    assert numbers(bench, "work") == [1, 2, 3, 4, 5, 6]


def killed(run: Started) -> None:
    run.signal(signal.SIGKILL)
    run.process.communicate()


def test_a_killed_master_loses_no_added_set_whatever_line_goes_on(bench: Bench) -> None:
    for number, following in enumerate((["run"], line(x="1:3"), line(x="4:6"), line("--add", x="7"))):
        (bench.root / "gate").unlink(missing_ok=True)
        bench.log.unlink(missing_ok=True)
        run = running(bench, *line("-n", f"s{number}", x="1:3"))
        assert bench.start(*line("--add", "-n", f"s{number}", x="4:6")).end().code == 0
        killed(run)
        bench.open_gate()
        following = [following[0], "-n", f"s{number}", *following[1:]]
        done = bench.start(*following).end()
        assert done.code == 0, done
        want = [1, 2, 3, 4, 5, 6, 7] if "--add" in following else [1, 2, 3, 4, 5, 6]
        assert numbers(bench, f"s{number}") == want, done
    bench.assert_nothing_left()


def test_after_its_end_the_sweep_keeps_all_rows_until_other_parameters_are_given(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    bench.spe(*line("--add", x="4:5"))
    bench.open_gate()
    assert run.end().code == 0
    for words in (["run"], line(x="4:5"), ["retry"]):
        assert bench.spe(*words).code in (0, 2)
        assert numbers(bench, "work") == [1, 2, 3, 4, 5], words
    bench.ok(*line(x="1:2"))
    assert numbers(bench, "work") == [1, 2]


def test_add_without_a_run_runs_the_sets_itself_and_keeps_those_of_before(bench: Bench) -> None:
    bench.worker("echo $1\n")
    bench.ok(*line(x="1:3"))
    bench.ok(*line("--add", x="3:5"))
    assert numbers(bench, "work") == [1, 2, 3, 4, 5]


def test_add_to_a_run_that_ends_runs_the_sets_after_it(bench: Bench) -> None:
    run = running(bench, *line(x="1:3"))
    run.signal(signal.SIGINT)
    adding = bench.start(*line("--add", x="4:5"))
    assert adding.process.stderr
    said = adding.process.stderr.readline()
    assert "the run takes no more sets: it ends" in said
    bench.open_gate()
    assert run.end().code == 130
    done = adding.end()
    assert done.code == 0, done
    assert numbers(bench, "work") == [1, 2, 3, 4, 5]


def has_begun(bench: Bench, run: Started) -> bool:
    there = living(bench.runs("work"))
    return run.process.poll() is not None or (there is not None and there.pid == run.pid)


def test_sets_that_are_added_as_a_run_comes_to_its_end_all_run(bench: Bench) -> None:
    bench.worker("echo $1\n")
    for turn in range(4):
        run = bench.start(*line(x=f"{turn * 10}"))
        wait_until(partial(has_begun, bench, run), "it begins")
        time.sleep(turn * 0.1)  # other moments of the end
        adding = bench.start(*line("--add", x=f"{turn * 10 + 1}:{turn * 10 + 5}"))
        assert adding.end().code == 0
        assert run.end().code == 0
        wanted = {turn * 10 + more for more in range(6)}
        assert wanted <= set(numbers(bench, "work"))


def test_many_sets_are_added_while_programs_end(bench: Bench) -> None:
    run = running(bench, *line(x="1:10"))
    bench.open_gate()
    added = bench.start(*line("--add", x="1:3500"))
    assert added.end().code == 0
    run.end(300)
    assert numbers(bench, "work") == list(range(1, 3501))


def test_a_set_of_earlier_parameters_comes_back_finished(bench: Bench) -> None:
    bench.worker("echo $1\n")
    bench.ok(*line(x="7:8"))
    run = running(bench, *line("--keep", x="1:3"))
    added = bench.spe(*line("--add", x="8:9"))
    assert "2 sets added" in added.err, added
    bench.open_gate()
    done = run.end()
    assert done.code == 0 and "5 of 5 sets done" in done.err, done
    assert numbers(bench, "work") == [1, 2, 3, 8, 9]
    assert "8" not in bench.logged()


def test_a_page_token_does_not_add_sets(bench: Bench, tmp_path: Path) -> None:
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    run = running(bench, *line(x="1:3"))
    page = urlsplit(json.loads((bench.runs("work") / "master.json").read_text())["page"])
    connection = HTTPConnection(page.hostname or "", page.port)
    connection.request("POST", f"/sets?{page.query}", "{}")
    assert connection.getresponse().status == 403
    secrets = json.loads((bench.runs("work") / "session" / "secrets.json").read_text())
    connection = HTTPConnection(page.hostname or "", page.port)
    connection.request("POST", f"/sets?token={secrets['act']}", '{"sets": [1]}')
    assert connection.getresponse().status == 400
    bench.open_gate()
    assert run.end().code == 0


def test_a_week_of_adding_loses_and_repeats_no_set(bench: Bench) -> None:
    """Add while it runs, add twice, kill, add to the run that goes on, add at its end, and add afterwards."""
    run = running(bench, *line(x="1:4"))
    assert bench.start(*line("--add", x="5:6")).end().code == 0
    assert bench.start(*line("--add", x="5:8")).end().code == 0
    killed(run)
    again = bench.start(*line(x="1:4"))
    wait_until(partial(has_begun, bench, again), "it goes on")
    added = bench.start(*line("--add", x="8:9")).end()
    assert added.err == "1 set added to the run that goes on; 1 there already\n", added
    bench.open_gate()
    last = bench.start(*line("--add", x="9:12")).end()
    assert last.code == 0, last
    assert again.end().code == 0
    assert bench.spe(*line("--add", x="13")).code == 0
    assert numbers(bench, "work") == list(range(1, 14))
    begun = [int(one) for one in bench.logged()]
    assert set(begun) == set(range(1, 14))
    assert all(begun.count(one) == 1 for one in range(5, 14)), "what had not begun when it was killed runs once"
