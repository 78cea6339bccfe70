"""The place where the master listens, and what others call it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence

from ..errors import ConfigError
from ..model import Host
from ..record import record
from ..sweep.sweep import Sweep
from ..wire.server import Server

LOOPBACK = "127.0.0.1"
# An address that nobody has (RFC 5737); towards it leads the default route
EVERYWHERE = ("192.0.2.1", 9)


@record
class Address:
    """The address on which the master of one run listens.

    `bind`: None for all addresses. `fixed`: the address that clients are given; None for the one
    that their host sees.
    """

    bind: str | None
    port: int
    tls: bool
    fixed: str | None

    def url(self, port: int) -> str:
        """Return the master's URL for somebody who is told nothing else."""
        address = self.fixed or self.bind or own_address()
        if ":" in address:  # IPv6
            address = f"[{address}]"
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{address}:{port}"

    async def listen(self, server: Server, tls: ssl.SSLContext | None, earlier: int) -> None:
        """Start listening.

        After a crash, the port `earlier` is taken again if it is free; 0 is for none. Raises
        ConfigError for an address that cannot be used, such as a port that is in use.
        """
        try:
            await server.start(self.bind, self.port or earlier, tls)
        except OSError as error:
            if earlier and not self.port:
                # Another program has taken it. Clients that are alive are handed the new port.
                await server.start(self.bind, 0, tls)
                return
            raise _cannot_listen(self, error) from error


def _cannot_listen(address: Address, error: OSError) -> ConfigError:
    place = f"{address.bind or 'all addresses'}, port {address.port}"
    reasons = {
        errno.EADDRINUSE: "is in use by another program",
        errno.EACCES: "needs root's rights",
        errno.EADDRNOTAVAIL: "is not an address of this machine",
    }
    why = reasons.get(error.errno or 0, os.strerror(error.errno or 0))
    todo = "Choose another one with `listen: [ADDRESS:]PORT`, or 0 for a free port."
    return ConfigError(f"{place} {why}", where="listen", todo=todo)


def listen_address(sweep: Sweep, hosts: Sequence[Host], by_hand: bool) -> Address:
    """Return the address on which to listen: as `listen:` says.

    Without it, this is loopback when all work is done on this machine, and else all addresses with
    HTTPS.
    """
    bind, port = sweep.config.listen.address, sweep.config.listen.port
    if bind is None and not by_hand and all(host.is_here for host in hosts):
        bind = LOOPBACK
    if bind in ("0.0.0.0", "::", "*"):
        bind = None
    if bind is not None and is_loopback(bind):
        return Address(bind, port, tls=False, fixed=None)  # nobody listens in on loopback
    return Address(bind, port, tls=sweep.config.tls, fixed=bind)


def is_loopback(address: str) -> bool:
    """Tell whether what is sent to this address never leaves the machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def own_address() -> str:
    """Return an address of this machine that others may reach.

    This is its address on the default route, or that of its name where there is no route.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(EVERYWHERE)  # chooses a route, sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        pass
    # The name may stand for a loopback address in /etc/hosts, so the first one that does not is
    # taken.
    try:
        found = [
            str(info[4][0])
            for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        ]
    except OSError:
        found = []
    return next((address for address in found if not is_loopback(address)), LOOPBACK)
