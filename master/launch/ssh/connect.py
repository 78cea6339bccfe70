"""One SSH connection: name, TCP or jump hosts, host key, login. Each way to fail has its own Fault.

No password is ever asked for: keys and the agent, or a message that says what to do. What is done over the
connection is ssh.py's.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import random
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from ...errors import ConfigError, Fault, LaunchError
from ...model import Host
from ..offer import Options
from . import known_hosts
from .login import log_in
from .target import SshConfig, Target, ssh_config

log = logging.getLogger("spe.launch")
if logging.getLogger("paramiko").level == logging.NOTSET:
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it would print is told by our messages

BROKEN = (paramiko.SSHException, OSError, EOFError)  # a connection that broke, in the library's words
_SILENCE_LIMIT_MS = 45_000  # unacknowledged data for so long: the connection is dead
_IDLE = 2.0  # seconds between a waiting connection's looks at the time; paramiko's own are 0.1
_HANDSHAKES_AT_ONCE = 4  # to one address: sshd's MaxStartups drops more than 10, and a jump host gets them all
_TRIES = 5
_gates: dict[tuple[str, int], threading.Semaphore] = {}
_gates_lock = threading.Lock()


class Connection:
    """A transport that is logged in, and what it goes through. Closing it closes all of it."""

    def __init__(self, target: Target, options: Options) -> None:
        self.target, self.options = target, options
        self.transport: paramiko.Transport
        self.own_address: str | None = None  # this machine's end, as the first hop sees it
        self.below: list[Connection] = []
        self._proxy: subprocess.Popen[bytes] | None = None
        self._proxy_words: IO[bytes] | None = None

    def close(self) -> None:
        """Ends the connection and all that it goes through."""
        if hasattr(self, "transport"):
            if isinstance(self.transport.sock, socket.socket):
                with contextlib.suppress(OSError):  # the other end was quicker
                    self.transport.sock.shutdown(socket.SHUT_RDWR)  # its thread waits there
            self.transport.close()
        if self._proxy is not None:
            self._proxy.kill()  # its work is done; one that ignores TERM would hold the end of the run
            self._proxy.wait()
        if self._proxy_words is not None:
            self._proxy_words.close()
        for connection in self.below:
            connection.close()

    def through(self, command: str) -> socket.socket:
        """A ProxyCommand at the other end of a socket; paramiko's own spins when the command ends."""
        ours, theirs = socket.socketpair()
        self._proxy_words = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the connection
        with theirs:
            self._proxy = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._proxy_words,
                start_new_session=True,
            )
        return ours

    def last_words(self) -> str:
        """What a ProxyCommand said before it ended, for a message."""
        if self._proxy_words is None:
            return ""
        self._proxy_words.seek(0)
        lines = self._proxy_words.read(4096).decode(errors="replace").strip().splitlines()
        return f" (ProxyCommand: {lines[-1]})" if lines else " (ProxyCommand)"


def connect(host: Host, options: Options) -> Connection:
    """A connection to the host by the way that ~/.ssh/config names."""
    try:
        config = ssh_config(options.ssh_config)
        return _connect(config, config.target(host), options, ())
    except LaunchError as error:
        raise _told(error, host) from error
    except ConfigError as error:  # the other hosts may need nothing of it
        raise LaunchError(Fault.START, f"{error.where}: {error.what}", where=host.name, todo=error.todo) from error
    except paramiko.SSHException as error:
        raise LaunchError(Fault.LOST, str(error) or type(error).__name__, where=host.name) from error


def _told(error: LaunchError, host: Host) -> LaunchError:
    """The same fault, where the user wrote the host; a jump host that is to blame stays named."""
    if error.where in ("", host.name):
        what = error.detail
    else:
        what = f"{error.detail} (at {error.where}, on the way to {host.name})"
    return LaunchError(error.fault, what, where=host.name, todo=error.todo, broke_off=error.broke_off)


def _connect(config: SshConfig, target: Target, options: Options, seen: tuple[str, ...]) -> Connection:
    if target.alias in seen:
        raise ConfigError(f"ProxyJump goes in a circle: {' -> '.join((*seen, target.alias))}", where=target.alias)
    hops = [config.jump(spec) for spec in target.jumps]
    below: list[Connection] = []
    try:
        for number, hop in enumerate(hops):
            # the first hop may have jumps of its own; those after it are reached through the one before
            below.append(
                _connect(config, hop, options, (*seen, target.alias))
                if number == 0
                else _patiently(hop, options, [below[-1]])
            )
        return _patiently(target, options, below)
    except BaseException:
        for connection in below:
            connection.close()
        raise


