"""Runs and commands that were killed: what is handed in of them, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.kit import Bench
from spe.errors import UsageError
from spe.table import output_file
from spe.table.output_file import written
from waiting import wait_until

WRITES = """
import pathlib, sys, time
from spe.table.output_file import written
with written(pathlib.Path(sys.argv[1]), pathlib.Path("/nonexistent/runs")) as part:
    part.write_text("half")
    print(part, flush=True)
    time.sleep(600)
"""


def test_a_run_that_was_killed_is_handed_in_with_a_word_about_what_is_missing(bench: Bench) -> None:
    bench.worker('echo "$1" >> "$LOG"\n[ "$1" = 1 ] || while [ -e "$GATE" ]; do sleep 0.05; done; echo "$1"')
    bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\n")
    bench.open_gate()
    started = bench.start("run", "-q", "--hosts", "localhost slots=1")
    wait_until(lambda: bench.logged() == ["1", "2"], "the second set runs")
    wait_until(lambda: '"done": 1' in bench.spe("status", "--json").out, "the first one is stored")
    started.signal(signal.SIGKILL)
    (bench.root / "gate").unlink()
    started.end()
    for words in (("report",), ("export", "--program", "-o", "x.zip")):
        # Clients of a killed master wait for the next one, so something is left behind.
        ended = bench.start(*words).end()
        assert ended.code == 0, ended
        said = ended.err
        assert "this run was killed, or its machine went down, and is not complete: 2 sets did not end" in said
        assert "`spe run` goes on with it" in said
    done = bench.start("replay", "x.zip", "--into", "a", "--json").end()
    assert done.code == 0, done
    assert "1 set compared: all are the same; the run of the zip was not complete: 2 sets had no result" in done.err
    assert done.json["not_run_then"] == 2
    bench.ok("run", "-q")
    assert "killed" not in bench.ok("export", "--program", "-o", "x.zip").err
    assert "not complete" not in bench.ok("replay", "x.zip", "--into", "b").err


def killed_writer(place: Path, environment: dict[str, str] | None = None) -> Path:
    """The part file that a killed process has left behind."""
    process, part = writer(place, environment)
    process.kill()
    process.wait(60)
    assert part.exists()
    return part


def writer(place: Path, environment: dict[str, str] | None = None) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(place)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_the_next_one_removes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "a+b.zip"
    left = killed_writer(place)
    others = [tmp_path / ".aab.zip.7.part", tmp_path / ".a+b.zip.x.part", tmp_path / ".a+b.zip.part"]
    for one in others:
        one.touch()
    link = tmp_path / ".a+b.zip.7.part"
    link.symlink_to("victim")
    (tmp_path / "victim").touch()
    alive, part = writer(place)
    try:
        assert not left.exists()
        with written(place, tmp_path / "runs") as own:
            assert part.exists(), "that of a process at work stays"
            own.write_text("whole")
        assert place.read_text() == "whole"
    finally:
        alive.kill()
        alive.wait(60)
    with written(place, tmp_path / "runs") as own:
        own.write_text("again")
    assert not part.exists()
    assert all(one.exists() for one in others) and link.is_symlink()


def test_what_a_killed_one_left_among_the_temporary_files_is_removed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_file.tempfile, "tempdir", str(tmp_path))
    left = killed_writer(Path("/dev/null"), {"TMPDIR": str(tmp_path)})
    assert left.parent == tmp_path
    (tmp_path / "spe.other").touch()
    with written(Path("/dev/null"), Path("/nonexistent/runs")):
        assert not left.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["spe.other"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file system that is nearly full."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("only root can mount a file system")
    return place


def test_a_full_folder_of_temporary_files_is_no_matter_to_an_export(bench: Bench, small: Path) -> None:
    try:
        bench.worker("head -c 3000 /dev/urandom | base64")
        bench.write("spe.yaml", "command: ./work {{ x }}\nparameters: {grid: {x: {range: [1, 40]}}}\n")
        bench.ok("run", "-q")
        bench.ok("export", "--program", "-o", "x.zip", TMPDIR=str(small))
        assert (bench.folder / "x.zip").exists()
        said = bench.refused("export", "--program", "-o", "/dev/null", TMPDIR=str(small))
        assert f"{small}: a temporary file cannot be written in this folder: No space left" in said
        assert "TMPDIR=FOLDER" in said
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_a_full_disk_is_named_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file.tempfile, "tempdir", str(tmp_path))
    for place, named in ((tmp_path / "x", tmp_path / "x"), (Path("/dev/null"), tmp_path)):
        with pytest.raises(UsageError) as caught, written(place, Path("/nonexistent/runs")):
            raise OSError(28, "No space left on device")
        assert str(caught.value).startswith(f"{named}: ")
    with pytest.raises(UsageError) as caught, written(Path("/dev/full"), Path("/nonexistent/runs")) as part:
        part.write_text("x")
    assert str(caught.value).startswith("/dev/full: it cannot be written")
