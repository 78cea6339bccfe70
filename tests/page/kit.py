"""A sweep whose sets end when the test says so."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiting import wait_until

WORKER = """#!/bin/sh
echo "set $1 has begun" >&2
while [ ! -e "$GATE/$1" ]; do sleep 0.05; done
[ "$1" != 3 ] || { echo 'no <b>licence</b>' >&2; exit 4; }
echo "$1"
"""


@dataclass
class Held:
    """A sweep of three sets, each of which ends when the test says so; the third one fails."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "runs" / "held" / "master.json").read_text(encoding="utf-8")))

    @property
    def acting_page(self) -> str:
        """Its address, for who may act."""
        secrets = self.folder / "runs" / "held" / "session" / "secrets.json"
        act = json.loads(secrets.read_text(encoding="utf-8"))["act"]
        return f"{str(self.facts['page']).partition('?')[0]}?token={act}"

    def kill_and_continue(self) -> None:
        """Kill the master, wait for its end, and run the sweep again in the same folder."""
        facts = self.folder / "runs" / "held" / "master.json"
        killed = facts.stat().st_ino
        self.process.kill()
        self.process.wait(60)
        command = [sys.executable, "-m", "spe", "run", "-q"]
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        wait_until(lambda: facts.stat().st_ino != killed or self.process.poll() is not None, "the run goes on")
        assert self.process.poll() is None, "the run did not go on"

    def let(self, *numbers: int) -> None:
        for number in numbers:
            (self.folder / "gate" / str(number)).touch()
