"""The way to an SSH server: TCP, a jump host, or a ProxyCommand. Each way to fail has its own Fault."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import paramiko

from ...errors import Fault, LaunchError
from .config.target import Target
from .connection import Connection

Address = tuple[str, int]

# Unacknowledged data for this long means that the connection is dead. Less would give up connections
# that are back after a short outage of the network.
_SILENCE_LIMIT_MS = 45_000
_FORBIDDEN = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED of RFC 4254
# Words of a jump host's sshd -> fault: its error has a text only, and no number for these.
_JUMP_WORDS = {
    "name": Fault.NAME,
    "resol": Fault.NAME,
    "timed out": Fault.TIMEOUT,
    "no route": Fault.TIMEOUT,
}
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def _try_verbose(target: Target) -> str:
    return f"Try: ssh -v {target.words}"


def open_socket(connection: Connection) -> socket.socket:
    """Return a socket to the host's SSH server, directly or through a ProxyCommand."""
    target = connection.target
    if target.proxy_command:
        # own_address stays None: there is no address of ours that the host could use.
        return connection.start_proxy(target.proxy_command)
    sock = _dial(target, target.timeout or connection.options.connect_limit)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # elsewhere the system's own limit holds: minutes
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silence_limit_ms(target))
    address = str(sock.getsockname()[0])
    # An IPv4 address in IPv6 form, or a scope (%eth0), would be useless on the host.
    connection.own_address = address.removeprefix("::ffff:").partition("%")[0]
    return sock


def silence_limit_ms(target: Target) -> int:
    """Return milliseconds without an acknowledgement after which a connection counts as dead."""
    if target.alive_interval is None:
        return _SILENCE_LIMIT_MS
    return min(target.alive_interval * target.alive_count * 1000, _SILENCE_LIMIT_MS)


def open_through(connection: Connection, last: Connection) -> paramiko.Channel:
    """Return a channel to the host through a jump host, which tells why when it cannot connect."""
    target = connection.target
    jump = last.target.alias
    connection.own_address = last.own_address
    limit = target.timeout or connection.options.connect_limit
    try:
        return last.transport.open_channel(
            "direct-tcpip", (target.hostname, target.port), ("127.0.0.1", 0), timeout=limit
        )
    except paramiko.ChannelException as error:
        fault, what = _jump_fault(jump, error)
        raise LaunchError(fault, what, where=target.alias, todo=_try_verbose(target)) from error
    except paramiko.SSHException as error:
        raise LaunchError(
            Fault.TIMEOUT,
            f"the jump host {jump} did not connect to it within {limit:g} s ({error})",
            where=target.alias,
            todo=_try_verbose(target),
        ) from error


def _jump_fault(jump: str, error: paramiko.ChannelException) -> tuple[Fault, str]:
    """Return (fault, what) of a jump host that did not connect."""
    if error.code == _FORBIDDEN:
        what = f"the jump host {jump} forbids forwarding (AllowTcpForwarding in its sshd_config)"
        return Fault.REFUSED, what
    text = error.text.lower()
    faults = [fault for words, fault in _JUMP_WORDS.items() if words in text]
    return (faults or [Fault.REFUSED])[0], f"the jump host {jump} says: {error.text}"


def _dial(target: Target, limit: float) -> socket.socket:
    """Return a TCP connection to the first address that answers; raise the last address's fault."""
    fault = LaunchError(Fault.NAME, f"{target.hostname} has no address", where=target.alias)
    for family, address in _addresses(target):
        try:
            return _connect(family, address, target.bind, limit)
        except OSError as error:
            fault = _tcp_fault(target, error, limit)
    raise fault


def _connect(
    family: socket.AddressFamily,
    address: Address,
    bind: str | None,
    limit: float,
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(limit)
    try:
        if bind:
            sock.bind((bind, 0))
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _addresses(target: Target) -> Iterator[tuple[socket.AddressFamily, Address]]:
    wanted = _FAMILIES.get(target.family, socket.AF_UNSPEC)
    try:
        found = socket.getaddrinfo(target.hostname, target.port, wanted, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: a label longer than 63 bytes
        raise LaunchError(
            Fault.NAME,
            f"{target.hostname}: {getattr(error, 'strerror', error)}",
            where=target.alias,
            todo=f"Check the name, or its HostName in {target.config}; try: ssh {target.words}",
        ) from error
    for family, _, _, _, address in found:
        # An IPv6 address has four parts; connect() takes them as they are.
        yield family, address  # type: ignore[misc]


def _tcp_fault(target: Target, error: OSError, limit: float) -> LaunchError:
    """Return the fault of a TCP connection that was not made."""
    place = f"{target.hostname} port {target.port}"
    if isinstance(error, ConnectionRefusedError):
        fault = Fault.REFUSED
        what = f"nothing listens on {place}"
        todo = "Is this the port? If so, start its SSH server there: sudo systemctl start ssh"
    elif isinstance(error, TimeoutError):
        fault = Fault.TIMEOUT
        what = f"{place} did not answer within {limit:g} s"
        todo = f"Is it switched on, and no firewall between? Try: ping {target.hostname}"
    elif error.errno in _NO_WAY:
        fault = Fault.TIMEOUT
        what = f"no way to {place} ({error.strerror})"
        todo = "Is the machine switched on, and this network connected? "
        todo += f"Try: ping {target.hostname}"
    else:
        fault = Fault.REFUSED
        what = f"{place}: {error.strerror or error}"
        todo = _try_verbose(target)
    return LaunchError(fault, what, where=target.alias, todo=todo)
