"""Clocks that jump by a day, on the master and on hosts, in a running sweep: nothing changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from needs import missing, need_program

from .kit import Drill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
JUMPS = ("+1d", "-1d", "+0", "+400d")


def library() -> str:
    need_program("faketime", "faketime")
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else missing("needs libfaketime: apt-get install faketime")


class Clock:
    """The wall clock of a process, as a file says; its monotonic clock goes on as it does."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set("+0")

    def set(self, offset: str) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
        }  # fmt: skip


def test_the_clock_is_set_as_the_drill_believes(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.set("+10d")
    script = "import time; print(time.time(), time.monotonic())"
    words = [sys.executable, "-c", script]
    there = subprocess.run(words, env=clock.environment, capture_output=True, text=True, check=True).stdout.split()
    here = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert 9.9 < (float(there[0]) - float(here[0])) / 86400 < 10.1
    assert abs(float(there[1]) - float(here[1])) < 100


@pytest.mark.parametrize("whose", ["the master", "a client", "all"])
def test_set_a_day_on_and_back(make_drill: Callable[..., Drill], tmp_path: Path, whose: str) -> None:
    steady = Clock(tmp_path / "steady").environment  # what it is compared with has such clocks too
    drill = make_drill(by_hand=True, yaml="ping: 5\ngrace: 60\ntimeout: 60\n", environment=steady)
    clocks = {name: Clock(drill.root / f"clock-{name}") for name in ("master", "one", "two")}
    drill.open_gate(8)
    drill.start_run("--hosts", "none", **clocks["master"].environment)
    for name in ("one", "two"):
        drill.start_client(name, **clocks[name].environment)
    names = {"the master": ["master"], "a client": ["one"], "all": ["master", "one", "two"]}[whose]
    for number, jump in enumerate(JUMPS, 1):
        drill.wait_done(8 * number)
        for name in names:
            clocks[name].set(jump if name != "two" else "-1d")
        drill.assert_undone()
        drill.open_gate(8 * (number + 1))
    drill.open_gate()
    drill.end()
    drill.wait_for_clients()
    assert not drill.lost, "no ticket ran out"
    assert set(drill.times_begun().values()) <= {1, 2}
    assert drill.failed_attempts == 0, "no timeout came early"
    drill.five_checks(f"clock of {whose} set a day on, back, and a year on", len(JUMPS))
