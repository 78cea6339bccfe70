"""What the client makes of its host: a clock that does not sleep, the load of others, the folder to work in."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import pytest
from spe.client import start
from spe.client.arguments import parse
from spe.client.host import folders
from spe.client.host.own_folder import OwnFolder
from spe.client.loop.talker import Shared
from spe.client.machine.load import MINUTE, OFTEN, Load
from spe.client.wire import lease as trust

BOOT = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a clock of Linux")

# -- the clock


@BOOT
def test_python_3_6_which_has_no_name_for_it_uses_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    named = trust.boot_clock()
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert trust.boot_clock() == named == 7


def test_elsewhere_there_is_no_such_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert trust.boot_clock() is None


@BOOT
def test_a_kernel_that_does_not_know_the_clock_is_asked_once_and_another_one_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse(number: int) -> float:
        asked.append(number)
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(time, "clock_gettime", refuse)
    monkeypatch.setattr(trust, "_BOOTTIME", trust.boot_clock())
    assert asked == [7]
    before = time.monotonic()
    assert before <= trust.clock() <= time.monotonic()
    assert asked == [7]


# -- the load


class Kernel:
    """A clock, and the load as a kernel tells it: the mean of what was busy, old minutes forgotten."""

    def __init__(self) -> None:
        self.now, self.load, self.looks = 1000.0, 0.0, 0

    def clock(self) -> float:
        self.looks += 1
        return self.now

    def spend(self, load: Load, seconds: float, ours: int, theirs: float = 0.0, step: float = 1.0) -> None:
        """Time in which so many cores are busy."""
        for _ in range(round(seconds / step)):
            self.now += step
            kept = math.exp(-step / MINUTE)
            self.load = self.load * kept + (ours + theirs) * (1 - kept)
            load.note(ours)


@pytest.mark.parametrize("step", [0.2, 1.0, 7.0])
def test_our_own_tasks_are_not_counted(step: float) -> None:
    kernel = Kernel()
    load = Load(kernel.clock)
    kernel.spend(load, 20 * MINUTE, ours=4, step=step)
    assert kernel.load == pytest.approx(4.0)
    assert load.of_others(kernel.load) == pytest.approx(0.0, abs=1e-6)


def test_others_are_told_from_our_own_tasks_from_the_first_minute_on() -> None:
    kernel = Kernel()
    load = Load(kernel.clock)
    kernel.load = 2.0  # they were here before us
    for _ in range(30):
        kernel.spend(load, 20, ours=4, theirs=2.0)
        assert load.of_others(kernel.load) == pytest.approx(2.0, abs=1e-6)


def test_what_was_ours_fades_within_minutes() -> None:
    kernel = Kernel()
    load = Load(kernel.clock)
    kernel.spend(load, 20 * MINUTE, ours=4)
    kernel.spend(load, MINUTE, ours=0)
    assert load.of_others(4.0) == pytest.approx(4.0 - 4.0 / math.e, abs=1e-6)
    kernel.spend(load, 4 * MINUTE, ours=0)
    assert load.of_others(4.0) == pytest.approx(4.0, abs=0.05)


def test_it_samples_at_most_every_tenth_of_a_second() -> None:
    kernel = Kernel()
    load = Load(kernel.clock)
    for _ in range(1000):  # each of these would be a sample of its own, and none of them long enough to be one
        kernel.now += OFTEN / 1001
        load.note(8)
    assert load.of_others(4.0) == 4.0
    kernel.now += OFTEN
    load.note(8)
    assert load.of_others(4.0) == pytest.approx(4.0 - 8 * (1 - math.exp(-2 * OFTEN / MINUTE)), abs=1e-4)


def test_a_task_of_several_cores_counts_as_so_many() -> None:
    kernel = Kernel()
    load = Load(kernel.clock)
    load.cores = 4
    kernel.load = 4.0
    for _ in range(600):  # one task of ours
        kernel.now += 1.0
        load.note(1)
    assert load.of_others(4.0) == pytest.approx(0.0, abs=1e-3)


def test_the_client_tells_it_how_many_cores_a_task_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Idle:
        def __init__(self, shared: Shared, *_: object) -> None:
            self.load = shared.load

        def run(self, *_: object) -> int:
            return self.load.cores

    for name in ("Asker", "Senders", "Pinger", "LongPoller"):
        monkeypatch.setattr(start, name, lambda *_: None)
    monkeypatch.setattr(start, "Loop", Idle)
    options = parse(["--master", "http://127.0.0.1:1", "--slots", "8", "--workdir", str(tmp_path)])
    client = start.Client(options, "session", OwnFolder(str(tmp_path), "session", "h"))
    client.config = {"Cores": "4"}
    assert client._loop({}) == 4


def test_less_than_nothing_is_nothing_and_what_is_not_told_stays_so() -> None:
    kernel = Kernel()
    load = Load(kernel.clock)
    kernel.spend(load, 5 * MINUTE, ours=4)
    assert load.of_others(1.0) == 0.0
    assert load.of_others(None) is None


# -- the folder to work in


def workdir(*words: str) -> str:
    return parse(["--master", "http://127.0.0.1:1", *words]).workdir


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_workdir_that_was_asked_for_comes_before_tmpdir_and_that_before_tmp(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workdir() == "/tmp"
    monkeypatch.setenv("TMPDIR", str(places / "t"))
    assert workdir() == str(places / "t")
    assert workdir("--workdir", str(places / "w")) == str(places / "w")
    monkeypatch.setenv("TMPDIR", "")
    assert workdir() == "/tmp"


def test_the_runtime_folder_is_never_the_workdir(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = places / "run"
    (runtime / "deep").mkdir(parents=True)
    (places / "link").symlink_to(runtime / "deep")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert workdir() == "/tmp"
    for inside in (runtime, runtime / "deep", runtime / "not-there", places / "link", f"{runtime}/"):
        monkeypatch.setenv("TMPDIR", str(inside))
        assert workdir() == "/tmp", inside
    for beside in (places / "run2", places, places / "t"):
        monkeypatch.setenv("TMPDIR", str(beside))
        assert workdir() == str(beside)


def test_a_workdir_that_was_asked_for_may_lie_anywhere(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(places))
    assert workdir("--workdir", str(places / "w")) == str(places / "w")


# -- folders that are made, and unmade


def test_a_folder_whose_maker_died_before_it_was_marked_goes_when_its_name_tells_that_it_is_ours(
    tmp_path: Path,
) -> None:
    folders.make(str(tmp_path / "spe" / "workers"))
    unmarked = tmp_path / "spe" / "workers" / "50d419e9"
    unmarked.mkdir()
    folders.unmake(str(unmarked))
    assert unmarked.exists(), "it may be somebody's"
    (unmarked / "worker").touch()
    folders.unmake(str(unmarked), surely_ours=True)
    assert unmarked.exists(), "it is in use"
    (unmarked / "worker").unlink()
    folders.unmake(str(unmarked), surely_ours=True)
    assert list(tmp_path.iterdir()) == [], "and those above it, which are marked"
