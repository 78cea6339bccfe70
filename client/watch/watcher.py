"""The watcher: it prints a line each interval until its SSH session is gone.

Its farm writes something now and then, as a sign of life. The end of its input, or no such sign for
the time of a lease, ends it: an sshd may hold a session for hours whose other end is cut off.
"""

import json
import os
import select
import signal
import sys
import time

from .accounts import Accounts
from .report import report


def watch(interval: float, lease: int) -> int:
    """Print lines until the session is gone. Returns the exit code."""
    # The alarm has no handler, and so ends the process even while it hangs in a write.
    signal.alarm(lease)
    accounts = Accounts(time.monotonic())
    try:
        while True:
            if not wait(interval, lease):
                return 0
            accounts.look(time.monotonic())
            line = json.dumps(report(accounts), allow_nan=False)
            # One write for each line; `print` would raise again when Python ends.
            os.write(sys.stdout.fileno(), line.encode("ascii", "replace") + b"\n")
    except BrokenPipeError:
        return 0


def wait(interval: float, lease: int) -> bool:
    """Wait for one interval. Return False at the end of the input."""
    end = time.monotonic() + interval
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return True
        if select.select([0], [], [], left)[0]:
            if not os.read(0, 4096):
                return False
            signal.alarm(lease)
