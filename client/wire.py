"""The way to the master: HTTP with keep-alive, pinned TLS, and patience with a master that does not answer.

Every request may be repeated safely, so one that got no answer is asked again until the grace time is over.
What the requests mean is left to those who ask.
"""

import hashlib
import hmac
import http.client
import os
import random
import socket
import threading
import time
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple, Union
from urllib.parse import urlencode, urlsplit

from . import ends, log
from .multipart import Body, BodyGone

try:
    import ssl
except ImportError:  # a Python built without it can still talk plain HTTP
    ssl = None  # type: ignore[assignment]

FIRST_CONNECT, CONNECT = 5.0, 15.0
PATIENT, SOON = 600.0, 30.0
MOST_SERVER_ERRORS = 8
BLOCK = 1 << 18

Query = List[Tuple[str, Union[str, int]]]


class Address(NamedTuple):
    """Where the master is, and by which certificate it is known."""

    scheme: str
    host: str
    port: int
    prefix: str
    fingerprint: str
    url: str


class Reply(NamedTuple):
    """What the master answered; the body is empty when it went into a file."""

    status: int
    headers: Any  # http.client.HTTPMessage: .get(name)
    body: bytes

    @property
    def text(self) -> str:
        """The body as one line for people."""
        return " ".join(self.body[:2000].decode("utf-8", "replace").split())


class NotTheMaster(OSError):
    """The certificate is not the one that we were told: whoever answers there is not our master."""


class MasterGone(ends.Ending):
    """The grace time is over."""


class Stopping(Exception):
    """The client is ending: whoever still wants an answer gets none."""


def parse_address(url: str, fingerprint: str) -> Address:
    """A URL such as https://10.0.0.1:8040; raises ValueError with a sentence when it is none."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("--master %s: must look like http://HOST:PORT or https://HOST:PORT" % url)
    digest = fingerprint.replace(":", "").strip().lower()
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise ValueError("--fingerprint: must be the 64 hexadecimal digits of a SHA-256")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Address(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), digest, url.strip())


class Master:
    """What all threads know about the master: where it is, who we are to it, and since when it is silent."""

    def __init__(self, address: Address, session: str, reread: Callable[[], Optional[Address]]) -> None:
        self.address, self.session, self.client = address, session, ""
        self.grace = 180.0
        self.stopping = threading.Event()
        self._reread, self._silent_since = reread, None  # type: Tuple[Any, Optional[float]]

    def line(self) -> "Line":
        """A connection of one's own, for one thread."""
        return Line(self)

    def heard(self) -> None:
        """It answered."""
        self._silent_since = None

    def unheard(self, began: float, fault: Exception) -> None:
        """It did not answer a request begun then. Looks for its new address; raises MasterGone after the grace time."""
        since = self._silent_since
        if since is None:
            since = self._silent_since = began
            log.say("the master does not answer (%s); waiting up to %g s" % (describe(fault), self.grace))
        if time.monotonic() - since >= self.grace:
            text = "the master has not answered for %g s (%s)" % (self.grace, describe(fault))
            raise MasterGone(ends.NOT_REACHED, text)
        new = self._reread()
        if new is not None and new != self.address:
            self.address = new
            log.say("the master's address is now %s" % new.url)