def _patiently(target: Target, options: Options, below: list[Connection]) -> Connection:
    """Tries again when sshd hung up before its banner: it does so at random when many come at once.

    An sshd that has shown its banner and hangs up then is lost, as is one that cannot be reached any more.
    """
    gate, answered = _gate(target), False
    mine = gate.acquire(timeout=options.login_limit)  # behind one that hangs nobody waits longer than for itself
    try:
        for attempt in range(1, _TRIES + 1):
            connection = Connection(target, options)
            try:
                _open(connection, below)
                connection.below = below
                return connection
            except _HungUp:
                words = connection.last_words()
                answered = answered or bool(connection.transport.remote_version)
                connection.close()
                log.debug("%s hung up, try %d%s", target.alias, attempt, words)
                time.sleep(random.uniform(0.2, 0.6) * attempt)
            except LaunchError as error:
                connection.close()
                raise _lost(target, f"; then {error.what}") if answered else error from None
            except BaseException:
                connection.close()
                raise
    finally:
        if mine:
            gate.release()
    if answered:
        raise _lost(target, words)
    raise LaunchError(
        Fault.REFUSED,
        f"it closed the connection before saying anything{words}",
        where=target.alias,
        todo=f"Try: ssh -v {target.alias}",
    )


def _lost(target: Target, words: str) -> LaunchError:
    what = f"in the middle of the key exchange{words}"
    return LaunchError(Fault.LOST, what, where=target.alias, todo=f"Try: ssh -v {target.alias}")


class _HungUp(Exception):
    """The other end closed the connection before the key exchange was done; mostly before its banner."""


def _gate(target: Target) -> threading.Semaphore:
    with _gates_lock:
        return _gates.setdefault((target.hostname, target.port), threading.Semaphore(_HANDSHAKES_AT_ONCE))


def _open(connection: Connection, below: list[Connection]) -> None:
    target, options = connection.target, connection.options
    sock = _channel(connection, below[-1]) if below else _socket(connection)
    known = known_hosts.entries(target)
    connection.transport = transport = paramiko.Transport(sock)
    transport.banner_timeout = transport.auth_timeout = options.login_limit
    security = transport.get_security_options()
    # GCM needs no checksum of its own, which paramiko compares byte by byte in Python: a third of the time of a start
    security.ciphers = sorted(security.ciphers, key=lambda name: "gcm" not in name)
    security.key_types = known_hosts.preferred(known, tuple(security.key_types))
    _negotiate(transport, target, options.login_limit)
    known_hosts.verify(target, transport.get_remote_server_key(), known, options.accept_new_host_keys)
    log_in(transport, target)
    transport.set_keepalive(15)
    if isinstance(sock, socket.socket):
        sock.settimeout(_IDLE)


# -- the way there ----------------------------------------------------------------------------------------


def _channel(connection: Connection, last: Connection) -> paramiko.Channel:
    """Through a jump host, which says why when it cannot."""
    target, jump = connection.target, last.target.alias
    connection.own_address = last.own_address
    limit = target.timeout or connection.options.connect_limit
    try:
        return last.transport.open_channel(
            "direct-tcpip", (target.hostname, target.port), ("127.0.0.1", 0), timeout=limit
        )
    except paramiko.ChannelException as error:
        raise LaunchError(*_jump_fault(jump, error), where=target.alias, todo=f"Try: ssh -v {target.alias}") from error
    except paramiko.SSHException as error:
        what = f"the jump host {jump} did not connect to it within {limit:g} s ({error})"
        raise LaunchError(Fault.TIMEOUT, what, where=target.alias, todo=f"Try: ssh -v {target.alias}") from error


def _jump_fault(jump: str, error: paramiko.ChannelException) -> tuple[Fault, str]:
    if error.code == 1:
        return Fault.REFUSED, f"the jump host {jump} forbids forwarding (AllowTcpForwarding in its sshd_config)"
    said = f"the jump host {jump} says: {error.text}"
    for words, fault in ((("name", "resol"), Fault.NAME), (("timed out", "no route"), Fault.TIMEOUT)):
        if any(word in error.text.lower() for word in words):
            return fault, said
    return Fault.REFUSED, said


