"""The programs of ProxyCommand that run for this process. None of them outlives it.

A connection ends its own program. But a process that is interrupted while threads log in closes no
connections, and not every program ends by itself when its input does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from typing import IO

from ..errors import Fault, LaunchError

Proxy = subprocess.Popen[bytes]
_lock = threading.Lock()
_running: set[Proxy] = set()
_is_over = False  # True once this process ends


def start(words: Sequence[str], channel: socket.socket, stderr: IO[bytes]) -> Proxy:
    """Return a program that talks through `channel`, in a session of its own.

    Raises LaunchError while this process ends.
    """
    with _lock:
        if _is_over:
            raise LaunchError(Fault.LOST, "given up, as spe has ended")
        made = subprocess.Popen(
            words,
            stdin=channel.fileno(),
            stdout=channel.fileno(),
            stderr=stderr,
            start_new_session=True,
        )
        _running.add(made)
    return made


def end(proxy: Proxy) -> None:
    """End a program and all that it has started in its session. May be called twice."""
    with _lock:
        if proxy not in _running:
            return
        _running.discard(proxy)
    # KILL, as its work is done: one that ignores TERM would hold up the end of the run. The group
    # and not the process alone: it may be a script whose child does the work. Before wait(): until
    # then nobody else can get its number.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(proxy.pid, signal.SIGKILL)
    proxy.wait()


@atexit.register
def _end_all() -> None:
    global _is_over
    with _lock:
        _is_over = True
        left = list(_running)
    for proxy in left:
        end(proxy)
