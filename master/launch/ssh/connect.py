"""Connect and log in to a host, with tries for an sshd that is too busy. Each failure has its Fault.

No password is ever asked for: spe logs in with keys and the ssh-agent, or says what to do.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from ...errors import ConfigError, Fault, LaunchError
from ...model import Host
from ..offer import Options
from ..pasteable import remember_host
from . import known_hosts
from .config.algorithms import make_transport
from .config.lookup import SshConfig, ssh_config
from .config.target import Target
from .connection import Connection
from .dial import open_socket, open_through
from .login import log_in

log = logging.getLogger("spe.launch")
# Our messages tell what paramiko would print. A level that the user has set stays as it is.
if logging.getLogger("paramiko").level == logging.NOTSET:
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)

BROKEN = (paramiko.SSHException, OSError, EOFError)  # errors of paramiko for a broken connection
_IDLE = 2.0  # seconds between wake-ups of a waiting connection; paramiko's own are 0.1
# Seconds: shorter than the idle limit of common firewalls. A longer ServerAliveInterval is not
# followed: Debian's ssh says 300 where BatchMode is set, and a lost host would go unnoticed.
_KEEPALIVE = 15
# At a time to one address: sshd's MaxStartups drops connections above 10, and a jump host gets all.
_HANDSHAKES_AT_ONCE = 4
_TRIES = 5
_gates: dict[tuple[str, int], threading.Semaphore] = {}
_gates_lock = threading.Lock()


def connect(host: Host, options: Options) -> Connection:
    """Return a connection to the host by the way that ~/.ssh/config names. Raises LaunchError."""
    remember_host(host, options.ssh_config)
    try:
        config = ssh_config(options.ssh_config)
        return _connect(config, config.target(host, options.connect_limit, options.warn), options, ())
    except LaunchError as error:
        raise _at_host(error, host) from error
    except ConfigError as error:
        # A LaunchError of this host alone: the others may not need the broken part of the file.
        what = f"{error.where}: {error.what}"
        raise LaunchError(Fault.START, what, where=host.name, todo=error.todo) from error
    except paramiko.SSHException as error:
        what = str(error) or type(error).__name__
        raise LaunchError(Fault.LOST, what, where=host.name) from error


def _at_host(error: LaunchError, host: Host) -> LaunchError:
    """Return the same fault under the name that the user wrote; a jump host to blame stays named."""
    what = error.detail
    if error.where not in ("", host.name):
        what += f" (at {error.where}, on the way to {host.name})"
    return LaunchError(
        error.fault,
        what,
        where=host.name,
        todo=error.todo,
        broke_off=error.broke_off,
    )


def _connect(
    config: SshConfig,
    target: Target,
    options: Options,
    seen: tuple[str, ...],
) -> Connection:
    """Return a connection through the target's jump hosts. `seen`: targets that lead here."""
    if target.alias in seen:
        circle = " -> ".join((*seen, target.alias))
        what = f"ProxyJump goes in a circle: {circle}"
        raise ConfigError(what, where=target.config, todo=f"Try: ssh {target.words}")
    hops = config.jumps(target, options.connect_limit, options.warn)
    below: list[Connection] = []
    try:
        # The first hop may have jumps of its own; the next are reached through the one before.
        for hop in hops[:1]:
            below.append(_connect(config, hop, options, (*seen, target.alias)))
        for hop in hops[1:]:
            below.append(_try_often(hop, options, [below[-1]]))
        return _try_often(target, options, below)
    except BaseException:
        for connection in below:
            connection.close()
        raise


class _HungUp(Exception):
    """The other end closed the connection before the key exchange was done, mostly before its banner."""

    def __init__(self, after_banner: bool, words: str = "") -> None:
        super().__init__(words)
        self.after_banner = after_banner
        self.words = words  # words of the ProxyCommand


def _try_often(target: Target, options: Options, below: list[Connection]) -> Connection:
    """Return a connection, after more tries when sshd hung up before its banner.

    sshd hangs up at random when many clients come at once (MaxStartups). An sshd that hangs up after
    its banner counts as lost, as does one that cannot be reached any more.
    """
    answered = False
    words = ""
    with _turn(target, options.login_limit):
        for attempt in range(1, _TRIES + 1):
            try:
                return _open(target, options, below)
            except _HungUp as hung_up:
                answered = answered or hung_up.after_banner
                words = hung_up.words
                log.debug("%s hung up, try %d%s", target.alias, attempt, words)
                # Random, so that the hosts of one jump host do not all come back at once.
                time.sleep(random.uniform(0.2, 0.6) * attempt)
            except LaunchError as error:
                if answered:
                    raise _lost(target, f"; then {error.what}") from None
                raise
    if answered:
        raise _lost(target, words)
    raise LaunchError(
        Fault.REFUSED,
        f"it closed the connection before saying anything{words}",
        where=target.alias,
        todo=f"Try: ssh -v {target.words}",
    )


