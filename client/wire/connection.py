"""Where the master is and how a connection to it is made: plain, or TLS that trusts one certificate alone.

What is said over it, and what to do when it breaks, is master.py's.
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
except ImportError:  # a Python built without it can still talk plain HTTP
    ssl = None  # type: ignore[assignment]


class MasterAddress(NamedTuple):
    """Where the master is, and by which certificate it is known."""

    scheme: str
    host: str
    port: int
    prefix: str
    fingerprint: str
    url: str


class NotTheMaster(OSError):
    """The certificate is not the one that we were told: whoever answers there is not our master."""


def parse_address(url: str, fingerprint: str) -> MasterAddress:
    """A URL such as https://10.0.0.1:8040; raises ValueError with a sentence when it is none."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("--master %s: must look like http://HOST:PORT or https://HOST:PORT" % url)
    digest = fingerprint.replace(":", "").strip().lower()
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise ValueError("--fingerprint: must be the 64 hexadecimal digits of a SHA-256")
    if digest and parts.scheme == "http":
        raise ValueError("--fingerprint: http:// shows no certificate and is read by others; write https://, or leave "
                         "the fingerprint out where the master has none")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return MasterAddress(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), digest, url.strip())


def connection_to(address: MasterAddress, connect: float) -> http.client.HTTPConnection:
    """Not yet connected. connect: seconds for that, and for the greeting of TLS."""
    if address.scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=connect)
    if ssl is None:
        raise exits.Ending(exits.NOT_REACHED, "this Python has no ssl module, so it cannot speak HTTPS")
    if not address.fingerprint:
        return http.client.HTTPSConnection(address.host, address.port, timeout=connect)
    return _Pinned(address, connect)


class _Pinned(http.client.HTTPSConnection):
    """HTTPS that accepts one certificate, whoever signed it; nothing is sent to any other."""

    def __init__(self, address: MasterAddress, connect: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._pin = address.fingerprint
        super().__init__(address.host, address.port, timeout=connect, context=context)

    def connect(self) -> None:
        super().connect()
        found = hashlib.sha256(self.sock.getpeercert(True) or b"").hexdigest()
        if not hmac.compare_digest(found, self._pin):
            self.close()
            text = "the certificate there is not the master's: its SHA-256 is %s, not %s; a run's own stands as " \
                   "`fingerprint` in its runs/NAME/master.json"
            raise NotTheMaster(text % (found, self._pin))


def watch_for_death(sock: socket.socket) -> None:
    """A master whose machine lost power sends nothing: let the kernel find out within half a minute."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30000)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def describe(fault: Exception) -> str:
    """Why there was no answer, in a few words that hold no secret."""
    if isinstance(fault, NotTheMaster):
        return str(fault)
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused"
    if isinstance(fault, socket.timeout):
        return "timeout"
    if isinstance(fault, socket.gaierror):
        return "name not found"
    if ssl is not None and isinstance(fault, ssl.SSLError):
        return "TLS: %s (does the master speak HTTPS there?)" % (fault.reason or fault.strerror or "error")
    if isinstance(fault, OSError):
        return fault.strerror or type(fault).__name__
    return "what answers there is not a master of spe, or wants HTTPS"
