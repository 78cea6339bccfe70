"""Try each host by the user's own ssh."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...record import record
from .knocking import said, ssh_words

AT_ONCE = 8
TIME = 30.0  # seconds for one host
_SAID = "spe-is-let-in"
# What ssh says -> what that means, and the step that mends it. The first one that fits.
_KINDS = (
    ("host key verification failed", "host key unknown or changed", "ssh {host}"),
    ("could not resolve", "name not found", "add it to ~/.ssh/config"),
    ("permission denied", "key refused", "ssh-copy-id {host}"),
    ("connection refused", "no sshd answers", "ask its administrator"),
    ("timed out", "no answer", "ask its administrator"),
    ("no route to host", "not reachable", "ask its administrator"),
)


@record
class Tried:
    """A host, and why it does not let the user in; "" when it does."""

    host: str
    fault: str = ""
    todo: str = ""


def try_hosts(
    hosts: Sequence[str], ssh_config: Path | None, tell: Callable[[Tried], None] = lambda one: None
) -> list[Tried]:
    """Log in on each host, 8 at a time; return what came of it, in the order of the hosts."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = []
        for one in pool.map(lambda host: _try(host, ssh_config), hosts):
            tell(one)
            found.append(one)
        return found


def _try(host: str, ssh_config: Path | None) -> Tried:
    # BatchMode: nobody could answer questions of 8 hosts at once. A host key that is not recorded
    # is a fault: a farm must not name machines whose keys are taken unseen.
    options = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=yes")
    words = [*ssh_words(host, ssh_config, *options), f"echo {_SAID}"]
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIME,
            check=False,
        )
    except FileNotFoundError:
        return Tried(host, "ssh is not installed here", "apt-get install openssh-client")
    except subprocess.TimeoutExpired:
        return Tried(host, "no answer", f"ssh {host}")
    if _SAID in done.stdout:
        return Tried(host)
    told = done.stderr.lower()
    for words_of_ssh, fault, todo in _KINDS:
        if words_of_ssh in told:
            return Tried(host, fault, todo.format(host=host))
    last = (done.stderr.strip().splitlines() or ["the login runs no commands"])[-1]
    return Tried(host, said(last), f"ssh {host}")
