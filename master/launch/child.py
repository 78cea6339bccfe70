"""A client on this machine as a child process. It may begin early, while the master still loads.

The client reads the master's URL and the session ID from its standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..model import Host
from . import bundle

Child = subprocess.Popen[bytes]


def start_child(
    host: Host, fingerprint: str = "", file: Path | None = None, job: str = ""
) -> Child:
    """Return the started client. Raises OSError.

    `file`: the client's one file, for a Python that the host names; None: the installed client.
    job: FARM/JOB of a farm's job, or "".
    """
    python = os.path.expanduser(host.python or sys.executable)
    words = ["--master", "-", *host_arguments(host, fingerprint, job)]
    if host.workdir:  # then everything lies below it, as places.py has it on other hosts
        words += ["--cache", f"{host.workdir.rstrip('/')}/.spe-cache-{os.getuid()}"]
    return subprocess.Popen(
        # -I -S: the client needs the standard library alone, and nothing else may get in its way.
        [python, "-I", "-S", str(file or bundle.installed_client()), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the master, which drains
    )


def host_arguments(host: Host, fingerprint: str = "", job: str = "") -> list[str]:
    """Return the client's arguments that say how this host is used. No secret is among them.

    job: FARM/JOB of a farm's job, by which the farm's watchers know its clients; "" for none.
    """
    words = ["--host", host.name]
    for option, value in _options(host, fingerprint, job):
        if value:
            words += [option, str(value)]
    if host.trust_workdir:
        words.append("--trust-workdir")
    return words


def _options(host: Host, fingerprint: str, job: str) -> Iterator[tuple[str, object]]:
    # First: a watcher reads the beginning of a command line.
    yield "--job", job
    yield "--fingerprint", fingerprint
    yield "--slots", host.slots
    yield "--workdir", host.workdir


class Early:
    """At most one client that began before its launcher was made. Lives for one `with`.

    A child that nobody has taken by then is killed. It saves the time in which the master loads its
    libraries: the client starts meanwhile.
    """

    def __init__(self, hosts: Sequence[Host] = ()) -> None:
        """Start a client when this machine is the only host.

        With other hosts the master speaks TLS, and its certificate is not made yet. Those hosts
        take longer to be reached anyway.
        """
        self._host: Host | None = None
        self._child: Child | None = None
        if len(hosts) == 1 and hosts[0].is_here and not hosts[0].python:
            # An error is not told here: the launcher starts it again and reports it as for any host.
            with suppress(OSError):
                self._child = start_child(hosts[0])
                self._host = hosts[0]

    def take(self, host: Host, fingerprint: str) -> Child | None:
        """Return the early client of this host and hand it over; None when there is none."""
        if self._child is None or host != self._host or fingerprint:
            return None
        child = self._child
        self._child = None
        return child

    def __enter__(self) -> Early:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()  # the client has no session yet, so it has nothing to clean up
            self._child.communicate()
            self._child = None
