"""Shells that read a script: on this machine, and on another one through SSH."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from typing import Protocol

from ..launch.offer import Options
from ..launch.ssh import forward
from ..launch.ssh.connect import BROKEN, connect
from ..launch.ssh.connection import Connection
from ..launch.ssh.shell_start import BEGIN, BOOTSTRAP, StartedShell, start_shell
from ..model import Host

LOGIN_LIMIT = 8.0  # seconds for the login's start-up files
ASK_AFTER = 2.5  # seconds until it is asked whether it waits for input: the whole look takes less than 9


class Shell(Protocol):
    """A shell on a host, from its start until `close`. Methods block; any thread may call `close`."""

    own_address: str | None  # address of this machine's end of the connection

    def begin(self) -> None:
        """Return when the shell reads a script. Raises LaunchError when it does not."""

    def say(self, data: bytes) -> None:
        """Send the script to the shell."""

    def lines(self) -> Iterable[str]:
        """Yield the lines that the shell prints, until it ends."""

    def forwards(self) -> bool:
        """Return whether a port can be forwarded back through the connection."""

    def leave(self) -> None:
        """Close the shell's input, and return when the shell has ended."""

    def close(self) -> None:
        """Cut the shell off at once."""


def open_shell(host: Host, options: Options) -> Shell:
    """Return a shell on the host. Raises LaunchError when the host is not reached."""
    if host.is_here:
        return LocalShell()
    return SshShell(host, connect(host, options))


class SshShell:
    """A shell on another machine; owns the connection and closes it."""

    def __init__(self, host: Host, connection: Connection) -> None:
        self._host = host
        self._connection = connection
        self.own_address: str | None = connection.own_address
        self._started: StartedShell | None = None

    def begin(self) -> None:
        transport = self._connection.transport
        self._started = start_shell(transport, self._host.name, LOGIN_LIMIT, ASK_AFTER)

    def say(self, data: bytes) -> None:
        assert self._started is not None
        self._started.send(data)

    def lines(self) -> Iterable[str]:
        assert self._started is not None
        return self._started.lines()

    def forwards(self) -> bool:
        transport = self._connection.transport
        try:
            # Port 9 (discard) as the target: nobody learns of the forwarded port, so nothing connects.
            forward.listen(transport, (forward.LOOPBACK, 9))
        except forward.Denied:
            return False
        return True

    def leave(self) -> None:
        if self._started is None:
            return
        with contextlib.suppress(*BROKEN):
            self._started.end_input()

    def close(self) -> None:
        self._connection.close()


class LocalShell:
    """A shell on this machine, a child process."""

    def __init__(self) -> None:
        self.own_address: str | None = forward.LOOPBACK
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for spe, which lets the script clean up
        )

    def begin(self) -> None:
        for line in self.lines():
            if line == BEGIN:
                return

    def say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def lines(self) -> Iterable[str]:
        assert self._process.stdout is not None
        return (line.decode(errors="replace").strip() for line in self._process.stdout)

    def forwards(self) -> bool:
        return False

    def leave(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def close(self) -> None:
        self._process.kill()
