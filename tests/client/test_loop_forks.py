"""Hands that are forked: spread over slots, heard, and ended with the client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("real_hands.py")


def test_hands_are_forked_answer_and_end_when_their_channel_closes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    (line,) = done.stdout.splitlines()  # a hand that went on behind its work would print as well
    sizes, answers, killed, ended, alive = json.loads(line)
    assert sizes == [[1], [1, 1, 1], [2, 2, 1, 1], [3, 2, 2, 2]], "four hands at most"
    assert answers == [["here", None]] * 2
    assert killed == [["killed", ["a process of the client was killed by signal 9", []]]]
    assert ended and alive
    assert done.returncode == 0 and not done.stderr
