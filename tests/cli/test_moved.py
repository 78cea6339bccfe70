"""The folder of a running sweep, its sweep.db and its files/, moved, removed and replaced: noticed, said, nothing lost.

Each test has a sweep of eight sets on two slots: two are done, two run and wait for a gate, four wait. After the run
each asks for the same: nothing was handed out any more, what ran is kept, and `spe run` from where all of it is now
does the rest.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.mounts import mounts
from processes import is_alive
from waiting import wait_until

from .kit import Bench, Done, Started

pytestmark = pytest.mark.patient
WORK = """
echo "$1 $$" >> "$LOG"
if [ "$1" -gt 2 ]; then while [ ! -e "$GATE" ]; do sleep 0.05; done; fi
echo "A$1"
echo "file $1" > big.dat
"""
SWEEP = """command: ./work {{ x }}
parameters: {grid: {x: {range: [1, 8]}}}
results: {word: stdout, big: {from: big.dat, as: file}}
hosts: [localhost slots=2]
"""
TWO = "SELECT count(*) FROM tasks WHERE state = 'done'"


def begin(bench: Bench, more: str = "") -> Started:
    """Sets 1 and 2 are done, 3 and 4 run."""
    bench.worker(WORK)
    bench.write("spe.yaml", SWEEP + more)
    running = bench.start("run")
    wait_until(lambda: bench.query(TWO) == [(2,)] and set(begun(bench)) == {1, 2, 3, 4}, "two are done, two run")
    return running


def begun(bench: Bench) -> list[int]:
    return [int(line.split()[0]) for line in bench.logged()]


def hears(running: Started, words: str) -> str:
    """What it said, up to a line with these words."""
    assert running.process.stderr
    descriptor, said = running.process.stderr.fileno(), ""

    def heard() -> bool:
        nonlocal said
        if select.select([descriptor], [], [], 0.1)[0]:
            piece = os.read(descriptor, 65536).decode()
            assert piece, said
            said += piece
        return words in said.rpartition("\n")[0]

    wait_until(heard, f"it says {words!r}")
    return said


def finish(bench: Bench, running: Started, database: Path | None = None) -> Done:
    """The two that run may finish; nothing else was begun. `database`: where it is now."""
    path = database or bench.runs() / "sweep.db"
    wait_until(lambda: asked(path, "SELECT count(*) FROM tickets WHERE state = 'issued'") == 2, "what waits is back")
    bench.open_gate()
    done = running.end()
    assert done.code == 1, done
    assert sorted(begun(bench)) == [1, 2, 3, 4]
    bench.assert_nothing_left(done)
    return done


def goes_on(bench: Bench, lost: tuple[int, ...] = ()) -> None:
    """`spe run` again: what was kept stays, what was lost or waits runs, and each row is true."""
    before = begun(bench)
    bench.ok("run")
    assert sorted(begun(bench)[len(before) :]) == sorted([5, 6, 7, 8, *lost])
    rows = bench.rows()
    assert [row["x"] for row in rows] == [str(x) for x in range(1, 9)]
    assert [row["word"] for row in rows] == [f"A{x}" for x in range(1, 9)]
    for row in rows:
        assert (bench.runs() / row["big"]).read_text() == f"file {row['x']}\n"
    whole(bench.runs() / "sweep.db")


def asked(path: Path, sql: str) -> int:
    """Of the database while it is written."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return int(connection.execute(sql).fetchone()[0])
    finally:
        connection.close()


