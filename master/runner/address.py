"""Where the master listens, and what others call that place."""

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


@record
class Address:
    """`bind` None: all addresses. `fixed`: the address that clients are given, None: what their host sees."""

    bind: str | None
    port: int
    tls: bool
    fixed: str | None

    def url(self, port: int) -> str:
        """The master's URL for somebody who is told nothing else."""
        address = self.fixed or (own_address() if self.bind is None else self.bind)
        shown = f"[{address}]" if ":" in address else address
        return f"{'https' if self.tls else 'http'}://{shown}:{port}"

    async def listen(self, server: Server, tls: ssl.SSLContext | None, earlier: int) -> None:
        """Start listening; on the port of `earlier` days where it is free. Raises ConfigError for a port in use."""
        try:
            await server.start(self.bind, self.port or earlier, tls)
        except OSError as error:
            if earlier and not self.port:
                await server.start(self.bind, 0, tls)  # clients that are alive are handed the new port
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
    """As `listen:` says; without it loopback when all work is here, else all addresses with HTTPS."""
    bind, port = sweep.config.listen.address, sweep.config.listen.port
    if bind is None and not by_hand and all(host.is_here for host in hosts):
        bind = LOOPBACK
    bind = None if bind in ("0.0.0.0", "::", "*") else bind
    on_network = bind is None or not is_loopback(bind)
    return Address(bind, port, sweep.config.tls and on_network, bind if bind and not is_loopback(bind) else None)


def is_loopback(address: str) -> bool:
    """Whether this address never leaves the machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def own_address() -> str:
    """An address of this machine that others may reach: the one towards everywhere, else that of its name."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # chooses a route, sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        pass
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    except OSError:
        found = []
    return next((address for address in found if not is_loopback(address)), LOOPBACK)