@contextmanager
def _turn(target: Target, limit: float) -> Iterator[None]:
    """Hold a turn for a handshake with this address.

    After `limit` seconds without a turn the caller goes on: it must not wait behind hosts that hang
    for longer than it would hang itself.
    """
    address = (target.hostname, target.port)
    with _gates_lock:
        gate = _gates.setdefault(address, threading.Semaphore(_HANDSHAKES_AT_ONCE))
    acquired = gate.acquire(timeout=limit)
    try:
        yield
    finally:
        if acquired:
            gate.release()


def _lost(target: Target, words: str) -> LaunchError:
    what = f"in the middle of the key exchange{words}"
    return LaunchError(Fault.LOST, what, where=target.alias, todo=f"Try: ssh -v {target.words}")


def _open(target: Target, options: Options, below: list[Connection]) -> Connection:
    """Return a connection of one try, logged in. Raises _HungUp and LaunchError."""
    connection = Connection(target, options)
    try:
        _open_and_log_in(connection, below)
    except _HungUp:
        words = connection.proxy_words()
        after_banner = bool(connection.transport.remote_version)
        connection.close()
        raise _HungUp(after_banner, words) from None
    except BaseException:
        connection.close()
        raise
    connection.below = below  # only now: a failed try must not close what the next one goes through
    return connection


def _open_and_log_in(connection: Connection, below: Sequence[Connection]) -> None:
    target, options = connection.target, connection.options
    sock = open_through(connection, below[-1]) if below else open_socket(connection)
    known = known_hosts.entries(target)
    transport = make_transport(sock, target, options.warn)
    connection.transport = transport
    transport.banner_timeout = options.login_limit
    transport.auth_timeout = options.login_limit
    security = transport.get_security_options()
    security.key_types = known_hosts.preferred(known, tuple(security.key_types))
    _negotiate(transport, target, options.login_limit)
    known_hosts.verify(
        target,
        transport.get_remote_server_key(),
        known,
        options.accept_new_host_keys,
        options.recorded_keys_only,
    )
    log_in(transport, target)
    transport.set_keepalive(min(target.alive_interval or _KEEPALIVE, _KEEPALIVE))
    if isinstance(sock, socket.socket):
        sock.settimeout(_IDLE)


def _negotiate(transport: paramiko.Transport, target: Target, limit: float) -> None:
    """Exchange banners and keys. An sshd that accepts and is silent (a hung machine) is a timeout."""
    try:
        transport.start_client(timeout=limit)
        # start_client returns without an error when its time is up; this call raises then.
        transport.get_remote_server_key()
    except IncompatiblePeer as error:
        raise LaunchError(
            Fault.LOGIN,
            f"no common method of encryption: {error}",
            where=target.alias,
            todo="Its SSH server is too old or too strict for paramiko.",
        ) from error
    except BROKEN as error:
        if _comes_of(error, (ConnectionError, EOFError)):
            raise _HungUp(after_banner=False) from error
        if _comes_of(error, (TimeoutError,)) or transport.is_active():
            raise _no_answer(target, limit) from error
        raise LaunchError(
            Fault.REFUSED,
            f"what listens on {target.hostname} port {target.port} is no SSH server ({error})",
            where=target.alias,
            todo=f"Try: ssh -v {target.words}",
        ) from error


def _no_answer(target: Target, limit: float) -> LaunchError:
    return LaunchError(
        Fault.TIMEOUT,
        f"connected, but no SSH server answered within {limit:g} s",
        where=target.alias,
        todo=f"The machine may hang. Try: ssh -v {target.words}",
        broke_off=True,
    )


def _comes_of(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> bool:
    """Return whether an error of these kinds lies behind this one.

    paramiko has a single exception for all that can happen to a banner; the cause is in its chain.
    """
    while error is not None:
        if isinstance(error, kinds):
            return True
        error = error.__cause__ or error.__context__
    return False
