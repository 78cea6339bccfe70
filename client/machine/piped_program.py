"""Programs whose output comes through a pipe, piece by piece: what people run to look at a task."""

import os
import select
import signal
import subprocess
from typing import Dict, List, Optional

LOOK = 0.1  # seconds for which a read waits for output
PIECE = 1 << 16  # bytes that are read at once


class PipedProgram:
    """A program from its start in a folder until `end`, which also ends all that it started."""

    def __init__(self, words: List[str], folder: str) -> None:
        """Start the program. Raises FileNotFoundError when it, or the folder, is not there."""
        # A thread of the client blocks signals, and a program inherits what its starter blocks.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self._process = subprocess.Popen(
            words,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout
        self._output = self._process.stdout

    def read(self, most: int) -> Optional[bytes]:
        """Return up to `most` bytes of output; None when there are none yet, b"" at the end."""
        if not select.select([self._output], [], [], LOOK)[0]:
            return None
        return os.read(self._output.fileno(), min(PIECE, most))

    def wait(self) -> int:
        """Wait for the program. Return its exit code as a shell says it: 128 + N for a signal."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def end(self) -> None:
        """Kill the program with all that it started, unless it has ended."""
        self._output.close()
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except OSError:  # the program has just ended
                pass
            self._process.wait()


def _environment() -> Dict[str, str]:
    """Return the client's environment without relative folders in PATH.

    The program runs in the directory of the task, where the task may have put an `ls` of its own.
    """
    folders = [one for one in os.get_exec_path() if one.startswith("/")]
    return dict(os.environ, PATH=":".join(folders) or "/bin:/usr/bin")
