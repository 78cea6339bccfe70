"""Disks that stay full: two presses of Ctrl-C end the run, and the next one does what was not stored."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.mounts import mounts
from waiting import wait_until

from .by_hand_kit import WORK, Drill, report, small_disk
from .figures import Figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
LARGE = 1_500_000
NEW = WORK.replace("set $1", "new $1").replace('echo "$1"\n', 'echo "new $1"\n')
NUMBERS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


def fill(path: Path) -> None:
    """To the last byte."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            continue


def told(drill: Drill, what: str = "make room") -> bool:
    return what in drill.said or what in (drill.runs / "master.log").read_text()


def press_twice(drill: Drill, number: signal.Signals) -> None:
    assert drill.master
    for sentence in ("nothing more is begun", "stopping the running tasks"):
        os.kill(drill.master.pid, number)
        wait_until(lambda: sentence in drill.said, sentence)  # noqa: B023


def ends_now(drill: Drill) -> str:
    """After the second press: the exit code, and the sentence about what is not stored."""
    assert drill.end() == 130, drill.said
    assert "Traceback" not in drill.said
    wait_until(lambda: not drill.processes(), "no process is left", story=drill.processes)
    for name in ("lock", "master.json", "session"):
        assert not (drill.runs / name).exists(), f"{name} is left, as after a crash"
    (line,) = (line for line in drill.said.splitlines() if "not on disk" in line)
    return line


@NUMBERS
def test_a_run_that_cannot_write_its_database_ends_on_the_second_press(
    drill: Drill, figures: Figures, number: signal.Signals
) -> None:
    with small_disk(drill.folder / "runs", "1m") as resize:
        drill.sweep(100).start()
        for name in ("h1", "h2"):
            drill.host(name, slots=2, SLEEP="0.1")
        wait_until(lambda: drill.done() > 5, "some are done")
        fill(drill.folder / "runs" / "filler")
        wait_until(lambda: told(drill), "the user is told")
        press_twice(drill, number)
        line = ends_now(drill)
        assert "the disk is full" in line and "run again" in line, line
        before = drill.done()
        assert 5 < before < 100
        resize("64m")
        assert drill.query("PRAGMA integrity_check") == [("ok",)]
        drill.start()
        drill.host("h1", slots=4)
        assert drill.end() == 0
        drill.checked()
        report(figures, f"master's disk full for good, {number.name} twice, then `spe run` with room", drill)


@NUMBERS
def test_uploads_that_wait_for_room_hold_up_no_second_press(
    drill: Drill, figures: Figures, number: signal.Signals
) -> None:
    work = WORK.replace('echo "$1"\n', f'head -c {LARGE} /dev/zero >large\necho "$1"\n')
    yaml = (drill.sweep(6, work=work).folder / "spe.yaml").read_text()
    (drill.folder / "spe.yaml").write_text(yaml.replace("data:", "large: {from: large, as: file}, data:"))
    with small_disk(drill.folder / "runs", "3m") as resize:
        drill.start()
        drill.host("h1", slots=3)
        wait_until(lambda: told(drill), "the user is told")
        press_twice(drill, number)
        line = ends_now(drill)
        assert "run again" in line, line
        assert not (drill.runs / "incoming").exists(), "what is half there keeps the room that it had taken"
        resize("64m")
        drill.start()
        drill.host("h1", slots=3)
        assert drill.end() == 0
        drill.checked()
        for row in drill.rows():
            assert (drill.runs / row["large"]).stat().st_size == LARGE
        report(figures, f"no room for uploads for good, {number.name} twice, then `spe run` with room", drill)


def test_a_disk_that_is_full_only_when_something_is_synced_is_no_other_case(
    drill: Drill, figures: Figures, tmp_path: Path
) -> None:
    served = tmp_path / "export"
    served.mkdir()
    with mounts(served, [drill.folder / "runs"]) as (mount,):
        drill.sweep(60).start()
        drill.host("h1", slots=2, SLEEP="0.1")
        wait_until(lambda: drill.done() > 5, "some are done")
        mount.fill()
        wait_until(lambda: told(drill), "the user is told")
        press_twice(drill, signal.SIGINT)
        ends_now(drill)
        mount.make_room()
        drill.start()
        drill.host("h1", slots=2)
        assert drill.end() == 0
        drill.checked()
        report(figures, "runs/ on NFS, its disk full for good, Ctrl-C twice, then `spe run` with room", drill)


def test_sets_that_run_again_have_their_old_rows_or_their_new_ones_after_two_presses(
    drill: Drill, figures: Figures
) -> None:
    """Their new files wait in incoming/ until the database speaks of them."""
    with small_disk(drill.folder / "runs", "2m") as resize:
        drill.sweep(20).start()
        drill.host("h1", slots=2)
        assert drill.end() == 0
        drill.sweep(20, work=NEW).start("--fresh")
        drill.host("h1", slots=2, SLEEP="0.2")
        accepted = "SELECT count(*) FROM tickets WHERE state = 'accepted'"
        wait_until(lambda: drill.query(accepted)[0][0] > 24, "some have run again")
        fill(drill.folder / "runs" / "filler")
        wait_until(lambda: told(drill), "the user is told")
        press_twice(drill, signal.SIGINT)
        ends_now(drill)
        words = {str(said).split()[0] for (said,) in drill.query("SELECT said FROM results")}
        assert words > {"new"}, "it stopped in the middle"
        resize("64m")
        (drill.folder / "runs" / "filler").unlink()
        drill.start("--keep")
        drill.host("h1", slots=2)
        assert drill.end() == 0
        rows = drill.rows()
        assert [row["number"] for row in rows] == [str(number) for number in range(1, 21)]
        for row in rows:
            assert row["said"] == f"new {row['x']}"
            assert (drill.runs / row["data"]).read_text().startswith(f"{row['said']}\n"), row
        report(figures, "the disk full for good while sets run again, Ctrl-C twice", drill)


