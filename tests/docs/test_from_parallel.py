"""docs/from-parallel.md: both lines of each pair run, GNU parallel itself among them, and print the same."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from cli.kit import Bench
from needs import need_program

PAGE = Path(__file__).resolve().parents[2] / "docs" / "from-parallel.md"
PAIRS = [tuple(pair.splitlines()) for pair in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)]
#: Words of a line -> how the outputs of both are compared, where it is not line by line in any order.
IN_ORDER = "-k "
SPECIAL = ("*.csv", "--results out", "--resume-failed", "--dry-run", "-S h01", "--halt")
PROGRAM = """#!/bin/sh
[ -z "$BROKEN" ] || [ "$1" != 3 ] || { echo broken >&2; exit 3; }
echo "did $*"
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    need_program("parallel", "parallel")
    made = Bench(tmp_path)
    made.worker(PROGRAM, "prog")
    made.write("list.txt", "one\ntwo words\nthree\n")
    made.write("in.csv", "a,b\n1,x\n2,y\n")
    for name in ("p", "q"):
        made.write(f"{name}.csv", f"{name}1\n")
        made.write(f"data/{name}.txt", name)
    binaries = tmp_path / "bin"
    binaries.mkdir()
    spe = binaries / "spe"
    spe.write_text(f'#!/bin/sh\nexec {sys.executable} -m spe "$@"\n')
    spe.chmod(0o755)
    made.environment["PATH"] = f"{binaries}:{os.environ['PATH']}"
    (made.home / ".parallel").mkdir()
    (made.home / ".parallel/will-cite").touch()
    made.environment["PARALLEL_HOME"] = str(made.home / ".parallel")
    yield made
    made.close()


def run(bench: Bench, line: str, code: int | None = 0, **more: str) -> str:
    """What a line prints, as bash reads it."""
    done = subprocess.run(
        ["bash", "-c", line], cwd=bench.folder, env={**bench.environment, **more}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert code is None or done.returncode == code, (line, done)
    return done.stdout


def pair(word: str) -> tuple[str, str]:
    (found,) = [one for one in PAIRS if word in one[0]]
    return found[0], found[1]


PLAIN = [one for one in PAIRS if not any(word in one[0] for word in SPECIAL)]


@pytest.mark.parametrize("at", range(len(PLAIN)))
def test_both_lines_print_the_same(bench: Bench, at: int) -> None:
    theirs, ours = PLAIN[at]
    expected, found = run(bench, theirs), run(bench, ours)
    assert expected
    if IN_ORDER in theirs:
        assert found == expected
    else:
        assert sorted(found.splitlines()) == sorted(expected.splitlines())
    again = run(bench, ours)
    assert sorted(again.splitlines()) == sorted(found.splitlines()), "from the store, as nothing is new"


def test_each_file_has_its_output(bench: Bench) -> None:
    theirs, ours = pair("tr a-z A-Z")
    run(bench, theirs)
    expected = {path.name: path.read_text() for path in bench.folder.glob("*.up")}
    for path in bench.folder.glob("*.up"):
        path.unlink()
    run(bench, ours)
    run(bench, "spe results --files .")
    assert {path.name: path.read_text() for path in bench.folder.glob("*.up")} == expected != {}


def test_results_are_kept_in_a_table(bench: Bench) -> None:
    theirs, ours = pair("--results out")
    run(bench, theirs)
    run(bench, ours)
    kept = sorted(path.read_text() for path in (bench.folder / "out").rglob("stdout"))
    assert sorted(bench.column("stdout", "prog")) == [text.rstrip() for text in kept]


def test_what_has_failed_is_done_once_more(bench: Bench) -> None:
    theirs, ours = pair("--resume-failed")
    run(bench, theirs.replace(" --resume-failed", ""), None, BROKEN="1")
    expected = run(bench, theirs)
    run(bench, "spe run -qp x=1:9 -- ./prog {{x}}", None, BROKEN="1")
    assert len(bench.rows("prog")) == 8
    run(bench, ours)
    assert expected == "did 3\n" and "did 3" in bench.column("stdout", "prog")


def test_what_would_run_is_shown(bench: Bench) -> None:
    theirs, ours = pair("--dry-run")
    expected = run(bench, theirs).splitlines()
    assert [line.split("\t")[2] for line in run(bench, ours).splitlines()] == expected


def test_the_first_failure_ends_all(bench: Bench) -> None:
    theirs, ours = pair("--halt")
    expected = run(bench, theirs, None, BROKEN="1").splitlines()
    found = run(bench, ours, 1, BROKEN="1").splitlines()
    assert len(expected) < 9 and "did 3" not in [*expected, *found]
    assert run(bench, "spe status --json", None)


def test_a_line_is_hardly_longer_than_that_of_parallel() -> None:
    ratios = [len(ours) / len(theirs) for theirs, ours in PAIRS]
    assert len(ratios) >= 17 and median(ratios) <= 1.2, sorted(ratios)


def test_every_way_of_parallel_that_people_use_is_on_the_page() -> None:
    text = " ".join(theirs for theirs, _ in PAIRS)
    ways = (
        ":::", "{1..12}", "::: a b ::: ", ":::+", "::::", "seq 9 | parallel", "{.}", "{/}", "--colsep", "--header",
        "-k",
        "--tag", "--results", "--timeout", "--retries", "--halt now,fail=1", "-j2 --delay", "--resume-failed", "-S ",
    )  # fmt: skip
    assert [way for way in ways if way not in text] == []
    assert all(len(one) == 2 and "parallel" in one[0] and shlex.split(one[1]) for one in PAIRS)
