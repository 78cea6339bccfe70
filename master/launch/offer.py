"""Records and the protocol that all launchers share: the offer to a client, the settings of a run."""

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
from .outcome import CommandOutcome

# Messages of a client that a launcher waits for; client/detach.py and client/start.py print them.
STAYS = "this process stays until it has ended"  # the client holds its SSH session open
ALREADY_RUNS = "already running"  # another client of the same session runs there
START_LIMIT = 120.0  # seconds


@record
class Offer:
    """Facts that every client of a run is given: the master's place, the session, the program."""

    port: int  # the master's port
    address: str | None  # from `listen:`; None: the master's own end of each connection
    tls: bool  # True: the master's port speaks HTTPS
    fingerprint: str  # SHA-256 of its certificate, "" without TLS
    session: str = field(repr=False)  # never in a log, never on a command line
    # Makes the client's one file. A function, as a run on this machine alone never needs the file.
    pack: Callable[[], bytes] = field(repr=False)
    keep_client: bool = False
    job: str = ""  # FARM/JOB of a farm's job

    @property
    def client(self) -> bytes:
        """Return the client's one file."""
        return self.pack()

    @property
    def client_name(self) -> str:
        """File name on a host, made from the content: two versions of the client never meet."""
        return f"client-{self.client_sha256[:16]}.pyz"

    @property
    def client_sha256(self) -> str:
        """Checksum of the client's file, in hexadecimal."""
        return _sha256(self.client)

    def url(self, address: str, port: int | None = None) -> str:
        """Return the master's URL for a host that reaches it at `address`."""
        scheme = "https" if self.tls else "http"
        if ":" in address:
            address = f"[{address}]"  # IPv6
        return f"{scheme}://{address}:{port or self.port}"

    def address_for(self, own: str | None) -> str | None:
        """Return the master's address as a host may reach it; None when only forwarding can work.

        `own`: this machine's end of the connection to the host.
        """
        address = self.address or own
        if address is None:
            return None
        # A loopback address means the host itself there, unless the host is this machine.
        if is_loopback(address) and not is_loopback(own):
            return None
        return address

    def arguments(self, url: str, host: Host) -> list[str]:
        """Return the client's arguments: anybody on the host may read them, so the session is not here."""
        return ["--master", url, *host_arguments(host, self.fingerprint, self.job)]


@record
class Options:
    """Settings of one run, made once: all its launchers share `homes`, `early` and `owed` through it."""

    folder: Path  # folder of the run: the file of a local client is written there
    ssh_config: Path | None = None  # `spe run -F FILE`; None: ~/.ssh/config and /etc/ssh/ssh_config
    accept_new_host_keys: bool = False
    # All limits in seconds.
    grace: float = 180.0  # after it a lost forwarding connection is not made again
    connect_limit: float = 10.0  # for one TCP connection; ConnectTimeout of ssh_config wins
    login_limit: float = 30.0  # for key exchange and authentication
    start_limit: float = START_LIMIT  # from the client's start to its registration, with its `setup`
    copy_limit: float = 120.0  # for one copy of the client
    homes: Homes = field(default_factory=Homes, repr=False)
    early: Early = field(default_factory=Early, repr=False)
    # host -> files of ours that were left there when its connection was lost
    owed: dict[str, set[str]] = field(default_factory=dict, repr=False)
    # Shows a warning to the user; called from any thread. The log has it in any case.
    warn: Callable[[str], None] = field(default=lambda text: None, repr=False)
    # Refuse unknown keys in any case: the hosts of a farm's job are named by somebody else.
    recorded_keys_only: bool = False


class Launcher(Protocol):
    """The start of one host's client, and the connection that it needs. Lives until `close`.

    Its faults are LaunchErrors and concern this host alone.
    """

    host: Host
    handed_over: bool  # True: a client of this session ran there already and was told our address
    note: str  # unusual facts about this host for the user, "" when there are none
    ended: bool  # True: the client is known to have ended; never set before `watch`
    outcome: CommandOutcome | None  # end of a client that was a child of ours

    @property
    def silence_counts_since(self) -> float:
        """Monotonic time in seconds since which the client could be heard.

        -inf: always, for the client reaches the master without us. inf: its silence tells nothing,
        because `watch` returns at its end, or because the connection that it needs is away.
        """

    async def start(self) -> None:
        """Start the client and return; its registration is for the master to see."""

    async def watch(self) -> None:
        """Keep the connection that the client needs; return when none is needed (any more).

        Raises LaunchError when the host is lost.
        """

    async def close(self) -> None:
        """Release everything. May be called at any time, and twice."""


def is_loopback(address: str | None) -> bool:
    """Return whether this address never leaves a machine."""
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


# Cached: every host asks for it, and the client has some 180 kB.
@functools.lru_cache(maxsize=2)
def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
