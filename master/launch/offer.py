"""What all ways of starting share: what a client is offered, the settings of a run, and what a launcher is."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Protocol

from ..model import Host
from ..record import record
from .child import Early, host_arguments
from .homes import Homes

STAYS = "this process stays until it has ended"  # what a client says that holds its session (client/detach.py)
ALREADY_RUNS = "already running"  # what a client says that finds another one of its session (client/start.py)


@record
class Offer:
    """What every client is given."""

    port: int  # the master's port
    address: str | None  # `listen:` names one; None: the master's own end of each connection
    tls: bool  # whether the master's port speaks HTTPS
    fingerprint: str  # SHA-256 of its certificate, "" without TLS
    session: str = field(repr=False)  # never in a log, never on a command line
    pack: Callable[[], bytes] = field(repr=False)  # makes the .pyz, which no run needs that works here alone
    keep_client: bool = False

    @property
    def client(self) -> bytes:
        """Return the client's one file."""
        return self.pack()

    @property
    def client_name(self) -> str:
        """Named by its content: what has the name has the content, and two versions never meet."""
        return f"client-{self.client_sha256[:16]}.pyz"

    @property
    def client_sha256(self) -> str:
        return _sha256(self.client)

    def url(self, address: str, port: int | None = None) -> str:
        """The master's URL as seen from a host; an IPv6 address gets its brackets."""
        shown = f"[{address}]" if ":" in address else address
        return f"{'https' if self.tls else 'http'}://{shown}:{port or self.port}"

    def address_for(self, own: str | None) -> str | None:
        """The master as a host may see it to which `own` is our end of the connection; None: only forwarding works."""
        address = self.address or own
        if address is None or (is_loopback(address) and not is_loopback(own)):
            return None
        return address

    def arguments(self, url: str, host: Host) -> list[str]:
        """The client's arguments. All of them may be read by anybody on the host; the session is not among them."""
        return ["--master", url, *host_arguments(host, self.fingerprint)]


@record
class Options:
    """The settings of one run that all its launchers share: make it once per run, `homes` is shared through it."""

    folder: Path  # where a local client's file is written
    ssh_config: Path | None = None  # `spe run -F FILE`; None: ~/.ssh/config and /etc/ssh/ssh_config
    accept_new_host_keys: bool = False
    grace: float = 180.0  # how long a lost forwarding connection is worth making again
    connect_limit: float = 10.0  # one TCP connection; ConnectTimeout of ssh_config wins
    login_limit: float = 30.0  # key exchange and authentication
    start_limit: float = 120.0  # from the start of the client to its registration, its `setup` included
    copy_limit: float = 120.0  # one copy of the client
    homes: Homes = field(default_factory=Homes, repr=False)
    early: Early = field(default_factory=Early, repr=False)
    owed: dict[str, set[str]] = field(default_factory=dict, repr=False)  # host -> files of ours left when it was lost


class Launcher(Protocol):
    """One host's way up. A fault is a LaunchError, which is this host's alone."""

    host: Host
    handed_over: bool  # a client of this session was running there already and was told our address
    note: str  # what the user should know about this host's way, "" if it is the plain one
    ended: bool  # the client is known to have ended; only one that is watched over tells

    async def start(self) -> None:
        """Returns when the client was started. Whether it has registered the master itself knows best."""

    async def watch(self) -> None:
        """Keeps what must be kept; returns when there is nothing (more) to keep, raises when the host is lost."""

    async def close(self) -> None:
        """Lets go of everything. May be called at any time, twice too."""


def is_loopback(address: str | None) -> bool:
    """Whether this address never leaves a machine."""
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


@functools.lru_cache(maxsize=2)
def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