def test_a_run_that_has_its_room_back_before_the_second_press_stores_all_that_had_come(drill: Drill) -> None:
    with small_disk(drill.folder / "runs", "1m") as resize:
        drill.sweep(100).start()
        drill.host("h1", slots=2, SLEEP="0.1")
        wait_until(lambda: drill.done() > 5, "some are done")
        fill(drill.folder / "runs" / "filler")
        wait_until(lambda: told(drill), "the user is told")
        resize("64m")
        press_twice(drill, signal.SIGINT)
        assert drill.end() == 130
        assert "not on disk" not in drill.said
        assert len(drill.rows()) == drill.done() > 5


@pytest.mark.parametrize("presses", [0, 2])
def test_a_table_that_cannot_be_made_is_told_and_collected_later(drill: Drill, presses: int) -> None:
    """No file can be made any more, while the database, which is open, still takes all."""
    path = drill.sweep(12).folder / "spe.yaml"
    path.write_text(path.read_text().replace(", data: {from: out.bin, as: file}", ""))
    with small_disk(drill.folder / "runs", "64m"):
        drill.start()
        drill.host("h1", slots=2, GATE=str(drill.gate), SLEEP="0.3")
        wait_until(lambda: drill.query("SELECT 1 FROM tickets"), "programs run")
        used = os.statvfs(drill.folder / "runs")
        inodes(drill, used.f_files - used.f_ffree)
        drill.gate.touch()
        wait_until(drill.done, "some are done")
        if presses:
            press_twice(drill, signal.SIGINT)
        assert drill.end() == (130 if presses else 2), drill.said
        assert "results.csv cannot be made: No space left on device" in drill.said
        assert "`spe collect` makes it" in drill.said and "Traceback" not in drill.said
        inodes(drill, 10_000)
        assert drill.spe("collect").returncode in (0, 1)
        assert len(drill.rows()) == drill.done() > 0


def inodes(drill: Drill, most: int) -> None:
    """So many files may be there, and no more."""
    subprocess.run(["mount", "-o", f"remount,nr_inodes={most}", str(drill.folder / "runs")], check=True)


def test_a_quota_is_told_as_a_quota(drill: Drill, tmp_path: Path) -> None:
    """As a server says it: few kernels of test machines have quotas."""
    served = tmp_path / "export"
    served.mkdir()
    with mounts(served, [drill.folder / "runs"]) as (mount,):
        drill.sweep(60).start()
        drill.host("h1", slots=2, SLEEP="0.1")
        wait_until(lambda: drill.done() > 5, "some are done")
        mount.fill(errno.EDQUOT)
        wait_until(lambda: told(drill, "waits: your disk quota is used up"), "the user is told")
        assert "make room" not in (drill.runs / "master.log").read_text()
        press_twice(drill, signal.SIGINT)
        assert "your disk quota is used up; not on disk" in ends_now(drill)


# -- limits other than the disk's


def limited(size: int) -> Callable[[], None]:
    """`ulimit -S -f` of the shell that starts the master."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_file_size_limit_is_told_by_its_name_and_how_to_raise_it(drill: Drill, figures: Figures) -> None:
    """SQLite calls it a disk I/O error; it is no full disk, and no room that is made helps."""
    drill.sweep(100).start(before=limited(400_000))
    drill.host("h1", slots=2)
    log = drill.runs / "master.log"
    wait_until(lambda: "ulimit -f" in log.read_text() + drill.said, "the user is told")
    assert drill.master and drill.master.poll() is None
    line = next(line for line in log.read_text().splitlines() if "ulimit -f" in line)
    assert "the store waits: the file size limit of this shell (`ulimit -f`, 390 kB) is reached" in line
    assert f"`prlimit --pid {drill.master.pid} --fsize=unlimited` raises it" in line
    assert "make room" not in line
    before = drill.done()
    resource.prlimit(drill.master.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert drill.end() == 0
    assert before < 100, "the limit is reached while there is work"
    assert not drill.query("SELECT * FROM tickets WHERE state IN ('failed', 'rejected')")
    drill.checked()
    report(figures, "`ulimit -f` reached by the database, then raised with `prlimit`", drill)


def test_a_result_larger_than_the_file_size_limit_is_told_by_the_limits_name(drill: Drill) -> None:
    work = WORK.replace('echo "$1"\n', f'head -c {LARGE} /dev/zero >large\necho "$1"\n')
    yaml = (drill.sweep(2, work=work).folder / "spe.yaml").read_text()
    (drill.folder / "spe.yaml").write_text(yaml.replace("data:", "large: {from: large, as: file}, data:"))
    drill.start(before=limited(1_000_000))
    drill.host("h1")
    sentence = "a result waits: the file size limit of this shell (`ulimit -f`, 976 kB) is reached"
    wait_until(lambda: told(drill, sentence), "the user is told")
    press_twice(drill, signal.SIGINT)
    assert "ulimit -f" in ends_now(drill)


def test_a_file_size_limit_that_leaves_no_room_for_the_database_is_one_sentence(drill: Drill) -> None:
    drill.sweep(2)
    command = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", sys.executable, "-m", "spe", "run", "--hosts", "none"]
    environment = drill.environment(drill.root / "master")
    done = subprocess.run(command, cwd=drill.folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    assert "the file size limit of this shell (`ulimit -f`, 8 kB) is reached" in done.stderr
    assert "Run it where `ulimit -f` says more." in done.stderr
    assert "Traceback" not in done.stderr
