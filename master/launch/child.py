"""A client on this machine as a child process. One may begin early, while the master still loads its own libraries.

It hears on its standard input where the master is, and the session ID.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..model import Host
from . import bundle

Child = subprocess.Popen[bytes]


def begin(host: Host, fingerprint: str = "", file: Path | None = None) -> Child:
    """Starts it; `file`: the client's one file, for a Python of the host's own. Raises OSError."""
    python = os.path.expanduser(host.python or sys.executable)
    words = ["--master", "-", *host_arguments(host, fingerprint)]
    return subprocess.Popen(
        # The standard library is all it needs, and nothing else shall get in its way.
        [python, "-I", "-S", str(file or bundle.installed_client()), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the master, which drains
    )


def host_arguments(host: Host, fingerprint: str = "") -> list[str]:
    """The client's arguments that say how this host is worked on. All of them may be read by anybody there."""
    words = ["--host", host.name]
    words += ["--fingerprint", fingerprint] if fingerprint else []
    words += ["--slots", str(host.slots)] if host.slots else []
    words += ["--workdir", host.workdir] if host.workdir else []
    words += ["--trust-workdir"] if host.trust_workdir else []
    return words


class Early:
    """At most one client that has begun already. What nobody took ends with the `with`."""

    def __init__(self, hosts: Sequence[Host] = ()) -> None:
        """One begins when all work is here: then it needs no certificate. Others take longer to be reached anyway."""
        self._host, self._child = None, None  # type: Host | None, Child | None
        if len(hosts) == 1 and hosts[0].is_here and not hosts[0].python:
            with suppress(OSError):  # then it is begun once more, and what is wrong is said as for any host
                self._host, self._child = hosts[0], begin(hosts[0])

    def take(self, host: Host, fingerprint: str) -> Child | None:
        """The one of this host, once."""
        if self._child is None or host != self._host or fingerprint:
            return None
        child, self._child = self._child, None
        return child

    def __enter__(self) -> Early:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
