"""The words with which a person calls ssh for a host, for advice that can be pasted.

A message that says `ssh h01` sends the user to another machine when `-F FILE` was given, or when the
hosts file names a user or a port: each command line in a message gets its words here.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..model import Host

# Host name -> words. Kept for the process: a fault is told long after its launcher is gone, by code
# that knows the host's name alone.
_known: dict[str, str] = {}


def ssh_words(
    name: str,
    user: str | None = None,
    port: int | None = None,
    config: Path | None = None,
    jumps: Sequence[str] = (),
) -> str:
    """Return options and destination, quoted for a shell; ssh and ssh-copy-id take the same.

    `jumps`: the hops before a jump host, the nearest first.
    """
    words: list[str] = []
    if config:
        words += ["-F", str(config.absolute())]
    if port:
        words += ["-p", str(port)]
    if jumps:
        # Not -J, which ssh-copy-id does not know.
        words += ["-o", f"ProxyJump={','.join(jumps)}"]
    words.append(f"{user}@{name}" if user else name)
    return shlex.join(words)


def remember_host(host: Host, config: Path | None) -> None:
    """Note the words of a host that is reached by SSH. `config`: the file of -F."""
    _known[host.name] = ssh_words(host.name, host.user, host.port, config)


def words_for(name: str) -> str:
    """Return the words of a host that `remember_host` was told of; of others its name."""
    return _known.get(name, name)
