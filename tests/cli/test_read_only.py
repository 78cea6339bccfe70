"""Commands that read, in an archive or a colleague's folder: they read, or say one sentence, and write nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need_root
from waiting import wait_until

from .kit import Bench, Done

SWEEP = "name: s\ncommand: ./work {{ n }}\nattempts: 1\nparameters: {grid: {n: [1, 2, 3]}}\n"
READING = (
    ("status",), ("status", "--json"), ("results",), ("show", "1"), ("log", "1"), ("log", "--failed"), ("why", "1"),
    ("hosts",), ("events", "--past"), ("files", "1", "--json"),
)  # fmt: skip
ASKING = (("events",), ("top",), ("ps",), ("attach",), ("pause",), ("ask", "1", "--", "ls"))
#: Commands of another uid: modules are loaded before, as those of a test may lie where nobody else reads.
AS_NOBODY = """
import encodings.utf_8_sig, importlib, json, os, pkgutil, shutil, sys
import spe, spe.cli, spe.earlier.by_hand, spe.launch, spe.page, spe.sweep.sweep, sqlite3
for package in (spe.cli, spe):
    for one in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if one.name not in ("spe.client", "spe.workers", "spe.hooks.child", "spe.__main__"):
            importlib.import_module(one.name)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
said = []
for words in json.loads(sys.argv[1]):
    out, err = os.memfd_create("out"), os.memfd_create("err")
    if not (pid := os.fork()):
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.argv = ["spe", *words]
        try:
            spe.cli.main()
        except SystemExit as end:
            os._exit(end.code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said.append([code, *(os.pread(one, 1 << 20, 0).decode() for one in (out, err))])
print(json.dumps(said))
"""


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def as_nobody(folder: Path, *commands: tuple[str, ...]) -> dict[tuple[str, ...], Done]:
    """What each of them says to another user."""
    words = [sys.executable, "-c", AS_NOBODY, json.dumps(commands)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return dict(zip(commands, (Done(*one) for one in json.loads(done.stdout)), strict=True))


@pytest.fixture
def archive(bench: Bench) -> Iterator[Bench]:
    """A run that was killed in the middle, mounted so that nobody can write there."""
    need_root()
    bench.worker('echo $1; test $1 -ne 2 || exit 1; test $1 -ne 3 || while ! test -e "$GATE"; do sleep 0.05; done')
    bench.write("spe.yaml", SWEEP)
    run = bench.start("run", "--hosts", "localhost slots=1")
    wait_until(lambda: len(bench.query("SELECT 1 FROM tickets WHERE state <> 'issued'", "s")) == 2, "two have ended")
    kept = bench.root / "archive"
    shutil.copytree(bench.folder, kept, copy_function=shutil.copy2)
    bench.open_gate()
    run.end()
    subprocess.run(["mount", "--bind", str(kept), str(kept)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(kept)], check=True)
    bench.folder = kept
    yield bench
    subprocess.run(["umount", "-l", str(kept)], check=True)


def test_an_archive_of_a_run_that_was_killed_is_read(archive: Bench) -> None:
    before = tree(archive.folder)
    for words in READING:
        done = archive.spe(*words)
        assert (done.code, done.err) == (0, ""), (words, done)
    assert len(archive.ok("results").out.splitlines()) == 2
    status = archive.ok("status", "--json").json
    assert (status["done"], status["failed"], status["total"]) == (1, 1, 3)
    for words, name in ((("plot", "number"), "x.svg"), (("report",), "x.html"), (("export",), "x.zip")):
        archive.ok(*words, "-q", "-o", str(archive.root / name))
        assert (archive.root / name).stat().st_size > 100
    for words in ASKING:
        assert "nothing runs here" in archive.refused(*words), words
    for words in (("run",), ("retry",), ("collect",)):
        assert "cannot write here" in archive.refused(*words), words
    assert tree(archive.folder) == before


def test_a_colleague_reads_a_living_run_and_is_told_whose_it_is() -> None:
    import tempfile

    need_root()
    with tempfile.TemporaryDirectory(prefix="spe-test-") as root:
        os.chmod(root, 0o755)
        bench = Bench(Path(root))
        try:
            _read_a_living_run(bench)
        finally:
            bench.close()


def _read_a_living_run(bench: Bench) -> None:
    bench.worker('echo $1; test $1 -ne 3 || while ! test -e "$GATE"; do sleep 0.05; done')
    bench.write("spe.yaml", SWEEP)
    run = bench.start("run", "--hosts", "localhost slots=1")
    wait_until(lambda: len(bench.query("SELECT 1 FROM tickets WHERE state = 'accepted'", "s")) == 2, "two are done")
    said = as_nobody(bench.folder, *READING, ("why", "3"), *ASKING)
    for words in READING:
        assert said[words].code == 0 and "Traceback" not in said[words].err, (words, said[words])
    assert len(said["results",].out.splitlines()) == 3
    assert "command: ./work 1\n" in said["show", "1"].out
    assert "task=$(mktemp -d)" in said["show", "1"].out
    assert "a run of root goes on" in said["status",].out
    assert "nothing runs" not in said["why", "3"].out
    for words in ASKING:
        assert (said[words].code, len(said[words].err.splitlines())) == (2, 2), (words, said[words])
        assert "a run of root goes on here" in said[words].err, (words, said[words])
    assert {path.stat().st_uid for path in bench.folder.rglob("*")} == {0}
    run.process.kill()
    run.process.wait()
    said = as_nobody(bench.folder, ("top",), ("status",), ("why", "3"))
    assert "nothing runs here" in said["top",].err
    assert said["status",].code == 0 and "goes on here" not in said["status",].out
    assert "nothing runs" in said["why", "3"].out
    bench.open_gate()
