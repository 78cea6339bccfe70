"""What the client says about itself: one line an event, to stderr or to its log file.

The session ID never comes here: nothing that is said is made from a request's address or headers.
"""

import os
import sys
import time
from typing import Optional

_file: Optional[int] = None


def to_file(path: str) -> None:
    """From now on write to this file, and let stray output of Python itself go there too."""
    global _file
    _file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(_file, 2)


def say(text: str) -> None:
    """One line. Never fails: a full disk or a closed terminal must not end a client."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S ") if _file is not None else ""
    try:
        os.write(2 if _file is None else _file, ("spe-client: %s%s\n" % (stamp, text)).encode("utf-8", "replace"))
    except OSError:
        return


def flush() -> None:
    """What Python itself has buffered, before the process ends without Python's own ending."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or none at all in a daemon
            continue
