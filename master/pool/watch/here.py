"""A watcher on the farm's own host, as a child process."""

from __future__ import annotations

import select
import subprocess
import sys
import time

from ...errors import Fault, LaunchError

MOST_KEPT = 1 << 20


class HereTalk:
    """A child process with the methods of launch/ssh/programs/talk.Talk."""

    def __init__(self, program: str, stdin: bytes) -> None:
        """Start the program. Raises LaunchError."""
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise _fault(Fault.START, str(error)) from error
        self._kept = b""
        self.send(stdin, 0.0)

    def send(self, data: bytes, limit: float) -> None:
        """Send bytes to the program: so few that they fit into a pipe, or are read at once."""
        assert self._child.stdin
        try:
            while data:
                data = data[self._child.stdin.write(data) :]
        except OSError as error:
            raise _fault(Fault.ENDED, "its program has ended") from error

    def read_line(self, limit: float) -> bytes:
        """Return the next line. Raises LaunchError when none comes within so many seconds."""
        assert self._child.stdout
        end = time.monotonic() + limit
        while b"\n" not in self._kept:
            left = max(0.0, end - time.monotonic())
            if not select.select([self._child.stdout], [], [], left)[0]:
                raise _fault(Fault.TIMEOUT, f"nothing was heard from it for {limit:.0f} s")
            data = self._child.stdout.read(65536)
            if not data or len(self._kept) > MOST_KEPT:
                last = self._kept.decode(errors="replace").strip().rpartition("\n")[2]
                raise _fault(Fault.ENDED, last or "its program has ended")
            self._kept += data
        line, _, self._kept = self._kept.partition(b"\n")
        return line

    def close(self) -> None:
        """End the program. May be called twice."""
        self._child.kill()
        self._child.wait()
        for file in (self._child.stdin, self._child.stdout):
            if file:
                file.close()


def _fault(fault: Fault, what: str) -> LaunchError:
    return LaunchError(fault, what, where="localhost")
