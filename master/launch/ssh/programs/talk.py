"""A Python program sent on standard input, whose input stays open."""

from __future__ import annotations

import time

from ....errors import Fault, LaunchError
from ....model import Host
from ... import faults
from ...offer import Options
from ...pasteable import words_for
from .. import remote, remote_shell
from ..connect import BROKEN, connect

# As PROBE, without the client's file.
_PROBE = """
import sys
if sys.version_info < (3, 6):
    sys.exit(7)
"""
_RUN = remote.FIND_PYTHON + (
    'find_python\ncode=$?\n[ "$code" = 0 ] || exit "$code"\n"$found" -I -S -c "$program"\n'
)
MOST_KEPT = 1 << 20  # bytes without the end of a line
_AFTERWARDS = 2.0  # seconds for the exit status after the end of the output


class Talk:
    """A program on a host, from its start until `close`. Its input stays open.

    All methods raise LaunchError once the host is lost or the program has ended.
    """

    def __init__(self, host: Host, options: Options, program: str, stdin: bytes) -> None:
        """Connect to the host and start the program. It is a Python text, and short.

        The text is seen by all users of the host as part of a command line; stdin is not.
        """
        words = {
            "client": "",
            "sha256": "",
            "python": host.python or "",
            "probe_text": _PROBE,
            "program": program,
        }
        self._host = host
        self._connection = connect(host, options)
        try:
            script = remote.assigned(words) + _RUN
            transport = self._connection.transport
            limit = options.start_limit
            self._shell = remote_shell.open_session(transport, script, host.name, limit, stdin)
        except BaseException:
            self._connection.close()
            raise
        self._kept = self._shell.rest  # what came without the end of a line
        self._last = b""  # what the program said last, for an error

    def send(self, data: bytes, limit: float) -> None:
        """Send bytes to the program. Raises LaunchError also when it takes none in this time."""
        try:
            self._shell.channel.settimeout(limit)
            self._shell.channel.sendall(data)
        except BROKEN as error:
            raise self._lost(str(error) or "its session is closed") from error

    def read_line(self, limit: float) -> bytes:
        """Return the next line. Raises LaunchError when none comes within so many seconds."""
        end = time.monotonic() + limit
        while b"\n" not in self._kept:
            if len(self._kept) > MOST_KEPT:
                raise self._lost("it sends a line without end")
            self._take(end, limit)
        line, _, self._kept = self._kept.partition(b"\n")
        self._last = (self._last + b"\n" + line)[-4096:]
        return line

    def _take(self, end: float, limit: float) -> None:
        channel = self._shell.channel
        try:
            channel.settimeout(max(0.001, end - time.monotonic()))
            data = channel.recv(65536)
        except TimeoutError:
            raise self._silent(limit) from None
        except BROKEN as error:
            raise self._lost(str(error)) from error
        if not data:
            raise self._ended()
        self._kept += data

    def _silent(self, limit: float) -> LaunchError:
        what = f"nothing was heard from it for {limit:.0f} s"
        todo = f"Is the machine hung, or the network? Look there: ssh {words_for(self._host.name)}"
        return LaunchError(Fault.TIMEOUT, what, where=self._host.name, todo=todo, broke_off=True)

    def _lost(self, words: str) -> LaunchError:
        return LaunchError(Fault.LOST, words, where=self._host.name)

    def _ended(self) -> LaunchError:
        """Return the error of a program that has ended, or of a connection that broke."""
        channel = self._shell.channel
        channel.status_event.wait(_AFTERWARDS)
        if channel.exit_status == -1:
            return self._lost("its SSH session has ended")
        said = remote_shell.read_outcome(channel.exit_status, self._last + b"\n" + self._kept)
        if said.code == 0:
            return self._lost("its program has ended")
        return faults.from_outcome(said, self._host)

    def close(self) -> None:
        """Close the connection: the program finds the end of its input. May be called twice."""
        self._connection.close()
