"""Results of several files when things break: a full disk, a master that is killed. None is lost."""

from __future__ import annotations

import hashlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.kit import Bench
from waiting import wait_until

from .by_hand_kit import small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
FILES, SIZE = 40, 4000
WORK = f"""
import os, sys, hashlib
n, salt = sys.argv[1], open("salt").read()
os.makedirs("frames/deep")
for number in range({FILES}):
    name = f"frames/{{'deep/' if number % 2 else ''}}{{number}}.bin"
    seed = hashlib.sha256(f"{{salt}} {{n}} {{number}}".encode()).digest()
    open(name, "wb").write(seed * {SIZE // 32})
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def write(bench: Bench, sets: int, salt: str = "a") -> None:
    bench.python(WORK.replace('open("salt").read()', repr(salt)))
    bench.write(
        "spe.yaml",
        f"command: ./work {{{{ n }}}}\nparameters: {{grid: {{n: {{range: [1, {sets}]}}}}}}\ngrace: 20\n"
        "results: {frames: {from: frames, as: folder}, some: {from: 'frames/**/*.bin', as: files}}\n"
        "hosts: [localhost slots=2]\n",
    )


def content(salt: str, n: int, number: int) -> bytes:
    return hashlib.sha256(f"{salt} {n} {number}".encode()).digest() * (SIZE // 32)


def check(bench: Bench, sets: int, salt: str = "a") -> None:
    """Each set once in the table, its files whole and no others."""
    assert [row["frames"] for row in bench.rows()] == [f"files/{n}/frames" for n in range(1, sets + 1)]
    for n in range(1, sets + 1):
        home = bench.runs() / f"files/{n}"
        found = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
        wanted = {
            f"frames/{'deep/' if number % 2 else ''}{number}.bin": content(salt, n, number) for number in range(FILES)
        }
        assert found.keys() == wanted.keys(), n
        assert found == wanted, n
    assert not (bench.runs() / "incoming").exists()
    assert bench.query("SELECT * FROM staged") == []


def done(bench: Bench) -> int:
    return int(bench.query("SELECT count(*) FROM tasks WHERE state = 'done'")[0][0])


def test_while_the_disk_of_the_master_is_full_they_wait_and_nothing_is_charged(bench: Bench) -> None:
    write(bench, 12)
    with small_disk(bench.folder / "runs", "2m") as resize:
        started = bench.start("run")
        log = bench.runs() / "master.log"
        wait_until(lambda: log.exists() and "make room" in log.read_text(), "the user is told")
        resize("64m")
        finished = started.end(120)
        assert finished.code == 0, finished
        check(bench, 12)
        assert bench.query("SELECT count(*) FROM tickets WHERE state IN ('failed', 'rejected')") == [(0,)]


def test_a_master_that_is_killed_again_and_again_loses_none_and_leaves_nothing_beside(bench: Bench) -> None:
    sets = 40
    write(bench, sets)
    bench.ok("run", seconds=180)
    check(bench, sets)
    write(bench, sets, salt="b")  # every set has an earlier result that is to be replaced
    dice = random.Random(17)
    for kill in range(4):
        started = bench.start("run", *(["--fresh"] if kill == 0 else []))
        before = len(bench.query("SELECT id FROM tickets WHERE state = 'accepted'"))
        more = dice.randrange(1, 6)

        def has_moved_on(wanted: int = before + more) -> bool:
            return len(bench.query("SELECT id FROM tickets WHERE state = 'accepted'")) >= wanted

        wait_until(has_moved_on, "some more are accepted")
        started.signal(signal.SIGKILL)
        started.process.wait()
    bench.ok("run", seconds=180)
    check(bench, sets, salt="b")