def whole(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def done_in(folder: Path) -> set[int]:
    connection = sqlite3.connect(folder / "sweep.db")
    found = {int(number) for (number,) in connection.execute("SELECT number FROM tasks WHERE state = 'done'")}
    connection.close()
    return found


# -- moved


def test_runs_moved_away_is_drained_where_it_is_now(bench: Bench) -> None:
    running = begin(bench)
    away = bench.root / "elsewhere"
    (bench.folder / "runs").rename(away)
    new = away / bench.folder.name
    said = hears(running, "was moved while the sweep runs")
    assert str(bench.runs()) in said and f"is {new} now" in said
    done = finish(bench, running, new / "sweep.db")
    assert not (bench.folder / "runs").exists()  # the old path was not made again
    assert done.out.strip().endswith(str(new / "results.csv"))
    assert f"everything is in {new}" in done.err
    assert len((new / "results.csv").read_text().splitlines()) == 5
    assert done_in(new) == {1, 2, 3, 4}
    left = {path.name for path in new.iterdir()}
    assert left == {"sweep.db", "files", "results.csv", "failed.csv", "master.log"}
    away.rename(bench.folder / "runs")
    goes_on(bench)


def test_the_whole_project_moved_goes_on_from_its_new_place(bench: Bench) -> None:
    running = begin(bench)
    old, new = bench.folder, bench.root / "renamed"
    old.rename(new)
    hears(running, f"is {new / 'runs' / old.name} now")
    finish(bench, running, new / "runs" / old.name / "sweep.db")
    assert not old.exists()
    bench.folder = new
    bench.write("spe.yaml", f"name: {old.name}\n" + SWEEP)
    bench.runs = lambda name=None: new / "runs" / old.name  # type: ignore[method-assign]
    goes_on(bench)


def test_a_second_run_at_the_old_path_is_not_touched(bench: Bench) -> None:
    running = begin(bench)
    away = bench.root / "elsewhere"
    (bench.folder / "runs").rename(away)
    beside = bench.start("run")
    hears(running, "was moved while the sweep runs")
    bench.open_gate()
    done, second = running.end(), beside.end()
    assert second.code == 0, second
    assert done.code == 1, done
    bench.assert_nothing_left(done)
    assert [row["word"] for row in bench.rows()] == [f"A{x}" for x in range(1, 9)]
    whole(bench.runs() / "sweep.db")
    assert not (bench.runs() / "lock").exists()
    new = away / bench.folder.name
    whole(new / "sweep.db")
    assert {1, 2, 3, 4} <= done_in(new)
    assert done.out.strip().endswith(str(new / "results.csv"))
    bench.ok("run")


def test_a_database_moved_away_alone_is_written_where_it_is(bench: Bench) -> None:
    running = begin(bench)
    away = bench.root / "elsewhere.db"
    (bench.runs() / "sweep.db").rename(away)
    hears(running, f"is {away} now")
    done = finish(bench, running, away)
    assert f"it is {away} now; move it back" in done.err
    assert not (bench.runs() / "sweep.db").exists() and not (bench.runs() / "sweep.db-wal").exists()
    assert len(bench.rows()) == 4
    away.rename(bench.runs() / "sweep.db")
    goes_on(bench)


def test_files_moved_away_alone_get_what_still_comes(bench: Bench) -> None:
    running = begin(bench)
    away = bench.root / "results"
    (bench.runs() / "files").rename(away)
    hears(running, f"is {away} now")
    finish(bench, running)
    assert not (bench.runs() / "files").exists()
    assert sorted(path.name for path in away.iterdir()) == ["1", "2", "3", "4"]
    away.rename(bench.runs() / "files")
    goes_on(bench)


def test_a_link_in_place_of_a_moved_folder_ends_nothing(bench: Bench) -> None:
    running = begin(bench)
    away = bench.root / "elsewhere"
    beside = bench.root / "link"
    beside.symlink_to(away)
    (bench.folder / "runs").rename(away)
    beside.rename(bench.folder / "runs")
    bench.open_gate()
    done = running.end()
    assert done.code in (0, 1), done  # 1: somebody looked between the two renames
    bench.assert_nothing_left(done)
    if done.code == 0:
        assert sorted(begun(bench)) == list(range(1, 9))


# -- removed


def test_runs_removed_is_written_back(bench: Bench) -> None:
    running = begin(bench)
    shutil.rmtree(bench.folder / "runs")
    said = hears(running, "are lost, they wait again")
    assert f"{bench.runs()} was removed while the sweep runs" in said
    assert "the result files of 2 sets are lost, they wait again: 1 and 2" in said
    assert (bench.runs() / "lock").exists() and (bench.runs() / "master.json").exists()
    done = finish(bench, running)
    assert "stopped because its folder was removed" in done.err
    assert [row["word"] for row in bench.rows()] == ["A3", "A4"]
    log = (bench.runs() / "master.log").read_text()
    assert "registered" in log and "was removed while the sweep runs" in log
    goes_on(bench, lost=(1, 2))


def test_the_whole_project_removed_is_written_back_with_what_was_stored(bench: Bench) -> None:
    running = begin(bench)
    kept = bench.root / "kept"
    shutil.copytree(bench.folder, kept, ignore=shutil.ignore_patterns("runs"))
    shutil.rmtree(bench.folder)
    hears(running, "are lost, they wait again")
    finish(bench, running)
    shutil.copytree(kept, bench.folder, dirs_exist_ok=True)
    goes_on(bench, lost=(1, 2))


def test_a_removed_folder_is_written_beside_a_run_that_stands_there_by_now(bench: Bench) -> None:
    running = begin(bench)
    shutil.rmtree(bench.folder / "runs")
    second = bench.start("run")
    wait_until(lambda: len(begun(bench)) > 4 or second.process.poll() is not None, "the second one runs")
    hears(running, "was removed while the sweep runs")
    bench.open_gate()
    first, second_done = running.end(), second.end()
    bench.assert_nothing_left(first)
    if second_done.code == 2:  # the first one was quicker: it is being run
        assert "is being run by" in second_done.err
        assert done_in(bench.runs()) == {3, 4}
        return
    assert second_done.code == 0, second_done
    assert [row["word"] for row in bench.rows()] == [f"A{x}" for x in range(1, 9)]
    rescued = [path for path in (bench.folder / "runs").iterdir() if ".rescued-" in path.name]
    assert len(rescued) == 1 and done_in(rescued[0]) == {3, 4}
    assert str(rescued[0]) in first.err


def test_a_database_removed_is_written_back(bench: Bench) -> None:
    running = begin(bench)
    (bench.runs() / "sweep.db").unlink()
    said = hears(running, "was removed while the sweep runs")
    assert str(bench.runs() / "sweep.db") in said
    finish(bench, running)
    assert len(bench.rows()) == 4
    goes_on(bench)


def test_all_in_the_folder_removed_is_written_back_and_no_second_run_gets_in(bench: Bench) -> None:
    running = begin(bench)
    for path in bench.runs().iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    second = bench.start("run").end()
    assert second.code == 2 and "this sweep is being run by" in second.err, second
    hears(running, "are lost, they wait again")
    wait_until(lambda: (bench.runs() / "lock").exists(), "the lock is made again")
    finish(bench, running)
    goes_on(bench, lost=(1, 2))


def test_files_removed_puts_their_sets_back(bench: Bench) -> None:
    running = begin(bench)
    shutil.rmtree(bench.runs() / "files")
    said = hears(running, "are lost, they wait again")
    assert "the result files of 2 sets are lost, they wait again: 1 and 2" in said
    finish(bench, running)
    assert [row["word"] for row in bench.rows()] == ["A3", "A4"]
    goes_on(bench, lost=(1, 2))


def test_session_and_lock_removed_are_written_again_and_the_run_goes_on(bench: Bench) -> None:
    running = begin(bench)
    shutil.rmtree(bench.runs() / "session")
    (bench.runs() / "lock").unlink()
    (bench.runs() / "master.json").unlink()
    names = ("session/secrets.json", "lock", "master.json")
    wait_until(lambda: all((bench.runs() / name).exists() for name in names), "they are there again")
    assert bench.start("status").end().code == 0
    assert bench.start("run").end().code == 2
    bench.open_gate()
    done = running.end()
    assert done.code == 0, done
    bench.assert_nothing_left(done)
    assert len(bench.rows()) == 8


# -- replaced


@pytest.mark.parametrize("other", ["another sweep", "no database"])
def test_a_database_replaced_is_written_back_and_the_other_one_moved_aside(bench: Bench, other: str) -> None:
    running = begin(bench)
    foreign = bench.root / "foreign.db"
    if other == "another sweep":
        connection = sqlite3.connect(foreign)
        connection.execute("CREATE TABLE other (x)")
        connection.commit()
        connection.close()
    else:
        foreign.write_text("this is no database")
    content = foreign.read_bytes()
    os.replace(foreign, bench.runs() / "sweep.db")
    said = hears(running, "was removed while the sweep runs")
    finish(bench, running)
    aside = [path for path in bench.runs().iterdir() if path.name.startswith("sweep.db.found-")]
    assert len(aside) == 1 and aside[0].read_bytes() == content
    assert str(aside[0]) in said
    assert len(bench.rows()) == 4
    goes_on(bench)


def test_a_folder_in_place_of_the_removed_files_is_used(bench: Bench) -> None:
    running = begin(bench)
    files = bench.runs() / "files"
    copy = bench.root / "copy"
    shutil.copytree(files, copy)
    shutil.rmtree(files)
    copy.rename(files)
    hears(running, "was removed while the sweep runs")
    finish(bench, running)
    assert len(bench.rows()) == 4  # the copies are as good
    goes_on(bench)


# -- what else writes and reads there


def test_a_detached_run_keeps_its_logs_when_its_folder_is_removed(bench: Bench) -> None:
    bench.worker(WORK)
    bench.write("spe.yaml", SWEEP)
    bench.start("run", "--detach").end()
    wait_until(lambda: set(begun(bench)) == {1, 2, 3, 4} and bench.query(TWO) == [(2,)], "two are done, two run")
    log = bench.runs() / "run.log"
    first = log.read_text()
    pid = json.loads((bench.runs() / "master.json").read_text())["pid"]
    shutil.rmtree(bench.folder / "runs")
    wait_until(lambda: log.exists() and "are lost, they wait again" in log.read_text(), "it is said in run.log")
    assert log.read_text().startswith(first)
    assert bench.start("status").end().code == 0  # session/ and master.json are there again
    bench.open_gate()
    wait_until(lambda: not is_alive(pid), "the run has ended")
    assert "stopped because its folder was removed" in log.read_text()
    assert "registered" in (bench.runs() / "master.log").read_text()
    goes_on(bench, lost=(1, 2))


HOOKS = """
import os, time
def say(what, task, result):
    path = result.path("big")
    path = os.readlink(path) if os.path.islink(path) else path
    with open(os.environ["LOG"] + ".hooks", "a") as log:
        log.write(f"{what} {task.number} {result['word']} {path}\\n")
def check(task, result):
    say("check", task, result)
    return True
def gather(task, result):
    say("gather", task, result)
"""


@pytest.mark.parametrize("act", ["move runs", "remove sweep.db"])
def test_hooks_get_the_results_and_the_path_of_now(bench: Bench, act: str) -> None:
    bench.write("hooks.py", HOOKS)
    running = begin(bench, "validate: [hooks.py:check]\ncollect: [hooks.py:gather]\n")
    said = Path(f"{bench.log}.hooks")
    wait_until(lambda: said.exists() and said.read_text().count("gather") == 2, "two are gathered")
    folder = bench.runs()
    if act == "move runs":
        (bench.folder / "runs").rename(bench.root / "elsewhere")
        folder = bench.root / "elsewhere" / bench.folder.name
    else:
        (folder / "sweep.db").unlink()
    hears(running, "while the sweep runs")
    finish(bench, running, folder / "sweep.db")
    lines = [line.split() for line in said.read_text().splitlines()]
    assert sorted(line[1] for line in lines if line[0] == "gather") == ["1", "2", "3", "4"]
    assert all(line[2] == f"A{line[1]}" for line in lines)
    assert not [line for line in lines if line[3].startswith("/proc")]
    later = [line for line in lines if line[0] == "gather" and line[1] in "34"]
    assert {line[3] for line in later} == {str(folder / f"files/{number}/big.dat") for number in (3, 4)}


# -- the lock alone, and a second run before the first one has seen it

#: NFS locks files and no folders: the lock of a file is all that there is.
LIKE_NFS = """
import errno, fcntl, os, stat
flock = fcntl.flock
def files_only(file, how):
    if stat.S_ISDIR(os.fstat(file if isinstance(file, int) else file.fileno()).st_mode):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return flock(file, how)
fcntl.flock = files_only
"""


@pytest.fixture(params=["a disk of this machine", "NFS"])
def lockable(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Bench]:
    if request.param != "NFS":
        yield bench
        return
    served, patched = bench.root / "export", bench.root / "like-nfs"
    for folder in (served, patched):
        folder.mkdir()
    (patched / "sitecustomize.py").write_text(LIKE_NFS)
    bench.environment["PYTHONPATH"] = str(patched)
    with mounts(served, [bench.folder / "runs"]):
        yield bench


def test_a_second_run_is_turned_away_and_told_of_the_lock_that_was_removed(lockable: Bench) -> None:
    running = begin(lockable)
    running.process.send_signal(signal.SIGSTOP)  # it does not make its lock again before the second one comes
    (lockable.runs() / "lock").unlink()
    second = lockable.start("run").end()
    collect = lockable.start("collect").end()
    running.process.send_signal(signal.SIGCONT)
    for done in (second, collect):
        assert done.code == 2, done
        assert f"is being run by process {running.process.pid} on " in done.err
        assert f"{lockable.runs()}/lock" in done.err and "removed" in done.err
        assert "Traceback" not in done.err
    wait_until(lambda: (lockable.runs() / "lock").exists(), "the first one makes it again")
    lockable.open_gate()
    first = running.end()
    assert first.code == 0, first
    assert "is being run by" not in first.err
    assert sorted(begun(lockable)) == list(range(1, 9)), "nothing ran twice"
    assert [row["word"] for row in lockable.rows()] == [f"A{x}" for x in range(1, 9)]
