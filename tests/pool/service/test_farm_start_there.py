"""`spe farm start` with hosts that are reached by ssh: the lab's real sshd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Boot, Lab, LabHost
from waiting import wait_until

from ..gate.test_doorstep import place

__all__ = ["place"]
LAB_HOSTS = 2
pytestmark = pytest.mark.lab


class Desk:
    """The administrator's terminal, with the lab's ssh configuration."""

    def __init__(self, lab: Lab, place: Path) -> None:
        self.lab, self.place = lab, place

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"HOME": str(self.place / "own"), "XDG_DATA_HOME": str(self.place / "data")}
        command = [sys.executable, "-m", "spe", "farm", *words, "--public", str(self.place / "farm")]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, stdin=subprocess.DEVNULL
        )

    def host(self, name: str) -> Any:
        found = json.loads(self.type("status", "--json").stdout)["hosts"]
        return next(one for one in found if one["name"] == name)


@pytest.fixture
def desk(lab: Lab, hosts: list[LabHost], place: Path) -> Iterator[Desk]:
    made = Desk(lab, place)
    (place / "own").mkdir()
    yield made
    made.type("stop")


def test_each_host_is_tried_and_those_that_refuse_are_watched_once_they_do_not(
    desk: Desk, hosts: list[LabHost], lab: Lab, place: Path
) -> None:
    hosts[1].boot(Boot(refuse_key=True))
    file = place / "cluster.txt"
    file.write_text("h[01-02] slots=2\nsetting interval=1s\n")
    done = desk.type("start", "--hosts", str(file), "-F", str(lab.ssh_config))
    assert done.returncode == 0, done.stderr
    assert "1 of 2 hosts let you in" in done.stdout
    assert "h02: key refused → ssh-copy-id h02" in done.stderr
    wait_until(lambda: "heard" in desk.host("h01"), "the watcher of h01 is heard", seconds=60)
    checked = desk.type("check")
    assert checked.returncode == 1 and "\nh02: " in f"\n{checked.stdout}", checked
    hosts[1].boot(Boot())
    wait_until(lambda: "heard" in desk.host("h02"), "the watcher of h02 is heard", seconds=60)
