"""Bring the client to a host and keep it in touch: one launcher for each host.

This file chooses the way: local.py starts a child process, ssh/ goes to another machine. Once the
client runs it looks after itself, and the run decides what to do about a host that did not come up.

    bundle        The client as one file
    by_hand       Lines for a shell that start a client by hand
    child         A client on this machine as a child process
    faults        The fault that an exit code or a message of a host means, and what mends it
    homes         Groups of hosts that share a home, found out on the way
    little_room   Hosts whose homes are nearly full, and the one line about all of them
    local         The launcher for a client on this machine
    login_faults  Faults of logins whose shell does not run our command
    neighbours    Neighbours: other people whose clients of spe work on the same hosts
    offer         Records and the protocol that all launchers share
    outcome       The end of a command on a host, and the meaning of its exit codes
    pasteable     The words with which a person calls ssh for a host
    places        The places on a host where the client's file may lie
    proxies       The programs of ProxyCommand that run for this process
    threads       Blocking work beside the event loop, a thread for each piece
"""

from __future__ import annotations

from ..model import Host
from .child import Early
from .homes import Homes
from .offer import START_LIMIT, Launcher, Offer, Options

__all__ = ["START_LIMIT", "Early", "Homes", "Launcher", "Offer", "Options", "launcher"]


def launcher(host: Host, offer: Offer, options: Options, holds: bool = False) -> Launcher:
    """Return the launcher for this host: a child process here, SSH to every other machine.

    `holds`: the SSH session that starts the client stays open while the client works.
    """
    if host.is_here:
        from .local import LocalLauncher

        return LocalLauncher(host, offer, options)
    # Imported here: paramiko takes a third of a second to load, and a local sweep never needs it.
    from .ssh.ssh import SshLauncher

    return SshLauncher(host, offer, options, holds)
