"""`spe ls`, `spe rm`, and `spe status` in a folder with several sweeps."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from waiting import wait_until

from .kit import Bench, Done, Started

GATED = "echo $1 >> $LOG\nwhile [ ! -e $GATE ]; do sleep 0.02; done\n[ $1 != bad ]\n"


def listing(bench: Bench) -> dict[str, str]:
    """Return the environment of commands that write the list."""
    return {"SPE_NO_LIST": "", "XDG_STATE_HOME": str(bench.root / "state")}


def run(bench: Bench, name: str, *values: str, **more: str) -> Done:
    line = ["-p", f"x={','.join(values)}", "--", "./work", "{{ x }}"]
    return bench.spe("run", "-n", name, "--attempts", "1", *line, **more)


def test_rm_says_all_that_goes_also_sets_of_earlier_parameters(bench: Bench) -> None:
    bench.ok("run", "-n", "one", "-p", "x=1:6", "--", "echo", "{{ x }}")
    bench.ok("run", "-n", "one", "-p", "x=7:8", "--", "echo", "{{ x }}")
    done = bench.ok("rm", "-y", "one", "one")  # a slip, and no fault
    assert "runs/one: 8 sets (8 done, 0 failed)" in done.err


def started(bench: Bench, name: str, **more: str) -> Started:
    begun = bench.start("run", "-n", name, "-p", "x=1", "--", "./work", "{{ x }}", **more)
    wait_until(bench.logged, "a program runs")
    return begun


def three_sweeps(bench: Bench) -> None:
    bench.worker(GATED)
    bench.open_gate()
    more = listing(bench)
    assert run(bench, "good", "1", "2", **more).code == 0
    assert run(bench, "poor", "1", "bad", **more).code == 1
    (bench.root / "gate").unlink()
    bench.log.unlink()


def states(found: Any) -> dict[str, tuple[str, int, int, int]]:
    return {one["name"]: (one["state"], one["done"], one["failed"], one["total"]) for one in found}


def test_ls_lists_all_runs_of_this_account_with_their_state(bench: Bench) -> None:
    three_sweeps(bench)
    more = listing(bench)
    going = started(bench, "going", **more)
    wanted = {"good": ("done", 2, 0, 2), "poor": ("failed", 1, 1, 2), "going": ("running", 0, 0, 1)}
    found = bench.spe("ls", "--json", **more).json
    assert states(found) == wanted
    assert {one["folder"] for one in found} == {str(bench.folder)} and found[0]["name"] == "going"
    text = bench.spe("ls", **more).out
    assert text.splitlines()[0].split() == ["folder", "sweep", "state", "done", "failed", "all", "last", "used"]
    assert "going" in text.splitlines()[1] and len(text.splitlines()) == 4
    going.signal(signal.SIGKILL)
    going.process.communicate()
    assert states(bench.start("ls", "--json", **more).end().json)["going"] == ("killed", 0, 0, 1)
    bench.open_gate()
    assert bench.start("run", "-n", "going", "-p", "x=1", "--", "./work", "{{ x }}", **more).end().code == 0


def test_an_entry_without_a_folder_is_dropped(bench: Bench) -> None:
    three_sweeps(bench)
    more = listing(bench)
    entries = bench.root / "state/spe/runs"
    assert len(list(entries.iterdir())) == 2
    bench.ok("rm", "-y", "poor")
    assert list(states(bench.spe("ls", "--json", **more).json)) == ["good"]
    assert len(list(entries.iterdir())) == 1
    (entries / "0.json").write_text("{half")
    assert list(states(bench.spe("ls", "--json", **more).json)) == ["good"]


def test_no_list_is_written_where_it_is_not_wanted_or_not_possible(bench: Bench) -> None:
    bench.worker(GATED)
    bench.open_gate()
    assert run(bench, "one", "1", SPE_NO_LIST="1", XDG_STATE_HOME=str(bench.root / "state")).code == 0
    assert not (bench.root / "state").exists()
    (bench.root / "file").touch()
    for place in (bench.root / "file", Path("/proc/1")):
        done = run(bench, "one", "2", SPE_NO_LIST="", XDG_STATE_HOME=str(place))
        assert done.code == 0 and "state" not in done.err, done
    assert bench.spe("ls", XDG_STATE_HOME=str(bench.root / "file")).code == 0


def test_runs_that_begin_at_the_same_time_are_all_listed(bench: Bench) -> None:
    bench.worker(GATED)
    bench.open_gate()
    more = listing(bench)
    words = ["-p", "x=1", "--", "./work", "{{ x }}"]
    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(bench.start, "run", "-n", f"s{n}", *words, **more) for n in range(4)]  # type: ignore[arg-type]
    assert [one.result().end().code for one in begun] == [0] * 4
    assert sorted(states(bench.spe("ls", "--json", **more).json)) == ["s0", "s1", "s2", "s3"]
    assert all(json.loads(one.read_text()) for one in (bench.root / "state/spe/runs").iterdir())


def test_status_lists_the_sweeps_of_a_folder_and_then_the_one_used_last(bench: Bench) -> None:
    three_sweeps(bench)
    out = bench.spe("status").out
    lines = out.splitlines()
    assert lines[0].split() == ["sweep", "state", "done", "failed", "all", "last", "used"]
    assert lines[1].split()[:5] == ["good", "done", "2", "0", "2"]
    assert lines[2].split()[:5] == ["poor", "failed", "1", "1", "2"]
    assert lines[4].endswith("runs/poor") and "1 of 2 sets done" in out
    assert "sweep " not in bench.spe("status", "-n", "good").out
    found = bench.spe("status", "--json").json
    assert states(found["sweeps"]) == {"good": ("done", 2, 0, 2), "poor": ("failed", 1, 1, 2)}


def test_status_says_how_to_name_a_sweep_where_none_is_meant(bench: Bench) -> None:
    three_sweeps(bench)
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1]}}\n")
    shown = bench.spe("status")
    assert shown.code == 0 and "`spe status -n NAME` shows one of them." in shown.out, shown
    assert "good" in shown.out and "poor" in shown.out


def test_rm_says_what_goes_and_removes_it(bench: Bench) -> None:
    three_sweeps(bench)
    done = bench.ok("rm", "--yes", "good")
    assert "2 sets (2 done, 0 failed), " in done.err and f"removed {Path('runs/good')}" in done.err, done
    assert not bench.runs("good").exists() and bench.runs("poor").exists()


def test_rm_asks_on_a_terminal_and_is_refused_without_one(bench: Bench) -> None:
    three_sweeps(bench)
    assert "there is no terminal to ask on" in bench.spe("rm", "good").err
    assert bench.runs("good").exists()
    for answer, code in ((b"n\n", 2), (b"\n", 2), (b"y\n", 0)):
        assert asked(bench, answer, "rm", "good") == code
        assert bench.runs("good").exists() is bool(code)


def asked(bench: Bench, answer: bytes, *words: str) -> int:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.folder)
        os.execve(sys.executable, [sys.executable, "-m", "spe", *words], bench.environment)
    os.write(terminal, answer)
    while True:
        try:
            os.read(terminal, 4096)
        except OSError:
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_rm_refuses_a_sweep_that_runs(bench: Bench) -> None:
    three_sweeps(bench)
    going = started(bench, "going")
    said = bench.spe("rm", "-y", "good", "going")
    assert said.code == 2 and "it is being run by process" in said.err, said
    assert bench.runs("good").exists(), "one that cannot be removed keeps the others, too"
    bench.open_gate()
    assert going.end().code == 0


def test_rm_removes_only_what_spe_made(bench: Bench) -> None:
    three_sweeps(bench)
    bench.write("runs/mine/notes.txt", "mine")
    assert "there is no sweep here" in bench.spe("rm", "-y", "mine").err
    assert "there is no such folder" in bench.spe("rm", "-y", "none").err
    assert "not the name of a folder" in bench.spe("rm", "-y", "../sweep").err
    precious = bench.write("precious/data", "1")
    (bench.runs("good") / "link").symlink_to(precious.parent)
    (bench.runs("linked")).symlink_to(bench.runs("poor"))
    assert "this is a link" in bench.spe("rm", "-y", "linked").err
    done = bench.ok("rm", "-y", "good")
    assert "1 of its files are links" in done.err, done
    assert precious.read_text() == "1" and bench.runs("poor").exists()
    assert (bench.runs("mine") / "notes.txt").exists()
