"""A user's account in the tests: her farm, her sweep, and what her ssh was told."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from spe.delegate import orders
from spe.delegate.delegate import Delegate
from spe.pool.joining.cards import Card, save_card
from spe.pool.joining.knocking import own_name
from spe.session.living import living

from .evil_gate import EvilGate, answer

HERE = "localhost"
PLACE = own_name()
JOB, EPOCH = 7, 5
#: An `ssh` that notes its words and reaches nothing.
SSH = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done >> "$SSH_LOG"
exit 255
"""
PROGRAM = f"""#!{sys.executable}
import os, time
while not os.path.exists(os.environ["GATE"]):
    time.sleep(0.02)
print("k")
"""


class Ada:
    """A user's account: her farm, her sweep, and what her ssh was told."""

    def __init__(self, root: Path, gate: EvilGate) -> None:
        self.root, self.gate = root, gate
        self.sweep = root / "sweep"
        self.sweep.mkdir()
        program = self.sweep / "work"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        (self.sweep / "spe.yaml").write_text("command: ./work {{ x }}\nparameters: {grid: {x: [1, 2, 3]}}\n")
        self.runs = self.sweep / "runs" / "sweep"
        self.card = Card(
            gate.farm, "srv", "farm", "", [gate.url], gate.keys.fingerprint, "ada", "t" * 40, PLACE, [HERE], ["lab*"]
        )
        save_card(self.card)

    def submit(self, farm: str = EvilGate.farm, job: int = JOB) -> None:
        orders.save(orders.Order(farm, job, [], str(self.sweep), str(self.runs), PLACE))

    def delegate(self) -> Delegate:
        made = Delegate(self.card, PLACE)
        made._take_orders()
        return made

    def grant(self, number: int, tasks: Any, **more: Any) -> None:
        said = {"epoch": EPOCH, "number": number, "tasks": tasks, "slots": {HERE: 2}, "state": "running", **more}
        self.gate.answers["/grants"] = answer({"jobs": {str(JOB): said}})

    @property
    def ssh_was_told(self) -> list[str]:
        log = self.root / "ssh.log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def in_force(self) -> tuple[int, int]:
        """Epoch and number of the grant that the master follows, by what was reported last."""
        said = self.gate.asked[-1][2]["jobs"][str(JOB)]
        return said["epoch"], said["number"]

    def kill(self) -> None:
        if found := living(self.runs):
            os.kill(found.pid, signal.SIGKILL)
