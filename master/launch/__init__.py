"""Bringing the client to a host and keeping it in touch: one launcher per host.

Here is the choice of the way: local.py starts a child process, ssh/ goes to another machine. What the client does once
it runs is the client's; who is told what about a host that did not come up is the run's.

    bundle   The client as one file
    by_hand  How to start a client by hand
    child    A client on this machine as a child process
    faults   What a host said, by an exit code or in words, as a fault with its name and what mends it
    homes    Which hosts share a home, found out on the way
    local    A client on this machine
    offer    What all ways of starting share
    outcome  How a command on a host ended, and what its exit codes mean to us
    threads  Blocking work beside the event loop, a thread for each piece
"""

from __future__ import annotations

from ..model import Host
from .child import Early
from .homes import Homes
from .offer import Launcher, Offer, Options

__all__ = ["Early", "Homes", "Launcher", "Offer", "Options", "launcher"]


def launcher(host: Host, offer: Offer, options: Options, holds: bool = False) -> Launcher:
    """The way to this host: a child process here, SSH to everywhere else.

    `holds`: the SSH session that starts the client stays open as long as it works.
    """
    if host.is_here:
        from .local import LocalLauncher

        return LocalLauncher(host, offer, options)
    from .ssh.ssh import SshLauncher  # paramiko takes a third of a second to load: only who needs it waits for it

    return SshLauncher(host, offer, options, holds)
