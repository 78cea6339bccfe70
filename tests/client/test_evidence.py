"""What a client tells of a failed attempt beside its output: the files that were there; and what an attempt moved."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from spe.client.task import leftovers as evidence
from spe.client.task.leftovers import MOST, MOST_BYTES, listing

from .kit import Started
from .pretended_master import Master, task

SH = ("sh", "-c")


def files_of(master: Master, ticket: int) -> list[str]:
    return master.failed[ticket].parts["files"].decode().splitlines()


@pytest.mark.parametrize("batch", ["Yes", "No"])
def test_a_failure_tells_the_files_that_were_in_its_directory(master: Master, client: Started, batch: str) -> None:
    master.config["Batch"] = batch
    script = "mkdir -p sub/deep; printf 12345 > out; : > sub/deep/empty; ln -s /etc/passwd link; mkfifo pipe; exit 3"
    master.add(task(1, *SH, script, inputs={"run.ini": b"x = 1\n"}), task(2, *SH, "rm -f *; kill -9 $$"))
    assert client.run()[0] == 0
    assert files_of(master, 1) == [
        "- link@", "5 out", "- pipe", "6 run.ini", "- sub/", "- sub/deep/", "0 sub/deep/empty", "+0",
    ]  # fmt: skip
    assert files_of(master, 2) == ["+0"]


def test_a_failure_whose_batch_was_refused_tells_them_alone(master: Master, client: Started) -> None:
    master.config["Batch"] = "Yes"
    master.script["/results"].append((404, {}, b"what?"))
    master.add(task(1, *SH, "echo 1 > left; exit 3"))
    client.run()
    assert master.of("/failed")[0].parts["files"] == b"2 left\n+0\n"


def test_a_result_that_was_not_written_is_told_with_what_was(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "echo 1 > Out.txt", results={"r": "out.txt"}), task(2, "no-such-program"))
    client.run()
    assert master.failed[1].reason == "result file out.txt was not written"
    assert files_of(master, 1) == ["2 Out.txt", "+0"]
    assert files_of(master, 2) == ["+0"]


def test_of_a_program_that_ends_by_timeout_they_are_told_too(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "echo x > so-far; exec sleep 60", timeout=2))
    client.run()
    assert master.failed[1].reason == "timeout after 2 s"
    assert files_of(master, 1) == ["2 so-far", "+0"]


def test_a_time_limit_that_was_computed_is_told_in_few_digits(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "exec sleep 60", timeout=1.0085123), task(2, *SH, "exec sleep 60", timeout=0.0021234))
    client.run()
    assert master.failed[1].reason == "timeout after 1.01 s"
    assert master.failed[2].reason == "timeout after 0.0021 s"


def test_of_what_succeeds_nothing_is_told(master: Master, client: Started) -> None:
    master.add(task(1, *SH, "echo x > left"))
    client.run()
    assert "files" not in master.completed[1].parts


@pytest.mark.parametrize("batch", ["Yes", "No"])
def test_a_master_that_may_reject_results_is_told_with_each(master: Master, client: Started, batch: str) -> None:
    master.config.update(Batch=batch, Files="Yes")
    master.add(task(1, *SH, "echo x > left"), task(2, "true"), task(3, *SH, "printf %070000d 0; : > large"))
    assert client.run()[0] == 0
    told = {ticket: master.completed[ticket].parts["files"] for ticket in (1, 2, 3)}
    assert told == {1: b"2 left\n+0\n", 2: b"+0\n", 3: b"0 large\n+0\n"}


def test_names_are_printable_whatever_a_program_calls_its_files(tmp_path: Path) -> None:
    for name in (b"a\nb", b"\x1b[2J", b"caf\xff", "ü x".encode(), b"12 +3"):
        (tmp_path / os.fsdecode(name)).touch()
    assert sorted(listing(str(tmp_path)).decode().splitlines()) == sorted(
        ["0 a\\nb", "0 \\x1b[2J", "0 caf\\xff", "0 ü x", "0 12 +3", "+0"]
    )


def test_of_very_many_files_the_first_at_the_top_are_named_and_the_others_counted(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for n in range(300):
        (tmp_path / "a" / f"deep{n:03}").touch()
    (tmp_path / "z").touch()
    lines = listing(str(tmp_path)).decode().splitlines()
    assert lines[:3] == ["- a/", "0 z", "0 a/deep000"]
    assert (len(lines), lines[-1]) == (MOST + 1, f"+{302 - MOST}")


def test_long_names_do_not_make_a_long_list(tmp_path: Path) -> None:
    for n in range(60):
        (tmp_path / (f"{n:03}" + "x" * 250)).touch()
    lines = listing(str(tmp_path)).splitlines(keepends=True)
    assert sum(map(len, lines[:-1])) <= MOST_BYTES
    assert 25 < len(lines) - 1 < 60 and lines[-1] == b"+%d\n" % (60 - (len(lines) - 1))


def test_nobody_counts_to_the_end_of_a_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_into: list[str] = []

    def names(folder: str) -> list[tuple[str, bool]]:
        looked_into.append(folder)
        return every(folder)

    every = evidence._names
    monkeypatch.setattr(evidence, "_names", names)
    monkeypatch.setattr(evidence, "MOST_SEEN", 200)
    for n in range(300):
        (tmp_path / f"f{n % 10}").mkdir(exist_ok=True)
        (tmp_path / f"f{n % 10}" / f"{n:03}").touch()
    lines = listing(str(tmp_path)).decode().splitlines()
    assert (len(lines), lines[-1]) == (MOST + 1, f">{200 - MOST}")
    assert len(looked_into) == 8, "the top, and as many folders as it takes"


def test_a_place_that_is_not_there_or_deep_or_goes_in_circles_is_no_fault(tmp_path: Path) -> None:
    assert listing(str(tmp_path / "gone")) == b""
    deep, folders = str(tmp_path), 0
    while len(deep) < 3800:  # almost as long as a path may be
        deep += "/" + "d" * 200
        os.mkdir(deep)
        folders += 1
    (tmp_path / "circle").symlink_to(tmp_path)
    lines = listing(str(tmp_path)).splitlines(keepends=True)
    assert lines[0] == b"- circle@\n", "a link is named and not followed"
    assert sum(map(len, lines[:-1])) <= MOST_BYTES
    assert lines[-1] == b"+%d\n" % (1 + folders - len(lines[:-1]))


def test_usage_tells_what_went_to_storage_and_came_from_there(master: Master, client: Started) -> None:
    if not Path("/proc/self/io").exists():
        pytest.skip("this system does not tell")
    in_memory = Path("/dev/shm") / f"spe-{os.getpid()}-{time.monotonic_ns()}"
    master.add(
        task(1, *SH, "head -c 3000000 /dev/zero > out"),
        task(2, *SH, f"head -c 3000000 /dev/zero > {in_memory}; rm {in_memory}"),
    )
    client.run()
    told = [json.loads(master.completed[ticket].parts["usage"]) for ticket in (1, 2)]
    assert all(type(one[name]) is int and one[name] >= 0 for one in told for name in ("read", "written"))
    assert told[1]["written"] < 1_000_000, "what lies in memory does not count"
    if not is_in_memory(client.folder):
        assert 3_000_000 <= told[0]["written"] < 4_000_000


def is_in_memory(folder: Path) -> bool:
    """Whether a folder lies on a tmpfs."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    below = [(len(place), kind) for place, kind in mounts if str(folder).startswith(place.rstrip("/") + "/")]
    return max(below)[1] == "tmpfs"
