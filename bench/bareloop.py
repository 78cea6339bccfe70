"""The least that a Python program does to run commands with results: Popen, a directory and a pipe each.

    python bench/bareloop.py COUNT SLOTS WORD...

`{}` in a word is the task's number. Nothing is kept, checked or stored: a floor for what is written in Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence


def main(count: int, slots: int, words: Sequence[str]) -> None:
    base = tempfile.mkdtemp(prefix="bare-")
    running: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
    begun = 0
    while begun < count or running:
        while begun < count and len(running) < slots:
            begun += 1
            folder = os.path.join(base, str(begun))
            os.mkdir(folder)
            command = [word.replace("{}", str(begun)) for word in words]
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            running[process.pid] = (process, folder)
        pid, status = os.wait()
        process, folder = running.pop(pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.stdout is not None
        process.stdout.read()
        process.stdout.close()
        os.rmdir(folder)
    shutil.rmtree(base)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
