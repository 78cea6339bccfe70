"""Runs whose programs end once one has begun on each host: no host comes up when all is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from subprocess import Popen

from waiting import wait_until

from .host import LabHost

# The command of such a sweep.
WAITS = "sh -c 'touch /tmp/began; until [ -e /tmp/go-on ]; do sleep 0.1; done'"


def ended_together(start: Callable[[], Popen[str]], hosts: Sequence[LabHost], limit: float = 120) -> str:
    """Return what a run says that began and ended well, on all these hosts."""
    for host in hosts:
        host.root("rm", "-f", "/tmp/began", "/tmp/go-on")
    run = start()
    wait_until(lambda: all(has_begun(host) for host in hosts), "a program runs on each host", limit)
    for host in hosts:
        host.root("touch", "/tmp/go-on")
    out, err = run.communicate(timeout=limit)
    print(out, err)
    assert run.returncode == 0, err
    return err


def has_begun(host: LabHost) -> bool:
    """Tell whether a program of such a run has begun there."""
    return host.root("test", "-e", "/tmp/began", check=False).returncode == 0