def _socket(connection: Connection) -> socket.socket:
    target = connection.target
    if target.proxy_command:
        return connection.through(target.proxy_command)  # no address of ours is to be had: ssh.py forwards a port
    sock = _dial(target, target.timeout or connection.options.connect_limit)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # else the system's own, minutes
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_LIMIT_MS)
    connection.own_address = str(sock.getsockname()[0]).removeprefix("::ffff:").partition("%")[0]
    return sock


def _dial(target: Target, limit: float) -> socket.socket:
    """TCP to the first address that answers; the last one's fault is told."""
    fault = LaunchError(Fault.NAME, f"{target.hostname} has no address", where=target.alias)
    for family, address in _addresses(target):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(limit)
        try:
            if target.bind:
                sock.bind((target.bind, 0))
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            fault = _tcp_fault(target, error, limit)
    raise fault


def _addresses(target: Target) -> Iterator[tuple[socket.AddressFamily, tuple[str, int]]]:
    wanted = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(target.family, socket.AF_UNSPEC)
    try:
        found = socket.getaddrinfo(target.hostname, target.port, wanted, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise LaunchError(
            Fault.NAME,
            f"{target.hostname}: {getattr(error, 'strerror', error)}",
            where=target.alias,
            todo=f"Check the name, or its HostName in ~/.ssh/config; try: ssh {target.alias}",
        ) from error
    for family, _, _, _, address in found:
        yield family, address  # type: ignore[misc]  # an IPv6 address has four parts; connect takes them as they are


def _tcp_fault(target: Target, error: OSError, limit: float) -> LaunchError:
    place = f"{target.hostname} port {target.port}"
    if isinstance(error, ConnectionRefusedError):
        return LaunchError(
            Fault.REFUSED,
            f"nothing listens on {place}",
            where=target.alias,
            todo="Is this the port? If so, start its SSH server there: sudo systemctl start ssh",
        )
    if isinstance(error, TimeoutError):
        return LaunchError(
            Fault.TIMEOUT,
            f"{place} did not answer within {limit:g} s",
            where=target.alias,
            todo=f"Is it switched on, and no firewall between? Try: ping {target.hostname}",
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
        return LaunchError(
            Fault.TIMEOUT,
            f"no way to {place} ({error.strerror})",
            where=target.alias,
            todo=f"Is the machine switched on, and this network connected? Try: ping {target.hostname}",
        )
    return LaunchError(
        Fault.REFUSED, f"{place}: {error.strerror or error}", where=target.alias, todo=f"Try: ssh -v {target.alias}"
    )


# -- the handshake ----------------------------------------------------------------------------------------


def _negotiate(transport: paramiko.Transport, target: Target, limit: float) -> None:
    """Banner and key exchange; an sshd that accepts and says nothing (a hung machine) is a timeout."""
    try:
        transport.start_client(timeout=limit)
        transport.get_remote_server_key()  # start_client returns without a word when its time is up
    except IncompatiblePeer as error:
        raise LaunchError(
            Fault.LOGIN,
            f"no common method of encryption: {error}",
            where=target.alias,
            todo="Its SSH server is too old or too strict for paramiko.",
        ) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        if _comes_of(error, (ConnectionError, EOFError)):
            raise _HungUp from error
        if _comes_of(error, (TimeoutError,)) or transport.is_active():
            raise LaunchError(
                Fault.TIMEOUT,
                f"connected, but no SSH server answered within {limit:g} s",
                where=target.alias,
                todo=f"The machine may hang. Try: ssh -v {target.alias}",
                broke_off=True,
            ) from error
        raise LaunchError(
            Fault.REFUSED,
            f"what listens on {target.hostname} port {target.port} is no SSH server ({error})",
            where=target.alias,
            todo=f"Try: ssh -v {target.alias}",
        ) from error


def _comes_of(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> bool:
    """paramiko puts all that can happen to a banner into one sentence; the cause is in the chain."""
    while error is not None:
        if isinstance(error, kinds):
            return True
        error = error.__cause__ or error.__context__
    return False