class Line:
    """One keep-alive connection to the master, used by one thread."""

    def __init__(self, master: Master) -> None:
        self.master = master
        self._connection: Optional[http.client.HTTPConnection] = None
        self._address: Optional[Address] = None

    def ask(
        self,
        path: str,
        query: Query,
        body: Optional[Body] = None,
        timeout: float = SOON,
        into: Optional[str] = None,
    ) -> Reply:
        """Ask until there is an answer. 403 ends the client; a server error is repeated a few times.

        into: a file that takes the body of a 200.
        """
        errors = 0
        for delay in _delays():
            began, reused = time.monotonic(), self._connection is not None
            try:
                reply = self.once(path, query, body, timeout, into)
            except (OSError, http.client.HTTPException) as fault:
                self.close()
                if self.master.stopping.is_set():
                    raise Stopping()
                if reused and not isinstance(fault, socket.timeout):  # it was idle and closed: a new one, at once
                    continue
                self.master.unheard(began, fault)
            else:
                errors += 1
                if reply.status < 500 or reply.status == 503 or errors >= MOST_SERVER_ERRORS:
                    return reply
            self.master.stopping.wait(delay)
        raise AssertionError("unreachable")

    def once(
        self,
        path: str,
        query: Query,
        body: Optional[Body] = None,
        timeout: float = SOON,
        into: Optional[str] = None,
        connect: float = CONNECT,
    ) -> Reply:
        """Ask one time. Raises OSError or HTTPException when there is no whole answer."""
        connection = self._connected(connect)
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        whole = self._send(connection, path, query, body)
        response = connection.getresponse()
        content = _read(response, into if response.status == 200 else None)
        if not whole or response.will_close or _has_no_length(response):
            self.close()
        self.master.heard()
        reply = Reply(response.status, response.headers, content)
        if reply.status == 403:
            raise ends.SessionRefused("the master refuses: 403 %s" % reply.text)
        return reply

    def close(self) -> None:
        """Also from another thread: a request that waits there ends at once."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        sock = connection.sock
        try:
            if sock is not None:
                sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it was no longer connected
            pass
        connection.close()

    def _connected(self, connect: float) -> http.client.HTTPConnection:
        if self._connection is not None and self._address is not self.master.address:
            self.close()
        if self._connection is None:
            self._address = self.master.address
            self._connection = _connection(self._address, connect)
            self._connection.connect()
            _watch_for_death(self._connection.sock)
        return self._connection

    def _send(
        self, connection: http.client.HTTPConnection, path: str, query: Query, body: Optional[Body]
    ) -> bool:
        """False: the master stopped reading; it may have said why, so the answer is read all the same."""
        known: Query = [("sessionID", self.master.session)]
        if self.master.client:
            known.append(("client", self.master.client))
        asked = urlencode(known + query, errors="surrogateescape")
        target = "%s%s?%s" % (self._address.prefix if self._address else "", path, asked)
        try:
            if body is None:
                connection.request("GET", target)
            else:
                connection.request("POST", target, body=body.content(), headers=body.headers)
        except (BrokenPipeError, ConnectionResetError):
            return False
        except BodyGone:
            self.close()
            raise
        return True


def _connection(address: Address, connect: float) -> http.client.HTTPConnection:
    if address.scheme == "http":
        return http.client.HTTPConnection(address.host, address.port, timeout=connect)
    if ssl is None:
        raise ends.Ending(ends.NOT_REACHED, "this Python has no ssl module, so it cannot speak HTTPS")
    if not address.fingerprint:
        return http.client.HTTPSConnection(address.host, address.port, timeout=connect)
    return _Pinned(address, connect)


class _Pinned(http.client.HTTPSConnection):
    """HTTPS that accepts one certificate, whoever signed it; nothing is sent to any other."""

    def __init__(self, address: Address, connect: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._pin = address.fingerprint
        super().__init__(address.host, address.port, timeout=connect, context=context)

    def connect(self) -> None:
        super().connect()
        found = hashlib.sha256(self.sock.getpeercert(True) or b"").hexdigest()
        if not hmac.compare_digest(found, self._pin):
            self.close()
            raise NotTheMaster("the certificate there is not the master's: its SHA-256 is %s" % found)


def _watch_for_death(sock: socket.socket) -> None:
    """A master whose machine lost power sends nothing: let the kernel find out within half a minute."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30000)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _has_no_length(response: http.client.HTTPResponse) -> bool:
    """205 has no body by its meaning, but only some masters say so by a length."""
    return response.status == 205 and response.getheader("Content-Length") is None


def _read(response: http.client.HTTPResponse, into: Optional[str]) -> bytes:
    if _has_no_length(response):
        return b""
    if into is None:
        return response.read()
    with open(into, "wb") as file:
        for block in iter(lambda: response.read(BLOCK), b""):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return b""


def _delays() -> Iterator[float]:
    """Seconds between tries: growing, with jitter, so that a thousand clients do not come back in one moment."""
    delay = 0.1
    while True:
        yield delay * random.uniform(0.7, 1.3)
        delay = min(2.0, delay * 1.6)


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
