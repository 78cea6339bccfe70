"""The Python that tasks find, as the master has to know it to choose wheels."""

import shutil
import subprocess
import sys
from typing import Dict

from .. import exits

LIMIT = 60.0  # seconds


def chosen(environment: Dict[str, str]) -> str:
    """Return the Python for tasks: ours, unless `setup:` has brought another one to the front."""
    before = shutil.which("python3")
    now = shutil.which("python3", path=environment.get("PATH", ""))
    return now if now and now != before else sys.executable


def describe(python: str, script: bytes, environment: Dict[str, str]) -> str:
    """Return what the master's script says of this Python: JSON in one line."""
    try:
        said = subprocess.run(
            [python, "-c", script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise exits.Ending(exits.SOFTWARE, "%s cannot be asked what it is: %s" % (python, fault))
    text = said.stdout.decode("utf-8", "replace").strip()
    if said.returncode or not text:
        last = said.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise exits.Ending(exits.SOFTWARE, "%s cannot be asked what it is: %s" % (python, last))
    return text.split("\n")[-1]
