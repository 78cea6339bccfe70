"""Runs whose programs end once one has begun on each host: no host comes up when all is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from subprocess import Popen

from waiting import wait_until

from .host import LabHost

# What a shell script of such a sweep does first, and the command of a sweep that does nothing else.
GATE = "touch /tmp/began; until [ -e /tmp/go-on ]; do sleep 0.1; done"
WAITS = f"sh -c '{GATE}'"


def ended_together(
    start: Callable[[], Popen[str]], hosts: Sequence[LabHost], limit: float = 120, code: int = 0
) -> str:
    """Return what a run says that began on all these hosts and ended with this exit code."""
    for host in hosts:
        host.root("rm", "-f", "/tmp/began", "/tmp/go-on")
    run = start()
    wait_until(lambda: all(has_begun(host) for host in hosts), "a program runs on each host", limit)
    for host in hosts:
        host.root("touch", "/tmp/go-on")
    out, err = run.communicate(timeout=limit)
    print(out, err)
    for host in hosts:  # for those who compare the files
        host.root("rm", "-f", "/tmp/began", "/tmp/go-on")
    assert run.returncode == code, err
    return err


def has_begun(host: LabHost) -> bool:
    """Tell whether a program of such a run has begun there."""
    return host.root("test", "-e", "/tmp/began", check=False).returncode == 0
