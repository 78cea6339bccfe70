"""A connection that is logged in, and all that it goes through: jump hosts or a ProxyCommand."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from typing import IO

import paramiko

from .. import proxies
from ..offer import Options
from .config.target import Target


class Connection:
    """An SSH connection to one host, from the first try to reach it until `close`.

    It owns the connections to its jump hosts and closes them too.
    """

    def __init__(self, target: Target, options: Options) -> None:
        self.target = target
        self.options = options
        self.transport: paramiko.Transport
        self.own_address: str | None = None  # address of this machine, as the first hop sees it
        self.below: list[Connection] = []  # connections to jump hosts, the first hop first
        self._proxy: proxies.Proxy | None = None
        self._proxy_stderr: IO[bytes] | None = None

    def close(self) -> None:
        """Close the connection and all that it goes through. May be called twice."""
        self._close_transport()
        if self._proxy is not None:
            proxies.end(self._proxy)
        if self._proxy_stderr is not None:
            self._proxy_stderr.close()
        for connection in self.below:
            connection.close()

    def _close_transport(self) -> None:
        if not hasattr(self, "transport"):
            return
        sock = self.transport.sock
        if isinstance(sock, socket.socket):
            # Before close(): the transport's thread waits in recv(), which close() does not wake.
            with contextlib.suppress(OSError):  # the other end was quicker
                sock.shutdown(socket.SHUT_RDWR)
        self.transport.close()

    def start_proxy(self, command: str) -> socket.socket:
        """Return a socket with a ProxyCommand at its other end.

        Why not paramiko.ProxyCommand: it spins when the command ends.
        """
        ours, theirs = socket.socketpair()
        self._proxy_stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the connection
        shell = os.environ.get("SHELL") or "/bin/sh"  # as ssh
        with theirs:
            self._proxy = proxies.start(
                [shell, "-c", f"exec {command}"], theirs, self._proxy_stderr
            )
        return ours

    def proxy_words(self) -> str:
        """Return the last line that a ProxyCommand printed, for a message; "" without one."""
        if self._proxy_stderr is None:
            return ""
        self._proxy_stderr.seek(0)
        lines = self._proxy_stderr.read(4096).decode(errors="replace").strip().splitlines()
        if not lines:
            return " (ProxyCommand)"
        return f" (ProxyCommand: {lines[-1]})"
