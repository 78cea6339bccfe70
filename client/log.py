"""The log of the client: one line an event, to standard error or to its log file.

The session ID never comes here: no line is made from the address or headers of a request.
"""

import os
import sys
import time
from typing import Optional

_file: Optional[int] = None


def to_file(path: str) -> None:
    """Write to this file from now on; stray output of Python itself goes there, too."""
    global _file
    _file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(_file, 2)


def say(text: str) -> None:
    """Write one line. Never fails: a full disk or a closed terminal must not end a client."""
    target, stamp = 2, ""
    if _file is not None:  # on a terminal one sees when a line comes
        target, stamp = _file, time.strftime("%Y-%m-%d %H:%M:%S ")
    line = "spe-client: %s%s\n" % (stamp, text)
    try:
        os.write(target, line.encode("utf-8", "replace"))
    except OSError:
        return


def flush() -> None:
    """Write what Python has buffered, for a process that ends without Python's own ending."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or none at all in a daemon
            continue
