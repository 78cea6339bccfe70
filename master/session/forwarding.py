"""The line for a person who is logged in over SSH: the page is served on this machine only."""

from __future__ import annotations

import getpass
import os
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

_SSH_PORT = 22
_HERE = ("127.0.0.1", "::1", "localhost")


def forwarding(page: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the line that makes the page reachable from where a person has logged in.

    Empty when nobody is logged in over SSH, or the page is open to the network. The address is the
    one by which that login has reached this machine: any other may lead nowhere from there.
    """
    said = environment.get("SSH_CONNECTION", "").split()
    address = urlsplit(page)
    if len(said) != 4 or not said[3].isdigit() or address.hostname not in _HERE:
        return ""
    words = ["ssh", "-N", "-L", f"{address.port}:127.0.0.1:{address.port}"]
    if int(said[3]) != _SSH_PORT:
        words += ["-p", said[3]]
    words.append(f"{getpass.getuser()}@{said[2]}")
    return f"  to open it where you sit, run there: {shlex.join(words)}"
