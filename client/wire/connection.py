"""The address of the master and connections to it: plain, or TLS that trusts one certificate alone.

What is said over a connection, and what to do when it breaks: see master.py.
"""

import hashlib
import hmac
import http.client
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from .. import exits

try:
    import ssl
except ImportError:  # a Python built without ssl can still talk plain HTTP
    ssl = None  # type: ignore[assignment]


NO_SSL = "this Python has no ssl module, so it cannot speak HTTPS"
PORTS = {"http": 80, "https": 443}
# Seconds to the first probe and between probes, their number; milliseconds for unanswered data.
KEEP_ALIVE = {
    "TCP_KEEPIDLE": 15,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30000,
}


# Python's own words for these are numbers, or differ between systems.
KNOWN_FAULTS = (
    (ConnectionRefusedError, "connection refused"),
    (socket.timeout, "timeout"),
    (socket.gaierror, "name not found"),
)


class MasterAddress(NamedTuple):
    """An address of the master, with the certificate by which it is known."""

    scheme: str
    host: str
    port: int
    prefix: str  # beginning of all paths, empty for none
    fingerprint: str  # SHA-256 of the certificate; empty: a known authority signed it
    url: str  # as it was given


class NotTheMaster(OSError):
    """Raised when the certificate is not the one that we were told: our master is somewhere else."""


def parse_address(url: str, fingerprint: str) -> MasterAddress:
    """Return the address in a URL such as https://10.0.0.1:8040. Raises ValueError with a sentence."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("--master %s: must look like http://HOST:PORT or https://HOST:PORT" % url)
    digest = fingerprint.replace(":", "").strip().lower()
    if digest:
        _check_fingerprint(digest, parts.scheme)
    return MasterAddress(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        prefix=parts.path.rstrip("/"),
        fingerprint=digest,
        url=url.strip(),
    )


def _check_fingerprint(digest: str, scheme: str) -> None:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError("--fingerprint: must be the 64 hexadecimal digits of a SHA-256")
    if scheme == "http":
        raise ValueError(
            "--fingerprint: http:// shows no certificate and is read by others; "
            "write https://, or leave the fingerprint out where the master has none"
        )


def connection_to(address: MasterAddress, connect: float) -> http.client.HTTPConnection:
    """Return a connection that is still to be made.

    `connect`: seconds for that, and for the greeting of TLS.
    """
    if address.scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=connect)
    if ssl is None:
        raise exits.Ending(exits.NOT_REACHED, NO_SSL)
    if not address.fingerprint:
        return http.client.HTTPSConnection(address.host, address.port, timeout=connect)
    return _Pinned(address, connect)


class _Pinned(http.client.HTTPSConnection):
    """An HTTPS connection that accepts one certificate, whoever signed it, and no other.

    Nothing is sent to a server that has another one.
    """

    def __init__(self, address: MasterAddress, connect: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The master signs its own certificate, so its fingerprint is compared in place of names.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._pin = address.fingerprint
        super().__init__(address.host, address.port, timeout=connect, context=context)

    def connect(self) -> None:
        super().connect()
        found = hashlib.sha256(self.sock.getpeercert(True) or b"").hexdigest()
        if not hmac.compare_digest(found, self._pin):
            self.close()
            text = (
                "the certificate there is not the master's: its SHA-256 is %s, not %s; "
                "a run's own stands as `fingerprint` in its runs/NAME/master.json"
            )
            raise NotTheMaster(text % (found, self._pin))


def watch_for_death(sock: socket.socket) -> None:
    """Have the kernel find out within half a minute when the master's machine has lost power.

    Such a machine sends nothing, and a long poll would wait for its answer.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _describe_tls(fault: "ssl.SSLError") -> str:
    why = fault.reason or fault.strerror or "error"
    return "TLS: %s (does the master speak HTTPS there?)" % why


def describe(fault: Exception) -> str:
    """Return in a few words, which hold no secret, why there was no answer."""
    if isinstance(fault, NotTheMaster):
        return str(fault)
    for kind, text in KNOWN_FAULTS:
        if isinstance(fault, kind):
            return text
    if ssl is not None and isinstance(fault, ssl.SSLError):
        return _describe_tls(fault)
    if isinstance(fault, OSError):
        return fault.strerror or type(fault).__name__
    return "what answers there is not a master of spe, or wants HTTPS"
