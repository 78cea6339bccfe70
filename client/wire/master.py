"""The way to the master: HTTP with keep-alive, and patience with a master that does not answer.

Every request may be repeated safely, so one that got no answer is asked again until the grace time is over.
What the requests mean is left to those who ask.
"""

import http.client
import os
import random
import socket
import threading
import time
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple, Union
from urllib.parse import urlencode

from .. import exits, log
from .connection import MasterAddress, connection_to, describe, watch_for_death
from .multipart import Body, BodyGone

FIRST_CONNECT, CONNECT = 5.0, 15.0
PATIENT, SOON = 600.0, 30.0
MOST_SERVER_ERRORS = 8
MOST_BROKEN = 50
BLOCK = 1 << 18

Query = List[Tuple[str, Union[str, int]]]


class Reply(NamedTuple):
    """What the master answered; the body is empty when it went into a file."""

    status: int
    headers: Any  # http.client.HTTPMessage: .get(name)
    body: bytes

    @property
    def text(self) -> str:
        """The body as one line for people."""
        return " ".join(self.body[:2000].decode("utf-8", "replace").split())


class MasterGone(exits.Ending):
    """The grace time is over."""


class UploadBrokenOff(Exception):
    """Something can't be brought to a master that is there: each time the connection breaks while it is sent."""


class CannotKeep(Exception):
    """What came could not be written to a file here."""

    def __init__(self, why: OSError) -> None:
        super().__init__(str(why))
        self.why = why


class Stopping(Exception):
    """The client is ending: whoever still wants an answer gets none."""


class Master:
    """What all threads know about the master: where it is, who we are to it, and since when it is silent."""

    def __init__(self, address: MasterAddress, session: str, reread: Callable[[], Optional[MasterAddress]]) -> None:
        self.address, self.session, self.client = address, session, ""
        self.grace = 180.0
        self.stopping = threading.Event()
        self._reread, self._silent_since = reread, None  # type: Tuple[Any, Optional[float]]
        self._heard_at = time.monotonic()

    def line(self, before: Callable[[], None] = lambda: None) -> "Line":
        """Return a connection for one thread. `before` is called before each try; what it raises ends the request."""
        return Line(self, before)

    def shorten_grace(self, seconds: float) -> None:
        """Be patient with a silent master for so many seconds at most."""
        self.grace = min(self.grace, seconds)

    def heard(self) -> None:
        """It answered."""
        self._silent_since, self._heard_at = None, time.monotonic()

    def unheard(self, began: float, fault: Exception) -> None:
        """It did not answer a request begun then. Looks for its new address; raises MasterGone after the grace time."""
        since = self._silent_since
        if since is None:
            since = self._silent_since = max(began, self._heard_at)  # others of us may have been answered meanwhile
            log.say("the master does not answer (%s); waiting up to %g s" % (describe(fault), self.grace))
        if time.monotonic() - since >= self.grace:
            text = "the master has not answered for %g s (%s)" % (self.grace, describe(fault))
            raise MasterGone(exits.NOT_REACHED, text)
        new = self._reread()
        if new is not None and new != self.address:
            self.address = new
            log.say("the master's address is now %s" % new.url)


class Line:
    """One keep-alive connection to the master, used by one thread."""

    def __init__(self, master: Master, before: Callable[[], None] = lambda: None) -> None:
        """`before` is called before each try; what it raises ends the request."""
        self.master, self._before = master, before
        self._connection: Optional[http.client.HTTPConnection] = None
        self._address: Optional[MasterAddress] = None

    def ask(
        self,
        path: str,
        query: Query,
        body: Optional[Body] = None,
        timeout: float = SOON,
        into: Optional[str] = None,
    ) -> Reply:
        """Ask until there is an answer. 403 ends the client; a server error is repeated a few times.

        into: a file that takes the body of a 200; raises OSError when it can't.
        """
        errors = broken = 0
        for delay in _delays():
            self._before()
            began, reused = time.monotonic(), self._connection is not None
            try:
                reply = self.once(path, query, body, timeout, into)
            except CannotKeep as fault:
                self.close()
                raise fault.why
            except (OSError, http.client.HTTPException) as fault:
                broken += int(body is not None and self._connection is not None)
                self.close()
                self._go_on_after(fault, began, broken, reused)
                if reused:
                    continue
            else:
                errors += 1
                if reply.status < 500 or reply.status == 503 or errors >= MOST_SERVER_ERRORS:
                    return reply
            self.master.stopping.wait(delay)
        raise AssertionError("unreachable")

    def _go_on_after(self, fault: Exception, began: float, broken: int, reused: bool) -> None:
        """There was no answer. Raises what says that there is no use in trying again."""
        if self.master.stopping.is_set():
            raise Stopping()
        if broken >= MOST_BROKEN:
            raise UploadBrokenOff("it broke off %d times (%s)" % (broken, describe(fault)))
        if not reused or isinstance(fault, socket.timeout):  # a kept connection may just have been closed as idle
            self.master.unheard(began, fault)

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
            raise exits.SessionRefused("the master refuses: 403 %s%s" % (reply.text, _renewal(reply.text)))
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
            self._connection = connection_to(self._address, connect)
            self._connection.connect()
            watch_for_death(self._connection.sock)
        return self._connection

    def _send(self, connection: http.client.HTTPConnection, path: str, query: Query, body: Optional[Body]) -> bool:
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
        except socket.timeout:
            raise
        except OSError:
            return False
        except BodyGone:
            self.close()
            raise
        return True


def _renewal(text: str) -> str:
    """What helps against a session that has ended, or is another sweep's."""
    if text != "wrong session ID":
        return ""
    where = "`session` in its runs/NAME/master.json, or the lines that `spe run --hosts none` prints"
    return " (each run has its own: take %s)" % where


def _has_no_length(response: http.client.HTTPResponse) -> bool:
    """205 has no body by its meaning, but only some masters say so by a length."""
    return response.status == 205 and response.getheader("Content-Length") is None


def _read(response: http.client.HTTPResponse, into: Optional[str]) -> bytes:
    if _has_no_length(response):
        return b""
    if into is None:
        return response.read()
    try:
        file = open(into, "wb", buffering=0)
    except OSError as fault:
        raise CannotKeep(fault)
    with file:
        for block in iter(lambda: response.read(BLOCK), b""):
            _keep(file.fileno(), block)
        os.fsync(file.fileno())
    return b""


def _keep(file: int, block: bytes) -> None:
    try:
        while block:
            block = block[os.write(file, block) :]
    except OSError as fault:
        raise CannotKeep(fault)


def _delays() -> Iterator[float]:
    """Seconds between tries: growing, with jitter, so that a thousand clients do not come back in one moment."""
    delay = 0.1
    while True:
        yield delay * random.uniform(0.7, 1.3)
        delay = min(2.0, delay * 1.6)
