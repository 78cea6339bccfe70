"""A sweep whose sets end when the test says so."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    def let(self, *numbers: int) -> None:
        for number in numbers:
            (self.folder / "gate" / str(number)).touch()
